"""What is searched: which arrays to build, and which of them each layer runs on.

    minimise    sum_i dynamic[i, z_i] + leakage of every array built, over the whole inference
    subject to  accuracy kept,  area <= phi x exact array,  at most A arrays

The layers may be those of several networks, each counted as often as it runs in a round of the
workload: one bank, one clock, a mapping for each.

All arrays share one clock, so the slowest one built sets it; a slower clock stretches the inference
and with it the leakage of every array. Besides its area, a further array costs leakage and what its
closed clock gate spends while it is idle.

Accuracy is no part of the problem: methods measure it. Pure NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, unknown_name

Assignment = tuple[int, ...]
"""Column (position in `Problem.multipliers`) of each layer, in execution order."""

# 1 uW for 1 ps is 1e-18 J.
PJ_PER_UW_PS = 1e-6
PJ_PER_FJ = 1e-3
# Sums of floats in another order may differ in the last digits; limits allow for that.
TOLERANCE = 1e-9
MAX_DRAWS = 10_000  # until a random bank fits the area limit


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the user allows of a bank: see `Problem`."""

    area_limit: float = 4.0
    max_arrays: int = 3
    keep_exact: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Costs of every (layer, multiplier) and the limits of the bank.

    Parameters
    ----------
    layers, multipliers : tuple of str
        N mapped layers in execution order; K multipliers that an array may be built from.
    reference : int
        Column of the exact multiplier.
    dynamic_pj : float64[N, K]
        Energy of layer i on array j per inference (of several networks: per round) without leakage.
    cycles : float64[N]
        Clock cycles that layer i takes per inference, the same on every array.
    leakage_uw, delay_ps, area_um2 : float64[K]
        Of one whole array: leakage power, shortest clock period, area.
    area_limit : float
        Largest total area, relative to the baseline's (the paper's phi).
    max_arrays : int
        Most arrays in the bank, the exact one included.
    keep_exact : bool
        Build the reference array even when no layer uses it.
    idle_fj : float
        Of each array that does not run, per cycle, without leakage.
    starts : tuple of int
        The first layer of each network; all networks share the bank.
    baseline_pj, baseline_um2 : float, optional
        Energy of one inference on the array that everything is relative to, and its area: by
        default the reference array.

    Raises InputError when a limit leaves no design at all, or is out of range.
    """

    layers: tuple[str, ...]
    multipliers: tuple[str, ...]
    reference: int
    dynamic_pj: npt.NDArray[np.float64]
    cycles: npt.NDArray[np.float64]
    leakage_uw: npt.NDArray[np.float64]
    delay_ps: npt.NDArray[np.float64]
    area_um2: npt.NDArray[np.float64]
    area_limit: float = 4.0
    max_arrays: int = 3
    keep_exact: bool = False
    idle_fj: float = 0.0
    starts: tuple[int, ...] = (0,)
    baseline_pj: float | None = None
    baseline_um2: float | None = None

    def __post_init__(self) -> None:
        n, k = len(self.layers), len(self.multipliers)
        shapes = {"dynamic_pj": (n, k), "cycles": (n,), "leakage_uw": (k,), "delay_ps": (k,),
                  "area_um2": (k,)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape:
                raise ValueError(f"Problem {name} must have shape {shape}, not {value.shape}")
            if not (np.isfinite(value).all() and (value >= 0).all()):
                raise ValueError(f"Problem {name} must be finite and not negative")
        if n == 0 or k == 0:
            raise InputError("Search must have a layer and a multiplier, "
                             f"not {n} layers and {k} multipliers")
        if not 0 <= self.reference < k:
            raise ValueError(f"Problem reference must be a column below {k}, not {self.reference}")
        if (self.starts[:1] != (0,) or list(self.starts) != sorted(set(self.starts))
                or self.starts[-1] >= n):
            raise ValueError(f"Problem starts must ascend from 0 and stay below {n}, "
                             f"not {self.starts}")
        if self.max_arrays < 1:
            raise InputError(f"Number of arrays must be at least 1, not {self.max_arrays}")
        if not any(self.fits([column] * n) for column in range(k)):
            raise InputError(
                f"Area limit must leave room for one array, not {self.area_limit:g} of the exact "
                f"array{' which is kept' if self.keep_exact else ''} (the smallest bank takes "
                f"{min(self.relative_area([c] * n) for c in range(k)):.3f})")

    # --- one design -----------------------------------------------------------------------

    def bank(self, assignment: Iterable[int]) -> tuple[int, ...]:
        """Return the columns of the arrays that must be built, ascending."""
        used = set(assignment)
        return tuple(sorted(used | {self.reference} if self.keep_exact else used))

    def clock_ps(self, bank: Iterable[int]) -> float:
        """Return the clock period of a bank: that of its slowest array."""
        return float(self.delay_ps[list(bank)].max())

    def leakage_pj(self, bank: Iterable[int]) -> float:
        """Return what all arrays of a bank leak over one inference, and idle ones spend."""
        columns = list(bank)
        seconds = float(self.cycles.sum()) * self.clock_ps(columns)
        return (float(self.leakage_uw[columns].sum()) * seconds * PJ_PER_UW_PS
                + (len(columns) - 1) * float(self.idle_pj.sum()))

    @property
    def idle_pj(self) -> npt.NDArray[np.float64]:
        """What each layer costs an array that is idle meanwhile, float64[N]."""
        return self.cycles * self.idle_fj * PJ_PER_FJ

    def energy_pj(self, assignment: Iterable[int]) -> float:
        """Return the energy of one inference, idle arrays included."""
        columns = list(assignment)
        dynamic = self.dynamic_pj[np.arange(len(self.layers)), columns].sum()
        return float(dynamic) + self.leakage_pj(self.bank(columns))

    def relative_energy(self, assignment: Iterable[int]) -> float:
        """Return the energy relative to the baseline's."""
        return self.energy_pj(assignment) / self.baseline_energy_pj

    def relative_area(self, assignment: Iterable[int]) -> float:
        """Return the area of the bank relative to the baseline's."""
        return float(self.relative_area_of_each[list(self.bank(assignment))].sum())

    def fits(self, assignment: Iterable[int]) -> bool:
        """Return whether the bank keeps within the area limit and the number of arrays."""
        columns = list(assignment)
        return (len(self.bank(columns)) <= self.max_arrays
                and self.relative_area(columns) <= self.area_limit + TOLERANCE)

    def random(self, generator: np.random.Generator) -> Assignment:
        """Return a bank of 1 to A arrays, and for each layer any array of it, drawn evenly.

        Raises InputError when hardly any bank fits.
        """
        n, k = self.dynamic_pj.shape
        for _ in range(MAX_DRAWS):
            size = generator.integers(1, min(self.max_arrays, k) + 1)
            bank = generator.choice(k, size, replace=False)
            design = tuple(int(column) for column in generator.choice(bank, n))
            if self.fits(design):
                return design
        raise InputError(f"Area limit must let some banks fit, not {self.area_limit:g}: none of "
                         f"{MAX_DRAWS} drawn at random did")

    def only(self, columns: Sequence[int]) -> Problem:
        """Return the problem with some of the multipliers, the reference among them, ascending."""
        kept = list(columns)
        return replace(self, multipliers=tuple(self.multipliers[column] for column in kept),
                       reference=kept.index(self.reference), dynamic_pj=self.dynamic_pj[:, kept],
                       leakage_uw=self.leakage_uw[kept], delay_ps=self.delay_ps[kept],
                       area_um2=self.area_um2[kept])

    # --- several networks -----------------------------------------------------------------

    @property
    def networks(self) -> tuple[slice, ...]:
        """The layers of each network."""
        return tuple(slice(first, last) for first, last
                     in pairwise((*self.starts, len(self.layers))))

    def part(self, network: slice) -> Problem:
        """Return the problem of one network alone, relative to the reference, same limits."""
        return replace(self, layers=self.layers[network], dynamic_pj=self.dynamic_pj[network],
                       cycles=self.cycles[network], starts=(0,), baseline_pj=None)

    # --- the reference, and names ---------------------------------------------------------

    @property
    def exact(self) -> Assignment:
        """Every layer on the reference array."""
        return (self.reference,) * len(self.layers)

    @cached_property
    def exact_energy(self) -> float:
        """Relative energy of the exact design: more than 1 where another form takes less."""
        return self.relative_energy(self.exact)

    @cached_property
    def baseline_energy_pj(self) -> float:
        """Energy of one inference that all others are relative to."""
        return self.energy_pj(self.exact) if self.baseline_pj is None else self.baseline_pj

    @property
    def relative_area_of_each(self) -> npt.NDArray[np.float64]:
        """Area of each array relative to the baseline's, float64[K]."""
        return self.area_um2 / (self.baseline_um2 or self.area_um2[self.reference])

    def layer_energy_pj(self) -> npt.NDArray[np.float64]:
        """Return float64[N, K]: a layer on an array that stands alone, own leakage included.

        For figures and tables; leakage of other arrays is left out.
        """
        leakage = np.multiply.outer(self.cycles, self.leakage_uw * self.delay_ps) * PJ_PER_UW_PS
        return self.dynamic_pj + leakage

    def to_mapping(self, assignment: Iterable[int]) -> dict[str, str]:
        """Return layer name -> multiplier name."""
        return {layer: self.multipliers[column]
                for layer, column in zip(self.layers, assignment, strict=True)}

    def from_mapping(self, mapping: Mapping[str, str]) -> Assignment:
        """Return the columns of a mapping; raises InputError on an unknown or missing name."""
        for layer in mapping:
            if layer not in self.layers:
                raise unknown_name("layer", layer, self.layers)
        columns = {name: column for column, name in enumerate(self.multipliers)}
        result = []
        for layer in self.layers:
            if layer not in mapping:
                raise InputError(f"Mapping must name a multiplier for layer {layer!r}")
            if mapping[layer] not in columns:
                raise unknown_name("multiplier", mapping[layer], columns)
            result.append(columns[mapping[layer]])
        return tuple(result)
