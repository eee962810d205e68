"""Macros of a user: what fits, what it costs by hand, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hw.common.errors import InputError
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.chip.blocks import COPIED, GIVEN, chip_area, get_preset
from hw.ppa.chip.macros import NO_MACROS, Macro, Macros, memory_shapes, read_macros
from hw.ppa.chip.report import compare
from hw.rtl.verilog.emission import emit_design
from tests.hw.ppa.chip.test_blocks import load, stream

BANK, CONFIG = BankConfig(rows=16, cols=8), AcceleratorConfig()
MACRO = Macro(width=64, depth=4096, area_um2=9000, read_energy_fj=2000, write_energy_fj=3000,
              leakage_nw=500)
MACROS = Macros(act_buffer=MACRO,
                accumulators=replace(MACRO, width=128, depth=2048, ports="1rw"))


def test_shapes_are_those_of_the_emitted_memories():
    design = Design(name="one", multipliers={"mul8u_exact": get("mul8u_exact")}, bank=BANK)
    text = "".join(emit_design(design, config=CONFIG).values())
    for width, depth, count in memory_shapes(BANK, CONFIG).values():
        assert text.count(f".DEPTH(32'd{depth}),\n    .ROW_BITS(32'd{depth.bit_length() - 1}),\n"
                          f"    .WIDTH(32'd{width})\n") == count
    assert text.count(" row_memory #(\n    .") == 5


def test_a_row_takes_macros_side_by_side_and_one_port_takes_pairs():
    shapes = memory_shapes(BANK, CONFIG)
    assert MACROS.act_buffer.number(shapes["act_buffer"]) == 2
    assert MACROS.accumulators.number(shapes["accumulators"]) == 2 * 2 * 2
    assert MACRO.energy_nj(shapes["act_buffer"], reads=3, writes=5) == pytest.approx(
        2 * (3 * 2000 + 5 * 3000) * 1e-6)
    # 1 nW for a second is 1 nJ.
    assert MACRO.leakage_nj(shapes["act_buffer"], 1e12) == pytest.approx(2 * 500)


def test_parts_by_hand():
    """As counted in test_blocks: 256 rows, 3 slices, 3 column tiles, batch 4."""
    design = Design(name="one", bank=replace(BANK, arrays=("mul8u_trunc_c8",)),
                    multipliers={"mul8u_trunc_c8": get("mul8u_trunc_c8")}, mapping={"conv": 0})
    (_, published), (_, given) = (
        compare(design, [stream("conv")], load, preset=get_preset("7nm"), batch=4, macros=macros,
                quiet=True) for macros in (NO_MACROS, MACROS))
    before, after = ({part.name: part for part in run.parts} for run in (published, given))
    assert {name for name, part in after.items() if part.origin == GIVEN} == {
        "activation buffer", "accumulators"}
    time_ps = given.cycles * given.clock_ps
    assert after["activation buffer"].value == pytest.approx(
        2 * (9 * 256 * 2000 + 3 * 256 * 3000) * 1e-6 / 4 + 2 * 500 * time_ps * 1e-12)
    adds = 6 * 256 * 8 * 0.03e-3
    assert after["accumulators"].value == pytest.approx(
        (2 * (9 * 256 * 3000 + 9 * 256 * 2000) * 1e-6 + adds) / 4 + 8 * 500 * time_ps * 1e-12)
    for name in ("weight FIFO", "output buffer", "requantiser"):
        assert after[name] == before[name]


def test_area_is_that_of_the_macros_and_of_cells_for_the_others():
    pe = load_pe(get("mul8u_exact"))
    published, given = ({part.name: part for part in chip_area(
        [pe], BANK, get_preset("7nm"), reference=pe, macros=macros)}
        for macros in (NO_MACROS, MACROS))
    assert "memory macros" not in published
    assert given["memory macros"].value == 9000 * (2 + 8)
    bits = 8 * 8 * CONFIG.output_rows + 8 * 9 * CONFIG.weight_fifo_rows
    assert given["memories"].value == pytest.approx(bits * 0.027 / 0.5)
    assert given["memories"].origin == COPIED


@pytest.mark.parametrize(("name", "changes", "message"), [
    ("act_buffer", {"width": 48}, r"^act_buffer width must divide 128, .* 16 x 8 .*, not 48$"),
    ("act_buffer", {"width": 256}, r"^act_buffer width must divide 128, .*, not 256$"),
    ("weight_fifo", {"width": 64}, r"^weight_fifo width must divide 72, .*, not 64$"),
    ("accumulators", {"depth": 1024}, r"^accumulators depth must be at least 2048, .* not 1024$"),
    ("output_buffer", {"depth": 4095}, r"^output_buffer depth must be at least 4096, .* 4095$"),
])
def test_what_does_not_fit_is_refused_with_the_numbers(name, changes, message):
    MACROS.check(BANK, CONFIG)
    with pytest.raises(InputError, match=message):
        Macros(**{name: replace(MACRO, **changes)}).check(BANK, CONFIG)


@pytest.mark.parametrize(("changes", "message"), [
    ({"width": 0}, r"macros\.json: act_buffer\.width must be"),
    ({"area_um2": -1}, r"macros\.json: act_buffer\.area_um2 must be"),
    ({"ports": "2rw"}, r"macros\.json: act_buffer\.ports must be"),
    ({"depht": 3}, r"macros\.json: .*depht"),
])
def test_a_file_is_read_or_refused_with_its_place(tmp_path, changes, message):
    path = tmp_path / "macros.json"
    figures = {"width": 64, "depth": 4096, "area_um2": 9000, "read_energy_fj": 2000,
               "write_energy_fj": 3000, "leakage_nw": 500}
    path.write_text(json.dumps({"format": "autoapprox-macros/1", "act_buffer": figures}))
    assert read_macros(path, [BANK]) == Macros(act_buffer=MACRO)
    with pytest.raises(InputError, match=r"macros\.json: act_buffer width must divide 32, "):
        read_macros(path, [BANK, BankConfig(rows=4, cols=4)])
    path.write_text(json.dumps({"format": "autoapprox-macros/1", "act_buffer": figures | changes}))
    with pytest.raises(InputError, match=message):
        read_macros(path, [BANK])
