"""The chip around the arrays: counts by hand, directions, and what is labelled how."""
from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import BankConfig, Design
from hw.machine.layer_streams import Codes, LayerStream
from hw.machine.pe import FORMS, kinds_of
from hw.multipliers import get
from hw.ppa import layer_energy, load_pe, sample_operands, stream_energies
from hw.ppa.chip.blocks import (
    COPIED,
    MEASURED,
    MODELLED,
    PRESETS,
    chip_area,
    chip_energy,
    get_preset,
    narrow_results_nj,
    skew_bits,
)
from hw.ppa.chip.literature import NODES
from hw.ppa.chip.report import compare, resized, table, to_csv, to_dict
from hw.ppa.chip.widths import FULL, Widths
from hw.ppa.chip.workload import exact_design, work_of
from hw.ppa.mapping.stored_pes import clock_period_ps

NAMES = ("mul8u_exact", "mul8u_trunc_c8")
CODES = Codes(0, 0, 255)


def stream(name, *, k=40, n=24, positions=64, requantizer=CODES):
    random = np.random.default_rng(len(name))
    acts = np.maximum(0, random.normal(0, 50, (1, 128, k))).astype(np.int16)
    return LayerStream(name=name, positions=positions, act_zero_point=0, act_signed=False,
                       requantizer=requantizer, acts=np.minimum(acts, 255),
                       weights=random.integers(-127, 128, (1, k, n)).astype(np.int16))


@pytest.fixture(scope="module")
def layers():
    return [stream("conv"), stream("classifier", positions=1, requantizer=None)]


@pytest.fixture(scope="module")
def design():
    return Design(name="small", bank=BankConfig(rows=16, cols=8, arrays=NAMES),
                  multipliers={name: get(name) for name in NAMES},
                  mapping={"conv": 1, "classifier": 0})


def load(multiplier, psum_width, dataflow):
    return load_pe(multiplier, psum_width, dataflow=dataflow)


@pytest.fixture(scope="module")
def compared(design, layers):
    return compare(design, layers, load, preset=get_preset("7nm"), batch=4, quiet=True)


def test_work_by_hand(design, layers):
    """conv: 256 rows, 3 slices of 16, 3 column tiles of 8. classifier: 4 rows, as bytes."""
    program = compile_program(layers, design, batch=4)
    (conv, classifier), cycles = work_of(program)
    assert (conv.array, classifier.array) == (1, 0)
    assert (conv.beats, conv.accumulated_beats) == (9 * 256, 6 * 256)
    assert (conv.sum_rows, conv.requantised_rows, conv.result_rows) == (3 * 256,) * 3
    assert (conv.rows_in, conv.rows_out, conv.weight_rows) == (3 * 256, 3 * 256, 9 * 16)
    assert (classifier.requantised_rows, classifier.result_rows) == (0, 4 * 3 * 4)
    assert cycles == accelerator_cycles(program).cycles
    assert 9 * 256 < conv.cycles < cycles
    assert conv.cycles + classifier.cycles <= cycles


def test_parts_by_hand(design, layers):
    """Buffers, FIFO and requantiser from the counts and the published figures."""
    bank, preset, node = design.bank, get_preset("7nm"), NODES["7nm"]
    (work, _), _ = work_of(compile_program(layers, design, batch=4))
    pe = load_pe(get(NAMES[1]))
    energy, = stream_energies(pe, [sample_operands(layers[0].acts, layers[0].weights, rows=16,
                                                   cols=8, lanes=256)])
    array = layer_energy(pe, energy, layers[0], bank, batch=4, clock_ps=2000)
    found = chip_energy(work, array, pe, energy, bank, batch=4, preset=preset)
    parts = {part.name: part for part in found.on_chip}
    config = AcceleratorConfig()
    access = node.sram_pj_per_bit(16 * 8 * config.act_rows)
    assert parts["activation buffer"].value == pytest.approx(
        (3 * 256 + 9 * 256) * 16 * 8 * access * 1e-3 / 4)
    assert parts["requantiser"].value == pytest.approx(3 * 256 * 8 * (1.48 + 0.06) * 1e-3 / 4)
    assert parts["weight FIFO"].value == pytest.approx(
        2 * 9 * 16 * 8 * 9 * 7.5 / 64 * 1e-3 / 4)  # less than the smallest published memory
    assert parts["array"].value == array.total_nj
    assert parts["control"].value == pytest.approx(0.02 * found.chip_nj)
    assert found.dram.value == pytest.approx(
        (3 * 256 * 16 + 3 * 256 * 8 + 9 * 16 * 8) * 8 / 64 * 350 * 1e-3 / 4)
    assert found.system_nj == pytest.approx(found.chip_nj + found.dram.value)


def test_narrow_operands_move_fewer_bits(design, layers):
    """As by hand above, 6, 5 and 7 of 8 bits; the memories are as large as they were."""
    bank, preset, widths = design.bank, get_preset("7nm"), Widths(act=6, weight=5, result=7)
    (work, _), _ = work_of(compile_program(layers, design, batch=4))
    pe = load_pe(get(NAMES[1]))
    energy, = stream_energies(pe, [sample_operands(layers[0].acts, layers[0].weights, rows=16,
                                                   cols=8, lanes=256)])
    array = layer_energy(pe, energy, layers[0], bank, batch=4, clock_ps=2000)
    full, narrow = (chip_energy(work, array, pe, energy, bank, batch=4, preset=preset, widths=one)
                    for one in (FULL, widths))
    shares = {before.name: after.value / before.value for before, after
              in zip(full.on_chip, narrow.on_chip, strict=True) if before.value}
    assert shares.pop("activation buffer") == pytest.approx(6 / 8)
    assert shares.pop("weight FIFO") == pytest.approx((1 + 5) / (1 + 8))
    assert shares.pop("output buffer") == pytest.approx(7 / 8)
    assert shares.pop("control") == pytest.approx(narrow.chip_nj / full.chip_nj)
    assert set(shares.values()) == {1}
    assert narrow.dram.value == pytest.approx(
        (3 * 256 * 16 * 6 + 3 * 256 * 8 * 7 + 9 * 16 * 8 * 5) / 64 * 350 * 1e-3 / 4)
    wide = chip_energy(work, array, pe, energy, bank, batch=4, preset=preset,
                       widths=replace(widths, result=8))
    assert narrow_results_nj(work, bank, 7, batch=4, preset=preset) == pytest.approx(
        wide.chip_nj - narrow.chip_nj)
    assert narrow_results_nj(work, bank, 7, batch=4, preset=get_preset("tpuv3-share")) == 0


@pytest.mark.parametrize(("capacity_kb", "access_pj"), [
    (1, 7.5), (8, 7.5), (16, (7.5 * 8.5) ** 0.5), (32, 8.5), (1024, 14.0), (4096, 28.0)])
def test_memory_energy_by_capacity(capacity_kb, access_pj):
    assert NODES["7nm"].sram_pj_per_bit(capacity_kb * 8192) == pytest.approx(access_pj / 64)


def test_skew_registers_by_hand():
    """Two rows, three columns: acts wait 0 and 1, weights 0 to 2, sums 2 to 0, one more each."""
    bank = BankConfig(rows=2, cols=3, psum_width=24)
    assert skew_bits(bank) == (1 + 2) * 10 + (1 + 2 + 3) * 9 + (3 + 2 + 1) * 24


def test_chip_saves_less_than_the_arrays(compared):
    row, run = compared
    assert row.array_nj < 0.85 * row.exact_array_nj
    saved = [1 - after / before for before, after in (
        (row.exact_array_nj, row.array_nj), (row.exact_chip_nj, row.chip_nj),
        (row.exact_system_nj, row.system_nj))]
    assert saved == sorted(saved, reverse=True)
    assert row.die_mm2 > row.exact_die_mm2  # two arrays instead of one
    assert 0 < row.mxu_energy_share < 1
    assert run.chip_nj == pytest.approx(sum(part.value for part in run.parts[:-1]))


def test_every_figure_says_where_it_comes_from(compared):
    _, run = compared
    origins = {part.name: part.origin for part in (*run.parts, *run.area)}
    assert origins["array"] == MEASURED
    assert origins["skew and router"] == MODELLED
    assert origins["DRAM"] == origins["memories"] == origins["accumulators"] == COPIED
    for part in (*run.parts, *run.area):
        assert part.source
        assert part.value > 0 or part.name == "array waiting"


def test_share_preset_keeps_the_rest(design, layers):
    row, _ = compare(design, layers, load, preset=get_preset("tpuv3-share"), batch=4, quiet=True)
    assert row.mxu_energy_share == pytest.approx(0.2)
    assert row.mxu_area_share == pytest.approx(0.2)
    assert row.exact_chip_nj - row.chip_nj == pytest.approx(row.exact_array_nj - row.array_nj)


def test_older_memories_cost_more(design, layers, compared):
    _, old = compare(design, layers, load, preset=get_preset("45nm"), batch=4, quiet=True)
    for name in ("activation buffer", "accumulators", "requantiser", "DRAM"):
        now, then = (next(part.value for part in run.parts if part.name == name)
                     for run in (compared[1], old))
        assert then > now


def test_batches_share_the_weights(design, layers, compared):
    _, one = compare(design, layers, load, preset=get_preset("7nm"), batch=1, quiet=True)
    fifo = [next(part.value for part in run.parts if part.name == "weight FIFO")
            for run in (compared[1], one)]
    assert fifo[1] == pytest.approx(4 * fifo[0])


def test_reports_hold_the_same_figures(compared):
    row, run = compared
    header, line = to_csv([row]).splitlines()
    assert dict(zip(header.split(","), map(float, line.split(",")), strict=True)) == pytest.approx(
        vars(row))
    content = to_dict([row], [run], {"preset": "7nm"})["sizes"][0]
    assert content["chip_nj"] == row.chip_nj
    assert sum(part["value"] for part in content["energy_nj"]) == pytest.approx(row.system_nj)
    assert "copied" in table([row], run, PRESETS["7nm"])


def test_larger_arrays_get_wider_sums(design):
    assert resized(design, 128).bank.psum_width == 24
    assert resized(design, 256).bank.psum_width == 25
    assert resized(design, 256).bank.rows == 256


def test_exact_design_is_one_exact_array(design):
    found = exact_design("exact", design.bank, design.mapping)
    assert (found.bank.arrays, set(found.mapping.values())) == (("mul8u_exact",), {0})
    assert found.mapping.keys() == design.mapping.keys()
    dense = replace(design.bank, rows=8, cols=8, kinds=("sign-magnitude 4x4",) * len(
        design.bank.arrays))
    assert exact_design("exact", dense, ()).bank.dataflow == dense.dataflow
    mixed = replace(design.bank, rows=8, cols=8, kinds=tuple(
        "folded Booth 4x4rb" if name == "mul8u_exact" else "sign-magnitude 4x4r"
        for name in design.bank.arrays))
    assert (mixed.dataflow.form, exact_design("exact", mixed, ()).bank.form) == ("4x4r", "4x4rb")


def test_an_exact_array_of_recoded_pes_is_charged_as_one(design, layers):
    """Beside approximate arrays of another kind, at the clock of the slowest."""
    names = ("mul8u_exact", "mul8u_truncvc_c8")
    exact, other = map(get, names)
    plain = replace(design, multipliers={name: get(name) for name in names},
                    mapping={"conv": 0, "classifier": 1},
                    bank=replace(design.bank, arrays=names, form="4x4r"))
    mixed = replace(plain, bank=replace(plain.bank, kinds=kinds_of(
        (exact, other), "4x4r", "4x4rb")))
    before, found = (compare(one, layers, load, preset=get_preset("7nm"), batch=4, quiet=True)
                     for one in (plain, mixed))
    assert found[0].exact_array_nj < before[0].exact_array_nj
    assert found[1].clock_ps == max(clock_period_ps(load(one, 24, form)) for one, form in (
        (exact, FORMS["4x4rb"]), (other, FORMS["4x4r"])))
    by_layer = [{one.name: one.array_nj for one in run.layers} for _row, run in (before, found)]
    assert by_layer[1]["conv"] < by_layer[0]["conv"]  # on the exact array
    assert by_layer[1]["classifier"] == pytest.approx(by_layer[0]["classifier"], rel=0.02)
    assert found[1].cycles == before[1].cycles


def test_area_is_the_sum_of_arrays_and_the_rest(design):
    pes = [load_pe(multiplier) for multiplier in design.arrays]
    parts = {part.name: part.value for part in chip_area(
        pes, design.bank, get_preset("7nm"), reference=pes[0])}
    assert parts["array"] == pytest.approx(128 * (pes[0].area_um2 + pes[1].area_um2) / 0.7)
    bits = 4096 * (16 * 8 + 8 * 32 + 8 * 8) + 32 * 8 * 9
    assert parts["memories"] == pytest.approx(bits * 0.027 / 0.5)
    narrow = {part.name: part.value for part in chip_area(
        pes, design.bank, get_preset("7nm"), reference=pes[0],
        widths=Widths(act=6, weight=5, result=7))}
    bits = 4096 * (16 * 6 + 8 * 32 + 8 * 7) + 32 * 8 * 6
    assert narrow["memories"] == pytest.approx(bits * 0.027 / 0.5)


def test_logic_around_dense_arrays_is_that_around_others():
    found = {}
    for form in ("1x1", "4x4r"):
        bank = BankConfig(form=form)
        pe = load_pe(get("mul8u_exact"), dataflow=bank.dataflow)
        found[form] = {part.name: part.value for part in chip_area(
            [pe], bank, get_preset("7nm"), reference=pe)}
    for name in ("accumulator adders", "requantiser", "memories"):
        assert found["1x1"][name] / 2 < found["4x4r"][name] <= found["1x1"][name]


def test_unknown_preset_is_refused():
    with pytest.raises(InputError, match=r"^Unknown chip preset '7mn'; did you mean '7nm'\?$"):
        get_preset("7mn")
