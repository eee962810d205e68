"""A bank with its properties: flattened, so that they see the registers of every PE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from hw.machine.design import BankConfig
from hw.machine.pe import pe_of
from hw.machine.pe.operand_format import STREAM
from hw.netlist import Netlist, NetlistBuilder
from hw.rtl.array.bank import MxuBank
from hw.rtl.emit import modules_of
from tests.hw.rtl.formal.prover import Subject

OPERAND_WIDTH = STREAM.width
PSUM_WIDTH = 2  # sums are no part of the control


def _netlist(odd: int) -> Netlist:
    """Return the smallest multiplier that reads all bits, so that all have registers: parity."""
    builder = NetlistBuilder()
    parity = odd
    for bit in (*builder.act, *builder.weight):
        parity = builder.xor(parity, bit)
    return builder.build([parity] + [0] * 15)


def bank(rows: int, cols: int) -> Subject:
    """Return a bank of two arrays with its properties, and the invariants they rest on."""
    config = BankConfig(rows=rows, cols=cols, arrays=("zero", "one"), psum_width=PSUM_WIDTH)
    arrays = range(len(config.arrays))
    modules, = modules_of([MxuBank(config=config, pes=tuple(
        pe_of(_netlist(array), PSUM_WIDTH) for array in arrays))])
    pes = [f"\\array_{a}.row_{r}.pe_{c}." for a, r, c in product(arrays, range(rows), range(cols))]
    views = [_view(name, [pe + register + " " for pe in pes], width) for name, register, width in (
        ("pe_act", "act_out", OPERAND_WIDTH), ("pe_weight", "weight", OPERAND_WIDTH),
        ("pe_shadow", "weight_out", OPERAND_WIDTH), ("pe_swap", "swap_out", 1),
        ("pe_load", "load_out", 1))]
    views += [
        _lanes("act", rows, lambda lane: f"act_skew__lanes_in[{OPERAND_WIDTH * lane} +: "
                                         f"{OPERAND_WIDTH}]", OPERAND_WIDTH),
        _lanes("swap", rows, lambda lane: "swap" if rows > 1 else "swap_skew__lanes_in",
               1),
        _lanes("weight", cols, lambda lane: f"weight_skew__lanes_in[{OPERAND_WIDTH * lane} +: "
                                            f"{OPERAND_WIDTH}]", OPERAND_WIDTH),
        _view("array_en", [f"array_{a}__en" for a in arrays], 1),
        _view("array_operands", [" || ".join(
            f"array_{a}__{port}_in != 0" for port in ("act", "swap", "weight", "load"))
            for a in arrays], 1),
    ]
    return Subject(
        top="bank", modules=modules,
        properties=("bank.sv", "bank_invariants.sv"), views="".join(views),
        constants={"ROWS": rows, "COLS": cols, "ARRAYS": len(arrays),
                   "STAGES": config.latency_cycles})


def _view(name: str, values: Sequence[str], width: int) -> str:
    """Return a vector of values, the first in the low bits."""
    return (f"  wire [{len(values) * width - 1}:0] {name} = "
            f"{{{', '.join(f'({value})' for value in reversed(values))}}};\n")


def _lanes(name: str, lanes: int, entry: Callable[[int], str], width: int) -> str:
    """Return the registers of a skew: lane n has `entry(n)` and n more; the rest reads 0."""
    def register(lane: int, stage: int) -> str:
        if stage == 0:
            return entry(lane)
        if stage > lane:
            return f"{width}'d0"
        # A shift register, the newest value in the low bits.
        part = "" if lane == 1 else f"[{width * (stage - 1)} +: {width}]"
        return f"\\{name}_skew.lane{lane} {part}"

    return _view(f"{name}_lane", [register(lane, stage) for lane in range(lanes)
                                  for stage in range(lanes)], width)
