"""Calls written down and run: order, threads, scratch, and what they keep alive."""

import gc
import weakref

import numpy as np
import pytest

from sim.kernels.jit.arena import Arena
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.function import I64, Function, int64
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import Script, watched


def compiled_store():
    """Return a function that adds 10 a + b to the int64 at `place`."""
    function = Function("store", place=np.int64, a=int, b=int)
    given = function.arguments
    before = function.load(given.place, 0, I64, 8)
    function.store(function.add(before, function.scaled(given.a, 10), given.b), given.place, 0, 8)
    return function.compile(this_cpu())


def copy_of(spin=0):
    """Return a function that copies an int64, after `spin` times its value stores of another."""
    function = Function("copy", source=np.int64, target=np.int64)
    given = function.arguments
    value = function.load(given.source, 0, I64, 8)
    function.loop(function.scaled(value, spin),
                  lambda _index: function.store(int64(-1), given.target, 0, 8))
    function.store(function.load(given.source, 0, I64, 8), given.target, 0, 8)
    return function.compile(this_cpu())


def test_calls_of_a_job_run_in_order_with_their_arguments():
    out = np.zeros(3, np.int64)
    script, store, move, place = Script(Arena()), compiled_store(), copy_of(), Handle.of(out)
    script.job()
    script.call(store, b=4, a=3, place=place)
    script.call(move, source=place, target=place.skip(1))
    script.job()
    script.call(store, place=place.skip(2), a=-1, b=5)
    script.run(1)
    assert out.tolist() == [34, 34, -5]
    script.run(1)  # nothing is left
    assert out.tolist() == [34, 34, -5]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_every_job_runs_once_whatever_the_threads(threads):
    out = np.zeros(1000, np.int64)
    script, store = Script(Arena()), compiled_store()
    for index in range(len(out)):
        script.job()
        script.call(store, place=Handle.of(out).skip(index), a=index, b=1)
    script.run(threads)
    np.testing.assert_array_equal(out, 10 * np.arange(len(out)) + 1)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_jobs_after_a_barrier_find_all_that_was_written_before_it(threads):
    """Every round copies the last: first the jobs' own places, then those of their neighbours."""
    count, rounds = 16, 200
    values = np.zeros((rounds + 1, count), np.int64)
    values[0] = np.arange(count)
    move, script = copy_of(spin=300), Script(Arena())  # some take longer than others
    for number in range(rounds):
        for index in range(count):
            script.job()
            script.call(move, source=Handle.of(values).skip(number, (index + 1) % count),
                        target=Handle.of(values).skip(number + 1, index))
        script.barrier()
    script.run(threads)
    np.testing.assert_array_equal(
        values, (np.arange(count) + np.arange(rounds + 1)[:, None]) % count)


def test_every_thread_has_scratch_of_its_own():
    """Jobs count in scratch as the thread's first job found it, and tell what they counted."""
    out = np.zeros(200, np.int64)
    count = Function("count", own=np.int64, target=np.int64)
    own, target = count.arguments.own, count.arguments.target
    count.store(int64(0), own, 0, 8)
    [_end] = count.loop(int64(5000), lambda _index, end: [count.store(count.add(
        count.load(own, 0, I64, 8), int64(1)), own, 0, 8) or end], [int64(0)])
    count.store(count.load(own, 0, I64, 8), target, 0, 8)
    function = count.compile(this_cpu())
    script = Script(Arena())
    before = script.scratch(3, 5, np.int16)
    place = script.scratch(1, 2, np.int64).skip(0, 1)
    assert place.address - before.address == 64 + 64 + 8  # a line between them may be read
    for index in range(len(out)):
        script.job()
        script.call(function, own=place, target=Handle.of(out).skip(index))
    script.run(3)
    assert (out == 5000).all()


def test_scratch_of_a_thread_outlives_the_growth_for_the_next():
    """So much that the system takes it back as soon as nobody holds it."""
    touch = Function("touch", own=np.int64)
    touch.loop(int64(2**12), lambda index: touch.store(
        index, touch.at(touch.arguments.own, index, 4096), 0, 8))
    function, script = touch.compile(this_cpu()), Script(Arena())
    own = script.scratch(2**12, 512, np.int64)
    for _job in range(8):
        script.job()
        script.call(function, own=own)
    script.run(2)


def test_a_watch_is_handed_every_call_in_order():
    out, seen = np.zeros(2, np.int64), []

    def watch(function, words):
        seen.append(function.signature.function)
        function.run(words)

    def written():
        script, place = Script(Arena()), Handle.of(out)
        script.job()
        own = script.scratch(1, 1, np.int64)
        script.call(compiled_store(), place=place, a=3, b=4)
        script.call(copy_of(), source=place, target=own)
        script.call(copy_of(), source=own, target=place.skip(1))
        return script

    with watched(watch):
        written().run(2)
    assert seen == ["store", "copy", "copy"]
    assert out.tolist() == [34, 34]
    written().run(2)
    assert len(seen) == 3
    assert out.tolist() == [68, 68]


def test_code_and_memory_live_until_they_were_used():
    total, script, store = np.zeros(1, np.int64), Script(Arena()), compiled_store()
    out = np.zeros(1, np.int64)
    kept = weakref.ref(store), weakref.ref(out)
    script.job()
    script.call(store, place=Handle.of(out), a=0, b=1)
    script.call(copy_of(), source=Handle.of(out), target=Handle.of(total))
    del store, out
    gc.collect()
    assert all(ref() is not None for ref in kept)
    script.run(1)
    assert total[0] == 1
    gc.collect()
    assert all(ref() is None for ref in kept)


def test_wrong_calls_are_refused_when_they_are_written():
    script = Script(Arena())
    script.job()
    with pytest.raises(TypeError, match=r"^store must be given place, a, b, not a, b$"):
        script.call(compiled_store(), a=1, b=2)
    script.run(1)  # and never run
