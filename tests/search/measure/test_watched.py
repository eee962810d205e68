"""What is told and timed around stages."""

import time
from contextlib import contextmanager

import pytest

from search.measure.designs import Measured
from search.measure.watched import Watch, stopwatch, timed
from tests.search.counting import Counting

ANSWER = Measured(right=(1,), lost=(0,), damages=(0.0,))


def test_each_network_is_named_and_handed_its_own_records(monkeypatch):
    counted = []

    def stage(one, other, progress):
        progress.advance(2)
        counted.append((one, other))
        return one + other

    told = []

    @contextmanager
    def task(label, steps, *, quiet, at_most=False):
        told.append((label, steps, quiet))
        yield Counting()

    monkeypatch.setattr("search.measure.watched.task", task)
    watch = Watch(of=(" of a", " of b"), quiet=False)
    assert watch.each("adding", [2, 3], stage, [1, 2], [10, 20]) == (11, 22)
    assert counted == [(1, 10), (2, 20)]
    assert told == [("adding of a", 2, False), ("adding of b", 3, False)]
    assert Watch(of=("",)).each("adding", [2], stage, [1], [1]) == (2,)
    assert told[2:] == [("adding", 2, True)]


def test_processor_time_is_summed_by_label():
    clock = iter([1.0, 3.0, 10.0, 10.5, 20.0, 24.0])
    watch = Watch(spent=lambda: next(clock))
    for label in ("energies", "search", "energies"):
        with watch.task(label, 1):
            pass
    assert watch.processor_seconds == {"energies": 6.0, "search": 0.5}


def test_records_of_other_networks_are_a_defect():
    with pytest.raises(ValueError, match="shorter"):
        Watch(of=("", "")).each("adding", [1, 1], lambda one, progress: one, [1])


def slowly(mappings):
    time.sleep(0.02)
    return [ANSWER] * len(mappings)


def test_answers_share_the_time_that_they_took_together():
    started = time.perf_counter()
    one, other = timed(slowly)([{}, {}])
    assert 0.01 <= one.seconds == other.seconds
    assert one.seconds + other.seconds <= time.perf_counter() - started


def test_time_spent_on_measuring_is_not_the_methods_own():
    measure, own = stopwatch(slowly)
    started = time.perf_counter()
    for _ in range(5):
        measure([{}])
    whole = time.perf_counter() - started
    assert own() <= whole - 0.09
    time.sleep(0.02)
    assert own() >= 0.02
