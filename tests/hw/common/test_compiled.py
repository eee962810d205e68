"""Compiled code is kept beside the source; where it cannot be, work goes on."""

import subprocess
import sys

import pytest
from numba.core import caching

from hw.common.code import ROOT
from hw.common.compiled import keep


@pytest.fixture
def asked_anew():
    keep.cache_clear()
    yield
    keep.cache_clear()


@pytest.mark.parametrize(("locators", "kept"), [
    ([caching.InTreeCacheLocator], True), ([], False)])
def test_kept_where_numba_finds_a_place(monkeypatch, capsys, asked_anew, locators, kept):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", locators)
    assert keep() is kept
    assert capsys.readouterr().err.startswith("  compiled code is not kept: " * (not kept))
    assert keep() is kept
    assert capsys.readouterr().err == ""  # said once


def test_code_runs_where_nothing_can_be_kept():
    script = ("from numba.core.caching import CacheImpl; CacheImpl._locator_classes = []; "
              "import numpy as np; "
              "from hw.ppa.energy.switching_energy import ones; print(ones(np.uint64(7)))")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    assert done.stdout == "3\n"
    assert done.stderr.count("\n") == 1


def test_second_process_compiles_nothing():
    script = ("from sim.kernels.schedule import _steps; "
              "print(sum(_steps.stats.cache_misses.values()))")
    outputs = [subprocess.run([sys.executable, "-c", script], cwd=ROOT, text=True,
                              capture_output=True, check=True).stdout for _ in range(2)]
    assert outputs[1] == "0\n"


def test_every_kernel_asks():
    for path in (path for package in ("hw", "models", "search", "sim")
                 for path in (ROOT / package).rglob("*.py")):
        assert "cache=True" not in path.read_text(), path
