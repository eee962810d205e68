"""Calls written down and run: order, threads, scratch, and what they keep alive."""

import gc
import weakref

import numpy as np
import pytest

from sim.kernels.cpu import this_cpu
from sim.kernels.machine_code import I64, Function, int64
from sim.kernels.script import Script, address


def compiled_store():
    """Return `f(address, a, b)`: add 10 a + b to the int64 there."""
    function = Function("store", 3)
    place, a, b = function.arguments
    before = function.load(place, 0, I64, 8)
    function.store(function.add(before, function.scaled(a, 10), b), place, 0, 8)
    return function.compile(this_cpu())


def test_calls_of_a_job_run_in_order_with_their_arguments():
    out = np.zeros(3, np.int64)
    copy = Function("copy", 2)
    source, target = copy.arguments
    copy.store(copy.load(source, 0, I64, 8), target, 0, 8)
    script, store, move = Script(), compiled_store(), copy.compile(this_cpu())
    script.job()
    script.call(store, address(out), 3, 4)
    script.call(move, address(out), address(out) + 8)
    script.job()
    script.call(store, address(out) + 16, -1, 5)
    script.run(1)
    assert out.tolist() == [34, 34, -5]
    script.run(1)  # nothing is left
    assert out.tolist() == [34, 34, -5]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_job_runs_once_whatever_the_threads(threads):
    out = np.zeros(1000, np.int64)
    script, store = Script(), compiled_store()
    for index in range(len(out)):
        script.job()
        script.call(store, address(out) + 8 * index, index, 1)
    script.run(threads)
    np.testing.assert_array_equal(out, 10 * np.arange(len(out)) + 1)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_jobs_after_a_barrier_find_all_that_was_written_before_it(threads):
    """Every round copies the last: first the jobs' own places, then those of their neighbours."""
    count, rounds = 16, 200
    values = np.zeros((rounds + 1, count), np.int64)
    values[0] = np.arange(count)
    copy = Function("copy", 2)
    source, target = copy.arguments
    # Some take longer than others.
    copy.loop(copy.scaled(copy.load(source, 0, I64, 8), 300), lambda _index: copy.store(
        int64(-1), target, 0, 8))
    copy.store(copy.load(source, 0, I64, 8), target, 0, 8)
    move, script = copy.compile(this_cpu()), Script()
    for number in range(rounds):
        for index in range(count):
            script.job()
            script.call(move, address(values[number, (index + 1) % count:]),
                        address(values[number + 1, index:]))
        script.barrier()
    script.run(threads)
    np.testing.assert_array_equal(
        values, (np.arange(count) + np.arange(rounds + 1)[:, None]) % count)


def test_every_thread_has_scratch_of_its_own():
    """Jobs count in scratch as the thread's first job found it, and tell what they counted."""
    out = np.zeros(200, np.int64)
    count = Function("count", 2)
    own, target = count.arguments
    count.store(int64(0), own, 0, 8)
    [_end] = count.loop(int64(5000), lambda _index, end: [count.store(count.add(
        count.load(own, 0, I64, 8), int64(1)), own, 0, 8) or end], [int64(0)])
    count.store(count.load(own, 0, I64, 8), target, 0, 8)
    function = count.compile(this_cpu())
    script = Script()
    script.scratch(24)
    place = script.scratch(8)
    assert place % 64 == 0
    assert place > 0
    for index in range(len(out)):
        script.job()
        script.call(function, place, address(out) + 8 * index)
    script.run(3)
    assert (out == 5000).all()


def test_code_lives_until_it_has_run():
    out, script, store = np.zeros(1, np.int64), Script(), compiled_store()
    kept = weakref.ref(store)
    script.job()
    script.call(store, address(out), 0, 1)
    del store
    gc.collect()
    assert kept() is not None
    script.run(1)
    assert out[0] == 1
    gc.collect()
    assert kept() is None


def test_calls_with_too_few_arguments_are_refused():
    script = Script()
    script.job()
    with pytest.raises(ValueError, match=r"^A call must have 3 arguments, not 2$"):
        script.call(compiled_store(), 1, 2)
