"""The trial store survives being killed, and a resumed search is the uninterrupted one."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import optuna
import pytest

from hw.common.errors import InputError, ToolError
from search.measure.damage import Damage
from search.measure.designs import once
from search.methods import METHODS
from search.methods.base import SearchTask
from search.stages import search as stage
from search.trials.backends import repair_journal
from search.trials.study_store import TrialStore
from tests.search.synthetic import MadeUpNetwork, made_up_damage, made_up_problem

FINGERPRINT = {"network": "n", "data": "d"}
OBJECTIVES = ("chip energy (exact = 1)", "top-5 on the search split")
STUDY = "test"


def open_store(location, problem=None, **changes):
    problem = problem or made_up_problem(layers=5, multipliers=6)
    return TrialStore(location, STUDY, **({
        "fingerprint": FINGERPRINT, "objectives": OBJECTIVES, "layers": problem.layers,
        "multipliers": problem.multipliers, "max_arrays": problem.max_arrays,
        "area_limit": problem.area_limit} | changes))


def search(location, method, *, evaluations=12, stop_after=None):
    """Run a method with a store; `stop_after` measurements, the network raises Ctrl-C."""
    problem = made_up_problem(layers=5, multipliers=6)
    damage = made_up_damage(problem)
    network = MadeUpNetwork(problem, damage)

    def evaluate(mappings):
        if stop_after is not None and len(network.calls) >= stop_after:
            raise KeyboardInterrupt
        return network(mappings)

    store = open_store(location, problem)
    try:
        task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=evaluations,
                          images=network.IMAGES, seed=3, damage=Damage(alone=damage))
        measure = once(evaluate, store.known())
        return (stage.search(METHODS[method], task, measure, keep=store.add).result,
                network.calls)
    finally:
        store.close()


@pytest.mark.parametrize("method", ["random", "greedy", "tpe", "embed3", "milp"])
@pytest.mark.parametrize("stop_after", [1, 7])
def test_resumed_equals_uninterrupted_and_measures_nothing_twice(tmp_path, method, stop_after):
    whole, calls = search(tmp_path / "whole", method)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "torn", method, stop_after=stop_after)
    resumed, rest = search(tmp_path / "torn", method)
    assert resumed.history == whole.history
    assert resumed.best == whole.best
    assert len(rest) == len(calls) - stop_after


def test_every_candidate_is_one_trial_of_one_study(tmp_path):
    path = tmp_path / "trials.journal"
    first, _ = search(path, "random")
    second, _ = search(path, "milp")
    search(path, "milp")  # a replay adds nothing
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="test", storage=storage)
    assert len(study.trials) == len(first.history) + len(second.history)
    feasible = {trial.number for trial in study.trials
                if all(value <= 0 for value in trial.constraints.values())}
    assert {trial.number for trial in study.best_trials} <= feasible
    best = min((c for c in (first.best, second.best) if c), key=lambda c: c.energy)
    trial = next(trial for trial in study.trials if trial.values[0] == best.energy)
    assert trial.number in feasible
    assert trial.values[1] == best.search_share
    assert json.loads(trial.user_attrs["mapping"]) == dict(best.mapping)
    shown = {layer: trial.params[f"array{trial.params[layer]}"] for layer in best.mapping}
    assert shown == dict(best.mapping)
    assert study.metric_names == list(OBJECTIVES)


def test_the_optuna_command_lists_the_trials(tmp_path):
    path = tmp_path / "trials.journal"
    result, _ = search(path, "random", evaluations=3)
    done = subprocess.run(
        [Path(sys.executable).with_name("optuna"), "--storage", path, "--storage-class",
         "JournalFileBackend", "trials", "--study-name", "test", "-f", "json"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == len(result.history)
    for row, candidate in zip(rows, result.history, strict=True):
        text = json.dumps(row)
        assert all(layer in text for layer in candidate.mapping)
        assert all(name in text for name in candidate.arrays)
        assert f"{candidate.energy:.6f}"[:6] in text


@pytest.mark.parametrize("tear", [b'{"op_code":4,"worker_id":"x', b"\0\0\0\n", b"{\n", b"\n"])
def test_torn_tails_are_cut_off_and_appending_goes_on(tmp_path, tear):
    path = tmp_path / "trials.journal"
    whole, _ = search(path, "random", evaluations=4)
    before = path.read_bytes()
    with path.open("ab") as stream:
        stream.write(tear)
    resumed, calls = search(path, "random", evaluations=6)
    assert resumed.history[:4] == whole.history
    assert len(calls) == 2
    assert path.read_bytes().startswith(before)
    assert all(isinstance(json.loads(line), dict) for line in path.read_bytes().splitlines())


@pytest.mark.parametrize("content", [b"", b"{", b'{"op_code":0,"wor'])
def test_a_journal_torn_in_its_first_line_starts_afresh(tmp_path, content):
    path = tmp_path / "trials.journal"
    path.write_bytes(content)
    assert len(search(path, "random", evaluations=2)[1]) == 2


@pytest.mark.parametrize("content", [b"PK\3\4 a picture", b"energy,area\n1,2\n"])
def test_other_files_are_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.txt: must be an Optuna journal file$"):
        repair_journal(path)
    with pytest.raises(InputError, match=r"notes\.txt: must be an Optuna journal file$"):
        search(path, "random")
    assert path.read_bytes() == content


def test_another_networks_trials_are_refused(tmp_path):
    open_store(tmp_path / "t").close()
    with pytest.raises(InputError, match=r"must come from the same network; choose another"):
        open_store(tmp_path / "t", fingerprint={**FINGERPRINT, "network": "other"})


def test_two_runs_cannot_share_a_file(tmp_path):
    store = open_store(tmp_path / "t")
    with pytest.raises(InputError, match="another run is writing to it"):
        open_store(tmp_path / "t")
    store.close()
    open_store(tmp_path / "t").close()


def test_notes_survive(tmp_path):
    store = open_store(tmp_path / "t")
    assert store.note("stem") is None
    store.keep_note("stem", {"halves": [[0.0, 1 / 3], [0.5, 1.0]]})
    store.close()
    store = open_store(tmp_path / "t")
    assert store.note("stem") == {"halves": [[0.0, 1 / 3], [0.5, 1.0]]}
    store.close()


def test_bad_storage_urls_are_an_environment_error():
    with pytest.raises(ToolError, match=r"^nonsense://x: cannot be opened as Optuna storage"):
        open_store("nonsense://x")


def killed_search(path, method, *, after_s=None, at_call=None):
    """Run `search` in another process that dies by SIGKILL; after a time, or within a call."""
    script = textwrap.dedent("""
        import os, signal, sys, time
        import tests.search.trials.test_study_store as module

        path, method, at_call = sys.argv[1], sys.argv[2], int(sys.argv[3])

        class Killed(module.MadeUpNetwork):
            def __call__(self, mappings):
                if len(self.calls) == at_call:
                    os.symlink("gone", path + ".lock")  # as Optuna leaves it
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(0.02)
                return super().__call__(mappings)

        module.MadeUpNetwork = Killed
        print("ready", flush=True)
        module.search(path, method)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path), method, str(-1 if at_call is None else at_call)],
        env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"ready\n"
        if after_s is not None:
            time.sleep(after_s)
            process.kill()
    return process.returncode


def test_a_killed_process_loses_nothing_finished(tmp_path):
    """SIGKILL between measurements; the lock it leaves behind holds nobody up."""
    assert killed_search(tmp_path / "t", "random", at_call=5) == -signal.SIGKILL
    whole, _ = search(tmp_path / "whole", "random")
    resumed, rest = search(tmp_path / "t", "random")
    assert resumed.history == whole.history
    assert len(rest) == 12 - 5


def kills(tmp_path, method, seed, count):
    """Kill and resume the same search at random moments; return it and the uninterrupted one."""
    generator = np.random.default_rng(seed)
    path, finished = tmp_path / "t", 0
    for _ in range(count):
        killed_search(path, method, after_s=float(generator.uniform(0, 0.5)))
        if path.exists():
            lines = path.read_bytes().splitlines(keepends=True)
            trials = sum(b'"mapping"' in line and line.endswith(b"\n") for line in lines)
            assert trials >= finished  # nothing finished is lost
            finished = trials
    return search(path, method)[0], search(tmp_path / "whole", method)[0]


@pytest.mark.parametrize("method", ["random", "milp"])
def test_killed_at_random_moments_the_result_is_the_same(tmp_path, method):
    resumed, whole = kills(tmp_path, method, 7, 3)
    assert resumed.history == whole.history


@pytest.mark.long
@pytest.mark.parametrize("method", ["random", "greedy", "tpe", "alwann", "milp"])
def test_fifty_kills_lose_nothing_and_change_nothing(tmp_path, method):
    resumed, whole = kills(tmp_path, method, 11, 10)
    assert resumed.history == whole.history
    assert resumed.best == whole.best
