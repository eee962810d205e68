"""`python -m hw.multipliers`: tables, heat maps, refusals."""

import json

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import __main__ as command
from hw.multipliers import get
from hw.multipliers.catalog import ENTRIES
from hw.multipliers.heatmap import draw, error_percent


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["python -m hw.multipliers", *map(str, arguments)])
    return command.main()


def test_list_has_every_entry_sorted(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--sort", "gates") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["name", "family"]
    assert {line.split()[0] for line in lines[1:-1]} == set(ENTRIES)
    gates = [int(line.split()[-2]) for line in lines[1:-1]]
    assert gates == sorted(gates)


def test_list_as_json_has_the_figures(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mul8u_trunc_c4"]["wce_percent"] == 100 * 49 / 65535
    assert rows["mul8u_exact"]["mae_percent"] == 0


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_show_writes_the_heat_map(monkeypatch, capsys, tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    assert run(monkeypatch, "show", "mul8u_bam_h2v6", "-o", path) == 0
    assert path.read_bytes() == draw(get("mul8u_bam_h2v6"), suffix)
    assert "broken_array(horizontal=2, vertical=6)" in capsys.readouterr().out


def test_heat_map_error_is_indexed_by_activation_then_weight():
    error = error_percent(get("mul8u_optrunc_a4w2"))
    np.testing.assert_allclose(error[255, 4], -100 * 15 * 4 / 65535)
    np.testing.assert_allclose(error[16, 255], -100 * 16 * 3 / 65535)


@pytest.mark.parametrize(("arguments", "message"), [
    (("show", "mul8u_exat"), "^Unknown multiplier 'mul8u_exat'; did you mean 'mul8u_exact'"),
    (("show", "mul8u_exact", "-o", "map.pdf"), "^map.pdf: heat map must end in .png or .svg, not"),
])
def test_bad_input_is_refused(monkeypatch, arguments, message):
    with pytest.raises(InputError, match=message):
        run(monkeypatch, *arguments)
