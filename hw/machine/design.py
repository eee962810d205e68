"""Descriptions of array bank and design: frozen, checked, with a JSON round trip.

A `Design` is what the search hands to the hardware: it embeds the netlists of the
multipliers it uses, so that a `design.json` stays valid when the catalogue changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.common.errors import InputError, unknown_name
from hw.common.files import write_json
from hw.common.packed import PackedBytes
from hw.common.records import read_as, record, without_format
from hw.machine.pe import FORMS, PE_KINDS, PLAIN, check_form, form_named, kind_for
from hw.machine.pe.kind import Dataflow, Pe, PeKind
from hw.machine.pe.operand_format import OPERAND_BITS
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import ActRounding, Multiplier
from hw.netlist import Netlist

DESIGN_FORMAT = "autoapprox-design/1"
MAX_ARRAYS = 16
MAX_ROWS = 256  # and columns
MAX_SUM = 2**31 - 1  # accumulators are int32
INPUT_CYCLES = 1  # accepted beat to the first skew lane
OUTPUT_CYCLES = 1  # last column's partial sum to the results


@dataclass(frozen=True, kw_only=True)
class BankConfig:
    """Shape of a bank of systolic arrays that share one operand and one result stream.

    Parameters
    ----------
    rows : int
        Terms of the inner-product slice done in one pass.
    cols : int
        Output channels computed side by side.
    arrays : tuple of str
        Multiplier name of each array; the position is the operand of ROUTE.
    psum_start : int
        What partial sums start from; subtracted at the foot of the columns. Far from 0 their sign
        does not change, which saves energy.
    psum_width : int
        Bits of the two's complement partial sum that travels down a column.
    form : str
        Terms x outputs of a PE (`hw.machine.pe.FORMS`).
    kinds : tuple of str
        PE kind of each array (`hw.machine.pe.PE_KINDS`), all of one dataflow, which then is the
        bank's, but for `recoded`; none: what each multiplier needs, of the form.
    """

    rows: int = 16
    cols: int = 16
    arrays: tuple[str, ...] = ("mul8u_exact",)
    psum_start: int = 0
    psum_width: int = 24
    form: str = PLAIN.form
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for label, value, high in (("rows", self.rows, MAX_ROWS), ("cols", self.cols, MAX_ROWS),
                                   ("psum_width", self.psum_width, 32)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= high:
                raise InputError(f"Bank {label} must be an integer from 1 to {high}, not {value!r}")
        most = (1 << self.psum_width - 1) - 1
        if not isinstance(self.psum_start, int) or not 0 <= self.psum_start <= most:
            raise InputError(f"Bank psum_start must be an integer from 0 to {most}, not "
                             f"{self.psum_start!r}")
        if not 1 <= len(self.arrays) <= MAX_ARRAYS:
            raise InputError(f"Bank must have 1 to {MAX_ARRAYS} arrays, not {len(self.arrays)}")
        if len(set(self.arrays)) != len(self.arrays):
            raise InputError(f"Bank arrays must differ, not {', '.join(self.arrays)}")
        form_named(self.form)
        for kind in self.kinds:
            if kind not in PE_KINDS:
                raise unknown_name("PE kind", kind, PE_KINDS)
        if self.kinds and len(self.kinds) != len(self.arrays):
            raise InputError(f"Bank must have a PE kind for each of its {len(self.arrays)} arrays, "
                             f"not {len(self.kinds)}")
        if len({PE_KINDS[kind].dataflow.shared for kind in self.kinds}) > 1:
            raise InputError("Bank PE kinds must have one dataflow, not "
                             f"{', '.join(self.kinds)}")
        for label, value, each in (("rows", self.rows, self.dataflow.macs),
                                   ("cols", self.cols, self.dataflow.outputs)):
            if value % each:
                raise InputError(f"Bank {label} must be a multiple of {each}, as PEs are "
                                 f"{self.dataflow.form}, not {value}")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `hw.common.records` restores an equal bank."""
        return {"rows": self.rows, "cols": self.cols, "psum_width": self.psum_width,
                **({"psum_start": self.psum_start} if self.psum_start else {}),
                "arrays": list(self.arrays),
                **({} if self.form == PLAIN.form else {"form": self.form}),
                **({"kinds": list(self.kinds)} if self.kinds else {})}

    @cached_property
    def dataflows(self) -> tuple[Dataflow, ...]:
        """How operands and sums pass through each array; they differ in `recoded` alone."""
        return (tuple(PE_KINDS[kind].dataflow for kind in self.kinds)
                or (FORMS[self.form],) * len(self.arrays))

    @cached_property
    def dataflow(self) -> Dataflow:
        """What its arrays have in common; recoded where all of them are."""
        return min(self.dataflows, key=lambda flow: flow.recoded)

    @property
    def pe_rows(self) -> int:
        """Rows of PEs of an array."""
        return self.rows // self.dataflow.macs

    @property
    def pe_cols(self) -> int:
        """Columns of PEs of an array."""
        return self.cols // self.dataflow.outputs

    @property
    def pes(self) -> int:
        """PEs of an array."""
        return self.pe_rows * self.pe_cols

    # --- timing: the numbers the RTL, the cycle-true model and the energy model share ---

    @cached_property
    def act_delays(self) -> list[int]:
        """Cycles of skew in front of each row of PEs: sums take that long to come down to it."""
        return [row * self.dataflow.psum_hop_cycles for row in range(self.pe_rows)]

    @cached_property
    def weight_delays(self) -> list[int]:
        """Cycles of skew above each column of PEs: its tokens come through those before it."""
        return [col * self.dataflow.act_hop_cycles for col in range(self.pe_cols)]

    @property
    def psum_delays(self) -> list[int]:
        """Cycles from the foot of each column of PEs to the results: it waits for the last one."""
        return [OUTPUT_CYCLES + delay for delay in reversed(self.weight_delays)]

    @property
    def fill_cycles(self) -> int:
        """Cycles to shift one weight tile into the shadow registers: one row per cycle."""
        return self.rows

    @cached_property
    def latency_cycles(self) -> int:
        """Cycles from an accepted act beat to its row of partial sums at the output.

        The input register, the hops to the last row, its product and sum, the hops to the last
        column, and the output register after the ROUTE multiplexer.
        """
        return (INPUT_CYCLES + self.act_delays[-1] + self.dataflow.psum_cycles
                + self.weight_delays[-1] + OUTPUT_CYCLES)

    @cached_property
    def travel_cycles(self) -> int:
        """Cycles that a row of weights travels at most, from the bank's input to the far corner."""
        return INPUT_CYCLES + self.weight_delays[-1] + self.fill_cycles

    def tile_cycles(self, beats: int) -> int:
        """Cycles between the starts of consecutive tiles on one array, `beats` acts each.

        The next tile's weights follow right behind the wave that takes over this tile's, so
        a tile of at least `rows` beats leaves no cycle unused.
        """
        return max(beats, self.fill_cycles)

    @property
    def route_cycles(self) -> int:
        """Cycles that a ROUTE costs: itself, the first weight tile, draining the last beat.

        From one accepted ROUTE to the earliest next one, tiles of `beats` acts in between,
        it takes `route_cycles + (tiles - 1) * tile_cycles(beats) + beats`.
        """
        return 1 + self.fill_cycles + self.latency_cycles


def fallback_array(exact: Sequence[bool]) -> int:
    """Return the array that a ROUTE to an unknown one selects: the first exact one, or 0.

    exact : whether each array is.
    """
    return next((index for index, right in enumerate(exact) if right), 0)


@dataclass(frozen=True, kw_only=True)
class Design:
    """A bank, its multipliers and the array each layer runs on.

    Parameters
    ----------
    name : str
        Name of the design; letters, digits, `_`, `-` and `.`.
    bank : BankConfig
    multipliers : mapping of str to Multiplier
        Every multiplier that `bank.arrays` names.
    mapping : mapping of str to int
        Layer name (as in the ONNX file) to position in `bank.arrays`.
    constants : mapping of str to mapping
        Layer name to constants that replace those of the network, JSON-ready as
        `sim.compensation.Correction.to_dict` gives them: `multiplier`, `shift`, `bias` and
        `sum_scale` per output channel, `weight_codes`, the stored bytes of the weights packed as
        `hw.common.packed` does, or null. Layers that are not named keep their own.
    provenance : mapping
        How the design was found; free-form, JSON-ready, never read back by the hardware.

    Raises
    ------
    InputError
        A multiplier is missing, a layer is mapped to a missing array, constants belong to no
        mapped layer, 0 x 0 is not 0 (ragged tiles are padded with zeros), or a partial sum could
        overflow.
    """

    name: str
    bank: BankConfig
    multipliers: Mapping[str, Multiplier]
    mapping: Mapping[str, int] = field(default_factory=dict)
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-." for c in self.name):
            raise InputError("Design name must be made of letters, digits, '_', '-' and '.', "
                             f"not {self.name!r}")
        for name in self.bank.arrays:
            if name not in self.multipliers:
                raise InputError(f"Design {self.name!r} must embed the netlist of {name!r}")
        for multiplier, dataflow in zip(self.arrays, self.bank.dataflows, strict=True):
            check_form(multiplier, dataflow)
        for multiplier in self.arrays:
            self._check_multiplier(multiplier)
        for layer, array in self.mapping.items():
            if not isinstance(array, int) or not 0 <= array < len(self.bank.arrays):
                raise InputError(f"Layer {layer!r} must be mapped to an array below "
                                 f"{len(self.bank.arrays)}, not {array!r}")
        for layer in self.constants:
            if layer not in self.mapping:
                raise InputError(f"Constants must belong to a mapped layer, not {layer!r}")

    def _check_multiplier(self, multiplier: Multiplier) -> None:
        netlist, kind = multiplier.netlist, self.kinds[multiplier.name]
        bits = OPERAND_BITS
        if (netlist.act_width, netlist.weight_width) != (bits, bits):
            raise InputError(f"Multiplier {multiplier.name!r} must be {bits}x{bits} to sit in a "
                             f"PE, not {netlist.act_width}x{netlist.weight_width}")
        if netlist.signed != kind.signed:
            raise InputError(f"Multiplier {multiplier.name!r} must be {kind.takes} for a "
                             f"{kind.label} PE")
        if multiplier.act_rounding and multiplier.signed:
            raise InputError(f"Multiplier {multiplier.name!r} must be unsigned to have its "
                             f"activations rounded by {multiplier.act_rounding} bits")
        if multiplier.table[0, 0] != 0:
            raise InputError(f"Multiplier {multiplier.name!r} must give 0 for 0 x 0, not "
                             f"{multiplier.table[0, 0]}: ragged tiles are padded with zeros")
        multiplier.check_adder()
        limit = 2 ** (self.bank.psum_width - 1)
        smallest, largest = kind.product_range(multiplier.table)
        start, unit, error = self.bank.psum_start, 1 << netlist.zero_bits, 0
        whole = f"as all products of {multiplier.name!r} are"
        if (adder := multiplier.adder) is not None:
            # The low part then starts from 0, as it is simulated.
            unit, error = 1 << adder.bits, adder.max_error
            whole = f"for the adder of {multiplier.name!r}"
        if start % unit:
            raise InputError(f"Bank psum_start must be a multiple of {unit}, {whole}, not {start}")
        bound = max(start + self.bank.rows * (largest + error),
                    self.bank.rows * (smallest - error), key=abs)
        if not -limit <= bound < limit:
            raise InputError(f"Partial sums of {multiplier.name!r} reach {bound} over "
                             f"{self.bank.rows} rows"
                             + f", of which {error} in each may be the adder's error" * bool(error)
                             + ", which must fit in "
                             f"{self.bank.psum_width} bits ({-limit} to {limit - 1})")

    @cached_property
    def arrays(self) -> tuple[Multiplier, ...]:
        """The multiplier of each array, in ROUTE order."""
        return tuple(self.multipliers[name] for name in self.bank.arrays)

    @cached_property
    def kinds(self) -> dict[str, PeKind]:
        """The PE kind of each array, by its multiplier."""
        if self.bank.kinds:
            return {name: PE_KINDS[kind]
                    for name, kind in zip(self.bank.arrays, self.bank.kinds, strict=True)}
        return {name: kind_for(signed=self.multipliers[name].signed, dataflow=self.bank.dataflow)
                for name in self.bank.arrays}

    @cached_property
    def pes(self) -> tuple[Pe, ...]:
        """What each array is made of, in ROUTE order."""
        return tuple(Pe(kind=self.kinds[multiplier.name], netlist=multiplier.netlist,
                        psum_width=self.bank.psum_width, act_rounding=multiplier.act_rounding,
                        adder=multiplier.adder)
                     for multiplier in self.arrays)

    def with_pes(self, form: str) -> Design:
        """Return the design with PEs of a form; InputError where arrays are not made of them."""
        return replace(self, bank=replace(self.bank, form=form, kinds=()))

    def multiplier_of(self, layer: str) -> Multiplier:
        """Return the multiplier that `layer` is routed to."""
        return self.arrays[self.mapping[layer]]

    def weight_codes(self, layer: str) -> PackedBytes | None:
        """Return the stored bytes of a layer's weights where they are not the network's own.

        Raises InputError when the constants of the layer hold none.
        """
        text = self.constants.get(layer, {}).get("weight_codes")
        return None if text is None else PackedBytes.read(
            text, f"Weight codes of layer {layer!r}")

    def check_sums(self, layer: str, k: int) -> None:
        """Raise InputError if `k` products of a layer's multiplier could overflow its sum."""
        multiplier = self.multiplier_of(layer)
        bound = k * multiplier.largest_term
        if bound > MAX_SUM:
            raise InputError(f"Sums of layer {layer!r} reach {bound} over {k} products of "
                             f"{multiplier.name!r}, which must fit in 32 bits (at most {MAX_SUM})")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` restores an equal design."""
        return {"format": DESIGN_FORMAT, "name": self.name, "bank": self.bank.to_dict(),
                "mapping": dict(self.mapping),
                "constants": {layer: dict(values) for layer, values in self.constants.items()},
                "provenance": dict(self.provenance),
                "multipliers": {
                    name: {"family": m.family, "parameters": dict(m.parameters),
                           "citation": m.citation, "digest": m.digest,
                           "netlist": m.netlist.to_dict(),
                           **({"act_rounding": m.act_rounding} if m.act_rounding else {}),
                           **({"adder": str(m.adder)} if m.adder else {})}
                    for name, m in sorted(self.multipliers.items()) if name in self.bank.arrays}}

    @classmethod
    def from_dict(cls, content: Any) -> Design:
        """Restore a design; raises InputError saying what is wrong with it."""
        read = record(_DesignFile, without_format(content, DESIGN_FORMAT))
        return cls(name=read.name, bank=read.bank, mapping=read.mapping, constants=read.constants,
                   provenance=read.provenance,
                   multipliers={name: entry.multiplier(name)
                                for name, entry in read.multipliers.items()})

    @classmethod
    def load(cls, path: Path) -> Design:
        """Read a design file; every error names the file."""
        return read_as(path, cls.from_dict)

    def save(self, path: Path) -> None:
        """Write the design file atomically."""
        write_json(path, self.to_dict(), indent=None)


@dataclass(frozen=True, kw_only=True)
class _Embedded:
    """A multiplier of a design file."""

    family: str
    parameters: Mapping[str, int | float | str]
    citation: str
    digest: str
    netlist: Any
    act_rounding: ActRounding = 0
    adder: str = ""

    def multiplier(self, name: str) -> Multiplier:
        try:
            netlist = Netlist.from_dict(self.netlist)
            adder = ApproximateAdder.named(self.adder) if self.adder else None
        except ValueError as error:
            raise InputError(f"multipliers[{name!r}]: {error}") from None
        multiplier = Multiplier(name=name, family=self.family, source=netlist,
                                parameters=self.parameters, citation=self.citation,
                                act_rounding=self.act_rounding, adder=adder)
        if self.digest != multiplier.digest:
            raise InputError(f"Netlist of {name!r} must have digest {self.digest[:12]}, not "
                             f"{multiplier.digest[:12]}")
        return multiplier


@dataclass(frozen=True, kw_only=True)
class _DesignFile:
    """What a design file holds beside its format."""

    name: str
    bank: BankConfig
    multipliers: Mapping[str, _Embedded]
    mapping: Mapping[str, int]
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
