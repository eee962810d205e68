"""Energy of PEs on operand streams: directions, closed form, determinism."""

from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa import draw_cycles, load_pe, sample_energy, sample_operands, stream_energy
from hw.ppa.mapping.mapped import ALWAYS
from hw.ppa.reports.pe_report import relu_stream, uniform_stream

ROWS = COLS = 16
EXACT = "mul8u_exact"


def energy(name, acts, weights, form="1x1", **options):
    return stream_energy(load_pe(get(name), dataflow=FORMS[form]), acts, weights,
                         **{"rows": ROWS, "cols": COLS, "lanes": 1024, **options})


def test_zero_stream_costs_clock_and_leakage_only():
    result = energy(EXACT, np.zeros((8, 16), np.int16), np.zeros((16, 16), np.int16))
    assert (result.logic_fj, result.glitches_fj, result.registers_fj) == (0, 0, 0)
    assert result.multiplier_fj == 0
    assert result.half_width_fj == 0
    assert result.mean_fj == result.clock_fj + result.leakage_fj > 0


def test_held_operands_cost_clock_and_leakage_only():
    """All activation rows alike: nothing switches, whatever the values are."""
    row = np.arange(16, dtype=np.int16) * 10
    result = energy(EXACT, np.tile(row, (8, 1)), uniform_stream()[1][:16])
    assert result.data_fj == 0


def test_relu_stream_costs_less_than_uniform():
    relu, uniform = energy(EXACT, *relu_stream()), energy(EXACT, *uniform_stream())
    assert relu.data_fj < 0.7 * uniform.data_fj
    assert relu.multiplier_fj < 0.7 * uniform.multiplier_fj
    assert relu.clock_fj == uniform.clock_fj


def test_wider_operands_cost_more():
    random = np.random.default_rng(5)
    found = []
    for largest in (3, 15, 63, 255):
        acts = random.integers(0, largest + 1, (64, 32)).astype(np.int16)
        weights = random.integers(-largest, largest + 1, (32, 32)).astype(np.int16)
        found.append(energy(EXACT, acts, weights).data_fj)
    assert found == sorted(found)


def test_more_truncation_is_smaller_and_cheaper():
    names = [EXACT, *(f"mul8u_trunc_c{column}" for column in range(2, 10))]
    pes = [load_pe(get(name)) for name in names]
    sample = sample_operands(*relu_stream(), rows=ROWS, cols=COLS)
    energies = [sample_energy(pe, sample) for pe in pes]
    for figures in ([pe.area_um2 for pe in pes], [pe.multiplier_area_um2 for pe in pes],
                    [energy.mean_fj for energy in energies],
                    [energy.multiplier_fj for energy in energies]):
        assert figures == sorted(figures, reverse=True)
    assert pes[-1].leakage_nw < 0.7 * pes[0].leakage_nw


def test_pe_saves_less_than_its_multiplier():
    """Figure 4 of the paper: registers, clock and adder shrink less than the multiplier."""
    sample = sample_operands(*relu_stream(), rows=ROWS, cols=COLS)
    exact, small = (sample_energy(load_pe(get(name)), sample)
                    for name in (EXACT, "mul8u_trunc_c8"))
    assert 1 - small.multiplier_fj / exact.multiplier_fj > 0.75
    assert 1 - small.mean_fj / exact.mean_fj < 0.5


def test_the_clock_reaches_the_registers_that_are_left():
    """Of 35 that are clocked in every beat a circuit cut by 8 columns keeps 26."""
    sample = sample_operands(*relu_stream(), rows=ROWS, cols=COLS)
    exact, small, full = (load_pe(get(name)) for name in (EXACT, "mul8u_trunc_c8",
                                                          "mul8u_drum_k4"))
    assert [sum(flop.domain == ALWAYS for flop in pe.netlist.flops)
            for pe in (exact, small, full)] == [35, 26, 35]
    assert [len(pe.netlist.flops) for pe in (exact, small, full)] == [53, 42, 53]
    clocks = [sample_energy(pe, sample).clock_fj for pe in (exact, small, full)]
    assert clocks[1] / clocks[0] == pytest.approx(26 / 35, rel=0.03)
    assert clocks[2] == clocks[0]


def test_orders_of_magnitude_of_asap7():
    """Bounds that a factor of two in units would leave; see docs/ppa.md for the values."""
    pe = load_pe(get(EXACT))
    result = energy(EXACT, *uniform_stream())
    assert 40 < pe.area_um2 < 80
    assert 700 < pe.delay_ps < 1400
    assert 20 < pe.leakage_nw < 100
    assert 130 < result.mean_fj < 260
    assert 30 < result.clock_fj < 60


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_seed_gives_equal_result(seed):
    assert energy(EXACT, *relu_stream(), seed=seed) == energy(EXACT, *relu_stream(), seed=seed)


def test_seeds_agree_within_their_intervals():
    results = [energy(EXACT, *relu_stream(), seed=seed) for seed in range(12)]
    mean = float(np.mean([result.mean_fj for result in results]))
    outside = [result for result in results
               if abs(result.mean_fj - mean) > result.half_width_fj]
    assert len(outside) <= 3  # 5 % of 12, and the mean is an estimate itself
    spread = float(np.std([result.mean_fj for result in results], ddof=1))
    claimed = float(np.mean([result.half_width_fj for result in results])) / 1.96
    assert 0.5 < spread / claimed < 2


def test_more_lanes_narrow_the_interval():
    few, many = (energy(EXACT, *relu_stream(), lanes=lanes) for lanes in (1024, 16384))
    assert many.half_width_fj < 0.5 * few.half_width_fj
    assert many.lanes == 16384


def test_sums_far_from_zero_spend_less_in_the_adder_alone():
    energies = [sample_energy(load_pe(get("mul8u_exact")), sample_operands(
        *relu_stream(), rows=ROWS, cols=COLS, lanes=1024, psum_start=start))
        for start in (0, 3 << 17)]
    near, far = energies
    assert 0.92 < far.mean_fj / near.mean_fj < 0.98
    assert far.multiplier_fj == near.multiplier_fj
    assert far.clock_fj == near.clock_fj


@pytest.mark.parametrize("form", ["1x1", "2x1", "8x1", "4x4"])
def test_sampled_operands_are_those_of_the_array(form):
    """Every sampled PE: acts, weights and partial sum, against indices spelled out."""
    flow = FORMS[form]
    random = np.random.default_rng(7)
    acts = random.integers(-255, 256, (3, 11, 21)).astype(np.int16)
    weights = random.integers(-127, 128, (3, 21, 9)).astype(np.int16)
    sample = sample_operands(acts, weights, rows=8, cols=4, dataflow=flow, lanes=128)
    padded_acts = np.zeros((3, 11, 24), np.int16)
    padded_acts[:, :, :21] = acts
    padded_weights = np.zeros((3, 24, 12), np.int16)
    padded_weights[:, :21, :9] = weights
    for lane in range(sample.lanes):
        columns = sample.weights[:, :, lane]
        places = [(group, k0, n) for group in range(3) for k0 in (0, 8, 16) for n in range(12)
                  if n % flow.outputs == 0 and (
                      columns == padded_weights[group, k0:k0 + 8, n:n + flow.outputs].T).all()]
        beats = {tuple(padded_acts[group, beat, k0:k0 + 8]): beat
                 for group, k0, _ in places for beat in range(11)}
        found = [beats[tuple(sample.acts[beat, :, lane])] for beat in range(4)]
        assert [(beat - found[0]) % 11 for beat in found] == [0, 1, 2, 3]
        row = sample.row[lane]
        assert row % flow.macs == 0
        terms = slice(row, row + flow.macs)
        assert (sample.weight[:, :, lane] == columns[:, terms]).all()
        assert (sample.act(2)[:, lane] == sample.acts[2, terms, lane]).all()
        assert sample.passing.shape[:2] == (flow.macs + 2, flow.outputs)
        assert {tuple(word) for word in sample.passing[:, :, lane]} <= set(
            map(tuple, columns.T))


def test_padding_is_part_of_the_array():
    """One column of weights on a 16-wide array: 15 of 16 PEs multiply by 0, all are clocked."""
    acts, weights = relu_stream()
    wide = energy(EXACT, acts, weights[:, :1], lanes=4096)
    narrow = energy(EXACT, acts, weights[:, :1], lanes=4096, cols=1)
    assert wide.logic_fj < 0.2 * narrow.logic_fj
    assert wide.clock_fj == narrow.clock_fj


def test_loading_a_weight_costs_more_than_an_idle_cycle():
    result = energy(EXACT, *relu_stream())
    assert 0 < result.load_fj < result.clock_fj
    assert result.swap_fj > result.mean_fj


def test_operands_are_not_interchangeable():
    """Truncating activations instead of weights is another circuit with other energy."""
    acts, weights = relu_stream()
    one, other = (energy(name, acts, weights, lanes=4096).mean_fj
                  for name in ("mul8u_optrunc_a3w1", "mul8u_optrunc_a1w1"))
    assert one < other


SIGNED = "mul8s_exact"


def test_signs_cost_more_in_twos_complement():
    """A product that changes its sign toggles all bits above it, and the adder's carries."""
    int8 = [stream(int8=True) for stream in (uniform_stream, relu_stream)]
    for acts, weights in int8:
        assert energy(SIGNED, acts, weights).logic_fj > energy(EXACT, acts, weights).logic_fj
    acts, weights = int8[1]
    positive = np.abs(weights)
    assert energy(SIGNED, acts, positive).data_fj < 0.7 * energy(SIGNED, acts, weights).data_fj
    assert energy(SIGNED, acts, weights).clock_fj < energy(EXACT, acts, weights).clock_fj


@pytest.mark.parametrize(("acts", "weights", "what"), [
    ((-129, 0), (0, 127), "Activations"), ((0, 128), (-1, 1), "Activations"),
    ((0, 1), (-200, 0), "Weights")])
def test_operands_beyond_a_signed_multiplier_are_refused(acts, weights, what):
    random = np.random.default_rng(3)
    operands = [random.choice(np.array(ends, np.int16), (64, 64)) for ends in (acts, weights)]
    low, high = acts if what == "Activations" else weights
    with pytest.raises(InputError, match=(
            f"^{what} of two's complement PEs of 'mul8s_exact' must be -128 to 127, not {low} to "
            f"{high}$")):
        energy(SIGNED, *operands)


def test_recoded_weights_have_8_bits():
    acts, weights = relu_stream()
    assert energy(EXACT, acts, weights, form="4x1rb").start_load_fj > 0.0
    with pytest.raises(InputError, match=r"^Weights of folded Booth 4x1rb PEs of 'mul8u_exact' "
                                         r"must be -128 to 127, not -\d+ to \d+$"):
        energy(EXACT, acts, 2 * weights, form="4x1rb")


def test_recoded_weights_save_most_where_signs_and_bits_are_random():
    uniform, relu = (energy(EXACT, *stream, form="4x1rb").data_fj
                     / energy(EXACT, *stream, form="4x1r").data_fj
                     for stream in (uniform_stream(), relu_stream()))
    assert uniform < 0.75
    assert uniform < relu


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("fault", ["table", "gate", "swap"])
def test_gates_that_do_not_match_the_table_are_an_error(fault, signed):
    pe = load_pe(get("mul8s_booth_abe1_c8" if signed else "mul8u_optrunc_a3w1"))
    if fault == "gate":
        index, gate = next((index, gate) for index, gate in enumerate(pe.netlist.gates)
                           if gate.cell == "XOR2xp5_ASAP7_75t_R")
        pe = replace(pe, netlist=pe.netlist.with_gate(
            index, gate._replace(cell="XNOR2xp5_ASAP7_75t_R")))
    else:
        netlist = (pe.multiplier.netlist.swapped() if fault == "swap"
                   else get(SIGNED if signed else EXACT).netlist)
        pe = replace(pe, multiplier=Multiplier(name="other", family="", source=netlist))
    with pytest.raises(AssertionError, match="must compute its table: partial sum"):
        stream_energy(pe, *uniform_stream(int8=signed), rows=ROWS, cols=COLS, lanes=1024)


@pytest.mark.parametrize(("acts", "weights", "options", "problem"), [
    (np.zeros((4, 3), np.int16), np.zeros((4, 2), np.int16), {},
     r"Operands must be acts \[m, k\] and weights \[k, n\], not \[4, 3\] and \[4, 2\]"),
    (np.zeros((2, 4, 3), np.int16), np.zeros((3, 2), np.int16), {}, "Operands must be acts"),
    (np.zeros((0, 3), np.int16), np.zeros((3, 2), np.int16), {}, "Operands must be acts"),
    (np.zeros((4, 3)), np.zeros((3, 2), np.int16), {}, "Activations must be integers, not float64"),
    (np.zeros((4, 3), np.int16), np.full((3, 2), 256), {},
     "Weights must be -255 to 255, not 256 to 256"),
    (np.zeros((4, 3), np.int16), np.zeros((3, 2), np.int16), {"rows": 0},
     "Array must have rows and cols of at least 1, not 0 x 16"),
    (np.zeros((4, 3), np.int16), np.zeros((3, 2), np.int16), {"lanes": 64},
     "Lanes must be at least 128, not 64"),
])
def test_bad_operands_are_rejected(acts, weights, options, problem):
    with pytest.raises(InputError, match=f"^{problem}"):
        energy(EXACT, acts, weights, **options)


def test_one_draw_serves_other_weights():
    random = np.random.default_rng(3)
    acts = random.integers(-255, 256, (2, 11, 21)).astype(np.int16)
    first, second = random.integers(-127, 128, (2, 2, 21, 9)).astype(np.int16)
    drawn = draw_cycles(acts, first.shape, rows=8, cols=4, lanes=128, seed=5)
    for weights in (first, second):
        again = sample_operands(acts, weights, rows=8, cols=4, lanes=128, seed=5)
        assert drawn.with_weights(weights).digest == again.digest
    assert drawn.with_weights(first).digest != drawn.with_weights(second).digest
    with pytest.raises(InputError, match=r"^Weights must be \[2, 21, 9\], not \[2, 9, 21\]$"):
        drawn.with_weights(first.transpose(0, 2, 1))


def test_rows_meet_the_weights_of_their_own_image():
    """As many draws, and of each lane the weights of the image that its activations are of."""
    random = np.random.default_rng(5)
    images, groups, m, k, n = 4, 2, 3, 8, 4
    acts = np.repeat(np.arange(images), m)[None, :, None] + np.zeros((groups, 1, k), np.int16)
    weights = np.broadcast_to(np.arange(images)[:, None, None, None], (images, groups, k, n))
    sample = sample_operands(acts, weights, rows=8, cols=4, lanes=512, seed=1)
    assert (sample.weights == sample.acts[1, :1]).all()
    assert set(sample.weights.ravel()) == set(range(images))
    same = random.integers(-127, 128, (groups, k, n)).astype(np.int16)
    alike = np.broadcast_to(same, (images, groups, k, n))
    assert sample_operands(acts, alike, rows=8, cols=4, lanes=512).digest == sample_operands(
        acts, same, rows=8, cols=4, lanes=512).digest
    with pytest.raises(InputError, match=r"^Operands must be acts"):
        sample_operands(acts[:, 1:], weights, rows=8, cols=4)
