"""The simulation that all benches share, and a line saying which simulator runs it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from hw.common.errors import ToolError
from tests.hw.rtl.cosim_machines import MACHINES, emit
from tests.hw.rtl.duts import PUBLIC_MODULES, TOP, bench_sources
from tests.hw.rtl.simulator import Build, build, find_simulator, locked


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, request):
    """Return a folder of this test run that all of its workers share.

    Each simulation runs once, in a folder of its own below this one, whichever worker asks
    first. (pytest-xdist's groups would do, but pytest 9.2 ignores them.)
    """
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture(scope="session")
def bench(shared_folder):
    record = shared_folder / "bench.txt"
    with locked(record):
        if record.exists():
            return Build.at(Path(record.read_text()), top=TOP)
        built = build(bench_sources(), top=TOP, public_modules=PUBLIC_MODULES)
        record.write_text(str(built.folder))
        return built


def describe_simulator() -> str:
    try:
        return f"RTL simulator: {find_simulator()}"
    except ToolError as error:
        return f"RTL simulator: none ({error})"


def pytest_report_header() -> str:
    return describe_simulator()


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.write_line(describe_simulator())


@pytest.fixture(scope="session")
def rtl_of(shared_folder):
    """Return the folder with the Verilog of a machine of MACHINES, compiled once per test run."""
    @cache
    def emitted(name):
        folder = shared_folder / f"machine-{name}"
        with locked(folder):
            return folder if folder.exists() else emit(MACHINES[name], folder)

    return emitted
