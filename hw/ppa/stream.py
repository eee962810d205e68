"""Energy of a PE on the operand stream of a layer.

In a weight-stationary array the whole state is known in closed form: PE (r, c) of the tile at
(k0, n0), when activation row m passes, multiplies `acts[m, k0 + r]` by `weights[k0 + r, n0 + c]`
and adds the partial sum of the rows above. So every (tile, r, c, m) is one lane that can be
simulated by itself, and a random sample of lanes estimates the mean over all of them. The gates
are clocked through the PE's ports, and every partial sum must equal the table's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.ppa.activity import LANES_PER_WORD, Simulator, Words, pack_lanes
from hw.ppa.energy import CycleEnergy
from hw.ppa.pe import LARGEST, MappedPe

DEFAULT_LANES = 4096
CHANGE_LANES = 1024  # for what happens once per tile
NORMAL_95 = 1.96
OPERAND_PLANES = 9  # magnitude and sign

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class StreamEnergy:
    """Mean energy per PE-cycle over a stream: one PE, one activation beat.

    Parameters
    ----------
    logic_fj : float
        Multiplier, sign logic and adder with their nets.
    registers_fj : float
        Data side of the registers and the nets that they drive.
    clock_fj : float
        Clock pins, clock gates and the PE's share of the clock tree; spent in every cycle.
    leakage_fj : float
        In one cycle at the PE's own shortest clock period.
    half_width_fj : float
        95 % confidence half-width of `mean_fj` from sampling lanes. Other uncertainties are
        far larger; see `docs/ppa.md`.
    multiplier_fj : float
        The multiplier mapped alone, on the same operand pairs.
    load_fj : float
        Beyond an idle cycle: shifting one weight into the shadow register.
    swap_fj : float
        `logic + registers + clock` of the beat in which a new tile's weight becomes active.
    lanes, seed : int
        How it was sampled.
    """

    logic_fj: float
    registers_fj: float
    clock_fj: float
    leakage_fj: float
    half_width_fj: float
    multiplier_fj: float
    load_fj: float
    swap_fj: float
    lanes: int
    seed: int

    @property
    def data_fj(self) -> float:
        """What the operands cost: logic and registers."""
        return self.logic_fj + self.registers_fj

    @property
    def mean_fj(self) -> float:
        """Sum of the four parts."""
        return self.data_fj + self.clock_fj + self.leakage_fj


@dataclass(frozen=True, kw_only=True, eq=False)
class OperandSample:
    """Operands of sampled PE-cycles, the same for every multiplier.

    Parameters
    ----------
    rows, cols : int
        Of the array.
    row : int64[lanes]
        Row of the sampled PE.
    acts : int16[4, rows, lanes]
        What the rows of its column see in the beat before the sampled one, in it, and in the
        two that follow.
    weights : int16[rows, lanes]
        Of its column.
    passing : int16[3, lanes]
        Weights of the column that pass one after another while a tile is loaded.
    seed : int
    """

    rows: int
    cols: int
    row: Ints
    acts: npt.NDArray[np.int16]
    weights: npt.NDArray[np.int16]
    passing: npt.NDArray[np.int16]
    seed: int

    @property
    def lanes(self) -> int:
        """Number of sampled PE-cycles."""
        return self.row.size

    def first(self, lanes: int) -> OperandSample:
        """Return the first lanes of this sample."""
        return OperandSample(rows=self.rows, cols=self.cols, row=self.row[:lanes],
                             acts=self.acts[:, :, :lanes], weights=self.weights[:, :lanes],
                             passing=self.passing[:, :lanes], seed=self.seed)

    def act(self, beat: int) -> npt.NDArray[np.int16]:
        """Return the activation of the sampled PE, int16[lanes]; `beat` is 0 to 3."""
        values: npt.NDArray[np.int16] = self.acts[beat, self.row, np.arange(self.lanes)]
        return values

    @property
    def weight(self) -> npt.NDArray[np.int16]:
        """Weight of the sampled PE, int16[lanes]."""
        values: npt.NDArray[np.int16] = self.weights[self.row, np.arange(self.lanes)]
        return values


def sample_operands(acts: npt.NDArray[Any], weights: npt.NDArray[Any], *, rows: int, cols: int,
                    lanes: int = DEFAULT_LANES, seed: int = 0) -> OperandSample:
    """Draw PE-cycles of an array, all equally likely, with the operands around them.

    Parameters and errors as in `stream_energy`.
    """
    acts, weights = _checked(acts, weights)
    if rows < 1 or cols < 1:
        raise InputError(f"Array must have rows and cols of at least 1, not {rows} x {cols}")
    if lanes < 2 * LANES_PER_WORD:
        raise InputError(f"Lanes must be at least {2 * LANES_PER_WORD}, not {lanes}")
    groups, beats, k = acts.shape
    n = weights.shape[2]
    count = -(-lanes // LANES_PER_WORD) * LANES_PER_WORD
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, count)
    k0 = random.integers(0, -(-k // rows), count) * rows
    column = random.integers(0, -(-n // cols), count) * cols + random.integers(0, cols, count)
    row = random.integers(0, rows, count)
    beat = random.integers(0, beats, count)
    passing_row = random.integers(0, rows, (3, count))

    # The array beyond the matrix sees zeros.
    depth = k0 + np.arange(rows)[:, None]
    inside = depth < k
    depth = np.minimum(depth, k - 1)
    seen_weights = np.where(inside & (column < n),
                            weights[group, depth, np.minimum(column, n - 1)], 0)
    # After the last beat comes the next tile's stream; its operands are like this one's.
    seen_acts = np.stack([np.where(inside, acts[group, (beat + offset) % beats, depth], 0)
                          for offset in (-1, 0, 1, 2)])
    return OperandSample(
        rows=rows, cols=cols, row=row, acts=seen_acts.astype(np.int16),
        weights=seen_weights.astype(np.int16),
        passing=seen_weights[passing_row, np.arange(count)].astype(np.int16), seed=seed)


def _checked(acts: npt.NDArray[Any],
             weights: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return operands with a group axis, or raise InputError."""
    acts, weights = np.asarray(acts), np.asarray(weights)
    acts = acts[None] if acts.ndim == 2 else acts
    weights = weights[None] if weights.ndim == 2 else weights
    if acts.ndim != 3 or weights.ndim != 3 or acts.shape[0] != weights.shape[0] \
            or acts.shape[2] != weights.shape[1] or 0 in (*acts.shape, *weights.shape):
        raise InputError("Operands must be acts [m, k] and weights [k, n], not "
                         f"{list(acts.shape)} and {list(weights.shape)}")
    for label, values in (("Activations", acts), ("Weights", weights)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"{label} must be integers, not {values.dtype}")
        if int(values.max()) > LARGEST or int(values.min()) < -LARGEST:
            raise InputError(f"{label} must be -{LARGEST} to {LARGEST}, not "
                             f"{values.min()} to {values.max()}")
    return acts, weights


def stream_energy(pe: MappedPe, acts: npt.NDArray[Any], weights: npt.NDArray[Any], *, rows: int,
                  cols: int, lanes: int = DEFAULT_LANES, seed: int = 0) -> StreamEnergy:
    """Return the mean energy of a PE of a `rows` x `cols` array on one layer.

    Parameters
    ----------
    pe : MappedPe
    acts : int16[m, k] or int16[groups, m, k]
        Activations `q - zero_point`, in the order in which they stream; -255 to 255.
    weights : int16[k, n] or int16[groups, k, n]
        -255 to 255.
    rows, cols : int
        Of the array. Where k and n do not fill it, PEs see zero operands, as in hardware.
    lanes : int
        Sampled PE-cycles, rounded up to whole words of 64.
    seed : int
        Equal arguments give equal results; equal seeds sample the same PE-cycles for every
        multiplier, so differences between multipliers are sharper than the interval.

    Raises
    ------
    InputError
        Shapes or operand range do not fit.
    AssertionError
        The gates do not compute what the multiplier's table says.
    """
    return sample_energy(pe, sample_operands(acts, weights, rows=rows, cols=cols, lanes=lanes,
                                             seed=seed))


def sample_energy(pe: MappedPe, sample: OperandSample) -> StreamEnergy:
    """Return `stream_energy` of operands drawn before: one sample serves many multipliers."""
    beat, multiplier = _beats(pe, sample)
    load, swap = _tile_changes(pe, sample.first(CHANGE_LANES))
    deviation = float(np.std(beat.logic + beat.registers, ddof=1))
    return StreamEnergy(
        logic_fj=_mean(beat.logic), registers_fj=_mean(beat.registers), clock_fj=_mean(beat.clock),
        leakage_fj=pe.leakage_nw * pe.delay_ps * 1e-6,
        half_width_fj=NORMAL_95 * deviation / math.sqrt(beat.logic.size),
        multiplier_fj=_mean(multiplier.total),
        load_fj=_mean(load.total) - pe.energy_model.clock_base_fj, swap_fj=_mean(swap.total),
        lanes=sample.lanes, seed=sample.seed)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean())


def _psum(pe: MappedPe, sample: OperandSample, beat: int) -> Ints:
    """Return the partial sum that comes from the rows above the PE, int64[lanes]."""
    products = _products(pe, sample.acts[beat], sample.weights)
    above = np.arange(sample.rows)[:, None] < sample.row
    total: Ints = np.where(above, products, 0).sum(axis=0, dtype=np.int64)
    return total


def _products(pe: MappedPe, acts: npt.NDArray[np.int16],
              weights: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
    """Return the signed products by the multiplier's table."""
    return pe.signed_products[acts.astype(np.intp) + LARGEST, weights.astype(np.intp) + LARGEST]


def _operand(values: npt.NDArray[np.int16]) -> Words:
    """Return signed operands as planes of magnitude and sign."""
    magnitude = np.abs(values.astype(np.int64))
    return pack_lanes(magnitude | ((values < 0).astype(np.int64) << 8), OPERAND_PLANES)


def _token(on: bool, words: int) -> Words:
    return np.full((1, words), np.uint64(0xFFFFFFFFFFFFFFFF) if on else np.uint64(0))


def _beats(pe: MappedPe, sample: OperandSample) -> tuple[CycleEnergy, CycleEnergy]:
    """Return the energy of one beat after another within a tile: PE, multiplier alone."""
    simulator = pe.simulator
    words = sample.lanes // LANES_PER_WORD
    weight = _operand(sample.weight)
    acts = [_operand(sample.act(beat)) for beat in range(4)]
    psums = [_psum(pe, sample, beat) for beat in range(3)]
    psum_planes = [pack_lanes(psum, pe.psum_width) for psum in psums]
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _cycle(simulator, nets, load_in=on, swap_in=off, weight_in=weight)
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=acts[0])
    _cycle(simulator, nets, swap_in=off, act_in=acts[1], psum_in=psum_planes[0])
    simulator.apply(nets, {"act_in": acts[2], "psum_in": psum_planes[1]})
    before = nets.copy()
    simulator.clock_edge(nets)
    simulator.apply(nets, {"act_in": acts[3], "psum_in": psum_planes[2]})
    for state, beat in ((before, 0), (nets, 1)):
        _check(pe, state, psums[beat] + _products(pe, sample.act(beat), sample.weight))
    energy = pe.energy_model.between(before, nets)

    alone = pe.multiplier_simulator
    states = []
    for act in acts[1:3]:
        state = alone.reset(words)
        alone.apply(state, {"act": act[:-1], "weight": weight[:-1]})
        states.append(state)
    return energy, pe.multiplier_energy_model.between(*states)


def _tile_changes(pe: MappedPe, sample: OperandSample) -> tuple[CycleEnergy, CycleEnergy]:
    """Return the energy of shifting a weight in, and of the beat in which it takes over.

    Operands are held while weights pass. The weight that takes over is one of the column's, and
    the activation changes with it, as at the start of a tile.
    """
    simulator = pe.simulator
    words = sample.lanes // LANES_PER_WORD
    passing = [_operand(weight) for weight in sample.passing]
    old_psum, new_psum = (_psum(pe, sample, beat) for beat in (1, 2))
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _cycle(simulator, nets, load_in=on, swap_in=off, weight_in=_operand(sample.weight))
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=_operand(sample.act(1)))
    _cycle(simulator, nets, swap_in=off, psum_in=pack_lanes(old_psum, pe.psum_width))
    _cycle(simulator, nets, load_in=on, weight_in=passing[0])
    simulator.apply(nets, {"weight_in": passing[1]})
    before, opened = nets.copy(), simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"weight_in": passing[2]})
    load = pe.energy_model.between(before, nets, opened)

    simulator.clock_edge(nets)
    simulator.apply(nets, {"load_in": off, "swap_in": on, "act_in": _operand(sample.act(2))})
    before, opened = nets.copy(), simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"swap_in": off, "psum_in": pack_lanes(new_psum, pe.psum_width)})
    swap = pe.energy_model.between(before, nets, opened)
    simulator.clock_edge(nets)
    simulator.apply(nets, {})
    _check(pe, nets, new_psum + _products(pe, sample.act(2), sample.passing[2]))
    return load, swap


def _cycle(simulator: Simulator, nets: Words, **inputs: Words) -> None:
    simulator.apply(nets, inputs)
    simulator.clock_edge(nets)


def _check(pe: MappedPe, nets: Words, expected: Ints) -> None:
    """Compare the partial sums of the gates with the table's, lane for lane."""
    half = 1 << (pe.psum_width - 1)
    wrapped = (expected + half) % (2 * half) - half
    found = pe.simulator.output(nets, "psum_out", signed=True)
    wrong = np.flatnonzero(found != wrapped)
    if wrong.size:
        lane = int(wrong[0])
        raise AssertionError(f"Mapped PE of {pe.multiplier.name!r} must compute its table: partial "
                             f"sum {found[lane]} in lane {lane}, not {wrapped[lane]}")
