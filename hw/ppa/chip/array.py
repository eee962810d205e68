"""From a PE to an array: area, delay, and the energy of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.common.errors import InputError
from hw.machine.accelerator import SUM_BYTES, AcceleratorConfig
from hw.machine.compiler import OUTPUT_HALVES, QuantisedLayer, batch_products
from hw.machine.design import BankConfig
from hw.machine.pe.operand_format import STREAM
from hw.ppa.chip.clock_gates import idle_array_fj, running_array_fj
from hw.ppa.chip.edges import edges_leakage_nw, edges_um2, operand_fj
from hw.ppa.energy.stream_energy import StreamEnergy
from hw.ppa.mapping.pe import MappedPe

NW_PS_TO_FJ = 1e-6


@dataclass(frozen=True, kw_only=True)
class ArrayCost:
    """Cost of one array.

    Parameters
    ----------
    area_um2 : float
        All PEs, and what converts operands or starts sums at the edges. Synthesis of a whole
        16 x 16 array differs by 0.2 %; skew registers, buffers, accumulators and the clock tree
        are not part of it.
    delay_ps : float
        Shortest clock period. A bank runs no faster than its slowest array.
    leakage_nw : float
    """

    area_um2: float
    delay_ps: float
    leakage_nw: float


def array_cost(pe: MappedPe, *, rows: int, cols: int) -> ArrayCost:
    """Return the cost of an array of `rows` terms x `cols`: PEs, times their number, and edges."""
    pes = rows * cols // pe.kind.multiplications
    return ArrayCost(area_um2=pes * pe.area_um2 + edges_um2(pe, rows=rows, cols=cols),
                     delay_ps=pe.delay_ps,
                     leakage_nw=pes * pe.leakage_nw + edges_leakage_nw(pe, cols=cols))


def pass_rows(layer: QuantisedLayer, config: AcceleratorConfig) -> int:
    """Return the most activation rows that pass between two loads of a tile's weights.

    They must fit a bank of accumulators, half of the activation buffer, and as results half of
    the output buffer, which holds a sum that is not requantised byte by byte.
    """
    result_rows = SUM_BYTES if layer.requantizer is None else 1
    return min(config.bank_rows, config.act_rows // 2,
               config.output_rows // OUTPUT_HALVES // result_rows)


@dataclass(frozen=True, kw_only=True)
class LayerEnergy:
    """Energy of the arrays for one layer and one inference, nJ.

    Parameters
    ----------
    data_nj : float
        Logic, its glitches and registers of the running array, converters of its rows included,
        while beats pass.
    glitches_nj : float
        The glitches among `data_nj`.
    weights_nj : float
        Loading weights.
    clock_nj : float
        Clock of the running array and the gate at its root, in every cycle.
    idle_nj : float
        Of arrays that do not run, without leakage: closed clock gates, and operands that reach
        the gates in front of them.
    leakage_nj : float
        Of all arrays of the bank, the idle ones included.
    cycles : float
        Clock cycles of the bank per inference.
    pe_cycles : float
        PE-beats per inference, those of padding included: what `data_nj` was multiplied by.
    """

    data_nj: float
    glitches_nj: float
    weights_nj: float
    clock_nj: float
    idle_nj: float
    leakage_nj: float
    cycles: float
    pe_cycles: float

    @property
    def total_nj(self) -> float:
        """Sum of the parts; `data_nj` has the glitches."""
        return (self.data_nj + self.weights_nj + self.clock_nj + self.idle_nj
                + self.leakage_nj)


def layer_energy(pe: MappedPe, energy: StreamEnergy, layer: QuantisedLayer, bank: BankConfig, *,
                 batch: int, clock_ps: float, idle: Sequence[MappedPe] = (),
                 config: AcceleratorConfig | None = None) -> LayerEnergy:
    """Return the energy of one layer on one array of a bank, per inference.

    With rows R, columns C, and per image P positions of a k x n product in G groups:

        pes     = R * C / multiplications per PE
        tiles   = ceil(k / R) * ceil(n / C) * G      (times batch: image_weights)
        beats   = P * batch                  activation rows per tile (P: image_weights)
        passes  = ceil(beats / pass_rows)    times a tile's weights are loaded
        cycles  = route_cycles + sum over all tile passes of tile_cycles(beats of the pass),
                  the last one taking only its beats
        data    = pes * tiles * ((beats - passes) * (logic + glitches + registers)
                                 + passes * (swap - clock))
                  + R * tiles * beats * converter of an operand
        weights = tiles * passes * (pes * (R + macs) / 2 * load
                                    + R * (C * converter of an operand + starts * start's load))
        clock   = cycles * (pes * clock + starts * start's clock + root gate, open)
        idle    = cycles * idle arrays * (root gate, closed, + isolation of the operands)
        leakage = (leakage of the array and of each idle one) * cycles * clock_ps

    `swap` is the whole energy of the beat in which new weights take over. A word of weights
    moves down to its term, so a PE shifts (R + macs) / 2 times per tile on average. Weights have
    converters in two's complement alone, and starts of sums are those above the columns of PEs
    with a circuit of their own (`hw.ppa.chip.edges`). Idle arrays
    are clock-gated at the root and see constant operands: inside, they leak and do nothing else
    (`hw.ppa.chip.clock_gates` says what the gates spend).

    Parameters
    ----------
    pe : MappedPe
        Of the array the layer is routed to.
    energy : StreamEnergy
        Of this PE on this layer, with the bank's rows and columns.
    layer : QuantisedLayer
        `k`, `n` (per group), `groups`, `positions`; whether it is requantised, and whether every
        image has weights of its own.
    bank : BankConfig
    batch : int
        Images per weight loading.
    clock_ps : float
        Clock period of the bank: that of its slowest array, or longer.
    idle : sequence of MappedPe
        PEs of the other arrays of the bank.
    config : AcceleratorConfig, optional
        Its memories bound the rows of a pass.

    Raises
    ------
    InputError
        The batch is not positive, the clock is too fast for the PE, or there are idle arrays
        and the library has no clock gate.
    """
    if batch < 1:
        raise InputError(f"Batch must be at least 1, not {batch}")
    if clock_ps < pe.delay_ps * (1 - 1e-9):
        raise InputError(f"Clock period must be at least the {pe.delay_ps:.1f} ps of "
                         f"{pe.multiplier.name!r}, not {clock_ps:.1f} ps")
    assert pe.kind.dataflow.shared == bank.dataflow.shared, "a PE of another bank"
    products, beats = batch_products(layer, batch)
    tiles = -(-layer.k // bank.rows) * -(-layer.n // bank.cols) * products
    full = pass_rows(layer, config or AcceleratorConfig())
    passes = -(-beats // full)
    last = beats - (passes - 1) * full
    cycles = bank.route_cycles + last + (
        tiles * ((passes - 1) * bank.tile_cycles(full) + bank.tile_cycles(last))
        - bank.tile_cycles(last))
    data = tiles * ((beats - passes) * energy.data_fj
                    + passes * (energy.swap_fj - energy.clock_fj))
    glitches = tiles * ((beats - passes) * energy.glitches_fj + passes * energy.swap_glitches_fj)
    weights = tiles * passes * (bank.rows + bank.dataflow.macs) / 2 * energy.load_fj
    above = tiles * passes * bank.rows * (
        bank.pe_cols * energy.start_load_fj
        + bank.cols * (operand_fj(pe) if pe.kind.operand != STREAM else 0.0))
    leakage_nw = pe.leakage_nw + sum(other.leakage_nw for other in idle) + sum(
        edges_leakage_nw(one, cols=bank.cols) for one in (pe, *idle)) / bank.pes
    array_fj = (bank.pes * energy.clock_fj + bank.pe_cols * energy.start_clock_fj
                + running_array_fj(pe.technology))
    idle_fj = len(idle) * idle_array_fj(pe.technology, bank) if idle else 0.0
    converters = tiles * beats * bank.rows * operand_fj(pe)
    scale = bank.pes * 1e-6 / batch  # fJ to nJ, per inference
    return LayerEnergy(
        data_nj=data * scale + converters * 1e-6 / batch, glitches_nj=glitches * scale,
        weights_nj=weights * scale + above * 1e-6 / batch,
        clock_nj=cycles * array_fj * 1e-6 / batch, idle_nj=cycles * idle_fj * 1e-6 / batch,
        leakage_nj=leakage_nw * cycles * clock_ps * NW_PS_TO_FJ * scale,
        cycles=cycles / batch, pe_cycles=tiles * beats * bank.pes / batch)
