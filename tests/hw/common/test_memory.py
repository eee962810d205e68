import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hw.common import memory
from hw.common.errors import InputError


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(memory, "_chosen", None)


def parsed(text):
    parser = argparse.ArgumentParser(exit_on_error=False)
    memory.add_memory_option(parser)
    return parser.parse_args(["--max-memory", text]).max_memory


def test_default_is_three_quarters_of_the_machine():
    assert memory.memory_limit() == int(0.75 * memory.machine_memory())


@pytest.mark.parametrize(("text", "size"), [
    ("1048576", 2**20), ("8G", 2**33), ("1.5GiB", 3 * 2**29), ("2m", 2**21)])
def test_option_sets_the_limit_of_the_process(text, size):
    assert parsed(text) == size == memory.memory_limit()


@pytest.mark.parametrize("text", ["", "G", "1X", "10", "1e9", "9" * 30])
def test_option_refuses_what_is_no_size(text):
    with pytest.raises(argparse.ArgumentError, match="size must be at least 1M"):
        parsed(text)


def test_what_needs_more_is_refused_with_both_sizes():
    parsed("1G")
    memory.require_memory(2**30, "net.onnx: network")
    with pytest.raises(InputError, match=r"^net.onnx: network must fit in 1 GiB of memory "
                                         r"\(--max-memory\), not take 2 GiB$"):
        memory.require_memory(2**31, "net.onnx: network")


def test_a_quarter_of_the_limit_is_for_what_is_kept():
    assert memory.kept_limit() == min(memory.MOST_KEPT, memory.memory_limit() // 4)
    parsed("8G")
    assert memory.kept_limit() == 2**31


def test_the_least_recently_used_are_dropped_by_their_bytes():
    keeper = memory.Keeper(lambda: 100)
    for key, size in (("a", 40), ("b", 40), ("c", 10)):
        keeper.put(key, key.upper(), size)
    assert keeper.get("a") == "A"
    keeper.put("d", "D", 50)  # b goes: a was used since
    assert [keeper.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    assert keeper.size == 100
    keeper.put("e", "E", 101)  # more than everything
    assert (keeper.get("e"), keeper.get("d"), keeper.size) == (None, "D", 100)
    keeper.put("d", "new", 20)
    assert (keeper.get("d"), keeper.size) == ("new", 70)


def test_what_several_threads_ask_for_is_made_by_one():
    keeper, made = memory.Keeper(lambda: 100), []

    def make():
        time.sleep(0.02)
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: keeper.of("key", make, 1), range(8)))
    assert len(made) == 1
    assert set(map(id, found)) == {id(made[0])}
    assert memory.Keeper(lambda: 0).of("key", make, 1) is made[1]  # not kept, but handed out


def test_freed_memory_is_handed_back():
    def resident():
        [line] = [line for line in Path("/proc/self/status").read_text().splitlines()
                  if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    blocks = [bytes(2**16) for _ in range(2**11)]  # too small for the system to hand out one by one
    last = bytes(2**16)  # above them
    held = resident()
    del blocks
    memory.hand_back()
    assert held - resident() > 2**26
    assert len(last) == 2**16


def test_peak_is_what_the_system_says():
    before = memory.peak_memory()
    block = bytearray(2**26)
    block[::4096] = b"1" * len(block[::4096])
    assert 2**25 < memory.peak_memory() < 2**40
    assert memory.peak_memory() >= before
