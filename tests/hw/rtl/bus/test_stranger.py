"""A bench that was written from the documents alone runs a network through the bus, and passes.

`stranger/` imports nothing of the project: a model from `design.json` and the pages, and a bench in
plain SystemVerilog. Memories are the wrappers of docs/memories around SRAM macros.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.common.cache import kept_folder
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from hw.rtl.verilog.emission import emit_design
from sim.machine.verilator import verilator_root
from tests.hw.rtl.simulator import environment_of, find_simulator

FOLDER = Path(__file__).parent / "stranger"
DOCS = Path(__file__).parents[4] / "docs" / "memories"
BITS = 16
# Products whose sign is folded in, of two's complement, and of rounded activations.
ARRAYS = ("mul8u_exact", "mul8u_truncvc_c11", "mul8s_booth_abe2_c6", "mul8u_opround_a3w0")
INVERTED = {"AND": "NAND", "NAND": "AND", "OR": "NOR", "NOR": "OR", "XOR": "XNOR", "XNOR": "XOR"}
DESIGN = Design(name="stranger", multipliers={name: get(name) for name in ARRAYS},
                bank=BankConfig(rows=2, cols=4, arrays=ARRAYS))


def written(design: dict, folder: Path) -> Path:
    """Let the stranger write what its bench reads."""
    (folder / "design.json").write_text(json.dumps(design))
    subprocess.run([sys.executable, "-I", FOLDER / "stranger.py", folder / "design.json", str(BITS),
                    folder], check=True)
    return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Return the compiled bench."""
    sizes = (written(DESIGN.to_dict(), tmp_path_factory.mktemp("sizes")) / "sizes.vh").read_text()
    files = {name: text for name, text in emit_design(
        DESIGN, config=AcceleratorConfig(), stream_bits=BITS).items() if name.endswith(".v")}
    files |= {"row_memory.v": (DOCS / "row_memory_1rw.v").read_text(),
              "sram_models.v": (DOCS / "sram_models.v").read_text(),
              "bench.sv": (FOLDER / "bench.sv").read_text(), "sizes.vh": sizes}

    def compile_in(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)
        with environment_of(find_simulator()):
            subprocess.run(
                [verilator_root() / "bin" / "verilator", "--binary", "--timing", "-Wno-fatal",
                 "--output-groups", "2", "--top-module", "bench",
                 *(name for name in files if name != "sizes.vh")],
                cwd=folder, check=True, capture_output=True, text=True)
        (folder / "obj_dir" / "Vbench").rename(folder / "bench")
        shutil.rmtree(folder / "obj_dir")

    return kept_folder(sorted(files.items()), compile_in) / "bench"


def run(bench: Path, folder: Path) -> str:
    return subprocess.run([bench], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_every_result_is_what_the_documents_say(bench, tmp_path):
    assert run(bench, written(DESIGN.to_dict(), tmp_path)).startswith("PASS\n")


@pytest.mark.parametrize("array", ARRAYS[1:])
def test_another_gate_in_an_array_is_noticed(bench, tmp_path, array):
    design = DESIGN.to_dict()
    netlist = design["multipliers"][array]["netlist"]
    gates = [[*gate] for gate in netlist["gates"]]
    last = gates[netlist["outputs"][-3] - 18]
    last[0] = INVERTED[last[0]]
    design["multipliers"][array]["netlist"] = {**netlist, "gates": gates}
    assert "PASS" not in run(bench, written(design, tmp_path))
