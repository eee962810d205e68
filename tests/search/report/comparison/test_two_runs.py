"""Two runs side by side: each value, and what changed."""

from dataclasses import replace

from search.report import __main__ as report
from search.report.comparison.two_runs import compare_runs
from tests.search.runs import made_up_run


def test_two_runs_are_compared(tmp_path, monkeypatch, capsys):
    one, other = made_up_run(), replace(made_up_run(seed=2), name="other", seconds=84.0)
    for run in (one, other):
        (tmp_path / run.name).mkdir()
        run.save(tmp_path / run.name / "run.json")
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / one.name),
                                     str(tmp_path / other.name)])
    report.main()
    text = capsys.readouterr().out
    assert f"{one.kept.energy:.4f}" in text
    assert f"{other.kept.energy:.4f}" in text
    assert "+100.0 %" in text  # of the seconds
    changed = [layer for layer in one.kept.mapping
               if one.kept.mapping[layer] != other.kept.mapping[layer]]
    assert f"{len(changed)} of {len(one.layers)} common layers run on another" in text
    for layer in changed:
        assert f"{one.kept.mapping[layer]} -> {other.kept.mapping[layer]}" in text


def test_a_run_compared_with_itself_shows_no_change():
    lines = compare_runs(made_up_run(), made_up_run())
    assert not [line for line in lines if " -> " in line or line.endswith("%")]
