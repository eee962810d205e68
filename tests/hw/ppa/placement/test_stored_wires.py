"""Stored placements, and PEs with their wires."""

import json
import re
from dataclasses import asdict, replace
from hashlib import sha256

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json, write_json_gz
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.ppa import load_pe, sample_energy, sample_operands
from hw.ppa.mapping.mapped import FIRST_NET
from hw.ppa.mapping.stored_pes import result_path, results_folder, shipped
from hw.ppa.placement import placer
from hw.ppa.placement.geometry import ASAP7
from hw.ppa.placement.stored_wires import (
    FOLDER,
    is_placed,
    load_placed,
    place_pe,
    placed_path,
    save_placed,
    with_wires,
)

EXACT = get("mul8u_exact")
STORE = results_folder()


@pytest.mark.parametrize(("width", "dataflow"), shipped())
def test_every_pe_that_comes_with_the_project_has_a_placement_of_its_netlists(width, dataflow):
    """`python -m hw.ppa place` makes what is missing. Files are compared, which is quick."""
    for multiplier in shipped()[width, dataflow]:
        path = result_path(STORE, multiplier, width, dataflow)
        mapped, placed = read_json(path), read_json(STORE / FOLDER / path.name)
        assert placed["technology_sha256"] == mapped["technology_sha256"]
        for part in ("pe", "multiplier_alone", "start"):
            assert (part in mapped) == bool(placed[part]), multiplier.name
            if part in mapped:
                text = json.dumps(mapped[part], sort_keys=True, separators=(",", ":"))
                assert placed[part]["netlist_sha256"] == sha256(text.encode()).hexdigest(), (
                    multiplier.name)
        assert placed["geometry"] == asdict(ASAP7)
        assert mapped["figures"]["area_um2"] / (
            placed["pe"]["width_um"] * placed["pe"]["height_um"]) == pytest.approx(0.7, rel=0.03)


@pytest.mark.parametrize("form", ["1x1", "4x1"])
def test_placing_again_gives_the_stored_bytes(tmp_path, form):
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    pe = load_pe(EXACT, dataflow=FORMS[form])
    path = placed_path(tmp_path, pe)
    save_placed(place_pe(pe, ASAP7), path)
    assert path.read_bytes() == placed_path(STORE, pe).read_bytes()
    assert is_placed(path, pe, ASAP7)
    assert not is_placed(path, pe, replace(ASAP7, utilisation=0.6))
    assert not is_placed(tmp_path / "none.json.gz", pe, ASAP7)


def test_flat_wires_are_the_pe_as_it_is():
    pe = load_pe(EXACT)
    assert with_wires(pe, "flat") is pe
    with pytest.raises(InputError, match="Unknown wires 'plcaed'"):
        with_wires(pe, "plcaed")


def test_placed_wires_are_in_timing_and_energy():
    flat = load_pe(EXACT)
    placed = with_wires(flat, "placed")
    stored = load_placed(placed_path(STORE, flat), flat)
    wire_ff = np.array(placed.wires.pe.nets_ff)
    assert wire_ff == pytest.approx(np.array(stored.pe.nets_nm) / 1000 * 0.173323)
    assert wire_ff.sum() / (wire_ff > 0).sum() < 2  # of short nets
    lengthened = replace(flat, wires=replace(placed.wires, pe=replace(
        placed.wires.pe, nets_ff=tuple(2 * wire_ff))))
    sample = sample_operands(np.random.default_rng(1).integers(0, 256, (40, 16), np.int16),
                             np.full((16, 16), 77, np.int16), rows=16, cols=16, lanes=256)
    energies = [sample_energy(pe, sample) for pe in (placed, lengthened)]
    assert lengthened.delay_ps > placed.delay_ps
    assert energies[1].data_fj > energies[0].data_fj
    assert energies[1].clock_fj == energies[0].clock_fj != sample_energy(flat, sample).clock_fj
    assert energies[1].multiplier_fj == energies[0].multiplier_fj


def test_neighbours_are_reached_through_the_pins_of_both():
    """The wire of a partial sum goes on in the PE below: its load is that of both nets."""
    pe = with_wires(load_pe(EXACT), "placed")
    wire_ff, (above, below) = pe.wires.pe.nets_ff, (
        ports["psum_" + end] for ports, end in ((pe.netlist.outputs, "out"),
                                                (pe.netlist.inputs, "in")))
    for source, follower in zip(above, below, strict=True):
        assert source >= FIRST_NET
        assert pe.timing.loads_ff[source] > wire_ff[source] + wire_ff[follower] > 0


@pytest.mark.parametrize(("change", "problem"), [
    ({"format": "other"}, 'must be a JSON object with "format": "autoapprox-placed-pe/1"'),
    ({"technology_sha256": "0" * 64}, "must be a placement of this PE in asap7"),
    ({"start": "pe"}, "must be a placement of this PE in asap7"),
    ({"multiplier_alone": "pe"}, "multiplier_alone must be of the netlist that is mapped"),
])
def test_a_file_that_does_not_fit_is_refused(tmp_path, change, problem):
    pe = load_pe(EXACT)
    path = placed_path(tmp_path, pe)
    content = read_json(placed_path(STORE, pe))
    write_json_gz(path, content | {key: content.get(value, value)
                                   for key, value in change.items()})
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {re.escape(problem)}"):
        with_wires(pe, "placed", tmp_path)


def test_a_length_too_few_is_refused(tmp_path):
    pe = load_pe(EXACT)
    path = placed_path(tmp_path, pe)
    placed = load_placed(placed_path(STORE, pe), pe)
    save_placed(replace(placed, pe=replace(placed.pe, nets_nm=placed.pe.nets_nm[1:])), path)
    with pytest.raises(InputError, match="pe must be of the netlist that is mapped"):
        with_wires(pe, "placed", tmp_path)


def test_what_is_not_stored_is_placed_or_refused_and_never_flat(tmp_path, monkeypatch):
    pe = load_pe(EXACT)
    monkeypatch.setattr(placer, "PLACER", "no_such_placer")
    with pytest.raises(ToolError, match="no_such_placer is missing"):
        with_wires(pe, "placed", tmp_path)
    other = replace(pe, technology=replace(pe.technology, name="mine"))
    with pytest.raises(InputError, match="Geometry of technology 'mine' must be told"):
        with_wires(other, "placed", tmp_path)


def test_what_is_not_stored_is_placed_once(tmp_path):
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    pe = load_pe(EXACT)
    stored = with_wires(pe, "placed")
    assert with_wires(pe, "placed", tmp_path).wires == stored.wires
    assert not placed_path(tmp_path, pe).exists()  # in the cache
