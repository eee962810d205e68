"""Writing the Liberty file that mapping needs from a technology file.

It holds area, function and timing of the cells, no energy: mapping does not look at energy.
"""

from __future__ import annotations

from collections.abc import Iterator

from hw.ppa.technology import Arc, Cell, Flop, Pin, Table, Technology

SENSES = {"positive": "positive_unate", "negative": "negative_unate", "both": "non_unate"}


def cell_library(technology: Technology) -> str:
    """Return Liberty text with the register and the cells with one output of `technology`.

    One statement per line and a template per pair of axes: ABC's reader wants it so.
    """
    cells = [cell for _, cell in sorted(technology.cells.items()) if not cell.part_of]
    tables = [table for cell in cells for arcs in cell.arcs for arc in arcs
              for _, table in _tables(arc)]
    tables += [table for _, table in _tables(technology.flop.arc)]
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
    for (x, y), name in templates.items():
        lines += [f"  lu_table_template ({name}) {{",
                  "    variable_1 : input_net_transition;",
                  "    variable_2 : total_output_net_capacitance;",
                  f'    index_1 ("{_numbers(x)}");',
                  f'    index_2 ("{_numbers(y)}");',
                  "  }"]
    for cell in cells:
        lines += _cell(cell, templates)
    lines += _flop(technology.flop, templates)
    return "\n".join([*lines, "}", ""])


Templates = dict[tuple[tuple[float, ...], tuple[float, ...]], str]


def _cell(cell: Cell, templates: Templates) -> Iterator[str]:
    yield f"  cell ({cell.name}) {{"
    yield f"    area : {cell.area_um2};"
    for pin in cell.inputs:
        yield from _input(pin)
    yield f"    pin ({cell.output}) {{"
    yield "      direction : output;"
    yield f'      function : "{cell.function}";'
    for pin, arcs in zip(cell.inputs, cell.arcs, strict=True):
        for arc in arcs:
            yield from _timing(arc, pin.name, "combinational", templates)
    yield "    }"
    yield "  }"


def _flop(flop: Flop, templates: Templates) -> Iterator[str]:
    """Describe the register; an inverting output pin stays one, mapping adds the inverter."""
    yield f"  cell ({flop.name}) {{"
    yield f"    area : {flop.area_um2};"
    yield "    ff (IQ, IQN) {"
    yield f'      clocked_on : "{flop.clock.name}";'
    yield f'      next_state : "{flop.data.name}";'
    yield "    }"
    yield from _input(flop.clock, "      clock : true;")
    yield from _input(flop.data)
    yield f"    pin ({flop.output}) {{"
    yield "      direction : output;"
    yield f'      function : "{"IQN" if flop.inverted else "IQ"}";'
    yield from _timing(flop.arc, flop.clock.name, "rising_edge", templates)
    yield "    }"
    yield "  }"


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
        yield f"        {name} ({templates[table.x, table.y]}) {{"
        yield f'          index_1 ("{_numbers(table.x)}");'
        yield f'          index_2 ("{_numbers(table.y)}");'
        yield "          values ( \\"
        rows = [f'            "{_numbers(row)}"' for row in table.values]
        yield ", \\\n".join(rows) + " \\"
        yield "          );"
        yield "        }"
    yield "      }"


def _tables(arc: Arc) -> Iterator[tuple[str, Table]]:
    yield from (("cell_rise", arc.delay_rise), ("cell_fall", arc.delay_fall),
                ("rise_transition", arc.slew_rise), ("fall_transition", arc.slew_fall))


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(str(value) for value in values)
