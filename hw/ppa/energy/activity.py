"""Gate-level simulation of a mapped netlist, 64 lanes per machine word, with zero delay.

A lane is one independent copy of the circuit. Every net holds one bit per lane; a gate is
evaluated by folding its truth table over its input words, so any cell takes the same code.
"Zero delay" means that a net switches at most once per cycle: glitches are not seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import ALWAYS, CONST1, MappedNetlist

LANES_PER_WORD = 64
MAX_CELL_INPUTS = 5

Words = npt.NDArray[np.uint64]


def pack_lanes(values: npt.NDArray[Any], width: int) -> Words:
    """Return integers [lanes] as bit planes uint64[width, lanes / 64], low bit first.

    Negative values give their two's complement. The lanes must fill whole words.
    """
    if values.size % LANES_PER_WORD:
        raise ValueError(f"Lanes must fill words of {LANES_PER_WORD}, not {values.size}")
    shifted = values.astype(np.int64)[None, :] >> np.arange(width)[:, None]
    packed = np.packbits((shifted & 1).astype(np.uint8), axis=1, bitorder="little")
    return packed.view("<u8").astype(np.uint64, copy=False)


def unpack_lanes(planes: Words, *, signed: bool = False) -> npt.NDArray[np.int64]:
    """Return bit planes uint64[width, words] as integers int64[lanes]; inverse of packing."""
    raw = np.ascontiguousarray(planes).astype("<u8", copy=False).view(np.uint8)
    bits = np.unpackbits(raw, axis=1, bitorder="little").astype(np.int64)
    weights = np.int64(1) << np.arange(len(planes), dtype=np.int64)
    if signed:
        weights[-1] = -weights[-1]
    return weights @ bits


class GateArrays:
    """A mapped netlist as arrays, for kernels.

    Attributes
    ----------
    inputs : uint32[gates, MAX_CELL_INPUTS], padded with 0
    arity : int32[gates]
    truth : uint32[gates]
    outputs : uint32[gates]

    Nets have no sign: compiled loops need not ask whether one counts from the end.
    """

    def __init__(self, netlist: MappedNetlist, technology: Technology) -> None:
        count = len(netlist.gates)
        self.inputs = np.zeros((count, MAX_CELL_INPUTS), np.uint32)
        self.arity = np.zeros(count, np.int32)
        self.truth = np.zeros(count, np.uint32)
        self.outputs = np.zeros(count, np.uint32)
        for index, gate in enumerate(netlist.gates):
            self.inputs[index, :len(gate.inputs)] = gate.inputs
            self.arity[index] = len(gate.inputs)
            self.truth[index] = technology.cells[gate.cell].truth
            self.outputs[index] = gate.output


class GatesOfCell(NamedTuple):
    """Which gates of a netlist are of one cell, int64[n], their inputs int64[n, pins], outputs."""

    gates: npt.NDArray[np.int64]
    inputs: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]


def gates_by_cell(netlist: MappedNetlist) -> dict[str, GatesOfCell]:
    """Return the gates of each cell: what is read from tables is read for all of them together."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, gate in enumerate(netlist.gates):
        places[gate.cell].append(index)
    return {cell: GatesOfCell(
        np.array(own), np.array([netlist.gates[index].inputs for index in own], np.int64),
        np.array([netlist.gates[index].output for index in own], np.int64))
        for cell, own in places.items()}


class Simulator:
    """Clocks a mapped netlist through its ports.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology

    Registers start at 0 as their output pin shows it.
    """

    def __init__(self, netlist: MappedNetlist, technology: Technology) -> None:
        self.netlist, self.technology = netlist, technology

    @cached_property
    def arrays(self) -> GateArrays:
        """The combinational part."""
        return GateArrays(self.netlist, self.technology)

    @cached_property
    def _flop_nets(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        flops = np.array(self.netlist.flops, np.int64).reshape(-1, 3)
        return flops[:, 0], flops[:, 1], flops[:, 2]

    def reset(self, words: int) -> Words:
        """Return all nets before the first cycle, uint64[net_count, words]."""
        nets = np.zeros((self.netlist.net_count, words), np.uint64)
        nets[CONST1] = np.uint64(0xFFFFFFFFFFFFFFFF)
        return nets

    def apply(self, nets: Words, inputs: Mapping[str, Words]) -> None:
        """Set input ports (others keep their value) and settle the logic, in place."""
        for port, planes in inputs.items():
            nets[list(self.netlist.inputs[port])] = planes
        # Importing numba takes longer than reading cached energies.
        from hw.ppa.energy.settling import settle

        arrays = self.arrays
        settle(nets, arrays.inputs, arrays.arity, arrays.truth, arrays.outputs)

    def open_gates(self, nets: Words) -> Words:
        """Return the lanes in which each clock gate is open, uint64[clock_gates, words]."""
        return nets[list(self.netlist.clock_gates)]

    def clock_edge(self, nets: Words) -> None:
        """Load every register whose clock is not gated off; the logic settles in `apply`."""
        data, outputs, domains = self._flop_nets
        captured = nets[data]
        if self.technology.flop.inverted:
            captured = ~captured
        gated = domains != ALWAYS
        if gated.any():
            enabled = self.open_gates(nets)[domains[gated]]
            held = nets[outputs[gated]]
            captured[gated] = (captured[gated] & enabled) | (held & ~enabled)
        nets[outputs] = captured

    def output(self, nets: Words, port: str, *, signed: bool = False) -> npt.NDArray[np.int64]:
        """Return the value of an output port in every lane, int64[lanes]."""
        return unpack_lanes(nets[list(self.netlist.outputs[port])], signed=signed)


def combinational_table(netlist: MappedNetlist, technology: Technology, *,
                        signed: bool = False) -> npt.NDArray[np.int64]:
    """Return `product` of a mapped multiplier for all pairs, int64[256, 256] for 8 x 8 bits.

    Indexed `[act, weight]` by bit pattern. signed : the product is in two's complement.
    """
    simulator = Simulator(netlist, technology)
    widths = [len(netlist.inputs[port]) for port in ("act", "weight")]
    shape = [1 << width for width in widths]
    act, weight = (axis.reshape(-1) for axis in np.indices(shape))
    nets = simulator.reset(act.size // LANES_PER_WORD)
    simulator.apply(nets, {"act": pack_lanes(act, widths[0]),
                           "weight": pack_lanes(weight, widths[1])})
    return simulator.output(nets, "product", signed=signed).reshape(shape)
