"""`python -m hw.multipliers`: tables, files, refusals."""

import json
import re
from functools import partial

import numpy as np
import pytest

from hw.common.errors import InputError, run_command_line
from hw.multipliers import __main__ as command
from hw.multipliers import files, get, names
from hw.multipliers.base import Multiplier, ProductTable
from hw.multipliers.heatmap import draw
from hw.netlist import NetlistBuilder
from tests.command import run_main
from tests.hw.multipliers.importing import writers

run = partial(run_main, command.main)


def test_list_has_every_entry_sorted(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--sort", "gates") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["name", "family"]
    assert {line.split()[0] for line in lines[1:-1]} == set(names())
    gates = [int(line.split()[-3]) for line in lines[1:-1]]
    assert gates == sorted(gates)


def test_list_as_json_has_the_figures(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mul8u_trunc_c4"]["wce_percent"] == 100 * 49 / 65535
    assert rows["mul8u_exact"]["mae_percent"] == 0


@pytest.mark.parametrize(("columns", "family"), [(120, "compressor42"), (80, "")])
def test_list_on_a_terminal_never_cuts_a_name_or_figure(monkeypatch, capsys, columns, family):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    run(monkeypatch, "list")
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    row = next(line for line in lines if "mul8u_ac42_saturate_c12" in line)
    assert row.split() == [word for word in (
        "mul8u_ac42_saturate_c12", family, "0.0416", "7.849", "6.1", "0.093", "-0.0416", "348",
        "27", "0") if word]
    assert max(map(len, lines)) <= columns


def test_list_as_markdown_has_a_row_per_entry(monkeypatch, capsys):
    assert run(monkeypatch, "list", "--markdown", "--sort", "name") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("`")[1] for line in lines[2:]] == sorted(names())
    assert {line.count("|") for line in lines} == {11}


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_show_writes_the_heat_map(monkeypatch, capsys, tmp_path, suffix):
    path = tmp_path / f"map{suffix}"
    assert run(monkeypatch, "show", "mul8u_bam_h2v6", "-o", path) == 0
    assert path.read_bytes() == draw(get("mul8u_bam_h2v6"), suffix)
    assert "broken_array(horizontal=2, vertical=6)" in capsys.readouterr().out


def test_show_as_json_has_the_source_and_the_netlist_digest(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "show", "mul8u_ac42_pairs_c8", "--json", "-o", tmp_path / "p.PNG") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["citation"].startswith("Akbari et al.")
    assert facts["digest"] == get("mul8u_ac42_pairs_c8").digest
    assert (tmp_path / "p.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("target", "message"), [
    ("folder.png", "folder.png: output must be a file, not a folder"),
    ("file/map.png", "file: "),
])
def test_unwritable_heat_map_is_one_line_and_exit_2(monkeypatch, capsys, tmp_path, target, message):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("sys.argv", ["x", "show", "mul8u_exact", "-o", str(tmp_path / target)])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(command.main)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / message}".removesuffix(" "))
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


@pytest.mark.parametrize(("arguments", "message"), [
    (("show", "mul8u_exat"), "^Unknown multiplier 'mul8u_exat'; did you mean 'mul8u_exact'"),
    (("show", "mul8u_exact", "-o", "map.pdf"), "^map.pdf: heat map must end in .png or .svg, not"),
])
def test_bad_input_is_refused(monkeypatch, arguments, message):
    with pytest.raises(InputError, match=message):
        run(monkeypatch, *arguments)


def test_show_accepts_a_file(monkeypatch, capsys, tmp_path):
    path = tmp_path / "mine.json"
    files.save(get("mul8u_bam_h2v6"), path)
    assert run(monkeypatch, "show", path, "-o", tmp_path / "map.png") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("name         mul8u_bam_h2v6\n")
    assert "\ngates        " in shown
    assert (tmp_path / "map.png").exists()


def test_show_of_products_alone_says_so(monkeypatch, capsys, tmp_path):
    path = tmp_path / "mine.json"
    table = get("mul8u_bam_h2v6").table
    files.save(Multiplier(name="mine", family="imported", source=ProductTable.of(table)), path)
    run(monkeypatch, "show", path, "-o", tmp_path / "map.png")
    assert "\ncircuit      unknown: only the products are\n" in capsys.readouterr().out
    run(monkeypatch, "show", path, "--json", "-o", tmp_path / "map.png")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["gates"], facts["depth"]) == (None, None)
    assert facts["wce_percent"] == 100 * np.abs(table - np.multiply.outer(
        np.arange(256), np.arange(256))).max() / 65535


def test_show_of_another_width_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "small.blif"
    path.write_text(".model m\n.inputs a0 a1 b0 b1\n.outputs o\n.names a0 b0 o\n11 1\n")
    run(monkeypatch, "import", path, "--name", "small", "--unsigned", "-o", tmp_path / "m.json")
    with pytest.raises(InputError, match=r"m\.json: multiplier 'small' must be 8x8 for error "):
        run(monkeypatch, "show", tmp_path / "m.json", "-o", tmp_path / "map.png")
    assert not (tmp_path / "map.png").exists()


@pytest.mark.parametrize(("act_width", "weight_width", "signed"), [
    (12, 12, False), (16, 16, False), (1, 1, False), (4, 12, False), (12, 12, True)])
def test_show_of_what_it_cannot_draw_shows_the_circuit(monkeypatch, capsys, tmp_path, act_width,
                                                       weight_width, signed):
    builder = NetlistBuilder(act_width=act_width, weight_width=weight_width)
    netlist = builder.build([builder.and_(builder.act[-1], builder.weight[-1])], signed=signed)
    path = tmp_path / "wide.json"
    files.save(Multiplier(name="wide", family="imported", source=netlist), path)
    monkeypatch.setattr("sys.argv", ["x", "show", str(path), "-o", str(tmp_path / "map.png")])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(command.main)
    printed = capsys.readouterr()
    width = f"{act_width}x{weight_width}"
    assert stopped.value.code == 2
    assert printed.err == (f"error: {path}: multiplier 'wide' must be 8x8 for error figures and a "
                           f"heat map, not {width}\n")
    assert f"\nwidth        {width}\ngates        1 (1 AND)\n" in printed.out
    assert not (tmp_path / "map.png").exists()


def test_import_says_what_it_found_and_writes_the_file(monkeypatch, capsys, tmp_path):
    multiplier = get("mul8u_optrunc_a2w1")
    source, output = tmp_path / "mul.blif", tmp_path / "out" / "mine.json"
    source.write_text(writers.blif(multiplier.netlist))
    run(monkeypatch, "import", source, "--name", "mul8u_mine", "-o", output, "--order",
        "weight,act", "--operands", "b,a", "--expect", "WCE=1017", "EP=87.0%")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mul8u_mine: BLIF mul.blif, 8x8, unsigned"
    assert lines[1] == ("act = a, weight = b, product = o (not commutative: the order matters)")
    assert lines[2].startswith(f"{len(multiplier.netlist.gates)} gates, depth ")
    assert lines[3].endswith("as published")
    assert lines[4] == str(output)
    imported = files.load(output)
    assert (imported.name, imported.family) == ("mul8u_mine", "imported")
    assert imported.parameters["file"] == "mul.blif"
    np.testing.assert_array_equal(imported.table, multiplier.table)


def test_import_writes_equal_bytes_twice(monkeypatch, tmp_path):
    source = tmp_path / "mul.cgp"
    source.write_text(writers.cgp(get("mul8u_trunc_c4").netlist, numbered=True))
    monkeypatch.chdir(tmp_path)
    texts = []
    for _ in range(2):
        run(monkeypatch, "import", source, "--name", "mul8u_mine")
        texts.append((tmp_path / "mul8u_mine.json").read_bytes())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("arguments", "message"), [
    (("--expect", "WCE=50"), "mul.cgp: WCE must be 50 as published, not 49"),
    (("--expect", "WCE"), "Expected figure must be NAME=NUMBER or NAME=NUMBER%, not WCE"),
    (("--expect", "BIAS=3"), "Unknown error figure 'BIAS'; known: EP, MAE, MRE, MSE, WCE"),
    (("--operands", "a"), "Operands must be two names, not a"),
    (("-o", "out.txt"), "out.txt: multiplier file must end in .json"),
])
def test_refused_import_is_one_line_and_writes_nothing(monkeypatch, capsys, tmp_path, arguments,
                                                       message):
    source = tmp_path / "mul.cgp"
    source.write_text(writers.cgp(get("mul8u_trunc_c4").netlist, numbered=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["x", "import", "mul.cgp", "--name", "mine", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(command.main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert list(tmp_path.iterdir()) == [source]


def test_import_never_replaces_its_own_file(monkeypatch, tmp_path):
    source = tmp_path / "mul.json"
    source.write_text(writers.yosys_json(get("mul8u_trunc_c4").netlist))
    before = source.read_text()
    with pytest.raises(InputError, match=r"must not replace the file that is imported$"):
        run(monkeypatch, "import", source, "--name", "mine", "-o", source)
    assert source.read_text() == before
