"""`python -m hw.ppa`: characterise, report, and what goes wrong."""

import json
import subprocess
import sys

import pytest

from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.report import correlations, figures
from tests.hw.ppa.tiny import LIBRARY

THREE = ("mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c8")


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "hw.ppa", *map(str, arguments)],
                          capture_output=True, text=True, check=False)


def failure(*arguments):
    process = run(*arguments)
    assert process.stdout == ""
    return process.returncode, process.stderr.splitlines()[-1]


def test_report_prints_a_row_per_multiplier():
    process = run("report", *THREE)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == list(THREE)
    assert lines[5].startswith("correlation of the multiplier alone with the PE: ")


def test_report_as_json_is_the_same_figures():
    process = run("report", *THREE, "--json")
    assert process.stderr == ""
    content = json.loads(process.stdout)
    rows = figures([load_pe(get(name)) for name in THREE], quiet=True)
    assert content == {"pes": [row.to_dict() for row in rows], "correlation": correlations(rows)}
    assert content["correlation"]["relu"] > 0.9


def test_correlation_of_equal_rows_is_left_out():
    row, = figures([load_pe(get("mul8u_exact"))], quiet=True)
    assert correlations([row, row, row]) == {}


def test_characterise_writes_the_same_bytes_twice(tmp_path):
    (tmp_path / "tiny.lib").write_text(LIBRARY)
    for name in ("a", "b"):
        process = run("characterise", tmp_path / "tiny.lib", "-o", tmp_path / f"{name}.json.gz",
                      "--name", "tiny")
        assert process.returncode == 0, process.stderr
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert "5 cells, process ?, 1.0 V, 25 C" in process.stdout


def test_broken_library_is_one_line_and_leaves_nothing(tmp_path):
    path = tmp_path / "bad.lib"
    path.write_text(LIBRARY[:500])
    status, message = failure("characterise", path, "-o", tmp_path / "out.json.gz")
    assert status == 2
    assert message.startswith(f"error: {path}:")
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.lib"]


@pytest.mark.parametrize(("arguments", "message"), [
    (("report", "mul8u_exakt"), "error: Unknown multiplier 'mul8u_exakt'; did you mean "
                                "'mul8u_exact'?"),
    (("build", "--psum-width", "8"), "error: --psum-width must be 17 to 32, not 8"),
    (("build", "--recipe", "speed"), "error: --output must name a folder when --technology or "
                                     "--recipe is not that of the project's store"),
    (("characterise", "absent.lib", "-o", "x.json.gz"),
     "error: absent.lib: No such file or directory"),
    (("characterise", "absent.lib", "-o", "x.json.gz", "--max-inputs", "9"),
     "error: --max-inputs must be 2 to 5, not 9"),
    (("characterise", "absent.lib", "-o", "x.json.gz", "--drives", "0"),
     "error: --drives must be at least 1, not 0"),
])
def test_bad_arguments_are_one_line(arguments, message):
    assert failure(*arguments) == (2, message)
