"""Many runs: a line each, by any column; folders without a result keep theirs."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hw.common.errors import InputError
from search.report.comparison.many_runs import (
    COLUMNS,
    NAMES,
    SHORT,
    Listed,
    by_column,
    find_runs,
    table,
    values,
)
from tests.search.runs import made_up_run

NOON = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)


def listed(name, run, **others):
    return Listed(name=name, written=NOON, run=run, **others)


def cells(line):
    return re.split(r"\s{2,}", line)


def test_every_run_has_a_line_with_its_figures():
    run = made_up_run()
    head, first, second = table([listed("a", run), listed("b", replace(
        made_up_run(found=False), seconds=84.0))], list(COLUMNS))
    assert cells(head) == list(NAMES)
    assert dict(zip(NAMES, cells(first), strict=True)) == {
        "run": "a", "network": run.networks[0].model, "method": "milp",
        "multiplier": f"{run.kept.energy:.3f}", "array": f"{run.kept.energy:.3f}",
        "chip": f"{(600 + 60 * run.kept.energy) / 660:.3f}", "area": "1.500",
        "latency_us": f"{4460 * 787e-6:.4g}", "held_out": "98.62", "bound": "-0.61",
        "margin": "1.00", "certificate": "at most 1.0 points lost", "evaluations": "20.0",
        "seconds": "42", "written": "2026-05-04 12:30"}
    assert cells(second)[-4:] == ["exact array", "20.0", "84", "2026-05-04 12:30"]


def test_the_short_table_fits_a_screen():
    lines = table([listed("runs/resnet20", replace(
        made_up_run(), networks=[replace(made_up_run().networks[0], model="resnet20.onnx")]))],
        SHORT)
    assert max(map(len, lines)) <= 110


def test_values_have_all_digits():
    run = made_up_run()
    found = values(listed("a", run))
    assert list(found) == list(NAMES)
    assert found["array"] == run.kept_figures.relative(run.baseline)["array"]
    assert found["written"] == "2026-05-04T12:30:00+00:00"


@pytest.mark.parametrize(("falling", "order"), [(False, "cab"), (True, "acb")])
def test_runs_come_in_the_order_of_a_column_and_those_without_a_value_last(falling, order):
    run = made_up_run()
    runs = [listed("a", replace(run, seconds=9.0)), listed("b", None, fault="unfinished"),
            listed("c", replace(run, seconds=2.0))]
    assert "".join(one.name for one in by_column(runs, "seconds", falling=falling)) == order


def test_folders_are_found_with_what_became_of_them(tmp_path):
    for name in ("good", "old", "begun.unfinished", "other"):
        (tmp_path / name).mkdir()
    made_up_run().save(tmp_path / "good" / "run.json")
    os.utime(tmp_path / "good" / "run.json", (NOON.timestamp(), NOON.timestamp()))
    (tmp_path / "old" / "run.json").write_text('{"format": "autoapprox-run/1"}')
    found = {Path(one.name).name: one for one in find_runs([tmp_path])}
    assert list(found) == ["begun.unfinished", "good", "old"]
    assert found["good"].written == NOON
    assert found["good"].run.name == "made-up"
    assert 'old/run.json: must be a JSON object with "format"' in found["old"].fault
    assert [cells(line)[-2] for line in table(list(found.values()), SHORT)] == [
        "certificate", "unfinished", "at most 1.0 points lost", "unreadable"]
    assert [one.name for one in find_runs([tmp_path / "good"])] == [str(tmp_path / "good")]


@pytest.mark.parametrize(("folder", "said"), [
    ("none", "must be a folder of runs"), ("empty", "must be a run folder or hold some")])
def test_a_folder_without_runs_is_refused(tmp_path, folder, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=said):
        find_runs([tmp_path / folder])
