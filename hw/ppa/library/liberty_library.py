"""One Liberty library in our units: ps, fF, fJ, nW, um2."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.common.errors import InputError
from hw.ppa.library.expressions import evaluate
from hw.ppa.library.liberty import Group, read_liberty
from hw.ppa.library.table import Table

LARGEST = 1e30  # of any figure, in any unit; more would overflow, and is no library's
MAX_VALUES = 100_000  # characters of a list of values; asap7 has 600
DIGITS = 4  # significant, kept of every figure
DELAY_POINTS = 7  # per axis at most; asap7 has seven
ENERGY_POINTS = 4  # energies hardly depend on slew and load
TIME_PS = {"s": 1e12, "ms": 1e9, "us": 1e6, "ns": 1e3, "ps": 1.0, "fs": 1e-3}
POWER_NW = {"w": 1e9, "mw": 1e6, "uw": 1e3, "nw": 1.0, "pw": 1e-3}
CAP_FF = {"f": 1e15, "pf": 1e3, "ff": 1.0}


@dataclass(frozen=True, kw_only=True)
class Library:
    """A Liberty file and the factors from its units to ours.

    Parameters
    ----------
    path : str
    group : Group
        The `library` group.
    time, cap, power : float
        ps, fF and nW per unit of the file. Internal energies are in its capacitance unit times
        volt squared.
    voltage_v : float
    """

    path: str
    group: Group
    time: float = 1.0
    cap: float = 1.0
    power: float = 1.0
    voltage_v: float = 1.0

    @property
    def energy(self) -> float:
        """Return fJ per unit of internal energy."""
        return self.cap

    @property
    def corner(self) -> str:
        """Process, voltage and temperature as the file has them."""
        return (f"process {self.group.attributes.get('nom_process', '?')}, {self.voltage_v} V, "
                f"{self.group.attributes.get('nom_temperature', '?')} C")

    def fail(self, group: Group, problem: str) -> InputError:
        """Return the error that names the file and the line of `group`."""
        return InputError(f"{self.path}:{group.line}: {problem}")

    def number(self, group: Group, name: str, default: float | None = None) -> float:
        """Return a simple attribute; InputError when it is no number below 1e30, or missing."""
        text = group.attributes.get(name)
        if text is None:
            if default is None:
                raise self.fail(group, f"{group.kind} {group.name!r} must have {name!r}")
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) < LARGEST:
            raise self.fail(group, f"{name} must be a number, not {text[:40]!r}")
        return value

    def function(self, group: Group, attribute: str, values: Mapping[str, int],
                 ones: int) -> int:
        """Return the value of an attribute that is an expression (see `expressions.evaluate`).

        Raises InputError where it is malformed.
        """
        try:
            return evaluate(group.attributes[attribute], values, ones)
        except ValueError as error:
            raise self.fail(group, f"{attribute} {error}") from None

    def area_um2(self, cell: Group) -> float:
        """Return the area of a cell, which must not be zero."""
        area = self.number(cell, "area")
        if area <= 0:
            raise self.fail(cell, f"cell {cell.name!r} must have an area above 0, not {area:g}")
        return area

    def cap_ff(self, pin: Group) -> float:
        """Return the capacitance of an input pin."""
        cap = self.number(pin, "capacitance")
        if cap <= 0:
            raise self.fail(pin, f"pin {pin.name!r} must have a capacitance above 0, not {cap:g}")
        return rounded(cap * self.cap)

    # --- tables -------------------------------------------------------------------

    def delays(self, groups: Sequence[Group], kind: str, *, constraint: bool = False) -> Table:
        """Return the worst of the tables `kind` of several groups, ps.

        constraint : a table of setup or hold, over two slews.
        """
        tables = [self._table(table, self.time, DELAY_POINTS, y_scale=self.time if constraint
                              else self.cap) for group in groups for table in group.children(kind)]
        if not tables:
            raise self.fail(groups[0], f"{groups[0].kind} must have {kind!r}")
        return merged(tables, max)

    def energies(self, groups: Sequence[Group], edge: str) -> Table:
        """Return the mean of the energies of several groups at one edge, fJ."""
        tables = [self._table(table, self.energy, ENERGY_POINTS, y_scale=self.cap)
                  for group in groups for kind in (f"{edge}_power", "power")
                  for table in group.children(kind)]
        return merged(tables, lambda values: sum(values) / len(values))

    def _table(self, group: Group, scale: float, points: int, *, y_scale: float) -> Table:
        """Return a Liberty table in our units, thinned to `points` per axis."""
        try:
            rows = [[value * scale for value in _values(row)]
                    for row in group.lists["values"]]
            x = self._axis(group, "index_1", self.time)
            y = self._axis(group, "index_2", y_scale)
        except (KeyError, ValueError) as error:
            raise self.fail(group, f"table {group.kind!r} is malformed ({_reason(error)})"
                            ) from None
        if len(rows) == 1 and len(x) > 1:  # one-dimensional
            rows = [[value] for value in rows[0]]
        keep_x, keep_y = _thinned(len(x), points), _thinned(len(y), points)
        try:
            return Table(tuple(x[i] for i in keep_x), tuple(y[j] for j in keep_y),
                         tuple(tuple(rounded(rows[i][j]) for j in keep_y) for i in keep_x))
        except (IndexError, ValueError) as error:
            raise self.fail(group, f"table {group.kind!r} is malformed ({error})") from None

    def _axis(self, group: Group, name: str, scale: float) -> list[float]:
        values = group.lists.get(name)
        if values is None and group.name not in ("", "scalar"):
            for template in self.group.groups:
                if template.name == group.name and name in template.lists:
                    values = template.lists[name]
        if values is None:
            return [0.0]
        axis = [value * scale for row in values for value in _values(row)]
        if sorted(set(axis)) != axis:
            raise ValueError(f"{name} must ascend")
        return [rounded(value) for value in axis]


def _values(text: str) -> list[float]:
    """Return the numbers of a list; ValueError where one is none, or they are too many."""
    if len(text) > MAX_VALUES:
        raise ValueError(f"values must take at most {MAX_VALUES} characters, not {len(text)}")
    values = [float(value) for value in text.replace(",", " ").split()]
    if not all(abs(value) < LARGEST for value in values):
        raise ValueError(f"values must be numbers below {LARGEST:g}")
    return values


def open_library(path: Path) -> Library:
    """Read a Liberty file; InputError, naming file and line, when its units are not known."""
    group = read_liberty(path)
    plain = Library(path=str(path), group=group)

    def scale(attribute: str, default: str, factors: dict[str, float]) -> float:
        text = group.attributes.get(attribute, default).strip().lower()
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = text[len(number):]
        if unit not in factors:
            raise plain.fail(group, f"{attribute} must be in {', '.join(factors)}, not {text!r}")
        return _positive(plain, attribute, number.strip() or "1") * factors[unit]

    if group.attributes.get("voltage_unit", "1V").lower() != "1v":
        raise plain.fail(group, "voltage_unit must be 1V, not "
                         f"{group.attributes['voltage_unit']!r}")
    count, unit = (*group.lists.get("capacitive_load_unit", ("1", "pf")), "pf")[:2]
    if unit.lower() not in CAP_FF:
        raise plain.fail(group, f"capacitive_load_unit must be in pf or ff, not {unit!r}")
    return Library(path=str(path), group=group, time=scale("time_unit", "1ns", TIME_PS),
                   cap=_positive(plain, "capacitive_load_unit", count) * CAP_FF[unit.lower()],
                   power=scale("leakage_power_unit", "1nW", POWER_NW),
                   voltage_v=_positive(plain, "nom_voltage",
                                       str(plain.number(group, "nom_voltage"))))


def _reason(error: Exception) -> str:
    """Return what a failed conversion says, or the attribute that is missing."""
    return f"it must have {error}" if isinstance(error, KeyError) else str(error)[:100]


def _positive(library: Library, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < LARGEST:
        raise library.fail(library.group, f"{name} must be above 0, not {text[:40]!r}")
    return value


def _thinned(count: int, points: int) -> list[int]:
    """Return at most `points` indices below `count`, the outermost included, evenly spread."""
    if count <= points:
        return list(range(count))
    return sorted({round(step * (count - 1) / (points - 1)) for step in range(points)})


def merged(tables: Sequence[Table], combine: Callable[[Sequence[float]], float]) -> Table:
    """Combine tables point by point on the axes of the largest; ones without axes spread."""
    if not tables:
        return Table.constant(0.0)
    grid = max(tables, key=lambda table: len(table.x) * len(table.y))
    return Table(grid.x, grid.y, tuple(
        tuple(rounded(combine([table.at(x, y) for table in tables])) for y in grid.y)
        for x in grid.x))


def rounded(value: float) -> float:
    """Return `value` with as many digits as are kept of every figure."""
    return float(f"{value:.{DIGITS}g}")
