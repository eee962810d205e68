"""A chain of inverters from the left edge to the right one, in one row."""

from hw.ppa.mapping.mapped import MappedGate, MappedNetlist
from hw.ppa.placement.geometry import Geometry

# Inverters of 1 um2 are 0.5 um wide; three fill three quarters of a row of 2 um.
GEOMETRY = Geometry(row_um=2.0, site_um=0.25, wire_ff_um=3.0, clock_ff_um=2.0, utilisation=0.75)


def chain(count):
    return MappedNetlist(
        name="chain", net_count=count + 3, inputs={"act_in": (2,)},
        outputs={"act_out": (count + 2,)},
        gates=tuple(MappedGate("INV", (net,), net + 1) for net in range(2, count + 2)))
