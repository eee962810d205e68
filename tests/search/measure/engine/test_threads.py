"""Tasks in threads: every result once, and an end to all where one fails."""

import time

import pytest

from search.measure.engine.threads import start_threads
from sim.kernels.jit.workers import run_all


def test_every_call_is_done_once_and_told_with_its_place():
    engine = start_threads(3)
    taken = []

    def calls():
        for number in range(40):
            taken.append(number)
            yield (number,)

    found = []
    for place, value in engine.each("square", lambda number: number ** 2, calls()):
        found.append((place, value))
        assert len(taken) - len(found) <= 9 + 1  # no more are taken than keep the threads busy
    assert sorted(found) == [(number, number ** 2) for number in range(40)]
    assert engine.processor_seconds() == 0
    engine.close()


def test_large_tasks_are_done_one_after_the_other():
    engine, at_work = start_threads(3), []

    def work(number):
        at_work.append(number)
        assert len(at_work) == 1
        at_work.remove(number)

    assert [place for place, _ in engine.each("large", work, [(1,), (2,)], large=True)] == [0, 1]


def test_an_error_ends_the_others_at_their_next_call_of_kernels():
    """They would otherwise work on, for Python waits for its threads before it ends."""
    engine, rounds = start_threads(2), []

    def work(fails):
        if fails:
            time.sleep(0.05)
            raise ValueError("one")
        for _ in range(10_000):
            run_all([lambda: None], 1)
            rounds.append(1)
            time.sleep(0.001)

    with pytest.raises(ValueError, match="one"):
        list(engine.each("work", work, [(False,), (True,)]))
    engine.pool.shutdown(wait=True)
    assert 0 < len(rounds) < 10_000
