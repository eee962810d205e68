"""Reading the report of a board from its serial port, or from a file that recorded one."""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path

from hw.common.errors import InputError, ToolError
from hw.rtl.boards.serial.report_text import ALL_EQUAL, HEADER_START, MISMATCH, NO_ANSWER

SPEED = termios.B115200
ENDS = (ALL_EQUAL, MISMATCH, NO_ANSWER)


def read_run(port: Path, *, timeout_s: float) -> list[str]:
    """Return the lines of the first complete run that comes, its header first.

    Raises
    ------
    InputError
        A file ends before a run does.
    ToolError
        No complete run comes in time.
    """
    lines: list[str] = []
    for line in _lines(port, timeout_s):
        if line.startswith(HEADER_START):
            lines = [line]
        elif lines:  # before the first header: the rest of a run that began unheard
            lines.append(line)
            if line in ENDS:
                return lines
    raise InputError(f"{port}: must hold a report from {HEADER_START.strip()!r} to one of "
                     f"{', '.join(map(repr, ENDS))}, not {len(lines)} lines of one")


def _lines(port: Path, timeout_s: float) -> Iterator[str]:
    """Yield lines until the end of a file; a serial port has none, and ends in ToolError."""
    deadline = time.monotonic() + timeout_s
    descriptor = os.open(port, os.O_RDONLY | os.O_NOCTTY)
    try:
        if os.isatty(descriptor):
            _configure(descriptor)
        pending = b""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise ToolError(f"Board must report on {port} within {timeout_s:g} s; is it the "
                                "right port, and the bitstream loaded?")
            content = os.read(descriptor, 4096)
            if not content:
                return
            *complete, pending = (pending + content).split(b"\n")
            # A terminal opened in the middle of a byte may see anything.
            yield from (line.decode("ascii", "replace").rstrip("\r") for line in complete)
    finally:
        os.close(descriptor)


def _configure(descriptor: int) -> None:
    """Set 115,200 baud, 8N1, no flow control, nothing translated."""
    tty.setraw(descriptor)
    attributes = termios.tcgetattr(descriptor)
    attributes[2] |= termios.CLOCAL | termios.CREAD
    attributes[4] = attributes[5] = SPEED
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
