"""A figure as part of a page: SVG that follows the page's colours and names its marks.

Matplotlib writes a file of its own: colours and fonts in `style` attributes, which a strict content
security policy forbids, and ids that a second figure has, too. Here they become presentation
attributes, variables of the stylesheet and ids with the figure's name; every mark gets its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from search.report.figures.drawing import Drawing
from search.report.figures.palette import LIGHT

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
TAG, HREF = f"{{{SVG}}}", f"{{{XLINK}}}href"
VARIABLES: Mapping[str, str] = {colour: f"var(--{name})" for name, colour in LIGHT.items()}
SHAPES = frozenset({f"{TAG}use", f"{TAG}path"})


def inline(name: str, drawing: Drawing) -> str:
    """Return the SVG text of a figure for a page; name : of the figure, unique on the page.

    Raises ValueError where a group has another number of marks than names.
    """
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(drawing.svg)  # noqa: S314 - our own
    for group, names in drawing.marks.items():
        _name_marks(root, group, names)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{TAG}metadata", f"{TAG}style") or child.tag.endswith("RDF"):
                parent.remove(child)
    used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', drawing.svg)) & set(
        re.findall(r'\sid="([^"]+)"', drawing.svg))
    for element in root.iter():
        _restyle(element)
        _rename(element, name, used)
    for key in ("width", "height"):
        root.attrib.pop(key)
    for title in root.findall(f"{TAG}title"):
        root.remove(title)
    root.attrib |= {"class": "chart", "role": "group", "aria-label": drawing.title,
                    "preserveAspectRatio": "xMidYMid meet"}
    return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


def _name_marks(root: ElementTree.Element, group: str, names: Sequence[str]) -> None:
    found = root.find(f".//*[@id='{group}']")
    marks: list[ElementTree.Element] = []
    if found is not None:
        drawn = [one for one in found if one.tag != f"{TAG}defs"]
        marks = [one for part in drawn for one in part.iter() if one.tag in SHAPES]
    if found is None or len(marks) != len(names):
        raise ValueError(f"Figure must have {len(names)} marks in {group}, not {len(marks)}")
    for mark, text in zip(marks, names, strict=True):
        mark.set("class", "mark")
        ElementTree.SubElement(mark, f"{TAG}title").text = text


def _restyle(element: ElementTree.Element) -> None:
    for item in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in item.partition(":"))
        if key == "font":
            key, value = "font-size", re.sub(r".*?([\d.]+)px.*", r"\1", value)
        if key:
            element.set(key, value)
    for key in ("fill", "stroke"):
        if element.get(key, "") in VARIABLES:
            element.set(key, VARIABLES[element.attrib[key]])


def _rename(element: ElementTree.Element, name: str, used: set[str]) -> None:
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", f"{name}-{own}")
    for key, value in element.attrib.items():
        if key == HREF and value[1:] in used:
            element.set(key, f"#{name}-{value[1:]}")
        elif value.startswith("url(#"):
            element.set(key, f"url(#{name}-{value[5:]}")
