"""Energies of a layer at three levels: by hand, and whatever surrounds the arrays."""

from dataclasses import replace

import pytest

from hw.multipliers import get
from hw.ppa import layer_energy, load_pe
from hw.ppa.chip.blocks import ChipPreset, get_preset
from hw.ppa.chip.levels import LEVELS, level_energies
from hw.ppa.chip.literature import NODES
from hw.ppa.chip.workload import LayerWork, layer_work
from tests.hw.ppa.chip.test_array import BANK, ENERGY, Layer

CHEAP = replace(ENERGY, logic_fj=10, multiplier_fj=8)


@pytest.fixture(scope="module")
def pe():
    return load_pe(get("mul8u_exact"))


def levels(pe, stream, preset, exact=None):
    found, = level_energies(pe, [stream], [Layer()], [LayerWork(name="layer", cycles=900)], BANK,
                            batch=2, preset=preset, exact=exact)
    return found


def test_multipliers_alone_by_hand(pe):
    """12 PEs in 12 tiles of 20 beats an image, 40 fJ each."""
    assert levels(pe, ENERGY, get_preset("7nm")).multiplier_nj == pytest.approx(
        12 * 12 * 20 * 40e-6)


def test_array_is_that_of_the_layer(pe):
    assert levels(pe, ENERGY, get_preset("7nm")).array == layer_energy(
        pe, ENERGY, Layer(), BANK, batch=2, clock_ps=pe.delay_ps)
    assert LEVELS == ("multiplier", "array", "chip")


@pytest.mark.parametrize("share", [1.0, 0.2, 0.001])
def test_chip_is_the_exact_array_by_its_share_and_savings_shrink_with_it(pe, share):
    preset = ChipPreset(name="x", node=NODES["7nm"], dram="hbm2", mxu_share=share)
    exact = levels(pe, ENERGY, preset)
    cheap = levels(pe, CHEAP, preset, exact=[exact])
    assert exact.chip.chip_nj == pytest.approx(exact.array.total_nj / share)
    saved = 1 - cheap.array.total_nj / exact.array.total_nj
    assert saved > 0.2
    assert 1 - cheap.chip.chip_nj / exact.chip.chip_nj == pytest.approx(share * saved)
    assert cheap.chip.cycles == 450


def test_work_is_counted_for_the_bank(pe):
    work, = layer_work([Layer()], BANK, batch=2)
    assert work.beats == 12 * 40
    assert layer_work([Layer()], replace(BANK, arrays=("mul8u_drum_k4",)), batch=2) == [work]
