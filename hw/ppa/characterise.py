"""Liberty libraries to a technology file.

Conventions, each of which moves the figures:

- **One supply rail.** Where a library gives the internal energy of both rails, only that of
  the power rail counts: the same charge leaves through the ground rail, and over a rising
  and a falling edge the two tables have equal sums. Adding them would count it twice.
- **`when` conditions** of one pin are merged: the mean for energies, the worst for delays.
- **Registers.** The clock pin's energy is that of the states in which the edge changes
  nothing; the data pin's is the one while the clock is low, when the first latch is open.
- **Cells** with more inputs or drive than asked for are left out: mapping with few cells is
  faster, deterministic, and the file stays small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hw.common.errors import InputError
from hw.common.progress import task
from hw.ppa.expressions import evaluate, names, truth_table
from hw.ppa.liberty import Group, read_liberty
from hw.ppa.technology import (
    Arc,
    Cell,
    ClockGate,
    EdgeEnergy,
    Flop,
    Pin,
    Table,
    Technology,
)

DIGITS = 4  # significant, kept of every figure
DELAY_POINTS = 7  # per axis at most; asap7 has seven
ENERGY_POINTS = 4  # energies hardly depend on slew and load
ZERO = EdgeEnergy(rise=Table.constant(0.0), fall=Table.constant(0.0))
TIME_PS = {"s": 1e12, "ms": 1e9, "us": 1e6, "ns": 1e3, "ps": 1.0, "fs": 1e-3}
POWER_NW = {"w": 1e9, "mw": 1e6, "uw": 1e3, "nw": 1.0, "pw": 1e-3}
CAP_FF = {"f": 1e15, "pf": 1e3, "ff": 1.0}
SENSES = {"positive_unate": "positive", "negative_unate": "negative", "non_unate": "both"}


@dataclass(frozen=True)
class _Library:
    """One Liberty file and the factors from its units to ours."""

    path: str
    group: Group
    time: float
    cap: float
    power: float
    voltage_v: float

    @property
    def energy(self) -> float:
        """Internal energies are in capacitance unit times volt squared."""
        return self.cap

    def fail(self, group: Group, problem: str) -> InputError:
        return InputError(f"{self.path}:{group.line}: {problem}")

    def number(self, group: Group, name: str, default: float | None = None) -> float:
        text = group.attributes.get(name)
        if text is None:
            if default is None:
                raise self.fail(group, f"{group.kind} {group.name!r} must have {name!r}")
            return default
        try:
            return float(text)
        except ValueError:
            raise self.fail(group, f"{name} must be a number, not {text!r}") from None


def characterise(paths: Sequence[Path], *, name: str, max_inputs: int = 5, drives: int = 2,
                 exclude: Sequence[str] = (), quiet: bool = True) -> Technology:
    """Return the technology that Liberty files describe.

    Parameters
    ----------
    paths : sequence of Path
        One library, possibly cut into several files; plain or gzipped.
    name : str
        Of the technology.
    max_inputs : int
        Cells with more inputs are left out.
    drives : int
        Cells kept per function, smallest area first; inverters and buffers keep twice as many.
    exclude : sequence of str
        Patterns of cell names to leave out, e.g. `HB*` for buffers that are slow on purpose.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        A file is malformed (named with its line), or the library has no usable register.
    """
    if max_inputs < 2 or drives < 1:
        raise InputError("Cells must be allowed 2 inputs and 1 drive strength at least, not "
                         f"{max_inputs} and {drives}")
    if not paths:
        raise InputError("Characterisation must be given a Liberty file")
    cells: list[tuple[_Library, Group]] = []
    libraries = []
    with task("reading Liberty", len(paths), quiet=quiet) as progress:
        for path in paths:
            library = _library(path)
            libraries.append(library)
            cells += [(library, cell) for cell in library.group.children("cell")]
            progress.advance(note=path.name)
    if len({library.voltage_v for library in libraries}) > 1:
        raise InputError("Liberty files must agree on nom_voltage, not "
                         + ", ".join(f"{lib.path}: {lib.voltage_v}" for lib in libraries))
    cells = [(library, cell) for library, cell in cells
             if cell.attributes.get("dont_use", "false") != "true"
             and not any(fnmatchcase(cell.name, pattern) for pattern in exclude)]
    chosen = _smallest_per_function(cells, max_inputs, drives)
    combinational = [_cell(library, group, pins, output)
                     for library, group, pins, output in chosen]
    first = libraries[0]
    return Technology(
        name=name, corner=_corner(first), voltage_v=first.voltage_v,
        source=tuple(library.group.name for library in libraries),
        cells={cell.name: cell for cell in combinational},
        flop=_flop(cells), clock_gate=_clock_gate(cells),
        clock_buffer=_clock_buffer(combinational))


def _library(path: Path) -> _Library:
    group = read_liberty(path)
    units = _Library(str(path), group, 1.0, 1.0, 1.0, 1.0)

    def scale(attribute: str, default: str, factors: dict[str, float]) -> float:
        text = group.attributes.get(attribute, default).strip().lower()
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = text[len(number):]
        if unit not in factors:
            raise units.fail(group, f"{attribute} must be in {', '.join(factors)}, not {text!r}")
        return float(number or 1) * factors[unit]

    if group.attributes.get("voltage_unit", "1V").lower() != "1v":
        raise units.fail(group, "voltage_unit must be 1V, not "
                         f"{group.attributes['voltage_unit']!r}")
    count, unit = (*group.lists.get("capacitive_load_unit", ("1", "pf")), "pf")[:2]
    if unit.lower() not in CAP_FF:
        raise units.fail(group, f"capacitive_load_unit must be in pf or ff, not {unit!r}")
    return _Library(str(path), group, scale("time_unit", "1ns", TIME_PS),
                    float(count) * CAP_FF[unit.lower()],
                    scale("leakage_power_unit", "1nW", POWER_NW),
                    units.number(group, "nom_voltage"))


def _corner(library: _Library) -> str:
    return (f"process {library.group.attributes.get('nom_process', '?')}, "
            f"{library.voltage_v} V, "
            f"{library.group.attributes.get('nom_temperature', '?')} C")


# --- choosing cells -------------------------------------------------------------------

_Chosen = tuple[_Library, Group, list[Group], Group]


def _pins(cell: Group, direction: str) -> list[Group]:
    return [pin for pin in cell.children("pin") if pin.attributes.get("direction") == direction]


def _smallest_per_function(cells: list[tuple[_Library, Group]], max_inputs: int,
                           drives: int) -> list[_Chosen]:
    """Return the cells to keep: per function the smallest, the strongest among equals."""
    found: dict[tuple[int, int], list[tuple[float, float, str, _Chosen]]] = defaultdict(list)
    for library, cell in cells:
        inputs = sorted(_pins(cell, "input"), key=lambda pin: pin.name)
        outputs = _pins(cell, "output")
        state = any(group.kind in ("ff", "latch", "statetable", "ff_bank", "latch_bank")
                    for group in cell.groups)
        if state or len(outputs) != 1 or not 1 <= len(inputs) <= max_inputs \
                or "three_state" in outputs[0].attributes:
            continue
        output = outputs[0]
        function = output.attributes.get("function")
        if function is None or not output.children("timing"):
            continue
        try:
            truth = truth_table(function, [pin.name for pin in inputs])
        except ValueError as error:
            raise library.fail(output, f"function {error}") from None
        area = library.number(cell, "area")
        strength = library.number(output, "max_capacitance", 0.0) * library.cap
        found[len(inputs), truth].append(
            (area, -strength, cell.name, (library, cell, inputs, output)))
    chosen = []
    for (inputs_count, _), candidates in sorted(found.items()):
        keep = drives * 2 if inputs_count == 1 else drives
        chosen += [entry[3] for entry in sorted(candidates, key=lambda entry: entry[:3])[:keep]]
    return chosen


def _clock_buffer(cells: list[Cell]) -> str:
    buffers = [cell for cell in cells if len(cell.inputs) == 1 and cell.truth == 0b10]
    if not buffers:
        raise InputError("Library must have a buffer for the clock tree")
    return max(buffers, key=lambda cell: (cell.area_um2, cell.name)).name


# --- combinational cells --------------------------------------------------------------

def _cell(library: _Library, cell: Group, pins: list[Group], output: Group) -> Cell:
    power = _power_rails(cell)
    timing, switching = [], []
    for pin in pins:
        related = [group for group in output.children("timing")
                   if pin.name in group.attributes.get("related_pin", "").split()
                   and group.attributes.get("timing_type", "combinational") == "combinational"]
        if not related:
            raise library.fail(output, f"cell {cell.name!r} must have timing from {pin.name!r}")
        timing.append(tuple(_arc(library, groups, sense) for sense, groups in _by_sense(related)))
        energies = [group for group in _energies(output, power)
                    if pin.name in group.attributes.get("related_pin", "").split()]
        switching.append(_mean_energy(library, energies))
    return Cell(name=cell.name, area_um2=library.number(cell, "area"),
                leakage_nw=_leakage(library, cell, power), output=output.name,
                function=output.attributes["function"],
                inputs=tuple(Pin(name=pin.name, cap_ff=_cap(library, pin),
                                 quiet=_mean_energy(library, _energies(pin, power)))
                             for pin in pins),
                arcs=tuple(timing), switching=tuple(switching))


def _by_sense(groups: list[Group]) -> list[tuple[str, list[Group]]]:
    senses: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        senses[SENSES.get(group.attributes.get("timing_sense", ""), "both")].append(group)
    return sorted(senses.items())


def _arc(library: _Library, groups: list[Group], sense: str) -> Arc:
    def worst(kind: str) -> Table:
        tables = [_table(library, table, library.time, DELAY_POINTS)
                  for group in groups for table in group.children(kind)]
        if not tables:
            raise library.fail(groups[0], f"timing must have {kind!r}")
        return _merge(tables, max)

    return Arc(sense=sense, delay_rise=worst("cell_rise"), delay_fall=worst("cell_fall"),
               slew_rise=worst("rise_transition"), slew_fall=worst("fall_transition"))


def _cap(library: _Library, pin: Group) -> float:
    return _rounded(library.number(pin, "capacitance") * library.cap)


def _power_rails(cell: Group) -> set[str]:
    return {pin.name for pin in cell.children("pg_pin")
            if pin.attributes.get("pg_type") == "primary_power"}


def _on_rail(groups: list[Group], power: set[str]) -> list[Group]:
    """Return the groups of the power rail; those that name no rail belong to it."""
    return [group for group in groups
            if not power or group.attributes.get("related_pg_pin", "") in power | {""}]


def _energies(pin: Group, power: set[str]) -> list[Group]:
    return _on_rail(pin.children("internal_power"), power)


def _mean_energy(library: _Library, groups: list[Group]) -> EdgeEnergy:
    def mean(edge: str) -> Table:
        tables = [_table(library, table, library.energy, ENERGY_POINTS)
                  for group in groups for kind in (f"{edge}_power", "power")
                  for table in group.children(kind)]
        return _merge(tables, lambda values: sum(values) / len(values))

    return EdgeEnergy(rise=mean("rise"), fall=mean("fall")) if groups else ZERO


def _leakage(library: _Library, cell: Group, power: set[str]) -> float:
    groups = _on_rail(cell.children("leakage_power"), power)
    overall = [group for group in groups if "when" not in group.attributes] or groups
    if not overall:
        return _rounded(library.number(cell, "cell_leakage_power", 0.0) * library.power)
    values = [library.number(group, "value") for group in overall]
    return _rounded(sum(values) / len(values) * library.power)


# --- registers and clock gates --------------------------------------------------------

def _flop(cells: list[tuple[_Library, Group]]) -> Flop:
    """Return the smallest rising-edge register without set, reset, scan or enable."""
    found = []
    for library, cell in cells:
        states = cell.children("ff")
        outputs = [pin for pin in _pins(cell, "output") if "function" in pin.attributes]
        if len(states) != 1 or len(states[0].arguments) != 2 or not outputs:
            continue
        state = states[0]
        clock, data = state.attributes.get("clocked_on", ""), state.attributes.get("next_state", "")
        inputs = {pin.name for pin in _pins(cell, "input")}
        if "clear" in state.attributes or "preset" in state.attributes:
            continue
        if clock not in inputs or len(names(data)) != 1 or inputs != {clock} | names(data):
            continue
        found.append((library.number(cell, "area"), cell.name, library, cell, state, outputs[0]))
    if not found:
        raise InputError("Library must have a rising-edge register without set, reset or enable")
    _, _, library, cell, state, output = min(found, key=lambda entry: entry[:2])
    pins = {pin.name: pin for pin in _pins(cell, "input")}
    clock = state.attributes["clocked_on"]
    data = names(state.attributes["next_state"]).pop()
    # The captured bit as the output shows it, over D: bit d is the output after capturing d.
    captured = truth_table(state.attributes["next_state"], [data])
    variables = {state.arguments[0]: captured, state.arguments[1]: 0b11 & ~captured}
    shown = {pin.name: evaluate(pin.attributes["function"], variables, 0b11)
             for pin in _pins(cell, "output") if "function" in pin.attributes}
    power = _power_rails(cell)

    def at_rest(when: str, d: int, c: int) -> bool:
        """Whether `when` can hold with D = d, clock = c and the outputs showing d."""
        values = {data: d, clock: c, **{pin: bits >> d & 1 for pin, bits in shown.items()}}
        return bool(evaluate(when, values, 1))

    def stable(group: Group) -> bool:
        when = group.attributes.get("when")
        return when is None or any(at_rest(when, d, c) for d in (0, 1) for c in (0, 1))

    def clock_low(group: Group) -> bool:
        when = group.attributes.get("when")
        return when is None or any(at_rest(when, d, 0) for d in (0, 1))

    setup_rise, setup_fall = _setup(library, pins[data])
    clock_timing = [group for group in output.children("timing")
                    if group.attributes.get("timing_type") == "rising_edge"]
    if not clock_timing:
        raise library.fail(output, f"register {cell.name!r} must have rising_edge timing")
    return Flop(
        name=cell.name, area_um2=library.number(cell, "area"),
        leakage_nw=_leakage(library, cell, power), output=output.name,
        inverted=shown[output.name] == 0b01, arc=_arc(library, clock_timing, "both"),
        data=Pin(name=data, cap_ff=_cap(library, pins[data]), quiet=_mean_energy(
            library, [group for group in _energies(pins[data], power) if clock_low(group)])),
        clock=Pin(name=clock, cap_ff=_cap(library, pins[clock]), quiet=_mean_energy(
            library, [group for group in _energies(pins[clock], power) if stable(group)])),
        switching=_mean_energy(library, _energies(output, power)),
        setup_rise=setup_rise, setup_fall=setup_fall)


def _setup(library: _Library, pin: Group) -> tuple[Table, Table]:
    groups = [group for group in pin.children("timing")
              if group.attributes.get("timing_type") == "setup_rising"]

    def worst(kind: str) -> Table:
        tables = [_table(library, table, library.time, DELAY_POINTS, time_axes=True)
                  for group in groups for table in group.children(kind)]
        if not tables:
            raise library.fail(pin, f"pin {pin.name!r} must have a setup {kind!r}")
        return _merge(tables, max)

    return worst("rise_constraint"), worst("fall_constraint")


def _clock_gate(cells: list[tuple[_Library, Group]]) -> ClockGate | None:
    """Return the smallest rising-edge clock gate, if there is one."""
    found = []
    for library, cell in cells:
        kind = cell.attributes.get("clock_gating_integrated_cell", "")
        pins = {role: [pin for pin in cell.children("pin")
                       if pin.attributes.get(f"clock_gate_{role}_pin") == "true"]
                for role in ("clock", "enable", "out", "test")}
        if kind.startswith("latch_posedge") and "obs" not in kind and all(
                len(pins[role]) == 1 for role in ("clock", "enable", "out")):
            found.append((library.number(cell, "area"), cell.name, library, cell, pins))
    if not found:
        return None
    _, _, library, cell, pins = min(found, key=lambda entry: entry[:2])
    clock, enable, output = pins["clock"][0], pins["enable"][0], pins["out"][0]
    test = tuple(pin.name for pin in pins["test"])
    power = _power_rails(cell)

    def possible(group: Group, **fixed: int) -> bool:
        when = group.attributes.get("when")
        values = {clock.name: 0b10, output.name: 0b00, **dict.fromkeys(test, 0)}
        values |= {pins[role][0].name: 0b11 * bit for role, bit in fixed.items()}
        return when is None or evaluate(when, values, 0b11) != 0

    setup_rise, setup_fall = _setup(library, enable)
    return ClockGate(
        name=cell.name, area_um2=library.number(cell, "area"),
        leakage_nw=_leakage(library, cell, power), tie_low=test, output=output.name,
        enable=Pin(name=enable.name, cap_ff=_cap(library, enable), quiet=_mean_energy(
            library, [group for group in _energies(enable, power) if possible(group)])),
        clock=Pin(name=clock.name, cap_ff=_cap(library, clock), quiet=_mean_energy(
            library, [group for group in _energies(clock, power) if possible(group, enable=0)])),
        switching=_mean_energy(
            library, [group for group in _energies(output, power) if possible(group, enable=1)]),
        setup_rise=setup_rise, setup_fall=setup_fall)


# --- tables ---------------------------------------------------------------------------

def _table(library: _Library, group: Group, scale: float, points: int, *,
           time_axes: bool = False) -> Table:
    """Return a Liberty table in our units, thinned to `points` per axis."""
    try:
        rows = [[float(value) * scale for value in row.replace(",", " ").split()]
                for row in group.lists["values"]]
        x = _axis(library, group, "index_1", library.time)
        y = _axis(library, group, "index_2", library.time if time_axes else library.cap)
    except (KeyError, ValueError) as error:
        raise library.fail(group, f"table {group.kind!r} is malformed ({error!r})") from None
    if len(rows) == 1 and len(x) > 1:  # one-dimensional
        rows = [[value] for value in rows[0]]
    keep_x, keep_y = _thinned(len(x), points), _thinned(len(y), points)
    try:
        return Table(tuple(x[i] for i in keep_x), tuple(y[j] for j in keep_y),
                     tuple(tuple(_rounded(rows[i][j]) for j in keep_y) for i in keep_x))
    except (IndexError, ValueError) as error:
        raise library.fail(group, f"table {group.kind!r} is malformed ({error})") from None


def _axis(library: _Library, group: Group, name: str, scale: float) -> list[float]:
    values = group.lists.get(name)
    if values is None and group.name not in ("", "scalar"):
        for template in library.group.groups:
            if template.name == group.name and name in template.lists:
                values = template.lists[name]
    if values is None:
        return [0.0]
    return [_rounded(float(value) * scale) for value in " ".join(values).replace(",", " ").split()]


def _thinned(count: int, points: int) -> list[int]:
    """Return at most `points` indices below `count`, the outermost included, evenly spread."""
    if count <= points:
        return list(range(count))
    return sorted({round(step * (count - 1) / (points - 1)) for step in range(points)})


def _merge(tables: list[Table], combine: Callable[[Sequence[float]], float]) -> Table:
    """Combine tables point by point on the axes of the largest; ones without axes spread."""
    if not tables:
        return Table.constant(0.0)
    grid = max(tables, key=lambda table: len(table.x) * len(table.y))
    return Table(grid.x, grid.y, tuple(
        tuple(_rounded(combine([table.at(x, y) for table in tables])) for y in grid.y)
        for x in grid.x))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
