"""What there is to place: cells of a mapped netlist, nets between them, pins at the edges."""

from __future__ import annotations

from dataclasses import dataclass

from hw.ppa.library.technology import Technology
from hw.ppa.mapping.mapped import ALWAYS, MappedNetlist

# Ports of these names begin at the left edge and leave at the right one, as activations and their
# tokens do along a row of PEs; the others go from the top to the bottom.
ALONG_ROWS = ("act", "swap", "load")


@dataclass(frozen=True, kw_only=True)
class EdgePin:
    """A pin of a port: on which edge, and where along it, 0 (left or bottom) to 1."""

    edge: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Cells and what they are connected to.

    Parameters
    ----------
    areas_um2 : tuple of float
        Of each cell: gates, then registers, then clock gates.
    nets : tuple of tuple of int
        Cells of each net, its driver among them.
    pins : tuple of tuple of EdgePin
        Of each net at the edges.
    clocks : tuple of tuple of int
        Cells that the clock reaches behind each clock gate, the gate first, and on the ungated
        clock, last.
    """

    areas_um2: tuple[float, ...]
    nets: tuple[tuple[int, ...], ...]
    pins: tuple[tuple[EdgePin, ...], ...]
    clocks: tuple[tuple[int, ...], ...]


def cells_of(netlist: MappedNetlist, technology: Technology) -> Cells:
    """Return the cells of a netlist; the gates of a full adder are one.

    The bits of every port are spread evenly over its edge, those of `x_in` opposite those of
    `x_out`: equal PEs that abut are connected by their pins.
    """
    areas: list[float] = []
    nets: list[list[int]] = [[] for _ in range(netlist.net_count)]
    shared: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    joining = []
    for gate in netlist.gates:
        cell = technology.cells[gate.cell]
        if cell.shares_pins:  # its other part may come later
            joining.append(gate)
            continue
        if cell.part_of:
            shared.setdefault((cell.part_of, gate.inputs), []).append(len(areas))
        for net in (*gate.inputs, gate.output):
            nets[net].append(len(areas))
        areas.append(cell.area_um2)
    for gate in joining:
        place = technology.cells[gate.cell].part_of, gate.inputs
        nets[gate.output].append(shared[place].pop(0))
    domains: list[list[int]] = [[] for _ in (*netlist.clock_gates, ALWAYS)]
    gates = range(len(areas) + len(netlist.flops), len(areas) + len(netlist.flops)
                  + len(netlist.clock_gates))
    for own, index in zip(domains, gates, strict=False):
        own.append(index)
    for flop in netlist.flops:
        for net in (flop.data, flop.output):
            nets[net].append(len(areas))
        domains[flop.domain].append(len(areas))
        areas.append(technology.flop.area_um2)
    above = netlist.gate_domains or (ALWAYS,) * len(netlist.clock_gates)
    for net, domain, index in zip(netlist.clock_gates, above, gates, strict=True):
        assert technology.clock_gate is not None
        nets[net].append(index)
        domains[domain].append(index)
        areas.append(technology.clock_gate.area_um2)
    return Cells(areas_um2=tuple(areas), nets=tuple(map(tuple, nets)), pins=_pins(netlist),
                 clocks=tuple(map(tuple, domains)))


def _pins(netlist: MappedNetlist) -> tuple[tuple[EdgePin, ...], ...]:
    pins: list[list[EdgePin]] = [[] for _ in range(netlist.net_count)]
    for ports, along, across in ((netlist.inputs, "left", "top"),
                                 (netlist.outputs, "right", "bottom")):
        for port, bits in ports.items():
            for bit, net in enumerate(bits):
                pins[net].append(EdgePin(edge=along if port.startswith(ALONG_ROWS) else across,
                                         share=(bit + 0.5) / len(bits)))
    return tuple(map(tuple, pins))
