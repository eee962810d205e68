"""PEs that come with the project are read, others mapped once and kept."""

import pytest

from hw.common.errors import ToolError
from hw.machine.pe import PLAIN
from hw.multipliers import get
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping import build as building
from hw.ppa.mapping.build import load_or_map
from hw.ppa.mapping.stored_pes import load_pe, result_path, results_folder, save_pe

STORED, OTHER = "mul8u_trunc_c9", "mul8u_trunc_c8"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Names of what was mapped: by a stand-in, beside a store that has STORED alone."""
    store, names = tmp_path / "store", []
    store.mkdir()
    source = result_path(results_folder(), get(STORED), 24)
    (store / source.name).write_bytes(source.read_bytes())
    monkeypatch.setenv("AUTOAPPROX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(building, "results_folder", lambda name: store)

    def build(multipliers, technology, folder, emit, **options):
        names.extend(multiplier.name for multiplier in multipliers)
        for multiplier in multipliers:
            save_pe(load_pe(multiplier), folder)

    monkeypatch.setattr(building, "build", build)
    return names


def test_only_what_is_not_stored_is_mapped(built):
    wanted = {name: get(name) for name in (OTHER, STORED)}
    found = load_or_map(wanted, 24, load_technology(), PLAIN, emit=None)
    assert built == [OTHER]
    assert list(found) == [OTHER, STORED]
    for name, pe in found.items():
        assert pe.netlist.to_dict() == load_pe(get(name)).netlist.to_dict()
        assert pe.multiplier is wanted[name]


def test_nothing_is_emitted_where_all_are_stored(built):
    load_or_map({STORED: get(STORED)}, 24, load_technology(), PLAIN, emit=None)
    assert built == []


def test_what_cannot_be_mapped_is_said(tmp_path, monkeypatch):
    def emit(multipliers, psum_width, dataflow):
        raise ToolError("no Amaranth")

    monkeypatch.setenv("AUTOAPPROX_CACHE", str(tmp_path))
    with pytest.raises(ToolError, match=r"^no Amaranth$"):
        load_or_map({STORED: get(STORED)}, 31, load_technology(), PLAIN, emit, quiet=True)
