"""The command as a user runs it: tables, JSON, page and figure; mistakes in one line."""

import json
import platform
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hw.common.errors import InputError
from sim.bench.__main__ import main
from sim.bench.parts import PARTS
from sim.bench.report import BEGIN, END, markdown, table, update_page
from sim.bench.results import Results

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "benchmarks.md"
SHAPES = [{"name": "first", "channels": 6, "height": 32, "width": 32, "out_channels": 4,
           "kernel": 3, "pad": 1, "count": 3, "zero_point": 90},
          {"name": "last", "channels": 40, "height": 1, "width": 1, "out_channels": 10,
           "linear": True}]
NAMES = ["ort-qlinearconv", "ours-typical", "ours-hard-sums", "loop-rows", "netlist-gates"]


def bench(*arguments):
    return subprocess.run([sys.executable, "-m", "sim.bench", *arguments], cwd=ROOT, text=True,
                          capture_output=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return what one run leaves: shapes.json, run.json, figure.svg and page.md."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "shapes.json").write_text(json.dumps(SHAPES))
    (folder / "page.md").write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    done = bench("--shapes", str(folder / "shapes.json"), "--contenders", *NAMES, "--threads",
                 "1", "--repeats", "2", "--networks", "--parts", "shapes", "-o",
                 str(folder / "run.json"), "--plot", str(folder / "figure.svg"), "--markdown",
                 str(folder / "page.md"))
    assert done.returncode == 0, done.stderr
    (folder / "out.txt").write_text(done.stdout)
    return folder


def test_table_has_every_contender_and_its_check(folder):
    lines = (folder / "out.txt").read_text().splitlines()
    for name in NAMES:
        [line] = [line for line in lines if f"(`{name}`)" in line]
        assert " yes | " in line
    [line] = [line for line in lines if "(`ort-qlinearconv`)" in line]
    assert line.endswith(" baseline |")
    assert any(line.startswith("**shapes**: 3 convolutions and 1 fully connected layers of 2 ")
               for line in lines)


def report(monkeypatch, capsys, *arguments):
    """Return status and output of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["bench", "--from", *arguments])
    return main(), capsys.readouterr().out


def test_layers_are_told_by_part(folder):
    lines = (folder / "out.txt").read_text().splitlines()
    [head] = [line for line in lines if line.startswith("| layer") and " row-add " in line]
    assert all(f" {part} " in head for part in (*PARTS, "limit", "all", "waiting"))
    for name in ("first", "last"):
        assert any(line.startswith(f"| shapes: {name} ") for line in lines)


def test_several_runs_are_one_page(folder, monkeypatch, capsys):
    run = str(folder / "run.json")
    status, text = report(monkeypatch, capsys, run, run)
    assert status == 0
    assert text.startswith("| machine ")
    assert text.count("**shapes**: ") == 2


def test_earlier_run_is_reported_the_same(folder, monkeypatch, capsys):
    status, text = report(monkeypatch, capsys, str(folder / "run.json"))
    assert status == 0
    assert text == (folder / "out.txt").read_text()


def test_page_keeps_what_is_around_the_markers(folder):
    text = (folder / "page.md").read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert markdown(Results.load(folder / "run.json")) in text
    assert "old" not in text


def test_figure_has_a_bar_per_contender(folder):
    root = ElementTree.fromstring((folder / "figure.svg").read_text())
    texts = {text for element in root.iter("{http://www.w3.org/2000/svg}text")
             for text in element.itertext()}
    rows = json.loads((folder / "run.json").read_text())["rows"]
    assert {row["label"] for row in rows} <= texts


def test_no_host_is_named(folder):
    text = (folder / "run.json").read_text() + (folder / "out.txt").read_text()
    assert str(Path.home()) not in text
    assert str(ROOT) not in text
    assert not re.search(rf"\b{re.escape(platform.node())}\b", text)


def test_json_on_standard_output(folder, monkeypatch, capsys):
    _status, text = report(monkeypatch, capsys, str(folder / "run.json"), "--json")
    assert json.loads(text) == json.loads((folder / "run.json").read_text())


def test_result_that_is_not_bit_exact_fails(folder, tmp_path, monkeypatch, capsys):
    content = json.loads((folder / "run.json").read_text())
    content["rows"][1]["bit_exact"] = False
    (tmp_path / "run.json").write_text(json.dumps(content))
    status, text = report(monkeypatch, capsys, str(tmp_path / "run.json"))
    assert status == 1
    [line] = [line for line in text.splitlines() if "(`ours-typical`)" in line]
    assert "**NO**" in line


@pytest.mark.parametrize(("arguments", "message"), [
    (["--contenders", "numpy-gathr"],
     "Unknown contender 'numpy-gathr'; did you mean 'numpy-gather'?"),
    (["--contenders", "numpy-gather"],
     "--baseline must be one of --contenders, not 'ort-qlinearconv'"),
    (["--baseline", "ort-qlinear"],
     "Unknown contender 'ort-qlinear'; did you mean 'ort-qlinearconv'?"),
    (["--parts", "resnet"], "Unknown part 'resnet'; did you mean 'resnet20'?"),
    (["--from", "a.json", "b.json", "--json"],
     "--from must be one file for --output, --plot and --json, not 2"),
    (["--networks", "resnet"], "Unknown network 'resnet'; did you mean 'resnet50'?"),
    (["--repeats", "0"], "--repeats must be at least 1, not 0"),
    (["--threads", "1", "0"], "--threads must be at least 1, not 0"),
    (["--threads", "100000"], "--threads must be at most the "),
    (["--markdown", "absent.md"], "absent.md: must have the lines "),
    (["--shapes", "quik"], "Unknown shapes 'quik'; did you mean 'quick'?"),
])
def test_mistake_is_refused_before_anything_runs(monkeypatch, arguments, message):
    monkeypatch.setattr("sim.bench.stack.make", lambda _names: pytest.fail("it ran"))
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        main()


def test_mistake_is_one_line():
    done = bench("--from", "gone.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: gone.json: No such file or directory\n"


def test_table_is_aligned():
    assert table(["a", "bb"], [["x", "1"], ["yyyy", "22222"]]) == (
        "| a    |    bb |\n| ---- | ----: |\n| x    |     1 |\n| yyyy | 22222 |\n")


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}"])
def test_page_without_its_markers_is_refused(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(InputError, match=r"page\.md: must have the lines"):
        update_page(page, "new")
    assert page.read_text() == text


def test_stored_page_is_what_the_stored_run_says():
    run = Results.load(PAGE.with_suffix(".json"))
    assert f"{BEGIN}\n\n{markdown(run)}\n{END}" in PAGE.read_text()
    assert run.title == "resnet50"
    assert run.networks
