"""Every block of docs/api.md runs, in its order."""

import re
from pathlib import Path

from hw.machine.design import BankConfig
from search.report.outputs import make_design
from tests.search.runs import made_up_bank, made_up_run

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(),
                    re.MULTILINE | re.DOTALL)


def test_every_block_runs(tmp_path, monkeypatch, capsys):
    run = made_up_run()
    folder = tmp_path / "runs" / "digits"
    folder.mkdir(parents=True)
    run.save(folder / "run.json")
    make_design(run.name, run.kept, made_up_bank(), bank=BankConfig(), exact_form="1x1", kept=None,
                constants={}, provenance={}).save(folder / "design.json")
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 4
    names = {}
    for block in BLOCKS:
        exec(compile(block, "a block of docs/api.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "0.9900 of the images right with 0 approximate layers" in printed
    assert "(8, 10) float32" in printed
    assert f"chip: {run.kept_figures.relative(run.baseline)['chip']:.3f} of " in printed
    for layer, multiplier in run.kept.mapping.items():
        assert re.search(rf"^{re.escape(layer)} runs on array \d {multiplier}$", printed, re.M)
