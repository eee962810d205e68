"""Figures on a page: names at their marks, colours of the page, ids of their own."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from search.report.figures.drawing import draw
from search.report.figures.inline import SVG, VARIABLES, XLINK, inline

POINTS = [(0.1, 5.0), (0.2, 3.0), (0.3, 4.0)]
NAMES = ["first <b>", "second & last", "third"]


@pytest.fixture(scope="module")
def drawing():
    def paint(canvas):
        colour, = (colour for colour, name in VARIABLES.items() if name == "var(--m2)")
        canvas.scatter(POINTS, NAMES, color=colour, marker="s")
        bar, = canvas.axes.barh([1.0], [0.2], color=colour, hatch="//")
        bar.set_gid(canvas.mark(["a bar"]))
        canvas.axes.text(0.2, 4.0, "12", url="#m12")

    return draw(2.0, paint, "A title")


@pytest.fixture(scope="module")
def root(drawing):
    return ElementTree.fromstring(inline("own", drawing))


def test_marks_are_named_where_they_are(root):
    marks = [one for one in root.iter() if one.get("class") == "mark"]
    assert [one.findtext(f"{{{SVG}}}title") for one in marks] == [*NAMES, "a bar"]
    xs, ys = ([float(one.get(axis)) for one in marks[:3]] for axis in "xy")
    assert xs == sorted(xs)
    assert sorted(range(3), key=ys.__getitem__) == [0, 2, 1]  # downwards: 5, 4, 3


def test_another_number_of_names_is_refused(drawing):
    for names in (NAMES[:2], [*NAMES, "fourth"]):
        with pytest.raises(ValueError, match=f"must have {len(names)} marks in marks0, not 3"):
            inline("own", replace(drawing, marks={"marks0": names}))
    with pytest.raises(ValueError, match="in nowhere, not 0"):
        inline("own", replace(drawing, marks={"nowhere": NAMES}))


def test_nothing_is_styled_but_by_the_page(drawing, root):
    assert "style=" in drawing.svg
    assert not any("style" in (one.tag.rpartition("}")[2], *one.attrib) for one in root.iter())
    assert {one.get("fill") for one in root.iter() if one.get("class") == "mark"} >= {"var(--m2)"}
    sizes = {one.get("font-size") for one in root.iter(f"{{{SVG}}}text")}
    assert sizes == {"9px"}


def test_ids_are_those_of_the_figure_and_addresses_follow(root):
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert ids
    assert all(one.startswith("own-") for one in ids)
    addresses = [one.get(f"{{{XLINK}}}href") for one in root.iter() if one.get(f"{{{XLINK}}}href")]
    assert "#m12" in addresses  # leads out of the figure
    assert {one[1:] for one in addresses} - {"m12"} <= set(ids)
    clips = {one.get("clip-path") for one in root.iter() if one.get("clip-path")}
    assert all(clip[5:-1] in ids for clip in clips)


def test_the_figure_has_a_title_for_those_who_do_not_see_it(root):
    assert (root.get("role"), root.get("aria-label")) == ("group", "A title")
    assert root.get("width") is None
    assert root.get("viewBox")
