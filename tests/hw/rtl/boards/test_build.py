"""Building: sources and commands always, real bitstreams when there is time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hw.common.errors import InputError
from hw.rtl.boards.__main__ import main
from hw.rtl.boards.build import REPORT, prepare
from hw.rtl.boards.serial.report_text import expected_report
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.boards.targets import BOARDS, resized
from tests.hw.rtl.boards.selftests import design
from tests.hw.rtl.circuits import NIBBLE

ROOT = Path(__file__).parents[4]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", BOARDS)
def test_sources_depend_on_the_design_alone(name, tmp_path):
    board, plan = BOARDS[name], Plan.random(design(NIBBLE))
    commands = [prepare(board.platform(), board, plan, tmp_path / folder) for folder in "ab"]
    assert commands[0] == commands[1]
    first, second = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    assert first == second
    assert {"bank.v", "pe_nibble.v", "top.il", "top.ys"} <= first.keys()
    assert not [file for file, text in first.items() if str(ROOT).encode() in text]
    # Pins, the clock of the board and a fixed seed reach the tools.
    assert len(commands[0]) == len(board.tools)
    assert "--seed" in commands[0][1]
    constraints = first["top.pcf" if name == "icebreaker" else "top.lpf"].decode()
    assert {"icebreaker": "set_frequency clk12_0__io 12.0",
            "ulx3s": 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ'}[name] in constraints


# --- command line -----------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "message"), [
    (["icebraker"], r"^Unknown board 'icebraker'; did you mean 'icebreaker'\?$"),
    (["ulx3s", "--rows", "0"], r"^--rows must be a positive integer, not 0$"),
    (["ulx3s", "--cols", "300"], r"^Bank cols must be an integer from 1 to 256, not 300$"),
    (["icebreaker", "--rows", "16", "--cols", "16"],
     r"^Design icebreaker must fit in the 5280 flip-flops of icebreaker, not need at least"),
])
def test_bad_arguments(arguments, message, tmp_path):
    with pytest.raises(InputError, match=message):
        main(["build", *arguments, "-o", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_design_file_that_is_none(tmp_path):
    path = tmp_path / "design.json"
    path.write_text("{}")
    with pytest.raises(InputError, match=rf"^{path}: must be a JSON object with "):
        main(["build", "ulx3s", str(path)])


def test_missing_tools_end_with_status_3(tmp_path):
    # A finder that hides the tools stands for an environment without them.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name.startswith('yowasp') "
        "else find(name, *rest)\n")
    process = subprocess.run(
        [sys.executable, "-m", "hw.rtl.boards", "build", "ulx3s", "-o", str(tmp_path / "out")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=False)
    assert process.returncode == 3
    assert process.stderr == "error: yosys is missing; run: pip install -e '.[boards]'\n"
    assert not (tmp_path / "out").exists()


# --- bitstreams ---------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", BOARDS)
def test_bitstream_meets_the_clock_and_is_the_same_twice(name, tmp_path, capsys):
    board = BOARDS[name]
    shape = ["--rows", "2", "--cols", "2"]
    outputs = []
    for folder in ("a", "b"):
        main(["build", name, *shape, "-o", str(tmp_path / folder)])
        bitstream = tmp_path / folder / f"self_test{Path(board.bitstream).suffix}"
        outputs.append(bitstream.read_bytes())
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 50_000
    report = json.loads((tmp_path / "a" / REPORT).read_text())
    assert report["achieved_mhz"] > report["constraint_mhz"] > 11
    plan = Plan.random(resized(board.default_design(), 2, 2))
    assert report["self_test"] == plan.digest
    assert report["expected_lines"] == expected_report(plan)
    assert f"{report['achieved_mhz']:.1f} MHz" in capsys.readouterr().out


@pytest.mark.long
def test_bank_that_does_not_fit_is_refused_with_the_number_of_cells(tmp_path):
    with pytest.raises(InputError, match=r"^Design icebreaker must fit on icebreaker, not need "
                                         r"\d{4} ICESTORM_LC of 5280$"):
        main(["build", "icebreaker", "--rows", "4", "--cols", "4", "-o", str(tmp_path)])
    assert not list(tmp_path.glob("*.bin"))
