"""Every notebook runs from top to bottom in an empty folder."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))
TIMEOUT_S = 1200


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return what runs a notebook in `tmp_path`: everything that its cells printed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

    def execute(path):
        book = nbformat.read(path, as_version=4)
        NotebookClient(book, timeout=TIMEOUT_S,
                       resources={"metadata": {"path": str(tmp_path)}}).execute()
        return "".join(output.get("text", "") for cell in book.cells
                       for output in cell.get("outputs", ()))
    return execute


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == ["own_multiplier", "own_network", "read_a_run"]


def test_a_multiplier_is_described_proven_costed_and_used(run, tmp_path):
    printed = run(ROOT / "docs" / "notebooks" / "own_multiplier.ipynb")
    assert "MAE 0.033 %" in printed
    assert "top-1 " in printed
    assert (tmp_path / "mine.png").stat().st_size > 1000


def test_a_pytorch_network_becomes_verilog(run, tmp_path):
    printed = run(ROOT / "docs" / "notebooks" / "own_network.ipynb")
    assert "logits of 4 equal the golden model's" in printed
    assert (tmp_path / "runs" / "net" / "rtl" / "bank.v").stat().st_size > 1000


def test_a_run_folder_is_read(run):
    printed = run(ROOT / "docs" / "notebooks" / "read_a_run.ipynb")
    assert "array      0." in printed
