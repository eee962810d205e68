"""SRAM macros of a user for the memories of an accelerator, in place of published figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, NamedTuple

from hw.common.errors import InputError
from hw.common.records import Amount, Positive, Size, read_record
from hw.machine.accelerator import ACCUMULATOR_BANKS, CODE_BITS, SUM_BITS, AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM

FORMAT = "autoapprox-macros/1"
FJ_TO_NJ = 1e-6


class Shape(NamedTuple):
    """Bits of a row, rows, and how many memories are like that."""

    width: int
    depth: int
    copies: int = 1


def memory_shapes(bank: BankConfig, config: AcceleratorConfig) -> dict[str, Shape]:
    """Return the memories of an accelerator by the names that `Macros` has."""
    return {"act_buffer": Shape(bank.rows * CODE_BITS, config.act_rows),
            "output_buffer": Shape(bank.cols * CODE_BITS, config.output_rows),
            "accumulators": Shape(bank.cols * SUM_BITS, config.bank_rows, ACCUMULATOR_BANKS),
            "weight_fifo": Shape(bank.cols * STREAM.width, config.weight_fifo_rows)}


@dataclass(frozen=True, kw_only=True)
class Macro:
    """One SRAM macro.

    width : bits of a word. depth : words. ports : "1r1w", or "1rw" of which two take the place of
    one (docs/integration.md). Energies are of an access to one macro.
    """

    width: Size
    depth: Size
    ports: Literal["1r1w", "1rw"] = "1r1w"
    area_um2: Positive
    read_energy_fj: Amount
    write_energy_fj: Amount
    leakage_nw: Amount

    def side_by_side(self, shape: Shape) -> int:
        """Return the macros that an access to a memory of that shape reaches."""
        return shape.width // self.width

    def number(self, shape: Shape) -> int:
        """Return the macros of all memories of that shape."""
        return self.side_by_side(shape) * shape.copies * (2 if self.ports == "1rw" else 1)

    def energy_nj(self, shape: Shape, *, reads: float, writes: float) -> float:
        """Return the energy of accesses to rows."""
        return self.side_by_side(shape) * FJ_TO_NJ * (
            reads * self.read_energy_fj + writes * self.write_energy_fj)

    def leakage_nj(self, shape: Shape, time_ps: float) -> float:
        """Return the energy that all macros leak in a time."""
        return self.number(shape) * self.leakage_nw * time_ps * 1e-12


@dataclass(frozen=True, kw_only=True)
class Macros:
    """The macro of each memory; None where published figures stay."""

    act_buffer: Macro | None = None
    output_buffer: Macro | None = None
    accumulators: Macro | None = None
    weight_fifo: Macro | None = None

    @property
    def bound(self) -> Mapping[str, Macro]:
        """The memories that have one."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: macro for name, macro in found.items() if macro is not None}

    def check(self, bank: BankConfig, config: AcceleratorConfig | None = None) -> None:
        """InputError unless the macros fit the memories of an accelerator."""
        shapes = memory_shapes(bank, config or AcceleratorConfig())
        for name, macro in self.bound.items():
            shape = shapes[name]
            if shape.width % macro.width:
                raise InputError(f"{name} width must divide {shape.width}, the bits of a row "
                                 f"around {bank.rows} x {bank.cols} arrays, not {macro.width}")
            if macro.depth < shape.depth:
                raise InputError(f"{name} depth must be at least {shape.depth}, the rows of the "
                                 f"memory, not {macro.depth}")


NO_MACROS = Macros()


def read_macros(path: Path, banks: Iterable[BankConfig]) -> Macros:
    """Return the macros of a JSON file for accelerators around `banks`.

    Raises InputError naming the file and the place in it, and the numbers where one does not fit.
    """
    macros = read_record(path, Macros, FORMAT)
    try:
        for bank in banks:
            macros.check(bank)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return macros
