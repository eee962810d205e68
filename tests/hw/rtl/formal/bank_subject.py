"""A bank with its properties: flattened, so that they see the registers of every PE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from hw.machine.design import BankConfig
from hw.machine.pe import FORMS, PLAIN, pe_of
from hw.machine.pe.kind import ClockGate
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


def bank(rows: int, cols: int, form: str = PLAIN.form) -> Subject:
    """Return a bank of two arrays with its properties, and the invariants they rest on.

    form : of its PEs, of one output.
    """
    arrays, macs = range(2), FORMS[form].macs
    pes = tuple(pe_of(_netlist(array), PSUM_WIDTH, FORMS[form]).with_clock_gate(ClockGate.ENABLE)
                for array in arrays)
    config = BankConfig(rows=rows, cols=cols, arrays=("zero", "one"), psum_width=PSUM_WIDTH,
                        form=form)
    modules, = modules_of([MxuBank(config=config, pes=pes)])
    # Registers of each term; what an output alone reads has the name of that port.
    terms = range(macs)
    act = [f"act_{term}" for term in terms] if macs > 1 else ["act_out"]
    weight = [f"weight_0_{term}" for term in terms] if macs > 1 else ["weight"]
    shadow = [*(f"shadow_0_{term}" for term in terms[:-1]), "weight_out"]
    views = [_view(name, [f"\\array_{a}.row_{r // macs}.pe_{c}.{registers[r % macs]} "
                          for a, r, c in product(arrays, range(rows), range(cols))], width)
             for name, registers, width in (
                 ("pe_act", act, OPERAND_WIDTH), ("pe_weight", weight, OPERAND_WIDTH),
                 ("pe_shadow", shadow, OPERAND_WIDTH), ("pe_swap", ["swap_out"] * macs, 1),
                 ("pe_load", ["load_out"] * macs, 1))]
    views += [
        _lanes("act", rows, lambda lane: f"act_skew__lanes_in[{OPERAND_WIDTH * lane} +: "
                                         f"{OPERAND_WIDTH}]", OPERAND_WIDTH, macs),
        _lanes("swap", rows, lambda lane: "swap" if config.pe_rows > 1 else "swap_skew__lanes_in",
               1, macs, shared=True),
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
        constants={"ROWS": rows, "COLS": cols, "ARRAYS": len(arrays), "MACS": macs,
                   "STAGES": config.latency_cycles})


def _view(name: str, values: Sequence[str], width: int) -> str:
    """Return a vector of values, the first in the low bits."""
    return (f"  wire [{len(values) * width - 1}:0] {name} = "
            f"{{{', '.join(f'({value})' for value in reversed(values))}}};\n")


def _lanes(name: str, lanes: int, entry: Callable[[int], str], width: int, group: int = 1, *,
           shared: bool = False) -> str:
    """Return the registers of a skew: lane n has `entry(n)` and n // group more; the rest reads 0.

    group : lanes delayed together, in one register; shared : of which they have one value.
    """
    values = 1 if shared else group  # in a stage of a register

    def register(lane: int, stage: int) -> str:
        delay = lane // group
        if stage == 0:
            return entry(lane)
        if stage > delay:
            return f"{width}'d0"
        # A shift register, the newest values in the low bits.
        first = width * (values * (stage - 1) + lane % values)
        part = "" if delay == values == 1 else f"[{first} +: {width}]"
        return f"\\{name}_skew.lane{delay} {part}"

    return _view(f"{name}_lane", [register(lane, stage) for lane in range(lanes)
                                  for stage in range(lanes)], width)
