"""What accompanies the Verilog: it lints clean, and the C++ example multiplies as the tables do."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest
import yaml

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.ppa.library.technology import load_technology
from hw.ppa.library.write_liberty import cell_library
from hw.rtl.accelerator.handover import WAIVERS
from hw.rtl.verilog.emission import emit_design
from sim.machine.verilator import verilator_root
from tests.hw.rtl.circuits import NIBBLE, SKEWED
from tests.hw.rtl.simulator import MAKE_VARIABLES, find_simulator

ROWS, COLS = 3, 2
SMALL = AcceleratorConfig(act_rows=16, accumulator_rows=16, output_rows=16, requantise_lanes=2,
                          weight_fifo_rows=6)


ARRAYS = (NIBBLE, SKEWED)
DESIGN = Design(name="tiny-net", multipliers={m.name: m for m in ARRAYS},
                bank=BankConfig(rows=ROWS, cols=COLS, arrays=tuple(m.name for m in ARRAYS)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rtl")
    for name, text in emit_design(DESIGN, config=SMALL, prefix="npu_").items():
        (folder / name).write_text(text)
    return folder


def verilate(folder, *options):
    root = verilator_root()
    environment = {"VERILATOR_ROOT": str(root), "MAKEFLAGS": MAKE_VARIABLES,
                   **find_simulator().environment}
    return subprocess.run([str(root / "bin" / "verilator"), *options], cwd=folder,
                          env=environment, capture_output=True, text=True, check=False)


def lint(folder, *waivers, top="npu_accelerator"):
    sources = (folder / f"{top}.f").read_text().split()
    done = verilate(folder, "--lint-only", "-Wall", "--top-module", top, *waivers, *sources)
    return done.returncode, sorted(set(re.findall(r"%Warning-(\w+)", done.stderr)))


def test_verilog_lints_clean_with_the_waivers_and_needs_each_of_them(folder):
    assert lint(folder, "npu_lint.vlt") == (0, [])
    status, warnings = lint(folder)
    assert status
    assert warnings == sorted(WAIVERS)


@pytest.fixture(scope="module")
def bus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axi")
    for name, text in emit_design(DESIGN, config=SMALL, prefix="npu_", stream_bits=8).items():
        (folder / name).write_text(text)
    return folder


def test_bus_lints_clean_with_the_waivers(bus_folder):
    assert lint(bus_folder, "npu_lint.vlt", top="npu_accelerator_axi") == (0, [])


@pytest.mark.parametrize(("fixture", "top"), [
    ("folder", "npu_accelerator"), ("bus_folder", "npu_accelerator_axi")])
def test_package_lists_every_file_and_the_top(request, fixture, top):
    folder = request.getfixturevalue(fixture)
    core = yaml.safe_load((folder / f"{top}.core").read_text().removeprefix("CAPI=2:\n"))
    assert core["name"] == "::autoapprox_tiny_net:0"
    assert core["targets"]["default"]["toplevel"] == top
    assert sorted(core["filesets"]["rtl"]["files"]) == sorted(
        path.name for path in folder.glob("*.v"))
    assert (folder / f"{top}.f").read_text().split()[0] == f"{top}.v"


# What any reader of SDC knows: command to its options and whether each has a value.
PLAIN_SDC = {"set_units": {"-time": True, "-capacitance": True},
             "create_clock": {"-name": True, "-period": True},
             "set_input_delay": {"-clock": True}, "set_output_delay": {"-clock": True}}
# A word, a list in braces, or a command in brackets with a list or a word.
SDC_WORD = re.compile(r"\[get_ports (?:\{([^{}]*)\}|(\w+))\]|([^\s\[\]{}]+)")


def sdc_commands(text):
    """Yield the name, options, numbers and ports of each command; what is not plain fails."""
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for line in re.split(r"\n(?=\w)", text.strip()):
        assert SDC_WORD.sub("", line).strip() == "", line
        name, options, numbers, ports = None, {}, [], []
        words = SDC_WORD.finditer(line)
        for match in words:
            listed, port, word = match.groups()
            if word is None:
                ports += (listed or port).split()
            elif name is None:
                name = word
            elif word.startswith("-"):
                options[word] = next(words)[3] if PLAIN_SDC[name][word] else ""
            else:
                numbers.append(float(word))
        yield name, options, numbers, ports


def ports_of(verilog, top):
    header = re.search(rf"^module {top} \(.*?^\);", verilog, re.MULTILINE | re.DOTALL)[0]
    return {direction: re.findall(rf"^  {direction} (?:wire|reg) (?:\[\d+:0\] )?(\w+)", header,
                                  re.MULTILINE)
            for direction in ("input", "output")}


@pytest.mark.parametrize(("top", "config", "stream_bits"), [
    ("accelerator", SMALL, None), ("accelerator_axi", SMALL, 8), ("bank", None, None)])
def test_constraints_are_plain_and_name_every_port_once(top, config, stream_bits):
    files = emit_design(DESIGN, config=config, clock_ps=1234.5, stream_bits=stream_bits)
    commands = list(sdc_commands(files[f"{top}.sdc"]))
    assert [name for name, *_ in commands] == list(PLAIN_SDC)
    units, clock, inputs, outputs = commands
    assert units == ("set_units", {"-time": "ps", "-capacitance": "fF"}, [], [])
    assert clock == ("create_clock", {"-name": "clk", "-period": "1234.5"}, [], ["clk"])
    ports = ports_of(files[f"{top}.v"], top)
    for found, direction in ((inputs, "input"), (outputs, "output")):
        assert found[1:3] == ({"-clock": "clk"}, [246.9])
        assert sorted(found[3]) == sorted(set(ports[direction]) - {"clk"})


@pytest.mark.parametrize("line", [
    "set_input_delay 1 -clock clk [remove_from_collection [all_inputs] [get_ports clk]]",
    "set_cmd_units -time ns", "create_clock -name clk -period fast [get_ports clk] 1 x",
    "set_input_delay -magic 3 [get_ports a]"])
def test_what_is_not_plain_is_noticed(line):
    with pytest.raises((AssertionError, KeyError, ValueError)):
        list(sdc_commands(line))


@pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not on PATH")
def test_opensta_reads_the_constraints(tmp_path):
    files = emit_design(DESIGN, config=SMALL, clock_ps=1234.5)
    (tmp_path / "accelerator.sdc").write_text(files["accelerator.sdc"])
    (tmp_path / "cells.lib").write_text(cell_library(load_technology(), complete=True))
    ports = ports_of(files["accelerator.v"], "accelerator")
    header = ", ".join(f"{direction} {port}" for direction, names in ports.items()
                       for port in names)
    (tmp_path / "top.v").write_text(f"module accelerator({header}); endmodule\n")
    (tmp_path / "run.tcl").write_text("read_liberty cells.lib\nread_verilog top.v\n"
                                      "link_design accelerator\nread_sdc accelerator.sdc\n"
                                      "report_clock_properties clk\nexit\n")
    done = subprocess.run(["sta", "-no_splash", "-exit", "run.tcl"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert not re.search("error|warning", text, re.IGNORECASE), text
    assert re.search(r"clk +1234\.50", text), text


def test_example_multiplies_a_tile_on_every_array(folder, tmp_path):
    """Its random numbers are the C library's: sums are recomputed from what it prints."""
    for path in folder.iterdir():
        shutil.copy(path, tmp_path)
    sources = [path.name for path in sorted(tmp_path.glob("*.v"))]
    done = verilate(tmp_path, "--cc", "--exe", "--build", "--top-module", "npu_bank",
                    "npu_lint.vlt", *sources, "npu_tile.cpp")
    assert done.returncode == 0, done.stderr[-2000:]
    printed = subprocess.run([tmp_path / "obj_dir" / "Vnpu_bank"], capture_output=True, text=True,
                             check=True).stdout
    operands = [tuple(map(int, line.split()[1:])) for line in printed.splitlines()
                if line.startswith(("act", "weights"))]
    sums = [int(value) for value in re.findall(r"sum (-?\d+)", printed)]
    assert len(sums) == 2 * COLS
    for array, multiplier in enumerate((NIBBLE, SKEWED)):
        act = np.array(operands[array * (ROWS + 1) + ROWS])
        weights = np.array(operands[array * (ROWS + 1):array * (ROWS + 1) + ROWS])[::-1]
        products = multiplier.table[abs(act)[:, None], abs(weights)].astype(int)
        signs = np.where((act < 0)[:, None] != (weights < 0), -1, 1)
        assert sums[array * COLS:(array + 1) * COLS] == (signs * products).sum(axis=0).tolist()
