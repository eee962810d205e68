"""Memory of a thread: lent once at a time, kept, and never taken away from who holds it."""

import threading

import numpy as np

from sim.kernels.jit.arena import Arena, this_arena


def test_what_is_lent_at_a_time_shares_nothing_and_begins_lines():
    arena = Arena()
    with arena:
        parts = [arena.take((size, 3), np.int16) for size in (1, 50, 0, 7, 4000)]
        for number, part in enumerate(parts):
            part[:] = number
            assert part.ctypes.data % 64 == 0
        for number, part in enumerate(parts):
            assert (part == number).all()


def test_what_was_taken_back_is_lent_again():
    arena = Arena()
    with arena:
        arena.take((1000,), np.uint8)  # so that there is room for all
    with arena:
        outer = arena.take((10,), np.int32)
        with arena:
            inner = arena.take((10,), np.int32)
        again = arena.take((10,), np.int32)
        assert not np.shares_memory(outer, again)
        assert again.ctypes.data == inner.ctypes.data


def test_memory_that_grows_leaves_what_is_lent_where_it_is():
    arena = Arena()
    with arena:
        before = arena.take((10,), np.int64)
        before[:] = 7
        arena.take((100_000,), np.int64)[:] = 9
        assert (before == 7).all()


def test_every_thread_has_its_own():
    found = []
    thread = threading.Thread(target=lambda: found.append(this_arena()))
    thread.start()
    thread.join()
    assert found[0] is not this_arena()
    assert this_arena() is this_arena()
