"""What stands at the edges of an array: charged once per row and column."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from hw.machine.design import BankConfig
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.ppa import array_cost, load_pe, sample_energy, sample_operands
from hw.ppa.chip.array import layer_energy
from hw.ppa.chip.edges import edges_leakage_nw, edges_um2, operand_fj
from hw.ppa.reports.pe_report import relu_stream

FORM = "4x4rb"
RECODED = load_pe(get("mul8u_exact"), dataflow=FORMS[FORM])
MAPPED_UM2 = 2.57  # of a converter to 8 bits (`python -m hw.ppa map ... --top twos_complement`)


def test_the_model_of_converters_is_near_a_mapped_one():
    assert edges_um2(load_pe(get("mul8s_exact")), rows=3, cols=2) == pytest.approx(
        5 * MAPPED_UM2, rel=0.25)


def test_sign_and_magnitude_has_none():
    pe = load_pe(get("mul8u_exact"))
    assert edges_um2(pe, rows=16, cols=16) == edges_leakage_nw(pe, cols=16) == operand_fj(pe) == 0


def test_starts_stand_above_columns_of_pes():
    start = RECODED.start_netlist
    wide, narrow = (edges_um2(RECODED, rows=8, cols=cols) for cols in (8, 4))
    taller = edges_um2(RECODED, rows=12, cols=4)
    assert wide - taller == pytest.approx(start.area_um2(RECODED.technology))
    assert taller > narrow
    cost = array_cost(RECODED, rows=16, cols=16)
    assert 1.02 < cost.area_um2 / (16 * RECODED.area_um2) < 1.06
    assert cost.leakage_nw > 16 * RECODED.leakage_nw


def test_energy_of_a_layer_has_them():
    bank = BankConfig(rows=16, cols=16, form=FORM)
    layer = SimpleNamespace(k=16, n=16, groups=1, positions=10, image_weights=False,
                            requantizer=None)
    sample = sample_operands(*relu_stream(), rows=16, cols=16, dataflow=bank.dataflow, lanes=128)
    stream = sample_energy(RECODED, sample)
    bare = replace(stream, start_clock_fj=0.0, start_load_fj=0.0)
    full, less = (layer_energy(RECODED, one, layer, bank, batch=1, clock_ps=2000)
                  for one in (stream, bare))
    assert full.clock_nj - less.clock_nj == pytest.approx(
        full.cycles * 4 * stream.start_clock_fj * 1e-6)
    assert full.weights_nj - less.weights_nj == pytest.approx(
        16 * 4 * stream.start_load_fj * 1e-6)
    plain = 16 * (bank.rows + 4) / 2 * stream.load_fj * 1e-6
    assert less.weights_nj - plain == pytest.approx(16 * 16 * operand_fj(RECODED) * 1e-6)
