"""Writing Liberty from a technology file: what mapping needs, or all that other tools need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hw.ppa.library.cells import Arc, Cell, ClockGate, EdgeEnergy, Flop, Pin
from hw.ppa.library.table import Table
from hw.ppa.library.technology import Technology

SENSES = {"positive": "positive_unate", "negative": "negative_unate", "both": "non_unate"}
# What mapping must not see: it would use the cells, or take them for others.
SLEWS_AND_CONDITIONS = [
    # Slews are passed on as the library counts them; the thresholds only have to be there.
    *(f"  {what}_threshold_pct_{edge} : 50;" for what in ("input", "output")
      for edge in ("rise", "fall")),
    *(f"  slew_{side}_threshold_pct_{edge} : {percent};" for edge in ("rise", "fall")
      for side, percent in (("lower", 10), ("upper", 90))),
    "  lu_table_template (over_slews) {", "    variable_1 : constrained_pin_transition;",
    "    variable_2 : related_pin_transition;", '    index_1 ("0, 1");', '    index_2 ("0, 1");',
    "  }",
    "  power_lut_template (energy_by_slew) {", "    variable_1 : input_transition_time;",
    '    index_1 ("0, 1");', "  }",
    "  power_lut_template (energy) {", "    variable_1 : input_transition_time;",
    "    variable_2 : total_output_net_capacitance;", '    index_1 ("0, 1");',
    '    index_2 ("0, 1");', "  }",
    "  default_operating_conditions : corner;"]


def cell_library(technology: Technology, *, complete: bool = False) -> str:
    """Return Liberty text with the register and the cells with one output of `technology`.

    complete : also with the clock gate, the full adder, setup and hold, the pins of the register
    that are tied, energies and leakage; mapping must not see these. Energies are those of the
    power rail, the mean over the conditions of an arc, in fF V^2 = fJ.

    One statement per line and a template per pair of axes: ABC's reader wants it so.
    """
    cells = [cell for _, cell in sorted(technology.cells.items()) if not cell.part_of]
    flop, gate, adder = technology.flop, technology.clock_gate, technology.full_adder
    parts = [technology.cells[adder.carry], technology.cells[adder.sum]] if adder else []
    tables = [table for cell in [*cells, *parts] for arcs in cell.arcs for arc in arcs
              for _, table in _tables(arc)]
    tables += [table for _, table in _tables(flop.arc)]
    templates = {axes: f"grid_{index}" for index, axes in enumerate(
        dict.fromkeys((table.x, table.y) for table in tables))}
    lines = [f"library ({technology.name}) {{",
             "  delay_model : table_lookup;",
             '  time_unit : "1ps";',
             "  capacitive_load_unit (1, ff);",
             '  voltage_unit : "1V";',
             '  current_unit : "1mA";',
             '  leakage_power_unit : "1nW";',
             f"  nom_voltage : {technology.voltage_v};"]
    if complete:
        lines += ["  operating_conditions (corner) {", "    process : 1;", "    temperature : 25;",
                  f"    voltage : {technology.voltage_v};", "  }", *SLEWS_AND_CONDITIONS]
    for (x, y), name in templates.items():
        lines += [f"  lu_table_template ({name}) {{",
                  "    variable_1 : input_net_transition;",
                  "    variable_2 : total_output_net_capacitance;",
                  f'    index_1 ("{_numbers(x)}");',
                  f'    index_2 ("{_numbers(y)}");',
                  "  }"]
    for cell in cells:
        lines += _cell(cell.name, [cell], templates, complete=complete)
    if complete:
        if parts:
            lines += _cell(parts[0].part_of, parts, templates, complete=True)
        if gate is not None:
            lines += _clock_gate(gate, templates)
    lines += _flop(flop, templates, complete=complete)
    return "\n".join([*lines, "}", ""])


Templates = dict[tuple[tuple[float, ...], tuple[float, ...]], str]


def _cell(name: str, parts: Sequence[Cell], templates: Templates, *,
          complete: bool) -> Iterator[str]:
    """Describe a cell by its outputs; the pins are those of the part that has them."""
    own = next(part for part in parts if not part.shares_pins)
    yield f"  cell ({name}) {{"
    yield f"    area : {own.area_um2};"
    if complete:
        yield f"    cell_leakage_power : {own.leakage_nw};"
    for pin in own.inputs:
        yield from _input(pin, *(_energy(pin.quiet) if complete else ()))
    for part in parts:
        yield f"    pin ({part.output}) {{"
        yield "      direction : output;"
        yield f'      function : "{part.function}";'
        for pin, arcs in zip(part.inputs, part.arcs, strict=True):
            for arc in arcs:
                yield from _timing(arc, pin.name, "combinational", templates)
        if complete:
            for pin, switching in zip(part.inputs, part.switching, strict=True):
                yield from _energy(switching, pin.name)
        yield "    }"
    yield "  }"


def _flop(flop: Flop, templates: Templates, *, complete: bool) -> Iterator[str]:
    """Describe the register; an inverting output pin stays one, mapping adds the inverter."""
    yield f"  cell ({flop.name}) {{"
    yield f"    area : {flop.area_um2};"
    if complete:
        yield f"    cell_leakage_power : {flop.leakage_nw};"
    yield "    ff (IQ, IQN) {"
    yield f'      clocked_on : "{flop.clock.name}";'
    yield f'      next_state : "{flop.data.name}";'
    yield "    }"
    yield from _input(flop.clock, "      clock : true;",
                      *(_energy(flop.clock.quiet) if complete else ()))
    yield from _input(flop.data, *((*_constraints(flop, flop.clock), *_energy(flop.data.quiet))
                                   if complete else ()))
    if complete:
        for pin, _ in flop.tied:
            yield f"    pin ({pin}) {{ direction : input; }}"
    yield f"    pin ({flop.output}) {{"
    yield "      direction : output;"
    yield f'      function : "{"IQN" if flop.inverted else "IQ"}";'
    yield from _timing(flop.arc, flop.clock.name, "rising_edge", templates)
    if complete:
        yield from _energy(flop.switching, flop.clock.name)
    yield "    }"
    yield "  }"


def _clock_gate(gate: ClockGate, templates: Templates) -> Iterator[str]:
    """Describe the clock gate; the clock is ideal, so its own delay is none."""
    nothing = Table.constant(0.0)
    through = Arc(sense="positive", delay_rise=nothing, delay_fall=nothing, slew_rise=nothing,
                  slew_fall=nothing)
    yield f"  cell ({gate.name}) {{"
    yield f"    area : {gate.area_um2};"
    yield f"    cell_leakage_power : {gate.leakage_nw};"
    yield "    clock_gating_integrated_cell : latch_posedge;"
    yield from _input(gate.clock, "      clock : true;", "      clock_gate_clock_pin : true;",
                      *_energy(gate.clock.quiet))
    yield from _input(gate.enable, "      clock_gate_enable_pin : true;",
                      *_constraints(gate, gate.clock), *_energy(gate.enable.quiet))
    for pin in gate.tie_low:
        yield f"    pin ({pin}) {{ direction : input; clock_gate_test_pin : true; }}"
    yield f"    pin ({gate.output}) {{"
    yield "      direction : output;"
    yield "      clock_gate_out_pin : true;"
    yield from _timing(through, gate.clock.name, "combinational", templates)
    yield from _energy(gate.switching, gate.clock.name)
    yield "    }"
    yield "  }"


def _constraints(cell: Flop | ClockGate, clock: Pin) -> Iterator[str]:
    for kind, rise, fall in (("setup", cell.setup_rise, cell.setup_fall),
                             ("hold", cell.hold_rise, cell.hold_fall)):
        yield "      timing () {"
        yield f'        related_pin : "{clock.name}";'
        yield f"        timing_type : {kind}_rising;"
        for edge, table in (("rise", rise), ("fall", fall)):
            yield from _values(f"{edge}_constraint", "over_slews", table)
        yield "      }"


def _input(pin: Pin, *more: str) -> Iterator[str]:
    yield f"    pin ({pin.name}) {{"
    yield "      direction : input;"
    yield from more
    yield f"      capacitance : {pin.cap_ff};"
    yield "    }"


def _timing(arc: Arc, related: str, kind: str, templates: Templates) -> Iterator[str]:
    yield "      timing () {"
    yield f'        related_pin : "{related}";'
    yield f"        timing_sense : {SENSES[arc.sense]};"
    yield f"        timing_type : {kind};"
    for name, table in _tables(arc):
        yield from _values(name, templates.get((table.x, table.y), "scalar"), table)
    yield "      }"


def _energy(energy: EdgeEnergy, related: str = "") -> Iterator[str]:
    """Describe the energy of an arc from pin `related`, or of the pin alone."""
    yield "      internal_power () {"
    if related:
        yield f'        related_pin : "{related}";'
    for edge, table in (("rise", energy.rise), ("fall", energy.fall)):
        template = "scalar" if table == Table.constant(table.at(0.0)) else (
            "energy" if len(table.y) > 1 else "energy_by_slew")
        yield from _values(f"{edge}_power", template, table)
    yield "      }"


def _values(name: str, template: str, table: Table) -> Iterator[str]:
    yield f"        {name} ({template}) {{"
    if template == "energy_by_slew":
        yield f'          index_1 ("{_numbers(table.x)}");'
        yield f'          values ("{_numbers(tuple(row[0] for row in table.values))}");'
        yield "        }"
        return
    if template != "scalar":
        yield f'          index_1 ("{_numbers(table.x)}");'
        yield f'          index_2 ("{_numbers(table.y)}");'
    yield "          values ( \\"
    rows = [f'            "{_numbers(row)}"' for row in table.values]
    yield ", \\\n".join(rows) + " \\"
    yield "          );"
    yield "        }"


def _tables(arc: Arc) -> Iterator[tuple[str, Table]]:
    yield from (("cell_rise", arc.delay_rise), ("cell_fall", arc.delay_fall),
                ("rise_transition", arc.slew_rise), ("fall_transition", arc.slew_fall))


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(str(value) for value in values)
