"""Trees of buffers on nets that many pins read, as place and route would build them.

ABC buffers what gates drive; what registers, ports and other modules drive it does not see.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from hw.ppa.library.cells import Cell
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import FIRST_NET, MappedGate, MappedNetlist
from hw.ppa.mapping.timing import CLOCK_SLEW_PS

FANOUT = 16  # cells behind a net, at most


def buffered(netlist: MappedNetlist, technology: Technology) -> MappedNetlist:
    """Return an equal netlist in which no net has more than FANOUT cells behind it.

    Without a buffer in the technology it comes back as it is.
    """
    kinds = [cell for cell in technology.cells.values()
             if len(cell.inputs) == 1 and cell.truth == 0b10]
    if not kinds:
        return netlist
    kind = min(kinds, key=_delay_ps).name
    fresh = count(netlist.net_count)
    reads: dict[tuple[Hashable, int], int] = {}  # cell and net to the net that it reads now

    def tree(source: int, net: int, cells: Sequence[Hashable]) -> Iterator[MappedGate]:
        """Yield the buffers between `source` and what reads `net`, nearest first."""
        if len(cells) <= FANOUT:
            reads.update({(cell, net): source for cell in cells})
            return
        under = FANOUT
        while under * FANOUT < len(cells):
            under *= FANOUT
        for first in range(0, len(cells), under):
            head = next(fresh)
            yield MappedGate(kind, (source,), head)
            yield from tree(head, net, cells[first:first + under])

    cells = [_cell(index, gate, technology) for index, gate in enumerate(netlist.gates)]
    trees = {net: list(tree(net, net, readers))
             for net, readers in _readers(netlist, cells).items()}
    gates = [buffer for net in _sources(netlist) for buffer in trees.get(net, ())]
    for cell, gate in zip(cells, netlist.gates, strict=True):
        gates += [gate._replace(inputs=tuple(reads.get((cell, net), net) for net in gate.inputs)),
                  *trees.get(gate.output, ())]
    return replace(
        netlist, net_count=next(fresh), gates=tuple(gates),
        flops=tuple(flop._replace(data=reads.get((("flop", index), flop.data), flop.data))
                    for index, flop in enumerate(netlist.flops)),
        clock_gates=tuple(reads.get((("clock gate", index), net), net)
                          for index, net in enumerate(netlist.clock_gates)))


def _delay_ps(buffer: Cell) -> float:
    return buffer.arcs[0][0].edge(True, CLOCK_SLEW_PS, FANOUT * buffer.inputs[0].cap_ff)[0]


def _cell(index: int, gate: MappedGate, technology: Technology) -> Hashable:
    """Return what stands for a cell: parts of one are one."""
    part_of = technology.cells[gate.cell].part_of
    return (part_of, gate.inputs) if part_of else index


def _sources(netlist: MappedNetlist) -> list[int]:
    """Return the nets that no gate drives."""
    return [*(net for nets in netlist.inputs.values() for net in nets),
            *(flop.output for flop in netlist.flops)]


def _readers(netlist: MappedNetlist, cells: Sequence[Hashable]) -> dict[int, list[Hashable]]:
    """Return the cells that read each net, in their order, each once."""
    found: dict[int, dict[Hashable, None]] = defaultdict(dict)
    for cell, gate in zip(cells, netlist.gates, strict=True):
        for net in gate.inputs:
            found[net][cell] = None
    for index, flop in enumerate(netlist.flops):
        found[flop.data]["flop", index] = None
    for index, net in enumerate(netlist.clock_gates):
        found[net]["clock gate", index] = None
    return {net: list(readers) for net, readers in found.items() if net >= FIRST_NET}
