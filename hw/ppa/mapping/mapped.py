"""A circuit after technology mapping: cells of a library and the nets between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, NamedTuple

from hw.common.errors import InputError
from hw.common.records import Count, Limits, record
from hw.ppa.library.cells import Cell, ClockGate, Flop
from hw.ppa.library.technology import Technology

CONST0, CONST1 = 0, 1
FIRST_NET = 2
ALWAYS = -1  # clock domain of registers on the ungated clock


class MappedGate(NamedTuple):
    """A combinational cell, or a part of one: nets of its inputs and of its output."""

    cell: str
    inputs: tuple[int, ...]
    output: int


class MappedFlop(NamedTuple):
    """A register: nets of D and of the output pin, and the index of its clock gate."""

    data: int
    output: int
    domain: int


@dataclass(frozen=True, kw_only=True)
class MappedNetlist:
    """Cells of one technology, registers and clock gates.

    Nets are numbered: 0 and 1 are the constants, the others are driven by an input port, a
    gate or a register. The clock is no net: it is ideal, and every register belongs to the
    domain of a clock gate or to `ALWAYS`.

    Parameters
    ----------
    name : str
    net_count : int
    inputs, outputs : mapping of str to tuple of int
        Nets of each port, least significant bit first.
    gates : tuple of MappedGate
        In topological order.
    flops : tuple of MappedFlop
    clock_gates : tuple of int
        Net of each gate's enable.
    gate_domains : tuple of int
        Where gates have a gate above them: the domain of each one's own clock.

    Raises
    ------
    ValueError
        A net is read but not driven, or driven twice, or a gate reads a later gate's output.
    """

    name: str
    net_count: int
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    gates: tuple[MappedGate, ...]
    flops: tuple[MappedFlop, ...] = ()
    clock_gates: tuple[int, ...] = ()
    gate_domains: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        driven = {CONST0, CONST1}
        sources = [net for nets in self.inputs.values() for net in nets]
        sources += [flop.output for flop in self.flops]
        for net in sources:
            self._drive(driven, net, "A port or register")
        for gate in self.gates:
            for net in gate.inputs:
                if net not in driven:
                    raise ValueError(f"{gate.cell} must read nets driven before it, not {net}")
            self._drive(driven, gate.output, gate.cell)
        readers = [net for nets in self.outputs.values() for net in nets]
        readers += [flop.data for flop in self.flops] + list(self.clock_gates)
        for net in readers:
            if net not in driven:
                raise ValueError(f"Net {net} of {self.name} must be driven")
        for flop in self.flops:
            if not -1 <= flop.domain < len(self.clock_gates):
                raise ValueError(f"Clock domain must be below {len(self.clock_gates)}, "
                                 f"not {flop.domain}")
        if self.gate_domains and len(self.gate_domains) != len(self.clock_gates):
            raise ValueError(f"Domains of clock gates must be {len(self.clock_gates)}, "
                             f"not {len(self.gate_domains)}")
        for index, domain in enumerate(self.gate_domains):
            if not -1 <= domain < index:
                raise ValueError(f"Clock gate {index} must be fed by an earlier one, not {domain}")

    def _drive(self, driven: set[int], net: int, driver: str) -> None:
        if net in driven or not FIRST_NET <= net < self.net_count:
            raise ValueError(f"{driver} must drive a net of its own below {self.net_count}, "
                             f"not {net}")
        driven.add(net)

    @cached_property
    def sinks(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For every net the (gate, input position) pairs that read it."""
        sinks: list[list[tuple[int, int]]] = [[] for _ in range(self.net_count)]
        for index, gate in enumerate(self.gates):
            for position, net in enumerate(gate.inputs):
                sinks[net].append((index, position))
        return tuple(map(tuple, sinks))

    def cell_counts(self, technology: Technology) -> Counter[str]:
        """Return the number of instances of each cell, registers and clock gates included."""
        counts = Counter(cell.part_of or cell.name for gate in self.gates
                         if not (cell := technology.cells[gate.cell]).shares_pins)
        counts[technology.flop.name] += len(self.flops)
        if technology.clock_gate is not None:
            counts[technology.clock_gate.name] += len(self.clock_gates)
        return +counts

    def area_um2(self, technology: Technology) -> float:
        """Return the sum of the cell areas."""
        return math.fsum(area * count for area, _, count in self._costs(technology))

    def leakage_nw(self, technology: Technology) -> float:
        """Return the sum of the cells' state-averaged leakage."""
        return math.fsum(leakage * count for _, leakage, count in self._costs(technology))

    def _costs(self, technology: Technology) -> list[tuple[float, float, int]]:
        known: dict[str, Cell | Flop | ClockGate] = {
            cell.part_of or cell.name: cell for cell in technology.cells.values()
            if not cell.shares_pins}
        known[technology.flop.name] = technology.flop
        if technology.clock_gate is not None:
            known[technology.clock_gate.name] = technology.clock_gate
        return [(known[name].area_um2, known[name].leakage_nw, count)
                for name, count in sorted(self.cell_counts(technology).items())]

    # --- exchange -----------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return a compact JSON-ready description; `from_dict` restores an equal netlist."""
        cells = sorted({gate.cell for gate in self.gates})
        number = {cell: index for index, cell in enumerate(cells)}
        return {"name": self.name, "nets": self.net_count,
                "inputs": {port: list(nets) for port, nets in self.inputs.items()},
                "outputs": {port: list(nets) for port, nets in self.outputs.items()},
                "cells": cells,
                "gates": [[number[gate.cell], gate.output, *gate.inputs] for gate in self.gates],
                "flops": [list(flop) for flop in self.flops],
                "clock_gates": list(self.clock_gates),
                **({"gate_domains": list(self.gate_domains)} if self.gate_domains else {})}

    @classmethod
    def from_dict(cls, content: Any) -> MappedNetlist:
        """Restore a netlist; raises ValueError when the description is malformed."""
        read = record(_NetlistFile, content)
        try:
            return cls(
                name=read.name, net_count=read.nets, inputs=read.inputs, outputs=read.outputs,
                gates=tuple(MappedGate(read.cells[cell], tuple(inputs), output)
                            for cell, output, *inputs in read.gates),
                flops=tuple(MappedFlop(*flop) for flop in read.flops),
                clock_gates=read.clock_gates, gate_domains=read.gate_domains)
        except IndexError:
            raise ValueError(f"gates must be of the {len(read.cells)} cells") from None

    def check_cells(self, technology: Technology) -> None:
        """Raise ValueError where a gate is none of the technology, or a clock gate has no cell."""
        for gate in self.gates:
            cell = technology.cells.get(gate.cell)
            if cell is None or len(cell.inputs) != len(gate.inputs):
                raise ValueError(f"gate {gate.cell!r} must be a cell of {technology.name}")
        if self.clock_gates and technology.clock_gate is None:
            raise ValueError(f"clock gates must be cells of {technology.name}")

    def with_gate(self, index: int, gate: MappedGate) -> MappedNetlist:
        """Return a copy in which gate `index` is `gate` (fault injection)."""
        gates = (*self.gates[:index], gate, *self.gates[index + 1:])
        return replace(self, gates=gates)


@dataclass(frozen=True, kw_only=True)
class _NetlistFile:
    """A `MappedNetlist` in a file: a gate is its cell, its output and its inputs."""

    name: str
    nets: Count
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    cells: tuple[str, ...]
    gates: tuple[Annotated[tuple[int, ...], Limits(2)], ...]
    flops: tuple[tuple[int, int, int], ...]
    clock_gates: tuple[int, ...]
    gate_domains: tuple[int, ...] = ()


def from_yosys(module: Mapping[str, Any], name: str, technology: Technology,
               clock: str = "clk") -> MappedNetlist:
    """Return the circuit of one module of a Yosys `write_json` file.

    Parameters
    ----------
    module : mapping
        `modules[...]` of the file; cells of `technology` only.
    name : str
        What to call it.
    technology : Technology
    clock : str
        Port that is the clock; it may be absent.

    Raises
    ------
    InputError
        The module uses other cells, another clock, or has a combinational loop.
    """
    return _YosysModule(module, name, technology, clock).netlist()


class _YosysModule:
    def __init__(self, module: Mapping[str, Any], name: str, technology: Technology,
                 clock: str) -> None:
        self._module, self._name, self._technology = module, name, technology
        self._clock = module["ports"].get(clock, {}).get("bits", [None])[0]
        self._numbers: dict[int | str, int] = {"0": CONST0, "1": CONST1, "x": CONST0}

    def _net(self, bit: int | str) -> int:
        if bit not in self._numbers:
            self._numbers[bit] = FIRST_NET + len(self._numbers) - 3
        return self._numbers[bit]

    def netlist(self) -> MappedNetlist:
        ports = sorted(self._module["ports"].items())
        inputs, outputs = (
            {port: tuple(map(self._net, entry["bits"])) for port, entry in ports
             if entry["direction"] == direction and entry["bits"] != [self._clock]}
            for direction in ("input", "output"))
        cells = sorted(self._module["cells"].items())
        technology = self._technology
        gate_name = technology.clock_gate.name if technology.clock_gate else None
        adder = technology.full_adder
        domains: dict[int | str, int] = {self._clock: ALWAYS}
        enables: list[int] = []
        above: list[int] = []  # domain that clocks each gate
        waiting = [self._pins(cell) for _, cell in cells if cell["type"] == gate_name]
        while waiting and (gate := technology.clock_gate) is not None:
            fed = [pins for pins in waiting if pins[gate.clock.name] in domains]
            if not fed:
                raise InputError(f"{self._name}: clock gates must be fed by the clock port")
            waiting = [pins for pins in waiting if pins[gate.clock.name] not in domains]
            for pins in fed:
                above.append(domains[pins[gate.clock.name]])
                domains[pins[gate.output]] = len(enables)
                enables.append(self._net(pins[gate.enable.name]))
        flops: list[MappedFlop] = []
        gates: list[MappedGate] = []
        for _, cell in cells:
            kind, pins = cell["type"], self._pins(cell)
            if kind == technology.flop.name:
                if pins[technology.flop.clock.name] not in domains:
                    raise InputError(f"{self._name}: registers must be clocked by the clock port")
                flops.append(MappedFlop(self._net(pins[technology.flop.data.name]),
                                        self._net(pins[technology.flop.output]),
                                        domains[pins[technology.flop.clock.name]]))
            elif kind in technology.cells:
                gates.append(self._gate(technology.cells[kind], pins))
            elif adder is not None and kind == adder.name:
                gates += [self._gate(technology.cells[part], pins)
                          for part in (adder.sum, adder.carry)]
            elif kind != gate_name:
                raise InputError(f"{self._name}: cell {kind!r} must be one of the technology")
        ready = {CONST0, CONST1, *(net for nets in inputs.values() for net in nets),
                 *(flop.output for flop in flops)}
        return MappedNetlist(name=self._name, net_count=FIRST_NET + len(self._numbers) - 3,
                             inputs=inputs, outputs=outputs, gates=self._sorted(gates, ready),
                             flops=tuple(flops), clock_gates=tuple(enables),
                             gate_domains=tuple(above) if any(
                                 domain != ALWAYS for domain in above) else ())

    def _gate(self, cell: Cell, pins: Mapping[str, int | str]) -> MappedGate:
        """Return a gate; an output that nobody reads gets a net of its own."""
        output = self._net(pins.get(cell.output, f"unread {len(self._numbers)}"))
        return MappedGate(cell.name, tuple(self._net(pins[pin.name]) for pin in cell.inputs),
                          output)

    @staticmethod
    def _pins(cell: Mapping[str, Any]) -> dict[str, int | str]:
        return {pin: bits[0] for pin, bits in cell["connections"].items() if bits}

    def _sorted(self, gates: Sequence[MappedGate], ready: set[int]) -> tuple[MappedGate, ...]:
        """Return the gates in topological order, by level: each reads earlier outputs only."""
        waiting, ordered = list(gates), []
        while waiting:
            level = [gate for gate in waiting if all(net in ready for net in gate.inputs)]
            if not level:
                raise InputError(f"{self._name}: a combinational loop, or a net nobody drives")
            ready.update(gate.output for gate in level)
            done = set(level)
            waiting = [gate for gate in waiting if gate not in done]
            ordered += level
        return tuple(ordered)
