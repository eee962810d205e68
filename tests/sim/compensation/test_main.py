"""`python -m sim.compensation`: what it prints and writes, and one line for bad input."""

import json
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError, run_command_line
from hw.multipliers import get
from models.data import load_digits_split
from sim import evaluate
from sim.compensation import __main__ as compensate
from sim.compensation.calibration import Calibration
from sim.compensation.divergence import logit_divergence
from sim.compensation.kinds import KINDS
from sim.compensation.record import Compensation
from sim.data import DIGITS_MODEL
from sim.network.quant_network import QuantNetwork
from tests.command import run_main

NAME = "mul8u_optrunc_a4w2"
DATA = ("--data", "digits:search", "--limit", 60, "--calibrate", "digits:train")


def run(monkeypatch, module, *arguments):
    return run_main(module.main, monkeypatch, *arguments)


def figures(monkeypatch, capsys, module, *arguments):
    assert run(monkeypatch, module, DIGITS_MODEL, *DATA, "--json", *arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_figures_are_those_of_the_library_and_the_file_is_used_by_evaluate(
        monkeypatch, capsys, tmp_path):
    path = tmp_path / "c.json"
    found = figures(monkeypatch, capsys, compensate, "--multiplier", NAME, "--exact", "stem",
                    "classifier", "--fit", 40, "--kind", "bias", "affine", "-o", path)
    network = QuantNetwork.load(DIGITS_MODEL, load_digits_split("train").images[:128])
    tables = {layer.name: get(NAME).table for layer in network.layers[1:-1]}
    expected = Calibration(network, load_digits_split("train").images[:40]).fit(tables)
    written = Compensation.load(path)
    assert found["best"] == written.kind == "affine"
    assert written.to_dict() == expected.to_dict()
    images, labels = (part[:60] for part in load_digits_split("search"))
    exact, rows = network.run(images), {row["kind"]: row for row in found["kinds"]}
    assert list(rows) == ["exact", "none", "bias", "affine"]
    for kind, view in (("exact", None), ("none", network), ("affine", expected.apply(network))):
        logits = exact if view is None else view.run(images, tables)
        assert rows[kind]["top1"] == (logits.argmax(1) == labels).mean()
        assert rows[kind]["divergence"] == pytest.approx(logit_divergence(exact, logits))
    assert (rows["bias"]["kept"], rows["affine"]["kept"]) == (False, True)
    assert rows["bias"]["divergence"] == rows["none"]["divergence"]  # what is not kept is not run
    assert list(found["layers"]) == list(tables)
    used = figures(monkeypatch, capsys, evaluate, "--multiplier", NAME, "--exact", "stem",
                   "classifier", "--compensation", path)
    assert used["top1"] == rows["affine"]["top1"]
    with pytest.raises(InputError, match=r"c\.json: Compensation must be fitted to the multiplier "
                                         r"that layer 'stem' runs with$"):
        figures(monkeypatch, capsys, evaluate, "--multiplier", NAME, "--compensation", path)


def test_all_kinds_are_compared_in_a_table(monkeypatch, capsys, tmp_path):
    np.save(tmp_path / "t.npy", get(NAME).table)
    assert run(monkeypatch, compensate, DIGITS_MODEL, *DATA, "--table", tmp_path / "t.npy",
               "--fit", 16, "--exact", "stem", "block1a", "block1b", "down", "block2a") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ("logits against the exact network's: KL in nats per image, on 60 images, "
                        "and at temperature 2 on the 4 held out; ranges minmax")
    assert [line.split()[0] for line in lines[2:4 + len(KINDS)]] == ["exact", "none", *KINDS]
    assert [line.split()[0] for line in lines[5 + len(KINDS):]] == ["block2b", "mix", "classifier"]
    for line in lines[5 + len(KINDS):]:
        _name, plain, error, kept = line.split()
        assert float(error) <= float(plain)
        assert (float(error) == float(plain)) == (kept == "none")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--data", "digits:search", "--multiplier", NAME],
     "error: --calibrate must name images to fit on, other than those of --data"),
    (["--data", "digits:search", "--calibrate", "digits:search", "--multiplier", NAME],
     "error: --calibrate must not be the images of --data"),
    ([*DATA, "--multiplier", NAME, "--exact", "stern"],
     "error: Unknown layer 'stern'; did you mean 'stem'?"),
    ([*DATA, "--multiplier", NAME, "--fit", 3],
     "error: Calibration images must be at least 4 (every fourth is held out), not 3"),
    ([*DATA, "--multiplier", NAME, "--fit", 0], "error: --fit must be at least 1, not 0"),
    ([*DATA, "--multiplier", NAME, "-o", "f/c.json"], "error: f"),
])
def test_bad_input_is_one_line_and_nothing_is_written(monkeypatch, capsys, tmp_path, arguments,
                                                      message):
    monkeypatch.chdir(tmp_path)
    Path("f").write_text("")
    monkeypatch.setattr("sys.argv", ["x", str(DIGITS_MODEL), "--json", "--kind", "bias",
                                     *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(compensate.main)
    captured = capsys.readouterr()
    assert (stopped.value.code, captured.out) == (2, "")
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_multiplier_must_be_chosen(monkeypatch, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, compensate, DIGITS_MODEL, *DATA)
    assert stopped.value.code == 2
    assert "one of the arguments --multiplier --mapping --table is required" \
        in capsys.readouterr().err
