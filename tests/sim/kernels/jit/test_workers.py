"""Threads: nested jobs, errors, and memory that they keep."""

import threading
import time

import pytest

from sim.kernels.jit.workers import available, run_all, shares


def test_jobs_run_side_by_side_and_inner_ones_one_after_the_other():
    barrier, seen = threading.Barrier(2, timeout=20), []

    def job():
        barrier.wait()  # both have begun
        inner = []
        run_all([lambda: inner.append(threading.get_ident()) for _ in range(3)], 2)
        seen.append((available(2), set(inner) == {threading.get_ident()}))

    assert available(2) == 2
    run_all([job, job], 2)
    assert seen == [(1, True)] * 2
    assert available(2) == 2


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_ends_the_other_jobs_and_is_raised(failing, kind):
    barrier, gone_on = threading.Barrier(2, timeout=20), []

    def job(index):
        barrier.wait()
        if index == failing:
            raise kind("here")
        for _ in range(2000):  # as long as nobody stops it
            run_all([lambda: time.sleep(0.01)], 1)
        gone_on.append(index)

    with pytest.raises(kind, match=r"^here$"):
        run_all([lambda: job(0), lambda: job(1), lambda: gone_on.append(2)], 2)
    assert not gone_on
    run_all([lambda: gone_on.append(3)] * 2, 2)  # threads are still of use
    assert gone_on == [3, 3]


@pytest.mark.parametrize(("count", "parts", "unit", "expected"), [
    (10, 3, 1, [(0, 4), (4, 8), (8, 10)]), (10, 3, 6, [(0, 6), (6, 10)]), (0, 2, 1, [])])
def test_shares_are_whole_units(count, parts, unit, expected):
    assert shares(count, parts, unit) == expected
