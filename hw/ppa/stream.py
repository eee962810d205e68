"""Energy of a PE on the operand stream of a layer.

In a weight-stationary array the whole state is known in closed form: PE (r, c) of the tile at
(k0, n0), when activation row m passes, multiplies `acts[m, k0 + r]` by `weights[k0 + r, n0 + c]`
and adds the partial sum of the rows above. So every (tile, r, c, m) is one lane that can be
simulated by itself, and a random sample of lanes estimates the mean over all of them.
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
from hw.ppa.pe import MappedPe

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
    stream = _Stream(pe, acts, weights, rows, cols)
    if lanes < 2 * LANES_PER_WORD:
        raise InputError(f"Lanes must be at least {2 * LANES_PER_WORD}, not {lanes}")
    words = -(-lanes // LANES_PER_WORD)
    random = np.random.default_rng(seed)
    beat, multiplier = _beats(stream, stream.sample(words * LANES_PER_WORD, random))
    change_words = -(-min(lanes, CHANGE_LANES) // LANES_PER_WORD)
    load, swap = _tile_changes(stream, stream.sample(change_words * LANES_PER_WORD, random),
                               random)
    deviation = float(np.std(beat.logic + beat.registers, ddof=1))
    return StreamEnergy(
        logic_fj=_mean(beat.logic), registers_fj=_mean(beat.registers), clock_fj=_mean(beat.clock),
        leakage_fj=pe.leakage_nw * pe.delay_ps * 1e-6,
        half_width_fj=NORMAL_95 * deviation / math.sqrt(words),
        multiplier_fj=_mean(multiplier.total),
        load_fj=_mean(load.total) - pe.energy_model.clock_base_fj, swap_fj=_mean(swap.total),
        lanes=words * LANES_PER_WORD, seed=seed)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean())


@dataclass(frozen=True)
class _Lanes:
    """Sampled PE-cycles: group, tile origin, PE and activation row, each int64[lanes]."""

    group: Ints
    k0: Ints
    n0: Ints
    row: Ints
    col: Ints
    beat: Ints


class _Stream:
    """Operands and partial sums of any PE at any beat, in closed form."""

    def __init__(self, pe: MappedPe, acts: npt.NDArray[Any], weights: npt.NDArray[Any], rows: int,
                 cols: int) -> None:
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
            if int(values.max()) > 255 or int(values.min()) < -255:
                raise InputError(f"{label} must be -255 to 255, not "
                                 f"{values.min()} to {values.max()}")
        if rows < 1 or cols < 1:
            raise InputError(f"Array must have rows and cols of at least 1, not {rows} x {cols}")
        self.pe, self.rows, self.cols = pe, rows, cols
        self.acts, self.weights = acts, weights
        self.groups, self.beats, self.k = acts.shape
        self.n = weights.shape[2]

    def sample(self, count: int, random: np.random.Generator) -> _Lanes:
        """Draw PE-cycles, all equally likely."""
        k_tiles, n_tiles = -(-self.k // self.rows), -(-self.n // self.cols)
        return _Lanes(random.integers(0, self.groups, count),
                      random.integers(0, k_tiles, count) * self.rows,
                      random.integers(0, n_tiles, count) * self.cols,
                      random.integers(0, self.rows, count), random.integers(0, self.cols, count),
                      random.integers(0, self.beats, count))

    def act(self, lanes: _Lanes, offset: int, row: Ints | None = None) -> Ints:
        """Return the activation `offset` beats later at the lanes' row or another."""
        k = lanes.k0 + (lanes.row if row is None else row)
        # After the last beat the next tile's stream begins; its operands are like this one's.
        beat = (lanes.beat + offset) % self.beats
        values = self.acts[lanes.group, beat, np.minimum(k, self.k - 1)].astype(np.int64)
        return np.where(k < self.k, values, 0)

    def weight(self, lanes: _Lanes, row: Ints | None = None) -> Ints:
        """Return the weight at the lanes' row or another."""
        k = lanes.k0 + (lanes.row if row is None else row)
        n = lanes.n0 + lanes.col
        values = self.weights[lanes.group, np.minimum(k, self.k - 1),
                              np.minimum(n, self.n - 1)].astype(np.int64)
        return np.where((k < self.k) & (n < self.n), values, 0)

    def product(self, act: Ints, weight: Ints) -> Ints:
        """Return the signed product by the multiplier's table."""
        product = self.pe.multiplier.table[np.abs(act), np.abs(weight)].astype(np.int64)
        return np.where((act < 0) ^ (weight < 0), -product, product)

    def psum(self, lanes: _Lanes, offset: int) -> Ints:
        """Return the partial sum that comes from the rows above, `offset` beats later."""
        total = np.zeros(lanes.row.size, np.int64)
        for row in range(int(lanes.row.max())):
            below = np.flatnonzero(lanes.row > row)
            part = _Lanes(*(getattr(lanes, name)[below] for name in lanes.__dataclass_fields__))
            index = np.full(below.size, row)
            total[below] += self.product(self.act(part, offset, index), self.weight(part, index))
        return total


def _operand(values: Ints) -> Words:
    """Return signed operands as planes of magnitude and sign."""
    return pack_lanes(np.abs(values) | ((values < 0).astype(np.int64) << 8), OPERAND_PLANES)


def _token(on: bool, words: int) -> Words:
    return np.full((1, words), np.uint64(0xFFFFFFFFFFFFFFFF) if on else np.uint64(0))


def _beats(stream: _Stream, lanes: _Lanes) -> tuple[CycleEnergy, CycleEnergy]:
    """Return the energy of one beat after another within a tile: PE, multiplier alone."""
    pe = stream.pe
    simulator = pe.simulator
    words = lanes.row.size // LANES_PER_WORD
    weight = stream.weight(lanes)
    acts = [stream.act(lanes, offset) for offset in (-1, 0, 1, 2)]
    psums = [stream.psum(lanes, offset) for offset in (-1, 0, 1)]
    planes = [_operand(act) for act in acts]
    psum_planes = [pack_lanes(psum, pe.psum_width) for psum in psums]
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _cycle(simulator, nets, load_in=on, swap_in=off, weight_in=_operand(weight))
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=planes[0])
    _cycle(simulator, nets, swap_in=off, act_in=planes[1], psum_in=psum_planes[0])
    simulator.apply(nets, {"act_in": planes[2], "psum_in": psum_planes[1]})
    before = nets.copy()
    simulator.clock_edge(nets)
    simulator.apply(nets, {"act_in": planes[3], "psum_in": psum_planes[2]})
    for state, act, psum in ((before, acts[0], psums[0]), (nets, acts[1], psums[1])):
        _check(stream, state, psum + stream.product(act, weight))
    energy = pe.energy_model.between(before, nets)

    alone = pe.multiplier_simulator
    magnitude = pack_lanes(np.abs(weight), OPERAND_PLANES - 1)
    states = []
    for operand in planes[1:3]:
        state = alone.reset(words)
        alone.apply(state, {"act": operand[:-1], "weight": magnitude})
        states.append(state)
    return energy, pe.multiplier_energy_model.between(*states)


def _tile_changes(stream: _Stream, lanes: _Lanes,
                  random: np.random.Generator) -> tuple[CycleEnergy, CycleEnergy]:
    """Return the energy of shifting a weight in, and of the beat in which it takes over.

    The weights that pass are those of random rows of the same column of tiles; the beat after
    the change is the first of the stream, the one before it any other.
    """
    pe = stream.pe
    simulator = pe.simulator
    words = lanes.row.size // LANES_PER_WORD
    passing = [stream.weight(lanes, random.integers(0, stream.rows, lanes.row.size))
               for _ in range(3)]
    weight = stream.weight(lanes)
    act, psum = _operand(stream.act(lanes, 0)), pack_lanes(stream.psum(lanes, 0), pe.psum_width)
    next_act, next_psum = stream.act(lanes, 1), stream.psum(lanes, 1)
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _cycle(simulator, nets, load_in=on, swap_in=off, weight_in=_operand(weight))
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=act)
    _cycle(simulator, nets, swap_in=off, psum_in=psum)
    _cycle(simulator, nets, load_in=on, weight_in=_operand(passing[0]))
    simulator.apply(nets, {"weight_in": _operand(passing[1])})
    before = nets.copy()
    opened = simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"weight_in": _operand(passing[2])})
    load = pe.energy_model.between(before, nets, opened)

    simulator.clock_edge(nets)
    simulator.apply(nets, {"load_in": off, "swap_in": on, "act_in": _operand(next_act)})
    before = nets.copy()
    opened = simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"swap_in": off, "psum_in": pack_lanes(next_psum, pe.psum_width)})
    swap = pe.energy_model.between(before, nets, opened)
    simulator.clock_edge(nets)
    simulator.apply(nets, {})
    _check(stream, nets, next_psum + stream.product(next_act, passing[2]))
    return load, swap


def _cycle(simulator: Simulator, nets: Words, **inputs: Words) -> None:
    simulator.apply(nets, inputs)
    simulator.clock_edge(nets)


def _check(stream: _Stream, nets: Words, expected: Ints) -> None:
    """Compare the partial sums of the gates with the table's, lane for lane."""
    pe = stream.pe
    half = 1 << (pe.psum_width - 1)
    wrapped = (expected + half) % (2 * half) - half
    found = pe.simulator.output(nets, "psum_out", signed=True)
    wrong = np.flatnonzero(found != wrapped)
    if wrong.size:
        lane = int(wrong[0])
        raise AssertionError(f"Mapped PE of {pe.multiplier.name!r} must compute its table: partial "
                             f"sum {found[lane]} in lane {lane}, not {wrapped[lane]}")
