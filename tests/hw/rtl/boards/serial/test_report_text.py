"""The report as text: what a good one looks like, and what is said about a bad one."""

from __future__ import annotations

import pytest

from hw.rtl.boards.serial.report_text import TileLine, differences, expected_report, parse_tile
from tests.hw.rtl.boards.selftests import small_plan

PLAN = small_plan()  # 2 arrays, 2 tiles each
GOOD = expected_report(PLAN)


def changed(line: int, old: str, new: str) -> list[str]:
    assert old in GOOD[line]
    return [*GOOD[:line], GOOD[line].replace(old, new), *GOOD[line + 1:]]


def test_good_report():
    assert GOOD[0] == f"autoapprox {PLAN.digest} 2x3 arrays 2 tiles 2 beats 4"
    assert GOOD[1:] == [
        "tile 000 array 00 pass 00014 cycles", "tile 001 array 00 pass 00004 cycles",
        "tile 002 array 01 pass 00014 cycles", "tile 003 array 01 pass 00004 cycles",
        "all equal"]
    assert differences(PLAN, GOOD) == []


@pytest.mark.parametrize(("lines", "found"), [
    ([], "Report must begin with 'autoapprox"),
    (changed(0, "2x3", "2x4"), "Report must begin with 'autoapprox"),
    (changed(2, "pass", "FAIL"), "Tile 1 on array 0 gave a wrong sum"),
    (changed(3, "array 01", "array 00"), "Tile 2 must run on array 1, not 0"),
    (changed(3, "00014", "00015"), "Tile 2 must take 14 cycles, not 15"),
    (changed(2, "tile 001", "tile 007"), "Tile 1 must be reported, not 'tile 007"),
    (changed(2, "cycles", "cycl"), "Tile 1 must be reported, not 'tile 001"),
    (GOOD[:3], "Tile 2 must be reported, not 'nothing'"),
    (GOOD[:-1], "Report must end with 'all equal', not 'tile 003"),
    ([*GOOD[:-1], "mismatch"], "Report must end with 'all equal', not 'mismatch'"),
])
def test_bad_report(lines, found):
    assert differences(PLAN, lines)[0].startswith(found)


def test_tile_line_is_read_back():
    assert parse_tile("tile 017 array 03 FAIL 00123 cycles") == TileLine(
        tile=17, array=3, passed=False, cycles=123)
    assert parse_tile("tile 17 array 3 FAIL 123 cycles") is None
