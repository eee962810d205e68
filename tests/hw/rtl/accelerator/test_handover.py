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
from hw.rtl.accelerator.handover import WAIVERS
from hw.rtl.verilog import emit_design
from sim.machine.verilator import verilator_root
from tests.hw.rtl.circuits import NIBBLE, SKEWED
from tests.hw.rtl.simulator import MAKE_VARIABLES, find_simulator

ROWS, COLS = 3, 2
SMALL = AcceleratorConfig(act_rows=16, accumulator_rows=16, output_rows=16, requantise_lanes=2,
                          weight_fifo_rows=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rtl")
    arrays = (NIBBLE, SKEWED)
    design = Design(name="tiny-net", multipliers={m.name: m for m in arrays},
                    bank=BankConfig(rows=ROWS, cols=COLS, arrays=tuple(m.name for m in arrays)))
    for name, text in emit_design(design, config=SMALL, prefix="npu_").items():
        (folder / name).write_text(text)
    return folder


def verilate(folder, *options):
    root = verilator_root()
    environment = {"VERILATOR_ROOT": str(root), "MAKEFLAGS": MAKE_VARIABLES,
                   **find_simulator().environment}
    return subprocess.run([str(root / "bin" / "verilator"), *options], cwd=folder,
                          env=environment, capture_output=True, text=True, check=False)


def lint(folder, *waivers):
    sources = (folder / "npu_accelerator.f").read_text().split()
    done = verilate(folder, "--lint-only", "-Wall", "--top-module", "npu_accelerator", *waivers,
                    *sources)
    return done.returncode, sorted(set(re.findall(r"%Warning-(\w+)", done.stderr)))


def test_verilog_lints_clean_with_the_waivers_and_needs_each_of_them(folder):
    assert lint(folder, "npu_lint.vlt") == (0, [])
    status, warnings = lint(folder)
    assert status
    assert warnings == sorted(WAIVERS)


def test_package_lists_every_file_and_the_top(folder):
    core = yaml.safe_load((folder / "npu_accelerator.core").read_text().removeprefix("CAPI=2:\n"))
    assert core["name"] == "::autoapprox_tiny_net:0"
    assert core["targets"]["default"]["toplevel"] == "npu_accelerator"
    assert sorted(core["filesets"]["rtl"]["files"]) == sorted(
        path.name for path in folder.glob("*.v"))


def test_constraints_name_the_clock(folder):
    text = (folder / "npu_accelerator.sdc").read_text()
    assert "create_clock -name clk -period 1.000 [get_ports clk]" in text


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
