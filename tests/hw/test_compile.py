"""The compiler's command line: programs of real networks, one line for bad input."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hw.machine.compiler import Program, routes
from tests.circuits import small_design

DIGITS = Path(__file__).parents[2] / "models" / "zoo" / "digits.onnx"
CALIBRATION = ("--calibrate", "digits:calibrate")


def run(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "hw.compile", *map(str, arguments)], cwd=cwd,
                          capture_output=True, text=True, check=False)


@pytest.fixture
def design(tmp_path):
    def write(**mapping) -> Path:
        small_design(mapping=mapping).save(tmp_path / "design.json")
        return tmp_path / "design.json"
    return write


def test_program_holds_the_mapped_layers_with_their_routes(design, tmp_path):
    done = run(design(stem=1, mix=2), DIGITS, *CALIBRATION, "-o", tmp_path / "p.json",
               "--listing", tmp_path / "p.txt", "--batch", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    program = Program.load(tmp_path / "p.json")
    assert routes(program) == {"stem": 1, "mix": 2}
    assert program.batch == 2
    assert (tmp_path / "p.txt").read_text() == program.disassemble()
    assert re.match(rf"^{re.escape(str(tmp_path))}/p.json: 2 layers, 6 left to the host, ",
                    done.stdout)


@pytest.mark.parametrize(("mapping", "options", "message"), [
    ({}, CALIBRATION, r"error: .*design\.json: design must map layers of .*, but maps none"),
    ({"stemm": 0}, CALIBRATION, r"error: .*design\.json: Unknown layer 'stemm'; did you mean"),
    ({"stem": 0}, (), r"error: .*digits\.onnx: a float network must come with calibration images "
     r"\(--calibrate\)"),
    ({"stem": 0}, (*CALIBRATION, "--batch", 0), r"error: --batch must be 1 to 65536, not 0"),
])
def test_bad_input_is_one_line_and_leaves_no_file(design, tmp_path, mapping, options, message):
    done = run(design(**mapping), DIGITS, *options, "-o", tmp_path / "p.json", cwd=tmp_path)
    assert done.returncode == 2
    *begun, line = done.stderr.splitlines()
    assert re.match(message, line)
    assert not any("error" in other for other in begun)
    assert not (tmp_path / "p.json").exists()


