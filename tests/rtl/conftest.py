"""Says which simulator runs the benches."""

from __future__ import annotations

from hw.common.errors import ToolError
from tests.rtl.simulator import find_simulator


def describe_simulator() -> str:
    try:
        return f"RTL simulator: {find_simulator()}"
    except ToolError as error:
        return f"RTL simulator: none ({error})"


def pytest_report_header() -> str:
    return describe_simulator()


def pytest_terminal_summary(terminalreporter) -> None:
    terminalreporter.write_line(describe_simulator())
