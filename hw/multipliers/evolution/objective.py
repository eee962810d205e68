"""What evolution is asked for: limits on errors, the cost that is to fall, and their arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.multipliers.base import OPERANDS, exact_products
from hw.multipliers.evolution import kernel
from hw.multipliers.evolution.genome import INPUTS
from hw.multipliers.evolution.lanes import LANES, WORDS
from hw.multipliers.evolution.operands import OperandStream
from hw.multipliers.evolution.residual import residual
from hw.multipliers.metrics import FULL_SCALE
from hw.netlist import pack_bits

BLOCKS = OPERANDS * OPERANDS // LANES
PAIRS = 2  # blocks of pairs of beats: 2,048 of them estimate the switching
BEATS = PAIRS * LANES
ACT_ROWS, WEIGHT_ROWS = slice(2, 10), slice(10, 18)
FORECAST_ERRORS = 6  # standard errors beyond which a forecast is believed

# Weights of errors are integers; what a sum of them is divided by.
WEIGHT_SCALE = 2**24
RELATIVE_SCALE = 2**12  # further, for relative errors, where 31 bits can hold it
LARGEST_WEIGHT = 2**31 - 1

# What a PE-cycle costs beyond a fixed part, in fJ: a fit to the mapped PEs of 61 family circuits
# (asap7, typical operands). `python -m hw.ppa fit-proxy` repeats it for the families there are now
# and says how well these constants follow them; other constants would evolve other circuits. A
# product bit that is not constant needs an adder of its own in the PE. Area counts a little: it
# costs leakage and money.
GATE_TOGGLE_FJ = (0.1, 0.31, 0.31, 0.81, 0.31, 0.31, 0.81, 0.31, 0.31)
OUTPUT_FJ, OUTPUT_TOGGLE_FJ = 1.38, 0.08
GATE_AREA_UM2 = (0.02, 0.06, 0.06, 0.12, 0.05, 0.05, 0.12, 0.06, 0.06)
OUTPUT_AREA_UM2 = 0.41
AREA_FJ_PER_UM2 = 0.5


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest errors allowed; None where there is no limit.

    Percentages are as in `hw.multipliers.metrics`: MAE, WCE and bias of the full scale 2**16 - 1,
    MRE of the exact product over non-zero products. All but WCE are means over the operand
    distribution.

    Parameters
    ----------
    mae, wce, mre, ep, bias : float, optional
        Percent. The bias is limited in both directions.
    rmse : float, optional
        Root of the mean squared error, percent of the full scale.
    residual : float, optional
        The same of what remains after compensation (`residual`); no other limit beside it.
    """

    mae: float | None = None
    wce: float | None = None
    mre: float | None = None
    ep: float | None = None
    rmse: float | None = None
    bias: float | None = None
    residual: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            if not (math.isfinite(value) and 0 <= value <= 100):
                raise InputError(f"Limit of {name.upper()} must be 0 to 100 percent, not {value}")
        if not set(self.given()) - {"bias"}:
            raise InputError("Limits must include one of MAE, WCE, MRE, EP, RMSE and RESIDUAL")
        if self.residual is not None and len(self.given()) > 1:
            raise InputError("Limit of RESIDUAL must be the only one")

    def given(self) -> dict[str, float]:
        """Return the limits that there are, percent by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def scaled(self, factor: float) -> Limits:
        """Return all limits times a factor."""
        return Limits(**{name: value * factor for name, value in self.given().items()})


def weighted_errors(table: npt.NDArray[np.int32], probability: npt.NDArray[np.float64], *,
                    signed: bool = False) -> dict[str, float]:
    """Return the errors of a table by the names of `Limits`, percent.

    table : int32[256, 256]; probability : float64[256, 256], summing to 1.
    """
    exact = exact_products(signed=signed)
    error = table - exact
    size = np.abs(error)
    nonzero = exact != 0
    share = probability[nonzero].sum()
    relative = size[nonzero] / np.abs(exact[nonzero])
    scale = 100 / FULL_SCALE
    return {"mae": scale * float((probability * size).sum()),
            "wce": scale * float(size.max()),
            "mre": 100 * float((probability[nonzero] * relative).sum() / share),
            "ep": 100 * float(probability[error != 0].sum()),
            "rmse": scale * math.sqrt((probability * np.square(error, dtype=np.float64)).sum()),
            "bias": scale * float((probability * error).sum()),
            "residual": scale * math.sqrt(residual(table, probability, signed=signed).mean_square)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    """The task of one evolution.

    Parameters
    ----------
    limits : Limits
    energy_stream : OperandStream
        What switching is counted on.
    error_stream : OperandStream, optional
        What errors are weighted by; all operand pairs count the same without it.
    signed : bool
        Operands are two's complement.
    keep_zero : bool
        0 times anything must stay 0.
    max_level : int
        Longest path in gates, XOR and XNOR counting twice.
    seed : int
        Of the order in which operand pairs are tried and of the sampled beats.
    """

    limits: Limits
    energy_stream: OperandStream
    error_stream: OperandStream | None = None
    signed: bool = False
    keep_zero: bool = True
    max_level: int = 31  # that of the exact multiplier: the slowest PE sets the clock
    seed: int = 0

    def probability(self) -> npt.NDArray[np.float64]:
        """Return the weight of every operand pair, float64[256, 256], summing to 1."""
        if self.error_stream is None:
            return np.full((OPERANDS, OPERANDS), 1 / OPERANDS**2)
        return self.error_stream.probability()

    def problem(self, table: npt.NDArray[np.int32] | None = None) -> kernel.Problem:
        """Return the arrays that the kernel works with.

        table : of the present circuit. A limit of what remains after compensation asks for the
        products that would leave least of that circuit's errors: a circuit that is as near to them
        as the limit allows keeps it, whatever becomes of its own constants and codes.
        """
        act, weight = self._pairs()
        order = lane_order()
        pairs, target = self.probability(), exact_products(signed=self.signed)
        size = np.abs(target[act, weight])
        nonzero = size != 0
        limits = self.sums(self.limits)
        if self.limits.residual is not None and table is not None:
            left = residual(table, pairs, signed=self.signed)
            pairs, target = left.weight, np.rint(left.target).astype(np.int32)
            allowed = (self.limits.residual * FULL_SCALE / 100) ** 2 - left.spread
            limits[kernel.SUM_SQUARE] = max(0, int(allowed / left.scale**2 * WEIGHT_SCALE))
        probability, exact = pairs[act, weight], target[act, weight]
        relative = np.zeros(act.size)
        relative[nonzero] = probability[nonzero] / size[nonzero] / probability[nonzero].sum()
        by_block = (BLOCKS, LANES)
        zero_lanes = (act == 0) | (weight == 0)
        zero_mask = np.packbits(zero_lanes[:LANES], bitorder="little").view("<u8")
        per_um2 = AREA_FJ_PER_UM2 * 1000 * BEATS
        output = OUTPUT_AREA_UM2 * per_um2 + OUTPUT_FJ * 1000 * BEATS
        return kernel.Problem(
            inputs=INPUTS, blocks=BLOCKS, pairs=PAIRS,
            exact=_in_order(exact.reshape(by_block), order),
            weight=_in_order(np.ceil(probability * WEIGHT_SCALE).reshape(by_block), order),
            relative=_in_order(np.ceil(relative * self._relative_scale()).reshape(by_block), order),
            limits=limits, share=_shares(probability, exact, nonzero, limits),
            zero_mask=zero_mask if self.keep_zero else np.zeros(WORDS, np.uint64),
            signed=self.signed,
            area=np.round(np.multiply(GATE_AREA_UM2, per_um2)).astype(np.int64),
            switching=np.round(np.multiply(GATE_TOGGLE_FJ, 1000)).astype(np.int64),
            output_area=round(output),
            output_switching=round(OUTPUT_TOGGLE_FJ * 1000), max_level=self.max_level)

    def _relative_scale(self) -> float:
        """Return what a sum of weights of relative errors is divided by."""
        size = np.abs(exact_products(signed=self.signed))
        nonzero = size != 0
        probability = self.probability()[nonzero]
        largest = float((probability / size[nonzero]).max() / probability.sum())
        return min(WEIGHT_SCALE * RELATIVE_SCALE, LARGEST_WEIGHT // largest)

    def sums(self, limits: Limits) -> npt.NDArray[np.int64]:
        """Return limits as sums over lanes, int64[TERMS].

        Weights of errors were rounded up, so that what keeps the sums keeps the percentages; where
        operand pairs differ in weight, limits become stricter by 1 or 2 parts in 100 that way.
        """
        sums = np.full(kernel.TERMS, kernel.UNLIMITED, np.int64)
        absolute = FULL_SCALE / 100
        scales = {"mae": (kernel.SUM_ABS, absolute * WEIGHT_SCALE),
                  "mre": (kernel.SUM_RELATIVE, self._relative_scale() / 100),
                  "wce": (kernel.WORST, absolute), "ep": (kernel.WRONG, WEIGHT_SCALE / 100),
                  "bias": (kernel.BIAS, absolute * WEIGHT_SCALE)}
        for name, value in limits.given().items():
            if name in ("rmse", "residual"):
                sums[kernel.SUM_SQUARE] = int((value * absolute) ** 2 * WEIGHT_SCALE)
            else:
                term, scale = scales[name]
                sums[term] = int(value * scale)
        return sums

    def operand_planes(self) -> npt.NDArray[np.uint64]:
        """Return rows 0 to 17 of the kernel's values, uint64[BLOCKS + 2 PAIRS, 18, WORDS]."""
        random = np.random.default_rng([self.seed, 1])
        stream = self.energy_stream
        beats = random.integers(0, stream.act.size, BEATS)
        rows = np.zeros((BLOCKS + 2 * PAIRS, INPUTS, WORDS), np.uint64)
        rows[:, 1] = np.uint64(2**64 - 1)
        act, weight = self._pairs()
        rows[:BLOCKS, ACT_ROWS] = _planes(act, BLOCKS)
        rows[:BLOCKS, WEIGHT_ROWS] = _planes(weight, BLOCKS)
        for beat, acts in enumerate((stream.act, stream.next_act)):
            rows[BLOCKS + beat::2, ACT_ROWS] = _planes(acts[beats], PAIRS)
            rows[BLOCKS + beat::2, WEIGHT_ROWS] = _planes(stream.weight[beats], PAIRS)
        return rows

    def _pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return all operand pairs in random order, those with a zero first."""
        order = np.random.default_rng(self.seed).permutation(OPERANDS * OPERANDS)
        act, weight = np.divmod(order, OPERANDS)
        zero_first = np.argsort((act != 0) & (weight != 0), kind="stable")
        return act[zero_first], weight[zero_first]


def _shares(probability: npt.NDArray[np.float64], exact: npt.NDArray[np.integer],
            nonzero: npt.NDArray[np.bool_], limits: kernel.Sums) -> npt.NDArray[np.float64]:
    """Return how much of a limit a circuit that keeps it may use after each block, float64[BLOCKS].

    Lanes in random order: the expected part and 6 standard errors of a sum whose terms deviate as
    much as their mean. A product of zeros, which come first, is 0 nearly always: that is all it
    adds, something only where another product is asked for.
    """
    square = limits[kernel.SUM_SQUARE]
    zeros = float((probability * ~nonzero) @ np.square(exact, dtype=np.float64)) * WEIGHT_SCALE
    known = min(1.0, zeros / square) if 0 < square < kernel.UNLIMITED else 0.0
    counted = (probability * nonzero).reshape(BLOCKS, LANES)
    lanes = np.cumsum(np.count_nonzero(counted, axis=1))
    part = np.cumsum(counted.sum(axis=1)) / counted.sum()
    share: npt.NDArray[np.float64] = known + (1 - known) * part * (
        1 + FORECAST_ERRORS / np.sqrt(lanes))
    share[-1] = 1
    return share


def lane_order() -> npt.NDArray[np.int64]:
    """Return the lane that each place of a transposed block holds, int64[LANES]."""
    row, word, square = np.ogrid[:16, :WORDS, :4]
    lanes: npt.NDArray[np.int64] = (64 * word + 16 * square + row).reshape(-1)
    return lanes


def _in_order(values: npt.NDArray[np.generic], order: npt.NDArray[np.int64]) -> kernel.Ints:
    return np.ascontiguousarray(values[:, order], np.int32)


def _planes(values: npt.NDArray[np.integer], blocks: int) -> npt.NDArray[np.uint64]:
    """Return bit planes by block, uint64[blocks, 8, WORDS]."""
    packed = np.ascontiguousarray(pack_bits(values, 8)).view("<u8")
    return packed.reshape(8, blocks, WORDS).transpose(1, 0, 2)
