"""Registers and clock gates of a Liberty library.

The clock pin's energy is that of the states in which the edge changes nothing; the data pin's
is the one while the clock is low, when the first latch is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.ppa.library.cells import ClockGate, Flop, Pin
from hw.ppa.library.expressions import names, spelled
from hw.ppa.library.liberty import Group
from hw.ppa.library.liberty_cells import arc, energies, leakage, mean_energy, pins, power_rails
from hw.ppa.library.liberty_library import Library
from hw.ppa.library.table import Table

Cells = Sequence[tuple[Library, Group]]


@dataclass(frozen=True)
class _Register:
    """A register cell and what its pins are for."""

    library: Library
    cell: Group
    clock: str
    data: str
    idle: Mapping[str, int]  # levels at which set and reset do nothing
    outputs: Sequence[Group]

    @property
    def rank(self) -> tuple[bool, float, str]:
        """One without set and reset first, then by area."""
        return bool(self.idle), self.library.area_um2(self.cell), self.cell.name


def smallest_flop(cells: Cells) -> Flop | None:
    """Return the smallest rising-edge register, without set and reset if there is one."""
    found = [register for library, cell in cells
             if (register := _register(library, cell)) is not None]
    return _flop(min(found, key=lambda register: register.rank)) if found else None


def _register(library: Library, cell: Group) -> _Register | None:
    """Return a register that can capture one pin at the rising edge of another, or None."""
    states = cell.children("ff")
    outputs = [pin for pin in pins(cell, "output") if "function" in pin.attributes]
    if len(states) != 1 or len(states[0].arguments) != 2 or not outputs:
        return None
    attributes = states[0].attributes
    clock, following = attributes.get("clocked_on", ""), names(attributes.get("next_state", ""))
    inputs = {pin.name for pin in pins(cell, "input")}
    if clock not in inputs or len(following) != 1:
        return None
    idle: dict[str, int] = {}
    for event in ("clear", "preset"):
        if event in attributes:
            used = names(attributes[event])
            if len(used) != 1 or used & idle.keys():
                return None
            # The pin must be at the level at which the event does not happen.
            idle[min(used)] = 1 - library.function(states[0], event, dict.fromkeys(used, 1), 1)
    if inputs != {clock} | following | idle.keys():
        return None
    return _Register(library, cell, clock, following.pop(), idle, outputs)


def _flop(register: _Register) -> Flop:
    library, cell, clock, data = register.library, register.cell, register.clock, register.data
    state = cell.children("ff")[0]
    by_name = {pin.name: pin for pin in pins(cell, "input")}
    output = register.outputs[0]
    # The captured bit as the output shows it, over D: bit d is the output after capturing d.
    captured = library.function(state, "next_state", *spelled([data]))
    variables = {state.arguments[0]: captured, state.arguments[1]: 0b11 & ~captured}
    shown = {pin.name: library.function(pin, "function", variables, 0b11)
             for pin in register.outputs}
    power = power_rails(cell)

    def at_rest(group: Group, d: int, c: int) -> bool:
        """Whether `when` can hold with D = d, clock = c and the outputs showing d."""
        values = {data: d, clock: c, **register.idle,
                  **{pin: bits >> d & 1 for pin, bits in shown.items()}}
        return "when" not in group.attributes or bool(library.function(group, "when", values, 1))

    def stable(group: Group) -> bool:
        return any(at_rest(group, d, c) for d in (0, 1) for c in (0, 1))

    def clock_low(group: Group) -> bool:
        return any(at_rest(group, d, 0) for d in (0, 1))

    clock_timing = [group for group in output.children("timing")
                    if group.attributes.get("timing_type") == "rising_edge"]
    if not clock_timing:
        raise library.fail(output, f"register {cell.name!r} must have rising_edge timing")
    setup_rise, setup_fall = _constraint(library, by_name[data], "setup")
    hold_rise, hold_fall = _constraint(library, by_name[data], "hold")
    return Flop(
        name=cell.name, area_um2=library.area_um2(cell),
        leakage_nw=leakage(library, cell, power), output=output.name,
        inverted=shown[output.name] == 0b01, arc=arc(library, clock_timing, "both"),
        tied=tuple(sorted(register.idle.items())),
        data=Pin(name=data, cap_ff=library.cap_ff(by_name[data]), quiet=mean_energy(
            library, [group for group in energies(by_name[data], power) if clock_low(group)])),
        clock=Pin(name=clock, cap_ff=library.cap_ff(by_name[clock]), quiet=mean_energy(
            library, [group for group in energies(by_name[clock], power) if stable(group)])),
        switching=mean_energy(library, energies(output, power)),
        setup_rise=setup_rise, setup_fall=setup_fall, hold_rise=hold_rise, hold_fall=hold_fall)


def _constraint(library: Library, pin: Group, kind: str) -> tuple[Table, Table]:
    """Return the tables of setup or hold for the rising and the falling edge of `pin`."""
    groups = [group for group in pin.children("timing")
              if group.attributes.get("timing_type") == f"{kind}_rising"]
    for edge in ("rise_constraint", "fall_constraint"):
        if not any(group.children(edge) for group in groups):
            raise library.fail(pin, f"pin {pin.name!r} must have a {kind} {edge!r}")
    return (library.delays(groups, "rise_constraint", constraint=True),
            library.delays(groups, "fall_constraint", constraint=True))


def smallest_clock_gate(cells: Cells) -> ClockGate | None:
    """Return the smallest rising-edge clock gate, if there is one."""
    found = []
    for library, cell in cells:
        kind = cell.attributes.get("clock_gating_integrated_cell", "")
        roles = {role: [pin for pin in cell.children("pin")
                        if pin.attributes.get(f"clock_gate_{role}_pin") == "true"]
                 for role in ("clock", "enable", "out", "test")}
        if kind.startswith("latch_posedge") and "obs" not in kind and all(
                len(roles[role]) == 1 for role in ("clock", "enable", "out")):
            found.append((library.area_um2(cell), cell.name, library, cell, roles))
    if not found:
        return None
    _, _, library, cell, roles = min(found, key=lambda entry: entry[:2])
    return _clock_gate(library, cell, roles)


def _clock_gate(library: Library, cell: Group, roles: Mapping[str, Sequence[Group]]) -> ClockGate:
    clock, enable, output = roles["clock"][0], roles["enable"][0], roles["out"][0]
    test = tuple(pin.name for pin in roles["test"])
    power = power_rails(cell)

    def possible(group: Group, **fixed: int) -> bool:
        values = {clock.name: 0b10, output.name: 0b00, **dict.fromkeys(test, 0)}
        values |= {roles[role][0].name: 0b11 * bit for role, bit in fixed.items()}
        return "when" not in group.attributes \
            or library.function(group, "when", values, 0b11) != 0

    setup_rise, setup_fall = _constraint(library, enable, "setup")
    hold_rise, hold_fall = _constraint(library, enable, "hold")
    return ClockGate(
        name=cell.name, area_um2=library.area_um2(cell),
        leakage_nw=leakage(library, cell, power), tie_low=test, output=output.name,
        enable=Pin(name=enable.name, cap_ff=library.cap_ff(enable), quiet=mean_energy(
            library, [group for group in energies(enable, power) if possible(group)])),
        clock=Pin(name=clock.name, cap_ff=library.cap_ff(clock), quiet=mean_energy(
            library, [group for group in energies(clock, power) if possible(group, enable=0)])),
        switching=mean_energy(
            library, [group for group in energies(output, power) if possible(group, enable=1)]),
        setup_rise=setup_rise, setup_fall=setup_fall, hold_rise=hold_rise, hold_fall=hold_fall)
