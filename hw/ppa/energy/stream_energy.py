"""Energy of a PE on the operand stream of a layer.

Sampled PE-cycles (`hw.ppa.energy.operand_sample`) are clocked gate by gate through the PE's ports,
and every partial sum must equal the table's. The energy of glitches is measured on the first of
them and scaled by the logic's energy on all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.multipliers.adder import added_up
from hw.ppa.energy.activity import LANES_PER_WORD, Simulator, Words
from hw.ppa.energy.netlist_energy import CycleEnergy
from hw.ppa.energy.operand_sample import Ints, OperandSample, default_lanes, sample_operands
from hw.ppa.energy.pe_circuits import Circuit, circuits, operand_planes, psum_planes, psums
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.timing import analyse

CHANGE_LANES = 1024  # for events once per tile
GLITCH_LANES = 1024  # for the share of glitches; fewer words would give a wide interval
SWAP_GLITCH_LANES = 256  # of a beat that most layers see once in hundreds

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class StreamEnergy:
    """Mean energy per PE-cycle over a stream: one PE, all its multiplications, one beat.

    Parameters
    ----------
    logic_fj : float
        Multiplier, sign logic (of an unsigned one) and adder with their nets, as if gates had no
        delay.
    glitches_fj : float
        What their delays add to it (`hw.ppa.energy.glitches`).
    registers_fj : float
        Data side of the registers and the nets that they drive.
    clock_fj : float
        Clock pins, clock gates and the PE's share of the clock tree; spent in every cycle.
    leakage_fj : float
        In one cycle at the PE's own shortest clock period.
    half_width_fj : float
        95 % confidence half-width of `mean_fj` from sampling lanes. Other uncertainties are
        far larger; see `docs/ppa.md`.
    glitches_half_width_fj : float
        The part of it that comes from simulating delays in fewer lanes.
    multiplier_fj, multiplier_glitches_fj : float
        One multiplier mapped alone, on the same operand pairs: all of it, and what delays add.
    load_fj : float
        Beyond an idle cycle: shifting one weight of each output into the shadow registers.
    swap_fj, swap_glitches_fj : float
        `logic + glitches + registers + clock` of the beat in which a new tile's weight becomes
        active, and the glitches among it.
    lanes, seed : int
        How it was sampled.
    start_clock_fj, start_load_fj : float
        Of what stands above a column of PEs, where something does: in every cycle; beyond it,
        in one in which a weight of each output passes.
    """

    logic_fj: float
    glitches_fj: float
    registers_fj: float
    clock_fj: float
    leakage_fj: float
    half_width_fj: float
    glitches_half_width_fj: float
    multiplier_fj: float
    multiplier_glitches_fj: float
    load_fj: float
    swap_fj: float
    swap_glitches_fj: float
    lanes: int
    seed: int
    start_clock_fj: float = 0.0
    start_load_fj: float = 0.0

    @property
    def data_fj(self) -> float:
        """Energy that depends on the operands: logic, glitches and registers."""
        return self.logic_fj + self.glitches_fj + self.registers_fj

    @property
    def mean_fj(self) -> float:
        """Sum of the five parts."""
        return self.data_fj + self.clock_fj + self.leakage_fj


def stream_energy(pe: MappedPe, acts: npt.NDArray[Any], weights: npt.NDArray[Any], *, rows: int,
                  cols: int, lanes: int | None = None, seed: int = 0) -> StreamEnergy:
    """Return the mean energy of a PE of a `rows` x `cols` array on one layer.

    Parameters
    ----------
    pe : MappedPe
    acts : int16[m, k] or int16[groups, m, k]
        Activations `q - zero_point`, in the order in which they stream; -255 to 255, or -128 to
        127 for a signed multiplier.
    weights : int16[k, n] or int16[groups, k, n]
        In the same range.
    rows, cols : int
        Of the array. Where k and n do not fill it, PEs see zero operands, as in hardware.
    lanes : int, optional
        Sampled PE-cycles, rounded up to whole words of 64;
        by default `hw.ppa.energy.operand_sample.default_lanes`.
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
                                             dataflow=pe.kind.dataflow, seed=seed))


def sample_energy(pe: MappedPe, sample: OperandSample) -> StreamEnergy:
    """Return `stream_energy` of operands drawn before: one sample serves many multipliers."""
    _check_range(pe, sample)
    sample = sample.rounded(pe.multiplier.act_rounding)
    states, alone_states = beats(pe, sample)
    whole, multiplier = circuits(pe)
    beat = whole.energy.between(*states)
    share, share_half_width = glitch_share(whole, *states, _fewer(pe, GLITCH_LANES))
    logic = _mean(beat.logic)
    sampled = _half_width((1 + share) * beat.logic + beat.registers)
    alone = _mean(multiplier.energy.between(*alone_states).total)
    alone_share, _ = glitch_share(multiplier, *alone_states)
    alone_glitches = alone_share * _mean(multiplier.energy.logic(*alone_states))
    load, swap, swap_glitches = _tile_changes(pe, sample.first(_fewer(pe, CHANGE_LANES)))
    return StreamEnergy(
        logic_fj=logic, glitches_fj=share * logic, registers_fj=_mean(beat.registers),
        clock_fj=_mean(beat.clock), leakage_fj=pe.leakage_nw * pe.delay_ps * 1e-6,
        half_width_fj=math.hypot(sampled, share_half_width * logic),
        glitches_half_width_fj=share_half_width * logic,
        multiplier_fj=alone + alone_glitches, multiplier_glitches_fj=alone_glitches,
        load_fj=_mean(load.total) - whole.energy.clock_base_fj,
        swap_fj=_mean(swap.total) + swap_glitches, swap_glitches_fj=swap_glitches,
        lanes=sample.lanes, seed=sample.seed,
        **_start_energy(pe, sample.first(_fewer(pe, CHANGE_LANES))))


def _fewer(pe: MappedPe, lanes: int) -> int:
    return default_lanes(pe.kind.dataflow, lanes)


def _check_range(pe: MappedPe, sample: OperandSample) -> None:
    for what, (low, high), (smallest, largest) in (
            ("Activations", pe.kind.operand.limits, sample.act_limits),
            ("Weights", pe.kind.weight_limits, sample.weight_limits)):
        if smallest < low or largest > high:
            raise InputError(f"{what} of {pe.kind.label} PEs of {pe.multiplier.name!r} must be "
                             f"{low} to {high}, not {smallest} to {largest}")


def _mean(values: Floats) -> float:
    return float(values.mean())


def _half_width(values: Floats) -> float:
    """Return the 95 % half-width of the mean of words (Student's t: there may be few)."""
    from scipy.special import stdtrit  # importing it takes longer than reading cached energies

    deviation = float(np.std(values, ddof=1))
    return float(stdtrit(values.size - 1, 0.975)) * deviation / math.sqrt(values.size)


def glitch_share(circuit: Circuit, before: Words, after: Words,
                 lanes: int = GLITCH_LANES) -> tuple[float, float]:
    """Return what delays add to the logic's energy, as a share of it, and its half-width."""
    words = lanes // LANES_PER_WORD
    before, after = before[:, :words], after[:, :words]
    logic, glitches = (circuit.energy.logic(before, after),
                       circuit.timed.glitches(before, after))
    mean = _mean(logic)
    if mean == 0.0:  # nothing switches
        return 0.0, 0.0
    share = _mean(glitches) / mean
    return share, _half_width(glitches - share * logic) / mean


def _psum(pe: MappedPe, sample: OperandSample, beat: int) -> Ints:
    """Return the partial sums that come from the rows above the PE, int64[outputs, lanes]."""
    products = pe.products(sample.acts[beat], sample.weights)
    above = np.arange(sample.rows)[:, None] < sample.row
    # Adding 0 changes nothing, however it is added.
    total = added_up(np.where(above, products, 0).swapaxes(0, 1), pe.multiplier.adder)
    start = np.int64(sample.psum_start)
    if pe.kind.circuit is not None:
        start = start - pe.products(np.zeros_like(sample.weights), sample.weights).sum(
            axis=1, dtype=np.int64)
    return start + total


def _total(pe: MappedPe, sample: OperandSample, above: Ints, beat: int,
           weight: npt.NDArray[np.int16]) -> Ints:
    """Return the PE's sums with `weight`, int16[outputs, macs, lanes]; int64[outputs, lanes]."""
    own: Ints = pe.products(sample.act(beat), weight).sum(axis=1, dtype=np.int64)
    return above + own if pe.multiplier.adder is None else pe.multiplier.adder.add(above, own)


def _token(on: bool, words: int) -> Words:
    return np.full((1, words), np.uint64(0xFFFFFFFFFFFFFFFF) if on else np.uint64(0))


def beats(pe: MappedPe, sample: OperandSample) -> tuple[tuple[Words, Words],
                                                        tuple[Words, Words]]:
    """Return the nets in a beat and in the next one of a tile: of the PE, the multiplier alone."""
    simulator, alone = (circuit.simulator for circuit in circuits(pe))
    words = sample.lanes // LANES_PER_WORD
    flow, drawn = pe.kind.dataflow, len(sample.acts)
    acts = [operand_planes(pe, sample.act(beat % drawn)) for beat in range(flow.psum_cycles + 2)]
    sums = [_psum(pe, sample, beat) for beat in range(flow.psum_hop_cycles + 2)]
    planes = [psum_planes(pe, psum) for psum in sums]
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _load(pe, nets, sample.weight)
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=acts[0])
    lag = flow.psum_cycles - flow.psum_hop_cycles  # of the sum from above behind its activation
    for step in range(1, flow.psum_cycles):
        above = {"psum_in": planes[step - lag]} if step >= lag else {}
        _cycle(simulator, nets, swap_in=off, act_in=acts[step], **above)
    simulator.apply(nets, {"act_in": acts[-2], "psum_in": planes[-2]})
    before = nets.copy()
    simulator.clock_edge(nets)
    simulator.apply(nets, {"act_in": acts[-1], "psum_in": planes[-1]})
    for state, beat in ((before, 0), (nets, 1)):
        _check(pe, state, _total(pe, sample, sums[beat], beat, sample.weight))

    states = []
    bits, lane = pe.kind.operand.bits, np.arange(sample.lanes)
    term, output = lane % flow.macs, lane // flow.macs % flow.outputs  # each as often
    weight = operand_planes(pe, sample.weight[output, term, lane])
    for beat in (1, 2):
        state = alone.reset(words)
        act = operand_planes(pe, sample.act(beat)[term, lane])
        alone.apply(state, {"act": act[:bits], "weight": weight[:bits]})
        states.append(state)
    return (before, nets), (states[0], states[1])


def _tile_changes(pe: MappedPe, sample: OperandSample) -> tuple[CycleEnergy, CycleEnergy, float]:
    """Return the energy of shifting a weight in, of the beat in which it takes over, its glitches.

    Operands are held while weights pass. The weights that take over are some of the column's, and
    the activations change with them, as at the start of a tile.
    """
    whole, simulator = circuits(pe).whole, circuits(pe).whole.simulator
    macs = pe.kind.dataflow.macs
    words = sample.lanes // LANES_PER_WORD
    operand = partial(operand_planes, pe)
    passing = [operand(weight) for weight in sample.passing]
    old_psum, new_psum = (_psum(pe, sample, beat) for beat in (1, 2))
    off, on = _token(False, words), _token(True, words)

    nets = simulator.reset(words)
    _load(pe, nets, sample.weight)
    _cycle(simulator, nets, load_in=off, swap_in=on, act_in=operand(sample.act(1)))
    _cycle(simulator, nets, swap_in=off, psum_in=psum_planes(pe, old_psum))
    for weight in passing[:macs]:
        _cycle(simulator, nets, load_in=on, weight_in=weight)
    simulator.apply(nets, {"weight_in": passing[macs]})
    before, opened = nets.copy(), simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"weight_in": passing[macs + 1]})
    load = whole.energy.between(before, nets, opened)

    simulator.clock_edge(nets)
    simulator.apply(nets, {"load_in": off, "swap_in": on, "act_in": operand(sample.act(2))})
    before, opened = nets.copy(), simulator.open_gates(nets)
    simulator.clock_edge(nets)
    simulator.apply(nets, {"swap_in": off, "psum_in": psum_planes(pe, new_psum)})
    swap = whole.energy.between(before, nets, opened)
    share, _ = glitch_share(whole, before, nets, _fewer(pe, SWAP_GLITCH_LANES))
    glitches = share * _mean(swap.logic)
    for _ in range(pe.kind.dataflow.psum_cycles - 1):
        _cycle(simulator, nets)
    simulator.apply(nets, {})
    # The word that came last is the weight of the first term.
    loaded = sample.passing[:1:-1].swapaxes(0, 1)
    _check(pe, nets, _total(pe, sample, new_psum, 2, loaded))
    return load, swap, glitches


def _start_energy(pe: MappedPe, sample: OperandSample) -> dict[str, float]:
    """Return the energies of what stands above a column of PEs, while weights pass it."""
    if pe.start_netlist is None:
        return {}
    circuit = Circuit.of(pe.start_netlist, pe.technology, wires=pe.wires.start, timing=analyse(
        pe.start_netlist, pe.technology, wires=pe.wires.start))
    simulator, words = circuit.simulator, sample.lanes // LANES_PER_WORD
    nets = simulator.reset(words)
    simulator.apply(nets, {"first_in": _token(False, words), "swap_in": _token(False, words),
                           "load_in": _token(True, words)})
    for weight in sample.passing:
        before, opened = nets.copy(), simulator.open_gates(nets)
        simulator.clock_edge(nets)
        simulator.apply(nets, {"weight_in": operand_planes(pe, weight)})
    load = _mean(circuit.energy.between(before, nets, opened).total)
    clock_fj = circuit.energy.clock_base_fj
    return {"start_clock_fj": clock_fj, "start_load_fj": load - clock_fj}


def _load(pe: MappedPe, nets: Words, weights: npt.NDArray[np.int16]) -> None:
    """Shift weights, int16[outputs, macs, lanes], into the shadow registers, last term first."""
    off, on = (_token(level, nets.shape[1]) for level in (False, True))
    for weight in weights.swapaxes(0, 1)[::-1]:
        _cycle(circuits(pe).whole.simulator, nets, load_in=on, swap_in=off,
               weight_in=operand_planes(pe, weight))


def _cycle(simulator: Simulator, nets: Words, **inputs: Words) -> None:
    simulator.apply(nets, inputs)
    simulator.clock_edge(nets)


def _check(pe: MappedPe, nets: Words, expected: Ints) -> None:
    """Compare the partial sums of the gates with the table's, lane for lane."""
    half = 1 << (pe.psum_width - 1)
    wrapped = (expected + half) % (2 * half) - half
    found = psums(pe, nets)
    if (found != wrapped).any():
        output, lane = np.argwhere(found != wrapped)[0]
        raise AssertionError(f"Mapped PE of {pe.multiplier.name!r} must compute its table: partial "
                             f"sum {found[output, lane]} in lane {lane}, not "
                             f"{wrapped[output, lane]}")
