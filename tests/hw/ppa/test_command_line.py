"""`python -m hw.ppa`: characterise, report, and what goes wrong."""

import json
import subprocess
import sys

import pytest

from hw.multipliers import files, get
from hw.multipliers.base import Multiplier
from hw.ppa import load_pe
from hw.ppa.alone_cache import map_alone
from hw.ppa.report import correlations, figures
from hw.ppa.synthesis import SPEED
from hw.ppa.technology import load_technology
from tests.hw.ppa.circuits import signed_multiplier
from tests.hw.ppa.test_published import HEADER
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


def test_report_takes_a_multiplier_file(tmp_path):
    """Its result is found by its netlist, whatever it is called."""
    exact = get("mul8u_exact")
    path = tmp_path / "mine.json"
    files.save(Multiplier(name="mine", family="test", source=exact.netlist), path)
    process = run("report", path, "--json")
    row, = json.loads(process.stdout)["pes"]
    assert (row["name"], row["area_um2"]) == ("mine", load_pe(exact).area_um2)


def test_signed_file_is_refused_for_a_pe(tmp_path):
    path = tmp_path / "signed.json"
    files.save(signed_multiplier(), path)
    message = ("error: Multiplier 'test_signed' must be unsigned for a PE, which multiplies sign "
               "and magnitude")
    assert failure("report", path) == (2, message)
    assert failure("build", path, "-o", tmp_path / "out") == (2, message)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder in which two multipliers are mapped in asap7 by the speed recipe."""
    folder = tmp_path_factory.mktemp("cache")
    map_alone([get("mul8u_exact"), get("mul8u_trunc_c9")], load_technology(), [SPEED], folder,
              quiet=True)
    return folder


def test_multiplier_alone_as_json_and_as_text(cache):
    arguments = ("multiplier", "mul8u_exact", "mul8u_trunc_c9", "--recipe", "speed", "--cache",
                 cache, "--clock-mhz", "500")
    process = run(*arguments, "--json")
    assert process.stderr == ""
    exact, truncated = json.loads(process.stdout)["multipliers"]
    assert exact["power_delay_pj"] == pytest.approx(exact["power_mw"] * exact["delay_ps"] / 1000)
    assert exact["power_mw"] == pytest.approx(exact["energy_fj"] * 5e-4, rel=0.01)
    assert truncated["area_um2"] < exact["area_um2"] / 2
    lines = run(*arguments).stdout.splitlines()
    assert lines[0].startswith("asap7, ")
    assert lines[2].endswith("mapped by, at 500 MHz")
    assert lines[3].split()[:2] == ["mul8u_exact", f"{exact['area_um2']:.2f}"]


def test_comparison_with_published_figures(cache, tmp_path):
    figures_file = tmp_path / "figures.csv"
    figures_file.write_text(HEADER + "best,9999,999,0,0,0\nrough,0.5,0.0001,9999,99,9e9\n")
    technology = tmp_path / "asap7.json.gz"
    load_technology().save(technology)
    process = run("compare-published", "mul8u_trunc_c9", "--figures", figures_file, "--technology",
                  technology, "--recipe", "speed", "--cache", cache, "-o", tmp_path / "out")
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    area = content["comparisons"][0]
    assert [(row["published"], row["ours"]) for row in area["rows"]] == [
        ("rough", "mul8u_trunc_c9"), ("best", "mul8u_exact")]
    assert area["share"] == 0.5
    assert content["configuration"]["recipes"] == [f"speed {SPEED.digest}"]
    assert process.stdout.splitlines()[0] == "area (um2) at equal or lower MAE (%)"
    assert process.stdout.splitlines()[-1] == str(tmp_path / "out" / "comparison.png")


def test_comparison_of_nothing_is_refused(tmp_path):
    figures_file = tmp_path / "figures.csv"
    figures_file.write_text(HEADER + "best,9999,999,0,0,0\n")
    technology = tmp_path / "asap7.json.gz"
    load_technology().save(technology)
    assert failure("compare-published", "--figures", figures_file, "--technology", technology,
                   "-o", tmp_path / "out") == (
        2, "error: Multipliers must be named, or all be asked for with --all")


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
    (("report", "absent.json"), "error: absent.json: No such file or directory"),
    (("multiplier", "mul8u_exact", "--clock-mhz", "0"),
     "error: --clock-mhz must be above 0, not 0"),
    (("multiplier", "mul8u_exact", "--clock-mhz", "nan"),
     "error: --clock-mhz must be above 0, not nan"),
    (("compare-published", "--all", "--figures", "absent.csv", "--technology", "x", "-o", "y"),
     "error: absent.csv: No such file or directory"),
    (("characterise", "absent.lib", "-o", "x.json.gz"),
     "error: absent.lib: No such file or directory"),
    (("characterise", "absent.lib", "-o", "x.json.gz", "--max-inputs", "9"),
     "error: --max-inputs must be 2 to 5, not 9"),
    (("characterise", "absent.lib", "-o", "x.json.gz", "--drives", "0"),
     "error: --drives must be at least 1, not 0"),
])
def test_bad_arguments_are_one_line(arguments, message):
    assert failure(*arguments) == (2, message)
