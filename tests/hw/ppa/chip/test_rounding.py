"""Converters that round activations: one for each row, near what synthesis and gates say."""

from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.base import rounded
from hw.ppa import array_cost, layer_energy, load_pe, sample_energy, sample_operands
from hw.ppa.chip.rounding import converter_fj, converter_um2
from hw.ppa.library.technology import load_technology
from tests.hw.ppa.chip.test_array import BANK, ENERGY, Layer

TECHNOLOGY = load_technology()
# Mapped to asap7: um2, and fJ per beat on uniform operands.
MAPPED = {2: (1.181, 1.26), 3: (1.108, 1.07), 4: (0.831, 0.87)}
NAMES = ("mul8u_optrunc_a2w2", "mul8u_opround_a2w2")


@pytest.mark.parametrize("bits", MAPPED)
def test_the_model_is_near_mapped_converters(bits):
    area, energy = MAPPED[bits]
    assert converter_um2(TECHNOLOGY, bits) == pytest.approx(area, rel=0.15)
    assert converter_fj(TECHNOLOGY, bits) == pytest.approx(energy, rel=0.06)


def test_no_rounding_costs_nothing():
    assert converter_um2(TECHNOLOGY, 0) == converter_fj(TECHNOLOGY, 0) == 0
    cells = {name: cell for name, cell in TECHNOLOGY.cells.items() if "XOR" not in name
             and "XNOR" not in name}
    bare = replace(TECHNOLOGY, cells=cells)
    assert converter_um2(bare, 0) == 0
    with pytest.raises(InputError, match=r"^Technology 'asap7' must have XOR and AND cells"):
        converter_um2(bare, 2)


def test_arrays_are_charged_by_the_row():
    cut, round_ = (load_pe(get(name)) for name in NAMES)
    assert round_.netlist == cut.netlist
    areas = [array_cost(pe, rows=4, cols=3).area_um2 for pe in (cut, round_)]
    assert areas[1] - areas[0] == pytest.approx(4 * converter_um2(TECHNOLOGY, 2))
    spent = [layer_energy(pe, ENERGY, Layer(), BANK, batch=2, clock_ps=2000)
             for pe in (cut, round_)]
    assert spent[1].data_nj - spent[0].data_nj == pytest.approx(
        4 * 12 * 40 * converter_fj(TECHNOLOGY, 2) * 1e-6 / 2)
    assert replace(spent[1], data_nj=spent[0].data_nj) == spent[0]


def test_streams_of_a_rounded_array_are_rounded():
    """The gates multiply what the converter lets through; cut, other bits would toggle."""
    random = np.random.default_rng(3)
    acts, weights = (random.integers(-255, 256, shape).astype(np.int16)
                     for shape in ((64, 4), (4, 3)))
    nearest = np.sign(acts) * rounded(np.abs(acts), 2)
    assert (nearest != np.sign(acts) * (np.abs(acts) >> 2 << 2)).any()
    cut, round_ = (load_pe(get(name)) for name in NAMES)
    own, before, other = (
        sample_energy(pe, sample_operands(given, weights, rows=4, cols=3, lanes=256))
        for pe, given in ((round_, acts), (cut, nearest), (cut, acts)))
    assert own == before != other
