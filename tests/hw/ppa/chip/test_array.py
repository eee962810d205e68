"""From PE to array: sums over tiles, cycles and idle arrays."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.accelerator import ROWS_PER_BANK
from hw.machine.compiler import compile_program
from hw.machine.design import BankConfig
from hw.multipliers import get
from hw.ppa import StreamEnergy, array_cost, layer_energy, load_pe, stream_energy
from hw.ppa.chip.clock_gates import idle_array_fj, running_array_fj
from hw.ppa.reports.pe_report import relu_stream
from tests.circuits import small_design

# Round numbers, fJ: a beat is 100, of which 30 are clock; taking new weights over costs 150.
ENERGY = StreamEnergy(logic_fj=40, glitches_fj=10, registers_fj=20, clock_fj=30, leakage_fj=1,
                      half_width_fj=0, glitches_half_width_fj=0, multiplier_fj=40,
                      multiplier_glitches_fj=4, load_fj=8, swap_fj=150, swap_glitches_fj=25,
                      lanes=64, seed=0)


@dataclass(frozen=True, kw_only=True)
class Layer:
    name: str = "layer"
    k: int = 10
    n: int = 5
    groups: int = 2
    positions: int = 20
    image_weights: bool = False
    weight_range: tuple[int, int] = (-127, 127)
    act_zero_point: int = 0
    act_signed: bool = False
    requantizer: None = None
    fed_by: str | None = None


@pytest.fixture(scope="module")
def pe():
    return load_pe(get("mul8u_exact"))


BANK = BankConfig(rows=4, cols=3)


def test_layer_energy_by_hand(pe):
    """12 PEs; 3 x 2 x 2 = 12 tiles of 40 beats, two images; latency 9, fill 4."""
    result = layer_energy(pe, ENERGY, Layer(), BANK, batch=2, clock_ps=2000)
    cycles = (1 + 4 + 9) + 12 * 40
    assert result.cycles == cycles / 2
    assert result.pe_cycles == 12 * 12 * 40 / 2
    assert result.data_nj == pytest.approx(12 * 12 * (39 * 70 + 120) * 1e-6 / 2)
    assert result.glitches_nj == pytest.approx(12 * 12 * (39 * 10 + 25) * 1e-6 / 2)
    assert result.weights_nj == pytest.approx(12 * 12 * 2.5 * 8 * 1e-6 / 2)
    assert result.clock_nj == pytest.approx(
        cycles * (12 * 30 + running_array_fj(pe.technology)) * 1e-6 / 2)
    assert result.idle_nj == 0
    assert result.leakage_nj == pytest.approx(12 * pe.leakage_nw * cycles * 2000 * 1e-12 / 2)
    assert result.total_nj == pytest.approx(
        result.data_nj + result.weights_nj + result.clock_nj + result.leakage_nj)


@pytest.mark.parametrize(("layer", "batch"), [
    (Layer(), 1), (Layer(positions=2), 1), (Layer(positions=2), 8), (Layer(k=4, n=3, groups=1), 1),
    (Layer(positions=ROWS_PER_BANK), 1), (Layer(positions=ROWS_PER_BANK // 2 + 1), 3),
    (Layer(image_weights=True), 1), (Layer(image_weights=True), 5),
], ids=str)
def test_cycles_are_those_of_the_compiled_program(pe, layer, batch):
    """Short tiles that stall and layers that overflow the accumulators among them."""
    design = small_design(rows=4, cols=3, mapping={"layer": 1})
    program = compile_program([layer], design, batch=batch)
    result = layer_energy(pe, ENERGY, layer, design.bank, batch=batch, clock_ps=2000)
    assert result.cycles * batch == pytest.approx(program.cycles())


def test_stalled_cycles_cost_clock_but_no_data(pe):
    """A tile of one beat waits for four rows of weights."""
    result = layer_energy(pe, ENERGY, Layer(positions=1, groups=1), BANK, batch=1, clock_ps=2000)
    assert result.cycles == (1 + 4 + 9) + 5 * 4 + 1
    assert result.data_nj == pytest.approx(12 * 6 * 120e-6)


def test_batch_shares_the_weights(pe):
    one, eight = (layer_energy(pe, ENERGY, Layer(), BANK, batch=batch, clock_ps=2000)
                  for batch in (1, 8))
    assert eight.weights_nj == pytest.approx(one.weights_nj / 8)
    assert eight.total_nj < one.total_nj


def test_weights_of_every_image_are_loaded_for_it(pe):
    one, eight = (layer_energy(pe, ENERGY, Layer(image_weights=True), BANK, batch=batch,
                               clock_ps=2000) for batch in (1, 8))
    assert eight.weights_nj == pytest.approx(one.weights_nj)
    shared = layer_energy(pe, ENERGY, Layer(), BANK, batch=8, clock_ps=2000)
    assert eight.weights_nj == pytest.approx(8 * shared.weights_nj)
    assert eight.data_nj > shared.data_nj  # new weights take over more often


def test_idle_arrays_leak_and_their_gates_are_clocked(pe):
    alone = layer_energy(pe, ENERGY, Layer(), BANK, batch=1, clock_ps=2000)
    bank = layer_energy(pe, ENERGY, Layer(), BANK, batch=1, clock_ps=2000, idle=[pe, pe])
    assert bank.leakage_nj == pytest.approx(3 * alone.leakage_nj)
    assert bank.idle_nj == pytest.approx(
        2 * bank.cycles * idle_array_fj(pe.technology, BANK) * 1e-6)
    assert replace(bank, leakage_nj=0, idle_nj=0) == replace(alone, leakage_nj=0)


def test_smaller_multiplier_saves_energy_on_a_real_shape():
    layer = Layer(k=64, n=64, groups=1, positions=1024)
    totals = []
    for name in ("mul8u_exact", "mul8u_trunc_c5", "mul8u_trunc_c8"):
        circuit = load_pe(get(name))
        energy = stream_energy(circuit, *relu_stream(), rows=16, cols=16, lanes=1024)
        totals.append(layer_energy(circuit, energy, layer, BankConfig(), batch=1,
                                   clock_ps=1200).total_nj)
    assert totals == sorted(totals, reverse=True)
    # 256 PEs x 16 tiles x 1024 beats at tens of fJ each.
    assert 200 < totals[0] < 500
    assert np.isfinite(totals).all()


def test_array_is_so_many_pes(pe):
    cost = array_cost(pe, rows=16, cols=8)
    assert cost.area_um2 == pytest.approx(128 * pe.area_um2)
    assert cost.leakage_nw == pytest.approx(128 * pe.leakage_nw)
    assert cost.delay_ps == pe.delay_ps


def test_clock_faster_than_the_pe_is_rejected(pe):
    with pytest.raises(InputError, match=(
            r"^Clock period must be at least the [\d.]+ ps of 'mul8u_exact', not 100\.0 ps$")):
        layer_energy(pe, ENERGY, Layer(), BANK, batch=1, clock_ps=100)


def test_empty_batch_is_rejected(pe):
    with pytest.raises(InputError, match=r"^Batch must be at least 1, not 0$"):
        layer_energy(pe, ENERGY, Layer(), BANK, batch=0, clock_ps=2000)


def test_clock_period_costs_leakage_only(pe):
    fast, slow = (layer_energy(pe, ENERGY, Layer(), BANK, batch=1, clock_ps=period)
                  for period in (2000, 4000))
    assert slow.leakage_nj == pytest.approx(2 * fast.leakage_nj)
    assert replace(slow, leakage_nj=0) == replace(fast, leakage_nj=0)
