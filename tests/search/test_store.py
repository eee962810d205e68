"""The trial store survives being killed, and a resumed search is the uninterrupted one."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import optuna
import pytest

from hw.common.errors import InputError, ToolError
from search.methods import METHODS
from search.methods.base import SearchTask, run_method
from search.oracle import Oracle
from search.store import TrialStore, repair_journal
from tests.search.synthetic import MadeUpNetwork, made_up_damage, made_up_problem

FINGERPRINT = {"network": "n", "data": "d"}


def search(location, method, *, evaluations=12, stop_after=None):
    """Run a method with a store; `stop_after` measurements, the network raises Ctrl-C."""
    problem = made_up_problem(layers=5, multipliers=6)
    damage = made_up_damage(problem)
    network = MadeUpNetwork(problem, damage)

    def evaluate(mapping):
        if stop_after is not None and len(network.calls) >= stop_after:
            raise KeyboardInterrupt
        return network(mapping)

    store = TrialStore(location, "test", fingerprint=FINGERPRINT)
    try:
        task = SearchTask(problem=problem, needed=network.EXACT_RIGHT, evaluations=evaluations,
                          seed=3, damage=damage)
        oracle = Oracle(problem, evaluate, images=network.IMAGES, trials=store)
        return run_method(METHODS[method], task, oracle), network.calls
    finally:
        store.close()


@pytest.mark.parametrize("method", ["random", "greedy", "tpe", "milp"])
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
    trial = study.best_trial  # the best that satisfies the accuracy constraint
    best = min((c for c in (first.best, second.best) if c), key=lambda c: c.energy)
    assert trial.value == best.energy
    assert json.loads(trial.user_attrs["mapping"]) == dict(best.mapping)
    assert trial.constraints["accuracy"] <= 0


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
    TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT).close()
    with pytest.raises(InputError, match=r"must come from the same network; choose another"):
        TrialStore(tmp_path / "t", "test", fingerprint={**FINGERPRINT, "network": "other"})


def test_two_runs_cannot_share_a_file(tmp_path):
    store = TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT)
    with pytest.raises(InputError, match="another run is writing to it"):
        TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT)
    store.close()
    TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT).close()


def test_sensitivities_survive(tmp_path):
    store = TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT)
    assert store.sensitivity("stem") is None
    store.keep_sensitivity("stem", [0.0, 1 / 3])
    store.close()
    store = TrialStore(tmp_path / "t", "test", fingerprint=FINGERPRINT)
    assert store.sensitivity("stem") == [0.0, 1 / 3]
    store.close()


def test_bad_storage_urls_are_an_environment_error():
    with pytest.raises(ToolError, match=r"^nonsense://x: cannot be opened as Optuna storage"):
        TrialStore("nonsense://x", "test", fingerprint=FINGERPRINT)


def test_a_killed_process_loses_nothing_finished(tmp_path):
    """SIGKILL between measurements; the lock it leaves behind holds nobody up."""
    script = textwrap.dedent("""
        import os, signal, sys
        import tests.search.test_store as module

        class Killed(module.MadeUpNetwork):
            def __call__(self, mapping):
                if len(self.calls) == 5:
                    os.symlink("gone", sys.argv[1] + ".lock")
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().__call__(mapping)

        module.MadeUpNetwork = Killed
        module.search(sys.argv[1], "random")
    """)
    path = tmp_path / "t"
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False,
                          env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    whole, _ = search(tmp_path / "whole", "random")
    resumed, rest = search(path, "random")
    assert resumed.history == whole.history
    assert len(rest) == 12 - 5
