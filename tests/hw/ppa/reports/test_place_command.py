"""`python -m hw.ppa place`, and `--wires` of the reports."""

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.__main__ import main
from hw.ppa.mapping.stored_pes import results_folder, save_pe
from hw.ppa.placement import placer
from hw.ppa.placement.stored_wires import load_placed, placed_path, with_wires

EXACT = load_pe(get("mul8u_exact"))


@pytest.fixture
def folder(tmp_path):
    save_pe(EXACT, tmp_path)
    return tmp_path


def place(folder, *options):
    main(["place", "mul8u_exact", "-i", str(folder), *options])


def test_what_is_up_to_date_is_not_placed_again(folder, capsys):
    pytest.importorskip("coloquinte", reason="coloquinte is not installed")
    place(folder)
    path = placed_path(folder, EXACT)
    first = path.read_bytes()
    assert first == placed_path(results_folder(), EXACT).read_bytes()
    place(folder)
    place(folder, "--force")
    place(folder, "--utilisation", "0.5")
    assert path.read_bytes() != first
    assert load_placed(path, EXACT).geometry.utilisation == 0.5
    said = [line.removeprefix(f"{folder / 'placed'}: ") for line
            in capsys.readouterr().out.splitlines()]
    mapped, kept = (f"{new} 1x1 PEs of 24 bits placed, {old} up to date"
                    for new, old in ((1, 0), (0, 1)))
    assert said == [mapped, kept, mapped, mapped]


def test_without_the_placer_nothing_is_done(folder, monkeypatch):
    monkeypatch.setattr(placer, "PLACER", "no_such_placer")
    with pytest.raises(ToolError, match="no_such_placer is missing"):
        place(folder)
    with pytest.raises(ToolError, match="no_such_placer is missing"):
        main(["report", "mul8u_exact", "-i", str(folder), "--wires", "placed"])


def test_a_report_has_the_wires_that_are_asked_for(capsys):
    areas, delays = [], []
    for wires in ("flat", "placed"):
        main(["report", "mul8u_exact", "--wires", wires])
        said = capsys.readouterr().out.splitlines()
        assert ("wires: placed" in said) == (wires == "placed")
        row = said[2].split()
        areas.append(row[1])
        delays.append(int(row[2]))
    assert areas[0] == areas[1]
    assert delays[0] != delays[1] == round(with_wires(EXACT, "placed").delay_ps)


@pytest.mark.parametrize(("option", "value", "message"), [
    ("--row-um", "0", "--row-um must be a number from"),
    ("--wire-ff-um", "-1", "--wire-ff-um must be a number from"),
    ("--utilisation", "1", "--utilisation must be a number from 0.01 to 0.95, not 1"),
])
def test_geometry_that_is_none_is_refused(folder, option, value, message):
    with pytest.raises(InputError, match=f"^{message}"):
        place(folder, option, value)


def test_geometry_of_another_library_must_be_told(folder, tiny, tmp_path):
    tiny.save(tmp_path / "tiny.json.gz")
    with pytest.raises(InputError, match="Geometry of technology 'tiny' must be told: --row-um"):
        place(folder, "--technology", str(tmp_path / "tiny.json.gz"), "--row-um", "2")
