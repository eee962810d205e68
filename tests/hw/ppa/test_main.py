"""`python -m hw.ppa`: characterise, report, and what goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hw.common.cache import VARIABLE
from hw.machine.design import BankConfig, Design
from hw.machine.layer_streams import Codes, LayerStream, save_layer_streams
from hw.multipliers import files, get
from hw.multipliers.base import Multiplier
from hw.ppa import load_pe
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.synthesis import SPEED
from hw.ppa.reports.alone_mapping import map_alone
from hw.ppa.reports.pe_report import correlations, figures, to_dict
from tests.hw.ppa.reports.test_published import HEADER
from tests.hw.ppa.tiny import LIBRARY

ROOT = Path(__file__).parents[3]
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
    assert lines[-1].startswith("correlation of the multiplier alone with the PE: ")


def test_report_as_json_is_the_same_figures():
    process = run("report", *THREE, "--json")
    assert process.stderr == ""
    content = json.loads(process.stdout)
    rows = figures([load_pe(get(name)) for name in THREE], quiet=True)
    assert content == to_dict(rows)
    assert content["correlation"]["relu"] > 0.9


def test_report_takes_a_multiplier_file(tmp_path):
    """Its result is found by its netlist, whatever it is called."""
    exact = get("mul8u_exact")
    path = tmp_path / "mine.json"
    files.save(Multiplier(name="mine", family="test", source=exact.netlist), path)
    process = run("report", path, "--json")
    row, = json.loads(process.stdout)["pes"]
    assert (row["name"], row["area_um2"]) == ("mine", load_pe(exact).area_um2)


def test_report_on_layers_as_csv_and_picture(layers_file, tmp_path):
    process = run("report", "mul8u_exact", "--layer-stats", layers_file, "--size", "8", "--csv",
                  tmp_path / "a.csv", "--plot", tmp_path / "a.svg", "--cache", tmp_path / "kept")
    assert process.returncode == 0, process.stderr
    assert "mul8u_exact  conv1" in process.stdout
    assert "mul8u_exact,conv1,glitches_fj," in (tmp_path / "a.csv").read_text()
    assert "conv1" in (tmp_path / "a.svg").read_text()
    again = run("report", "mul8u_exact", "--layer-stats", layers_file, "--size", "8",
                "--cache", tmp_path / "kept")
    assert again.stdout == process.stdout


def test_figure4_writes_pictures_and_points(tmp_path):
    process = run("figure4", *THREE[1:], "-o", tmp_path / "out", "--cache", tmp_path / "kept")
    assert process.returncode == 0, process.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "figure4.csv", "figure4.png", "figure4.svg"]
    assert "relu: correlation 0.9" in process.stdout
    assert "over 3 multipliers" in process.stdout


@pytest.fixture
def layers_file(tmp_path):
    random = np.random.default_rng(1)
    save_layer_streams(tmp_path / "layers.npz", [LayerStream(
        name="conv1", positions=16, act_zero_point=0, act_signed=False,
        requantizer=Codes(0, 0, 255),
        acts=random.integers(0, 256, (1, 64, 20)).astype(np.int16),
        weights=random.integers(-127, 128, (1, 20, 9)).astype(np.int16))])
    return tmp_path / "layers.npz"


@pytest.fixture
def design_file(tmp_path):
    Design(name="one", bank=BankConfig(rows=8, cols=8, arrays=("mul8u_trunc_c8",)),
           multipliers={"mul8u_trunc_c8": get("mul8u_trunc_c8")},
           mapping={"conv1": 0}).save(tmp_path / "design.json")
    return tmp_path / "design.json"


@pytest.fixture
def macros_file(tmp_path):
    """A queue of weights whose rows have 72 or 144 bits."""
    (tmp_path / "macros.json").write_text(json.dumps({
        "format": "autoapprox-macros/1", "weight_fifo": {
            "width": 72, "depth": 32, "area_um2": 900, "read_energy_fj": 300,
            "write_energy_fj": 350, "leakage_nw": 20}}))
    return tmp_path / "macros.json"


def test_chip_with_macros_that_do_not_fit_is_refused(design_file, layers_file, macros_file):
    arguments = ("chip", design_file, "--layer-stats", layers_file, "--macros", macros_file)
    status, message = failure(*arguments, "--sizes", "8", "12")
    assert (status, message) == (2, f"error: {macros_file}: weight_fifo width must divide 108, the "
                                    "bits of a row around 12 x 12 arrays, not 72")
    status, message = failure(*arguments, "--chip", "tpuv3-share")
    assert (status, message) == (2, "error: --macros must come with a chip that is added up, not "
                                    "'tpuv3-share'")


def test_chip_of_a_design(design_file, layers_file, macros_file, tmp_path):
    arguments = ("chip", design_file, "--layer-stats", layers_file, "--sizes", "8", "16",
                 "--macros", macros_file, "--cache", tmp_path / "kept")
    process = run(*arguments, "--json", "--csv", tmp_path / "chip.csv")
    assert process.stderr == ""
    content = json.loads(process.stdout)
    assert [size["rows"] for size in content["sizes"]] == [8, 16]
    for size in content["sizes"]:
        assert size["array_nj"] < size["exact_array_nj"] < size["exact_chip_nj"]
        assert {part["origin"] for part in size["energy_nj"]} == set(content["origins"])
    assert len((tmp_path / "chip.csv").read_text().splitlines()) == 3
    text = run(*arguments).stdout
    assert text.splitlines()[0] == "7nm: energy per inference, uJ; exact array -> design"


def test_chip_of_the_embedded_network(tmp_path):
    """The simulator is started for the operands; what it refuses is one line here, too."""
    network = ROOT / "models" / "zoo" / "digits.onnx"
    design = tmp_path / "design.json"
    layers = ("stem", "block1a", "block1b", "down", "block2a", "block2b", "mix", "classifier")
    Design(name="one", bank=BankConfig(), multipliers={"mul8u_exact": get("mul8u_exact")},
           mapping=dict.fromkeys(layers, 0)).save(design)
    process = run("chip", design, "--network", network, "--data", "digits:calibrate", "--cache",
                  tmp_path / "kept")
    assert process.returncode == 0, process.stderr
    assert "+0%" in process.stdout
    status, message = failure("chip", design, "--network", network, "--data", "absent.npz")
    assert (status, "absent.npz" in message) == (2, True)


def test_chip_that_does_not_fit_the_network_is_refused(tmp_path, layers_file):
    Design(name="one", bank=BankConfig(), multipliers={"mul8u_exact": get("mul8u_exact")},
           mapping={"conv2": 0}).save(tmp_path / "design.json")
    assert failure("chip", tmp_path / "design.json", "--layer-stats", layers_file) == (
        2, "error: Unknown layer 'conv2'; did you mean 'conv1'?")


def test_signed_multiplier_is_reported(tmp_path):
    process = run("report", "mul8s_trunc_c4", "--json", "--cache", tmp_path)
    row, = json.loads(process.stdout)["pes"]
    assert row["area_um2"] == load_pe(get("mul8s_trunc_c4")).area_um2
    assert row["streams"].keys() == {"uniform_int8", "relu_int8"}


def test_layers_that_a_signed_multiplier_does_not_take_are_named(layers_file):
    message = ("error: Layer 'conv1' must have activations from -128 to 127 to run on "
               "'mul8s_exact', a signed multiplier, not from 0 to 255")
    assert failure("report", "mul8u_exact", "mul8s_exact", "--layer-stats",
                   layers_file) == (2, message)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder in which two multipliers are mapped in asap7 by the speed recipe."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        map_alone([get("mul8u_exact"), get("mul8u_trunc_c9")], load_technology(), [SPEED],
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
    (("build", "--recipe", "speed"), "error: --output must name a folder when library or "
                                     "recipe are not those of the project's store"),
    (("build", "--full-adders"), "error: --output must name a folder when library or recipe are "
                                 "not those of the project's store"),
    (("report", "--technology", "a.json", "--liberty", "b.lib"),
     "error: --technology must not be combined with --liberty"),
    (("report", "mul8u_exact", "--plot", "a.pdf"), "error: a.pdf: must end in .svg or .png"),
    (("report", "mul8u_exact", "--size", "8"),
     "error: --size must be 16 for the reference streams; name --layer-stats"),
    (("report", "mul8u_exact", "--layer-stats", "absent.npz"),
     "error: absent.npz: No such file or directory"),
    (("chip", "absent.json", "--layer-stats", "x", "--chip", "7"),
     "error: Unknown chip preset '7'; did you mean '7nm'?"),
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
