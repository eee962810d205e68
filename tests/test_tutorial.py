"""Every command of the tutorial runs, in its order, on files such as its reader has."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hw.multipliers.importing import import_file
from models.data import load_digits_split
from tests.outside_data import outside

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """A folder with net.onnx, net.json, images.npz, mine.v and cells.lib.gz."""
    library = outside("liberty", "nangate45", "nangate45_typ.lib.gz")
    for suffix in ("onnx", "json"):
        shutil.copy(ROOT / "models" / "zoo" / f"digits.{suffix}", tmp_path / f"net.{suffix}")
    parts = [load_digits_split(name) for name in ("calibrate", "search", "certify")]
    np.savez(tmp_path / "images.npz", x=np.concatenate([part.images for part in parts]),
             y=np.concatenate([part.labels for part in parts]))
    [verilog] = blocks("verilog")
    (tmp_path / "mine.v").write_text(verilog)
    shutil.copy(library, tmp_path / "cells.lib.gz")
    return tmp_path


def test_its_circuit_can_be_imported(tmp_path):
    [verilog] = blocks("verilog")
    (tmp_path / "mine.v").write_text(verilog)
    found = import_file(tmp_path / "mine.v", name="mul8u_mine").multiplier
    assert not found.is_exact
    assert found.netlist is not None


@pytest.mark.long
def test_every_command_runs(folder):
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) > 12
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = {}
    for command in commands:
        assert command.startswith("python -m "), command
        done = subprocess.run([sys.executable, *command.split()[1:]], cwd=folder, text=True,
                              env=environment, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        printed[command.split()[2]] = done.stdout
    assert "logits of 4 equal the golden model's" in printed["sim.cosim"]
    run = json.loads((folder / "runs" / "net" / "run.json").read_text())
    assert run["configuration"]["technology"] == "cells.json.gz"
    assert (folder / "energies.svg").stat().st_size > 1000
