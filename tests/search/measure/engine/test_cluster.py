"""Tasks on real workers of Dask: killed, late, of another release, with a disk that is full."""

import os
import signal
from functools import partial

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from search.measure.engine.place import Place, open_engine
from tests.search.measure.engine.joining import count, fail, listening, scheduler, worker

VALUES = np.arange(300_000)  # 2.4 MB
LOOPBACK = "0100007F"
FULL = """
import resource
def dask_setup(worker):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""
OTHER = """
from search.measure.engine import release
own = {**release.release(), "numpy": "1.0"}
release.release = lambda: own
"""


@pytest.fixture(scope="module")
def local():
    engine = open_engine("local:2")
    yield engine
    engine.close()


def test_results_come_with_their_place_and_values_are_sent_once(local):
    made = []

    def make():
        made.append(1)
        return VALUES

    held = local.held(make)
    found = dict(local.each("count", count, ((held, number) for number in range(30))))
    assert {place: value for place, (value, _pid) in found.items()} == {
        number: int(VALUES.sum()) + number for number in range(30)}
    assert made == [1]
    assert len({pid for _value, pid in found.values()} - {os.getpid()}) == 2
    assert local.width == 2
    assert local.processor_seconds() > 0
    assert "2 workers, tasks: 30 count; at most " in local.summary()


def test_what_a_task_raises_is_raised_here(local):
    with pytest.raises(InputError, match=r"^Number must be none, not 7$"):
        list(local.each("fail", fail, [(7,)]))


def test_nobody_else_reaches_what_is_started_here(local):
    """All wait on loopback alone, and speak to those alone that have the key of this run."""
    pids = {os.getpid(), *(pid for _value, pid in dict(
        local.each("count", count, [(VALUES, 0, 0.2)] * 4)).values())}
    assert listening(pids) == {LOOPBACK}
    with pytest.raises(ToolError, match="no scheduler of Dask answers"):
        open_engine(local.own.scheduler_address.replace("tls://", "tcp://"))


def test_a_killed_worker_costs_its_tasks_only(local):
    held, killed, found = local.held(lambda: VALUES), set(), {}
    for place, (value, pid) in local.each("count", count, [
            (held, number, 0.05) for number in range(60)]):
        found[place] = value
        if len(found) in (5, 25):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    assert found == {number: int(VALUES.sum()) + number for number in range(60)}
    assert len(killed) == 2


def test_workers_come_late_fill_their_disk_die_or_are_refused(tmp_path, capfd):
    """A scheduler and workers that others started, of which the first has all that was sent."""
    for name, text in (("full.py", FULL), ("other.py", OTHER)):
        (tmp_path / name).write_text(text)
    processes = [scheduler(tmp_path), worker(tmp_path)]
    engine = None
    try:
        engine = open_engine(str(tmp_path / "scheduler.json"))
        assert "is not encrypted and knows nobody" in capfd.readouterr().err
        held = [engine.held(partial(np.add, VALUES, number)) for number in range(8)]
        found, pids, refused = {}, set(), []

        def calls():
            """Ask until all have had a task that may have one."""
            for number in range(3000):
                if number > 40 and len(pids) == 3 and refused:
                    return
                yield held[number % 8], number, 0.02

        for place, (value, pid) in engine.each("count", count, calls()):
            found[place] = value
            pids.add(pid)
            refused += [line for line in capfd.readouterr().err.splitlines() if "refused" in line]
            if len(found) == 5:
                processes += [
                    worker(tmp_path, "--preload", str(tmp_path / "full.py"),
                           DASK_DISTRIBUTED__WORKER__MEMORY__TARGET="0.01"),
                    worker(tmp_path, "--preload", str(tmp_path / "other.py")), worker(tmp_path)]
            if len(pids) == 3 and processes[1].poll() is None:
                processes[1].kill()
                processes[1].wait()
        assert found == {number: int(VALUES.sum()) + number % 8 * VALUES.size + number
                         for number in range(len(found))}
        assert len(pids) == 3
        assert processes[1].poll() == -signal.SIGKILL
        [line] = refused
        assert line.endswith(f"is refused: it has numpy 1.0 instead of {np.__version__}")
    finally:
        if engine is not None:
            engine.close()
        for process in processes:
            process.kill()
            process.wait()


def test_a_scheduler_that_is_not_there_is_an_environment_error(monkeypatch):
    monkeypatch.setattr("search.measure.engine.cluster.CONNECT_S", 0.2)
    from search.measure.engine.cluster import join

    with pytest.raises(ToolError, match=r"^tcp://127\.0\.0\.1:1: no scheduler of Dask answers"):
        join(Place(address="tcp://127.0.0.1:1"))
