"""Operands and sums as memory words, and the memory that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from amaranth.hdl import Module, Value
from amaranth.lib import memory

from hw.machine.pe.operand_format import STREAM


def operand_word(values: Iterable[int]) -> int:
    """Return operands side by side in the format of the streams, the first in the low bits."""
    return _join(STREAM.encode(np.array([*values])).tolist(), STREAM.width)


def sums_word(values: Iterable[int], psum_width: int) -> int:
    """Return partial sums side by side in two's complement, the first in the low bits."""
    return _join((value % 2**psum_width for value in values), psum_width)


def rom(m: Module, name: str, *, width: int, words: Sequence[int], address: Value) -> Value:
    """Put a read-only memory into `m`; return its output, one cycle behind `address`."""
    m.submodules[name] = rows = memory.Memory(shape=width, depth=len(words), init=words)
    port = rows.read_port()
    m.d.comb += port.addr.eq(address)
    return port.data


def _join(fields: Iterable[int], width: int) -> int:
    return sum(field << width * index for index, field in enumerate(fields))
