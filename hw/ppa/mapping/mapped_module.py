"""Mapping any module once, array tile, router or requantiser: kept by what it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hw.common.cache import kept
from hw.common.progress import task
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.fanout import buffered
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.synthesis import Recipe, map_circuit
from hw.ppa.mapping.timing import Timing, analyse, hold_slack_ps
from hw.ppa.mapping.yosys import Yosys


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedModule:
    """A mapped module and its figures.

    Parameters
    ----------
    netlist : MappedNetlist
    technology : Technology
    recipe : Recipe
    mapped_by : str
        The Yosys that did it.
    """

    netlist: MappedNetlist
    technology: Technology
    recipe: Recipe
    mapped_by: str

    @cached_property
    def timing(self) -> Timing:
        """Static timing; input ports switch at time 0."""
        return analyse(self.netlist, self.technology)

    @property
    def port_delay_ps(self) -> float:
        """Latest edge at an output port, those of black boxes among them."""
        arrivals = self.timing.arrivals_ps
        return max((arrivals[net].worst for nets in self.netlist.outputs.values()
                    for net in nets), default=0.0)

    @cached_property
    def cell_counts(self) -> Counter[str]:
        """Instances by cell; a full adder is one."""
        return self.netlist.cell_counts(self.technology)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        netlist, technology = self.netlist, self.technology
        hold = hold_slack_ps(netlist, technology)
        return {"module": netlist.name, "technology": technology.name,
                "technology_sha256": technology.digest, "corner": technology.corner,
                "recipe": self.recipe.label, "mapped_by": self.mapped_by,
                "area_um2": netlist.area_um2(technology), "delay_ps": self.timing.delay_ps,
                "hold_slack_ps": hold if hold < float("inf") else None,
                "leakage_nw": netlist.leakage_nw(technology),
                "registers": len(netlist.flops), "clock_gates": len(netlist.clock_gates),
                "cells": dict(self.cell_counts.most_common())}

    def text(self) -> str:
        """Return the figures for reading."""
        netlist, technology, figures = self.netlist, self.technology, self.to_dict()
        hold = figures["hold_slack_ps"]
        kind = "clock to clock, set-up included" if netlist.flops else "input to output"
        lines = [
            f"{netlist.name}: {technology.name}, {technology.corner}; recipe {self.recipe.name}, "
            f"mapped by {self.mapped_by}",
            f"area     {figures['area_um2']:12.2f} um2, without wires between cells",
            f"delay    {figures['delay_ps']:12.0f} ps, {kind}; inputs at time 0",
            *([f"hold     {hold:12.0f} ps to spare"] if hold is not None else []),
            f"leakage  {figures['leakage_nw']:12.2f} nW, mean over states",
            f"cells    {self.cell_counts.total():12d}, {len(netlist.flops)} registers, "
            f"{len(netlist.clock_gates)} clock gates"]
        return "\n".join([*lines, *(f"{count:21d}  {cell}" for cell, count
                                    in self.cell_counts.most_common())])


def map_module(verilog: str, top: str, technology: Technology, recipe: Recipe, yosys: Yosys, *,
               flatten: bool = False, macros: Sequence[str] = (),
               quiet: bool = False) -> MappedModule:
    """Return a mapped module, buffered; one that was mapped before is not mapped again.

    Parameters are those of `synthesis.map_circuit`, which says what is raised.
    """
    def make() -> MappedNetlist:
        with task(f"mapping {top} with {yosys.name}", 1, quiet=quiet, announce=True):
            return buffered(map_circuit(verilog, top, technology, recipe, flatten=flatten,
                                        yosys=yosys, macros=macros), technology)

    netlist = kept((verilog, top, flatten, macros, technology.digest, recipe.label, yosys.name),
                   make, MappedNetlist)
    return MappedModule(netlist=netlist, technology=technology, recipe=recipe,
                        mapped_by=yosys.name)
