"""Reading reports: from a pseudo terminal that plays the board, and from files."""

from __future__ import annotations

import os
import threading
import tty
from pathlib import Path

import pytest

from hw.common.errors import InputError, ToolError
from hw.rtl.boards.__main__ import main
from hw.rtl.boards.listen import read_run
from hw.rtl.boards.serial.report_text import expected_report
from hw.rtl.boards.stored_tiles import Plan
from hw.rtl.boards.targets import BOARDS

LINES = expected_report(Plan.random(BOARDS["icebreaker"].default_design()))


def sent(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


@pytest.fixture
def board():
    """Return (port, send) of a pseudo terminal."""
    outer, inner = os.openpty()
    tty.setraw(inner)
    yield Path(os.ttyname(inner)), lambda content: os.write(outer, content)
    os.close(outer)
    os.close(inner)


def test_run_that_began_unheard_is_skipped(board):
    port, send = board
    # The port is configured and read while the board is already talking.
    timer = threading.Timer(0.2, send, [b"\xfe\x80ss 00016 cycles\r\nall equal\r\n" + sent(*LINES)])
    timer.start()
    assert read_run(port, timeout_s=20) == LINES
    timer.join()


def test_silent_port_is_an_error_of_the_environment(board):
    with pytest.raises(ToolError, match=r"^Board must report on /dev/pts/\d+ within 0\.2 s; is it"):
        read_run(board[0], timeout_s=0.2)


def test_file_that_ends_early(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(sent(*LINES[:4]))
    with pytest.raises(InputError, match=rf"^{path}: must hold a report .*, not 4 lines of one$"):
        read_run(path, timeout_s=5)


@pytest.mark.parametrize(("old", "new", "status", "said"), [
    ("", "", 0, "8 tiles on 2 arrays: every sum equal, 152 cycles as predicted\n"),
    ("tile 002 array 00 pass", "tile 002 array 00 FAIL", 1, "Tile 2 on array 0 gave a wrong sum\n"),
    ("00016", "00017", 1, "Tile 1 must take 16 cycles, not 17\n"),
])
def test_check_says_what_differs(old, new, status, said, tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_bytes(sent(*(line.replace(old, new) if old else line for line in LINES)))
    assert main(["check", "icebreaker", "--port", str(path)]) == status
    assert capsys.readouterr().out.startswith(said)


def test_check_refuses_the_report_of_another_design(tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_bytes(sent(*LINES))
    assert main(["check", "icebreaker", "--rows", "2", "--port", str(path)]) == 1
    assert capsys.readouterr().out.startswith("Report must begin with 'autoapprox ")
