"""The comparison as text, CSV, JSON and pictures."""

import csv
import io
import json

import pytest

from hw.ppa.reports.published_files import compare_all, draw, summary, text, to_csv, to_dict, write
from tests.hw.ppa.reports.test_published import OURS, PUBLISHED

FOUND = compare_all(OURS, PUBLISHED)


def test_every_cost_is_set_against_every_error():
    assert [(found.error.label, found.cost.label) for found in FOUND] == [
        (error, cost) for error in ("MAE", "MRE", "MSE") for cost in ("area", "power x delay")]


def test_table_names_both_and_marks_what_is_above():
    lines = text(FOUND).splitlines()
    assert lines[0] == "area (um2) at equal or lower MAE (%)"
    assert [line.split() for line in lines[2:5]] == [
        ["b", "1", "10", "|", "q", "0.9", "20", "|", "2.000", "4.000", "above"],
        ["a", "0.1", "40", "|", "p", "0.1", "30", "|", "0.750", "1.500"],
        ["exact", "0", "100", "|", "ours", "0", "50", "|", "0.500", "1.000"]]


def test_summary_counts_points():
    line = summary(FOUND).splitlines()[1]
    assert line.split() == ["area", "against", "MAE", "2/3", "67%", "1", "33%", "|",
                            *(f"{FOUND[0].hypervolumes[key]:.4f}" for key in ("ours", "published")),
                            "|", *(f"{FOUND[0].hypervolumes[key]:.4f}"
                                   for key in ("ours_relative", "published_relative"))]


def test_csv_has_every_row():
    rows = list(csv.DictReader(io.StringIO(to_csv(FOUND))))
    assert len(rows) == sum(len(found.rows) for found in FOUND)
    assert rows[0] == {"error": "mae_percent", "cost": "area_um2", "published": "b",
                       "published_error": "1.0", "published_cost": "10", "ours": "q",
                       "our_error": "0.9", "our_cost": "20", "ratio": "2.0",
                       "relative_ratio": "4.0"}


def test_json_is_strict_and_complete():
    content = to_dict(FOUND, OURS, PUBLISHED, {"clock_mhz": 1000.0})
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["comparisons"][0]["rows"][1] == {
        "published": "a", "ours": "p", "ratio": 0.75, "relative_ratio": 1.5}
    assert content["ours"][1]["name"] == "p"
    assert content["configuration"] == {"clock_mhz": 1000.0}


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_picture_has_the_same_bytes_every_time(suffix, start):
    first = draw(OURS, PUBLISHED, suffix)
    assert first.startswith(start)
    assert first == draw(OURS, PUBLISHED, suffix)
    assert first != draw(OURS[:-1], PUBLISHED, suffix)


def test_write_gives_five_files(tmp_path):
    paths = write(tmp_path / "new", FOUND, OURS, PUBLISHED, {})
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths) == [f"comparison.{suffix}" for suffix in (
            "csv", "json", "png", "svg", "txt")]
    assert (tmp_path / "new" / "comparison.txt").read_text() == text(FOUND) + "\n"
