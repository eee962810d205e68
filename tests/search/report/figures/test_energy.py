"""Energy by part: segments are as long as what they stand for."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from search.report.figures.energy import parts
from search.report.figures.inline import SVG, inline
from tests.search.runs import made_up_run


def test_every_segment_says_its_energy():
    run = made_up_run()
    names = [name for own in parts(run).marks.values() for name in own]
    assert "exact, multipliers: 18.000 nJ, 30.0 %" in names
    assert "exact, buffers: 550.000 nJ, 83.3 %" in names
    assert f"design, arrays: {run.breakdown.array_nj:,.3f} nJ, 9.1 %" in names
    assert not [name for name in names if "DRAM" in name]


def test_segments_are_as_long_as_their_energy():
    root = ElementTree.fromstring(inline("parts", parts(made_up_run())))
    lengths = {}
    for mark in root.iter():
        if mark.get("class") == "mark":
            xs = [float(word) for word in mark.get("d").replace("M", " ").replace("L", " ")
                  .replace("z", " ").split()][::2]
            lengths[mark.findtext(f"{{{SVG}}}title").split(":")[0]] = max(xs) - min(xs)
    assert lengths["exact, multipliers"] == pytest.approx(2 * lengths["exact, registers"], rel=1e-3)
    assert lengths["exact, buffers"] == pytest.approx(
        550 / 60 * lengths["exact, arrays"], rel=1e-3)


def test_a_run_without_its_parts_is_refused():
    with pytest.raises(ValueError, match="must have its energy by part"):
        parts(replace(made_up_run(), breakdown=None))
