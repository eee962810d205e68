"""The simulated cluster: what cannot be gained, and what is lost where."""

from dataclasses import replace

import pytest

from search.measure.engine.chunks import chunk_size
from search.measure.engine.simulated import RESNET50, Machine, best_chunk, simulate, table

EVEN = Machine(task_s=0.0, spread=0.0, bytes_per_s=1e15)
LOAD = replace(RESNET50, images=640, evaluations=2, think_s=0.0, read_s=0.0)


def test_one_core_computes_all_the_time():
    found = simulate(LOAD, 1, 32, EVEN)
    assert found.seconds == pytest.approx(2 * 640 / 17)
    assert found.efficiency == pytest.approx(1)


def test_chunks_that_do_not_come_out_even_are_lost():
    found = simulate(LOAD, 16, 32, EVEN)  # 20 chunks on 16 cores: two rounds
    assert found.seconds == pytest.approx(2 * 2 * 32 / 17)
    assert found.waits_for == "uneven"


@pytest.mark.parametrize(("changes", "machine", "lost"), [
    ({}, replace(EVEN, task_s=5.0), "scheduling"),
    ({}, replace(EVEN, bytes_per_s=1e6), "sending"),
    ({"logits_bytes": 1e9, "image_bytes": 0, "network_bytes": 0, "constants_bytes": 0},
     replace(EVEN, bytes_per_s=1e9), "logits"),
    ({"think_s": 1e3}, EVEN, "thinking")])
def test_what_is_lost_is_named(changes, machine, lost):
    assert simulate(replace(LOAD, **changes), 4, 32, machine).waits_for == lost


def test_more_cores_want_larger_chunks_and_one_scheduler_ends_it():
    assert best_chunk(RESNET50, 100) <= 16 < best_chunk(RESNET50, 3000)
    some, many = (simulate(RESNET50, cores, 32) for cores in (1000, 10_000))
    assert many.seconds > 0.9 * some.seconds
    assert many.waits_for == "scheduling"


def test_the_default_size_is_nearly_the_best():
    for cores in (16, 100, 300, 1000):
        own = simulate(RESNET50, cores, chunk_size(RESNET50.images, 4_100_000_000, cores))
        assert own.seconds < 1.1 * simulate(RESNET50, cores, best_chunk(RESNET50, cores)).seconds


def test_the_table_has_a_line_for_each_number_of_cores():
    assert len(table(LOAD, (1, 10)).splitlines()) == 4
