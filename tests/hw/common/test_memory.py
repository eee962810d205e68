import argparse

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
