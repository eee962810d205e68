"""Many runs: a line each, in the order in which they were given."""

import re
from dataclasses import replace

import pytest

from hw.common.errors import InputError
from search.report import __main__ as report
from search.report.comparison.many_runs import COLUMNS, list_runs
from tests.search.runs import made_up_run


def test_every_run_has_a_line_with_its_figures():
    run = made_up_run()
    head, first, second = list_runs([("a", run), ("b", replace(made_up_run(found=False),
                                                               seconds=84.0))])
    assert re.split(r"\s{2,}", head) == list(COLUMNS)
    row = dict(zip(COLUMNS, re.split(r"\s{2,}", first), strict=True))
    assert row == {
        "run": "a", "network": run.networks[0].model, "method": "milp",
        "multiplier": f"{run.kept.energy:.3f}", "array": f"{run.kept.energy:.3f}",
        "chip": f"{(600 + 60 * run.kept.energy) / 660:.3f}", "area": "1.500",
        "latency, us": f"{4460 * 787e-6:.4g}", "held out": "98.62 %", "bound": "-0.61",
        "margin": "1.00", "verdict": "certified", "evaluations": "20.0", "seconds": "42"}
    assert second.split()[-4:] == ["exact", "array", "20.0", "84"]


def test_three_folders_are_listed_by_name(tmp_path, monkeypatch, capsys):
    folders = [tmp_path / name for name in "cab"]
    for folder in folders:
        folder.mkdir()
        made_up_run().save(folder / "run.json")
    monkeypatch.setattr("sys.argv", ["report", *map(str, folders)])
    assert report.main() == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "run", *map(str, folders)]
    (folders[1] / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"a/run\.json"):
        report.main()
