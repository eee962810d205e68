"""Progress on stderr: plain lines without a terminal, silence on request."""

import re

from hw.common import progress


def test_plain_lines_say_what_how_far_and_how_long(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.0)
    with progress.task("mapping", 3) as work:
        work.advance(note="mul8u_exact")
        work.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"  mapping: 1/3, \d+ s left, mul8u_exact", lines[0])
    assert re.fullmatch(r"  mapping: done in \d+\.\d s", lines[-1])


def test_quiet_prints_nothing(capsys):
    with progress.task("mapping", 3, quiet=True) as work:
        work.advance()
    assert capsys.readouterr() == ("", "")
