"""Parts of a layer's energy: they add up to its array and its chip."""

import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.chip.blocks import get_preset
from hw.ppa.chip.parts import ADDERS, ARRAY_PARTS, DRAM, REGISTERS, half_width_nj, layer_parts
from tests.hw.ppa.chip.test_array import ENERGY
from tests.hw.ppa.chip.test_levels import levels


@pytest.fixture(scope="module", params=["7nm", "tpuv3-share"])
def level(request):
    return levels(load_pe(get("mul8u_exact")), ENERGY, get_preset(request.param))


def test_parts_add_up_to_the_array_and_the_chip(level):
    parts = layer_parts(level, ENERGY)
    assert sum(parts[name] for name in ARRAY_PARTS) == pytest.approx(level.array.total_nj)
    assert sum(energy for name, energy in parts.items() if name != DRAM) == pytest.approx(
        level.chip.chip_nj)
    assert parts[DRAM] == level.chip.dram.value
    assert "array" not in parts


def test_parts_by_hand(level):
    """12 PEs in 12 tiles of 20 beats an image."""
    beats = 12 * 12 * 20
    parts = layer_parts(level, ENERGY)
    assert parts[REGISTERS] == pytest.approx(beats * ENERGY.registers_fj * 1e-6)
    assert parts[ADDERS] == pytest.approx(
        level.array.data_nj - beats * (ENERGY.registers_fj + ENERGY.multiplier_fj) * 1e-6)
    assert half_width_nj(level, ENERGY) == pytest.approx(beats * ENERGY.half_width_fj * 1e-6)
