"""`autoapprox ls`."""

import json

import pytest

from hw.common.errors import InputError
from search.report.comparison.__main__ import main
from tests.command import run_main
from tests.search.runs import made_up_run


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs in ./runs, and one of another time's format."""
    monkeypatch.chdir(tmp_path)
    for name, found in (("saving", True), ("exact", False)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        made_up_run(found=found).save(tmp_path / "runs" / name / "run.json")
    (tmp_path / "runs" / "old").mkdir()
    (tmp_path / "runs" / "old" / "run.json").write_text("{}")


def names(printed):
    return [line.split()[0] for line in printed.splitlines()]


def test_runs_are_listed_by_a_column(runs, monkeypatch, capsys):
    assert run_main(main, monkeypatch, "--sort", "array") == 0
    printed = capsys.readouterr()
    assert names(printed.out) == ["run", "runs/saving", "runs/exact", "runs/old"]
    assert printed.err.startswith("notice: runs/old/run.json: must be")
    assert run_main(main, monkeypatch, "--sort", "array", "--reverse", "runs/saving",
                    "runs/exact") == 0
    assert names(capsys.readouterr().out) == ["run", "runs/exact", "runs/saving"]


def test_json_has_every_column_and_no_value_where_there_is_no_result(runs, monkeypatch, capsys):
    assert run_main(main, monkeypatch, "--json", "--sort", "run") == 0
    exact, old, saving = json.loads(capsys.readouterr().out)
    assert (exact["array"], old["array"]) == (1.0, None)
    assert saving["certificate"] == "at most 1.0 points lost"
    assert exact.keys() == old.keys() == saving.keys()


def test_a_column_that_is_none_is_refused(runs, monkeypatch):
    with pytest.raises(InputError, match="Unknown column 'arrey'; did you mean 'array'"):
        run_main(main, monkeypatch, "--sort", "arrey")
