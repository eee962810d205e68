"""`python -m hw.multipliers evolve` as a user runs it."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hw.common.errors import InputError, run_command_line
from hw.multipliers import files, get
from hw.multipliers.__main__ import main
from hw.multipliers.evolution import operands
from hw.multipliers.evolution.settings import Settings
from hw.multipliers.metrics import error_metrics

COMMAND = [sys.executable, "-m", "hw.multipliers", "evolve"]
# A shell's background jobs, of which these tests may be one, ignore SIGINT, and so do children.
HEEDING_INTERRUPTS = [
    sys.executable, "-c", "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"]
SMALL = ["--mutants", "4000", "--no-map"]


def evolve(*arguments, cwd, status=0):
    done = subprocess.run([*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True,
                          text=True, check=False, timeout=300)
    assert done.returncode == status, done.stderr
    return done


def test_best_of_two_seeds_is_written_and_can_be_made_again(tmp_path):
    done = evolve("--name", "mul8u_mine", "--max-error", "mae=0.1%", "--max-error", "BIAS=0.02",
                  *SMALL, "--seeds", 2, 1, "--jobs", 2, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mul8u_mine.json"]
    mine = files.load(tmp_path / "mul8u_mine.json")
    metrics = error_metrics(mine.table)
    assert 0 < metrics.mae_percent <= 0.1
    assert abs(metrics.bias_percent) <= 0.02
    assert metrics.keeps_zero
    assert mine.parameters["seed"] in (1, 2)
    start = get(str(mine.parameters["start"]))
    assert start.family in mine.citation or start.name in mine.citation
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"start {start.name}: ")
    assert [line.partition(":")[0] for line in lines[1:3]] == ["seed_1", "seed_2"]
    assert lines[-1] == "mul8u_mine.json"
    again = evolve("--again", "mul8u_mine.json", cwd=tmp_path)
    assert again.stdout == f"mul8u_mine.json: the same netlist again, {mine.digest[:12]}\n"


def test_results_are_compared_as_mapped_pes(tmp_path):
    done = evolve("--name", "m", "--max-error", "mae=0.1", "--start", "mul8u_exact", "--mutants",
                  4000, "--jobs", 1, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines[:2]] == ["start mul8u_exact", "seed_1"]
    energies = [float(re.search(r"([\d.]+) fJ per cycle of the mapped PE", line)[1])
                for line in lines[:2]]
    assert energies[0] > energies[1] > 0


def test_a_file_that_its_settings_do_not_give_is_noticed(tmp_path):
    evolve("--name", "m", "--max-error", "mae=0.1", "--start", "mul8u_exact", *SMALL, cwd=tmp_path)
    content = json.loads((tmp_path / "m.json").read_text())
    content["parameters"]["seed"] = 5
    (tmp_path / "m.json").write_text(json.dumps(content))
    done = evolve("--again", "m.json", cwd=tmp_path, status=2)
    assert done.stderr.splitlines()[-1].startswith("error: m.json: evolution must give netlist ")
    assert "Traceback" not in done.stderr


def test_interrupted_command_goes_on_to_the_same_result(tmp_path):
    arguments = ["--name", "m", "--max-error", "mre=2", "--start", "mul8u_exact", "--no-map",
                 "--mutants", "300000"]
    process = subprocess.Popen([*HEEDING_INTERRUPTS, *COMMAND[1:], *arguments], cwd=tmp_path,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    state = tmp_path / "m.evolving" / "seed1.json"
    for _ in range(30000):  # compiling for the first time takes a minute or more
        if state.exists() or process.poll() is not None:
            break
        time.sleep(0.01)
    assert state.exists()
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the same command goes on from m.evolving" in message
    assert "Traceback" not in message
    assert not (tmp_path / "m.json").exists()
    assert json.loads(state.read_text())["stage"] > 0
    evolve(*arguments, cwd=tmp_path)
    evolve(*arguments, "-o", "whole.json", cwd=tmp_path)
    assert files.load(tmp_path / "m.json") == files.load(tmp_path / "whole.json")
    assert not state.exists()


def test_operands_of_a_file_weigh_errors_and_switching(tmp_path):
    stream = operands.typical()
    np.savez(tmp_path / "layer.npz", act=stream.act.astype(np.int16),
             next_act=stream.next_act.astype(np.int16), weight=-stream.weight.astype(np.int16))
    loaded = operands.load(tmp_path / "layer.npz")
    np.testing.assert_array_equal(loaded.weight, stream.weight)
    done = evolve("--name", "m", "--max-error", "mae=0.02", "--errors", "layer.npz", "--energy",
                  "layer.npz", *SMALL, cwd=tmp_path)
    assert "(layer.npz operands)" in done.stdout
    found = files.load(tmp_path / "m.json")
    assert found.parameters["errors"] == found.parameters["energy"] == "layer.npz"


def test_signed_circuits_get_signed_operands(tmp_path):
    values = np.array([-128, -1, 0, 127], np.int16)
    np.savez(tmp_path / "s.npz", act=values, next_act=values, weight=values)
    assert operands.load(tmp_path / "s.npz", signed=True).weight.tolist() == [128, 255, 0, 127]
    assert operands.load(tmp_path / "s.npz").weight.tolist() == [128, 1, 0, 127]
    np.savez(tmp_path / "wide.npz", act=values + 1, next_act=values, weight=values)
    with pytest.raises(InputError, match=r"wide.npz: .*act must be -128 to 127, not -127 to 128"):
        operands.load(tmp_path / "wide.npz", signed=True)
    weights = operands.typical(signed=True).weight.astype(np.int8)
    assert weights.min() < -100 < 100 < weights.max()
    assert operands.typical(signed=True).act.max() <= 127


def test_signed_circuits_are_scored_by_the_proxy(tmp_path):
    done = evolve("--name", "mul8s_mine", "--start", "mul8s_exact", "--max-error", "mae=0.3",
                  "--mutants", 2000, cwd=tmp_path)
    assert "by the proxy" in done.stdout
    assert files.load(tmp_path / "mul8s_mine.json").signed


@pytest.mark.long
def test_seeds_are_compared_by_their_mapped_pes(tmp_path):
    done = evolve("--name", "m", "--start", "mul8u_exact", "--max-error", "mae=0.3", "--mutants",
                  20000, "--seeds", 1, 2, cwd=tmp_path)
    assert done.stdout.count("fJ per cycle of the mapped PE") == 3


@pytest.mark.parametrize(("arguments", "message"), [
    (["--max-error", "mae=1"], "--name must be given, for example mul8u_mine"),
    (["--name", "m"], "Limits must include one of MAE, WCE, MRE, EP, RMSE and RESIDUAL"),
    (["--name", "m", "--max-error", "mad=1"], "--max-error must be one of MAE, WCE, MRE, EP, RMSE, "
                                              "BIAS, RESIDUAL, then = and percent, not "
                                              "'mad=1'"),
    (["--name", "m", "--max-error", "mae"], "--max-error must be one of"),
    (["--name", "m", "--max-error", "mae=low"], "--max-error must be one of"),
    (["--name", "m", "--max-error", "mae=1", "-o", "m.v"],
     "m.v: multiplier file must end in .json"),
    (["--name", "m", "--max-error", "mae=1", "--start", "mul8u_exat"],
     "Unknown multiplier 'mul8u_exat'; did you mean"),
    (["--name", "m", "--max-error", "mae=0.001", "--start", "mul8u_trunc_c6"],
     "Seed circuit must keep MAE within 0.001 %, not 0.1225 %"),
    (["--name", "m", "--max-error", "mae=1", "--errors", "none.npz"], "none.npz: No such file"),
    (["--name", "m", "--max-error", "mae=1", "--errors", "text.npz"],
     "text.npz: must be an .npz file with act, next_act and weight"),
    (["--name", "m", "--max-error", "mae=1", "--errors", "short.npz"],
     "short.npz: act, next_act and weight must be equally long"),
    (["--name", "m", "--max-error", "mae=1", "--mutants", "3"],
     "Mutants must be at least 200, not 3"),
    (["--name", "m", "--max-error", "mae=1", "--jobs", "0"], "--jobs must be at least 1, not 0"),
    (["--again", "family.json"], "family.json: multiplier 'mul8u_drum_k4' must hold"),
    (["--again", "none.json"], "none.json: No such file"),
])
def test_bad_input_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys,
                                                         arguments, message):
    (tmp_path / "text.npz").write_text("act")
    np.savez(tmp_path / "short.npz", act=[1, 2], next_act=[1], weight=[3])
    files.save(get("mul8u_drum_k4"), tmp_path / "family.json")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evolve", "evolve", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(main)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {message}")
    assert len(err.splitlines()) == 1
    assert not out
    assert sorted(tmp_path.iterdir()) == before


def test_settings_survive_a_file():
    parameters = {"start": "mul8u_exact", "limit_mae": 0.1, "errors": "uniform",
                  "energy": "typical", "keep_zero": 1, "mutants": 1000, "temperature": 0.001,
                  "price": 0.2, "spare": 40, "seed": 3}
    circuit = get("mul8u_exact")
    mine = type(circuit)(name="m", family="evolved", source=circuit.source, parameters=parameters)
    assert Settings.of(mine).parameters() == parameters
