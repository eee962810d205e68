"""Combinational cells of a Liberty library, with one output or, as adders, with two.

**One supply rail.** Where a library gives the internal energy of both rails, only that of the
power rail counts: the same charge leaves through the ground rail, and over a rising and a
falling edge the two tables have equal sums. Adding them would count it twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hw.ppa.library.cells import Arc, Cell, EdgeEnergy, Pin
from hw.ppa.library.expressions import spelled
from hw.ppa.library.liberty import Group
from hw.ppa.library.liberty_library import Library, rounded
from hw.ppa.library.table import Table

ZERO = EdgeEnergy(rise=Table.constant(0.0), fall=Table.constant(0.0))
SENSES = {"positive_unate": "positive", "negative_unate": "negative", "non_unate": "both"}
STATE_KINDS = ("ff", "latch", "statetable", "ff_bank", "latch_bank")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A combinational cell that may be kept.

    Parameters
    ----------
    library : Library
    group : Group
    inputs, outputs : sequence of Group
        Pins by name.
    truths : tuple of int
        Truth table of each output; see `technology.Cell.truth`.
    """

    library: Library
    group: Group
    inputs: Sequence[Group]
    outputs: Sequence[Group]
    truths: tuple[int, ...]

    @property
    def rank(self) -> tuple[float, float, str]:
        """Smallest area first, the strongest among equals."""
        strength = self.library.number(self.outputs[0], "max_capacitance", 0.0) * self.library.cap
        return self.library.area_um2(self.group), -strength, self.group.name


def pins(cell: Group, direction: str) -> list[Group]:
    """Return the input or output pins of a cell."""
    return [pin for pin in cell.children("pin") if pin.attributes.get("direction") == direction]


def candidate(library: Library, cell: Group, max_inputs: int) -> Candidate | None:
    """Return a cell whose outputs are functions of at most `max_inputs` pins, or None."""
    inputs, outputs = (sorted(pins(cell, direction), key=lambda pin: pin.name)
                       for direction in ("input", "output"))
    if (not 1 <= len(inputs) <= max_inputs or len(outputs) not in (1, 2)
            or any(group.kind in STATE_KINDS for group in cell.groups)
            or any("three_state" in pin.attributes or "function" not in pin.attributes
                   or not pin.children("timing") for pin in outputs)):
        return None
    values, ones = spelled([pin.name for pin in inputs])
    return Candidate(library=library, group=cell, inputs=inputs, outputs=outputs, truths=tuple(
        library.function(output, "function", values, ones) for output in outputs))


def combinational(found: Candidate) -> list[Cell]:
    """Return the figures of a cell, one entry per output; the first has what they share."""
    library, group = found.library, found.group
    power = power_rails(group)
    several = len(found.outputs) > 1
    cells = []
    for number, output in enumerate(found.outputs):
        timing, switching = [], []
        for pin in found.inputs:
            related = [arc for arc in output.children("timing") if _is_from(arc, pin)
                       and arc.attributes.get("timing_type", "combinational") == "combinational"]
            if not related:
                raise library.fail(output, f"cell {group.name!r} must have timing from "
                                   f"{pin.name!r}")
            timing.append(tuple(arc(library, arcs, sense) for sense, arcs in _by_sense(related)))
            switching.append(mean_energy(library, [
                energy for energy in energies(output, power) if _is_from(energy, pin)]))
        first = number == 0
        cells.append(Cell(
            name=f"{group.name}/{output.name}" if several else group.name,
            part_of=group.name if several else "", shares_pins=not first,
            area_um2=library.area_um2(group) if first else 0.0,
            leakage_nw=leakage(library, group, power) if first else 0.0,
            leakage_states_nw=_leakage_states(found, power) if first else (),
            output=output.name, function=output.attributes["function"],
            inputs=tuple(Pin(name=pin.name, cap_ff=library.cap_ff(pin) if first else 0.0,
                             quiet=mean_energy(library, energies(pin, power)) if first else ZERO)
                         for pin in found.inputs),
            arcs=tuple(timing), switching=tuple(switching)))
    return cells


def _is_from(group: Group, pin: Group) -> bool:
    return pin.name in group.attributes.get("related_pin", "").split()


def _by_sense(groups: list[Group]) -> list[tuple[str, list[Group]]]:
    senses: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        senses[SENSES.get(group.attributes.get("timing_sense", ""), "both")].append(group)
    return sorted(senses.items())


def arc(library: Library, groups: Sequence[Group], sense: str) -> Arc:
    """Return the worst of several `timing` groups."""
    return Arc(sense=sense, delay_rise=library.delays(groups, "cell_rise"),
               delay_fall=library.delays(groups, "cell_fall"),
               slew_rise=library.delays(groups, "rise_transition"),
               slew_fall=library.delays(groups, "fall_transition"))


# --- power ----------------------------------------------------------------------------


def power_rails(cell: Group) -> set[str]:
    """Return the supply pins of a cell."""
    return {pin.name for pin in cell.children("pg_pin")
            if pin.attributes.get("pg_type") == "primary_power"}


def _on_rail(groups: list[Group], power: set[str]) -> list[Group]:
    """Return the groups of the power rail; those that name no rail belong to it."""
    return [group for group in groups
            if not power or group.attributes.get("related_pg_pin", "") in power | {""}]


def energies(pin: Group, power: set[str]) -> list[Group]:
    """Return the internal energies of a pin, those of the power rail."""
    return _on_rail(pin.children("internal_power"), power)


def mean_energy(library: Library, groups: Sequence[Group]) -> EdgeEnergy:
    """Return the mean over several `internal_power` groups, zero without any."""
    if not groups:
        return ZERO
    return EdgeEnergy(rise=library.energies(groups, "rise"),
                      fall=library.energies(groups, "fall"))


def leakage(library: Library, cell: Group, power: set[str]) -> float:
    """Return the leakage that holds for all states, or the mean over them, nW."""
    groups = _on_rail(cell.children("leakage_power"), power)
    overall = [group for group in groups if "when" not in group.attributes] or groups
    if not overall:
        return rounded(library.number(cell, "cell_leakage_power", 0.0) * library.power)
    values = [library.number(group, "value") for group in overall]
    return rounded(sum(values) / len(values) * library.power)


def _leakage_states(found: Candidate, power: set[str]) -> tuple[float, ...]:
    """Return the leakage in each input state, nW; empty when the library has no states."""
    library, cell = found.library, found.group
    groups = _on_rail(cell.children("leakage_power"), power)
    conditional = [group for group in groups if "when" in group.attributes]
    if not conditional:
        return ()
    values, ones = spelled([pin.name for pin in found.inputs])
    cases = ones.bit_length()
    values |= {pin.name: truth for pin, truth in zip(found.outputs, found.truths, strict=True)}
    states = [leakage(library, cell, power)] * cases
    for group in conditional:
        holds = library.function(group, "when", values, ones)
        for case in range(cases):
            if holds >> case & 1:
                states[case] = rounded(library.number(group, "value") * library.power)
    return tuple(states)
