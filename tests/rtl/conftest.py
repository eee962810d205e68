"""The simulation that all benches share, and a line saying which simulator runs it."""

from __future__ import annotations

import pytest

from hw.common.errors import ToolError
from tests.rtl.duts import PUBLIC_MODULES, TOP, bench_sources
from tests.rtl.simulator import build, find_simulator


@pytest.fixture(scope="session")
def bench():
    return build(bench_sources(), top=TOP, public_modules=PUBLIC_MODULES)


def describe_simulator() -> str:
    try:
        return f"RTL simulator: {find_simulator()}"
    except ToolError as error:
        return f"RTL simulator: none ({error})"


def pytest_report_header() -> str:
    return describe_simulator()


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.write_line(describe_simulator())
