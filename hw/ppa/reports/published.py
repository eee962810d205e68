"""Our multipliers against published figures, at equal error.

For every point of the published Pareto front (cost against error) the cheapest of our circuits
that errs no more is found. Two flows never give comparable square micrometres, so each
comparison is also made with costs relative to the exact multiplier of the same flow.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.common.errors import InputError
from hw.common.pareto import hypervolume, pareto_front
from hw.multipliers.base import Multiplier
from hw.multipliers.metrics import FULL_SCALE, error_metrics
from hw.ppa.library.technology import Technology
from hw.ppa.mapping.synthesis import Recipe
from hw.ppa.reports.alone_mapping import map_alone
from hw.ppa.reports.multiplier_alone import DEFAULT_CLOCK_MHZ, best

TOLERANCE = 1e-9  # relative, of errors that were computed twice


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A figure of a circuit, smaller being better.

    Parameters
    ----------
    key, label, unit : str
    floor : float
        Errors below it count as it, so that a logarithm exists. Unused for costs.
    worst : float
        Of the circuit that always returns 0; the reference of hypervolumes. Unused for costs.
    """

    key: str
    label: str
    unit: str
    floor: float = 0.0
    worst: float = 0.0


ERRORS = {axis.key: axis for axis in (
    Axis(key="mae_percent", label="MAE", unit="%", floor=1e-4, worst=100 * 127.5**2 / FULL_SCALE),
    Axis(key="mre_percent", label="MRE", unit="%", floor=1e-3, worst=100.0),
    Axis(key="mse", label="MSE", unit="", floor=1e-1, worst=(255 * 511 / 6) ** 2))}
COSTS = {axis.key: axis for axis in (
    Axis(key="area_um2", label="area", unit="um2"),
    Axis(key="power_delay_pj", label="power x delay", unit="pJ"))}


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A circuit as a set of figures: two costs and three errors."""

    name: str
    area_um2: float
    power_delay_pj: float
    mae_percent: float
    mre_percent: float
    mse: float

    @property
    def is_exact(self) -> bool:
        """Whether every product is right."""
        return self.mse == 0

    def figure(self, axis: Axis) -> float:
        """Return the circuit's value on an axis."""
        value: float = getattr(self, axis.key)
        return value


def read_published(path: Path) -> list[Circuit]:
    """Return the circuits of a table of published figures.

    path : CSV with columns `name`, `pdk45_area_um2`, `pdp_pJ`, `calc_MAE`,
    `calc_MRE_nonzero_pct` (percent) and `calc_MSE`. Circuits without area, which always return
    the same number, are left out.

    Raises InputError, naming the line, when the table is malformed or holds no exact circuit.
    """
    columns = {"area_um2": "pdk45_area_um2", "power_delay_pj": "pdp_pJ", "mae_percent": "calc_MAE",
               "mre_percent": "calc_MRE_nonzero_pct", "mse": "calc_MSE"}
    circuits = []
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        reader = csv.DictReader(stream)
        for column in ("name", *columns.values()):
            if column not in (reader.fieldnames or ()):
                raise InputError(f"{path}: the table must have a column {column!r}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            figures = {key: _number(row[column], column, where) for key, column in columns.items()}
            figures["mae_percent"] *= 100 / FULL_SCALE
            if figures["area_um2"] > 0:
                circuits.append(Circuit(name=row["name"], **figures))
    if not any(circuit.is_exact for circuit in circuits):
        raise InputError(f"{path}: the table must hold an exact circuit")
    return circuits


def circuits_of(multipliers: Sequence[Multiplier], technology: Technology,
                recipes: Sequence[Recipe], *, aim: str, clock_mhz: float = DEFAULT_CLOCK_MHZ,
                quiet: bool = False) -> list[Circuit]:
    """Return our multipliers, each by the one of its mappings that is best by `aim`.

    Parameters are those of `map_alone` and `best`; raises as they do.
    """
    found = map_alone(multipliers, technology, recipes, quiet=quiet)
    circuits = []
    for multiplier, mappings in zip(multipliers, found, strict=True):
        figures = best(mappings, aim).figures
        errors = error_metrics(multiplier.table, signed=multiplier.signed)
        circuits.append(Circuit(
            name=multiplier.name, area_um2=figures.area_um2,
            power_delay_pj=figures.power_delay_pj(clock_mhz), mae_percent=errors.mae_percent,
            mre_percent=errors.mre_percent, mse=errors.mse))
    return circuits


def _number(text: str | None, column: str, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: {column} must be a number from 0 up, not {text!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class Row:
    """A point of the published front and the cheapest of ours that errs no more.

    Parameters
    ----------
    published : Circuit
    ours : Circuit or None
        None when all of ours err more.
    ratio : float
        Our cost over the published one; infinite without a circuit of ours.
    relative_ratio : float
        The same with costs relative to the exact circuit of each side.
    """

    published: Circuit
    ours: Circuit | None
    ratio: float
    relative_ratio: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One cost against one error.

    Parameters
    ----------
    error, cost : Axis
    rows : tuple of Row
        Along the published front, from the cheapest circuit to the exact one.
    hypervolumes : mapping of str to float
        `ours` and `published`, and both relative to the exact circuit of each side:
        `ours_relative`, `published_relative`. See `dominated_share`.
    """

    error: Axis
    cost: Axis
    rows: tuple[Row, ...]
    hypervolumes: Mapping[str, float]

    @property
    def share(self) -> float:
        """Share of the published front's points at which ours is at or below."""
        return _share([row.ratio for row in self.rows])

    @property
    def relative_share(self) -> float:
        """The same with costs relative to the exact circuit of each side."""
        return _share([row.relative_ratio for row in self.rows])


def _share(ratios: Sequence[float]) -> float:
    return sum(ratio <= 1 + TOLERANCE for ratio in ratios) / len(ratios)


def exact_cost(circuits: Sequence[Circuit], cost: Axis) -> float:
    """Return the cost of the cheapest exact circuit; InputError when there is none."""
    costs = [circuit.figure(cost) for circuit in circuits if circuit.is_exact]
    if not costs:
        raise InputError("Circuits must include an exact one, to which costs are relative")
    return min(costs)


def compare(ours: Sequence[Circuit], published: Sequence[Circuit], error: Axis,
            cost: Axis) -> Comparison:
    """Return ours against the published front of `cost` and `error`.

    Raises InputError when either side has no exact circuit.
    """
    our_exact, published_exact = exact_cost(ours, cost), exact_cost(published, cost)
    front = pareto_front([(point.figure(cost), point.figure(error)) for point in published])
    rows = []
    for index in front:
        point = published[index]
        limit = point.figure(error) * (1 + TOLERANCE)
        found = min((circuit for circuit in ours if circuit.figure(error) <= limit),
                    key=lambda circuit: circuit.figure(cost), default=None)
        ratio = math.inf if found is None else found.figure(cost) / point.figure(cost)
        rows.append(Row(published=point, ours=found, ratio=ratio,
                        relative_ratio=ratio * published_exact / our_exact))
    volumes = {
        "ours": dominated_share(ours, error, cost, published_exact),
        "published": dominated_share(published, error, cost, published_exact),
        "ours_relative": dominated_share(ours, error, cost, our_exact),
        "published_relative": dominated_share(published, error, cost, published_exact)}
    return Comparison(error=error, cost=cost, rows=tuple(rows), hypervolumes=volumes)


def dominated_share(circuits: Sequence[Circuit], error: Axis, cost: Axis,
                    full_cost: float) -> float:
    """Return the hypervolume of a set of circuits, as a share of the largest possible one.

    The cost is relative to `full_cost`; of the error it is the decimal logarithm, `error.floor`
    at least. Reference point: a circuit that costs `full_cost` and errs by `error.worst`. The
    largest volume, 1, is that of a circuit that errs by the floor at most and costs nothing.
    """
    span = math.log10(error.worst / error.floor)
    points = [(math.log10(max(circuit.figure(error), error.floor) / error.floor) / span,
               circuit.figure(cost) / full_cost) for circuit in circuits]
    return hypervolume(points, (1.0, 1.0))
