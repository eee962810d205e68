"""Progress on stderr: few plain lines without a terminal, silence on request."""

import argparse
import re
import time

import pytest

from hw.common import progress
from hw.common.errors import run_command_line


@pytest.fixture
def clock(monkeypatch):
    """Return what sets the clock, seconds; nothing was printed before."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_LOG", progress._Log())

    def move(seconds):
        now[0] += seconds
    return move


def test_a_line_at_the_start_one_a_minute_and_one_at_the_end(capsys, clock):
    def main():
        for label in ("mapping", "timing"):
            with progress.task(label, 100) as work:
                for _ in range(100):
                    clock(1.5)
                    work.advance(note="mul8u_exact")
        print("found")

    with pytest.raises(SystemExit) as ended:
        run_command_line(main)
    assert ended.value.code == 0
    captured = capsys.readouterr()
    assert captured.out == "found\n"
    assert captured.err.splitlines() == [
        "  mapping", "  mapping: 40/100, 90 s left, mul8u_exact",
        "  mapping: 80/100, 30 s left, mul8u_exact", "  timing: 20/100, 2 min left, mul8u_exact",
        "  timing: 60/100, 60 s left, mul8u_exact", "  timing: done in 150.0 s",
        "  done in 300.0 s"]


def test_the_first_step_does_not_count_for_the_time_that_is_left(capsys, clock):
    with progress.task("fitting", 20) as work:
        clock(500)
        work.advance()  # which compiled what all use
        clock(60)
        work.advance()
        clock(60)
        work.advance(5)
    assert [line.removeprefix("  fitting") for line in capsys.readouterr().err.splitlines()] == [
        "", ": 1/20", ": 2/20", ": 7/20, 4 min left"]


def test_work_that_may_end_early_says_at_most(capsys, clock):
    with progress.task("searching", 100, at_most=True) as work:
        work.advance()
        clock(60)
        work.advance(19)
    assert capsys.readouterr().err.splitlines()[-1] == "  searching: 20/100, at most 4 min left"


def test_what_is_announced_is_said_when_it_begins(capsys, clock):
    progress.start("reading net.onnx")
    with progress.task("compiling, a minute", 1, announce=True):
        assert capsys.readouterr().err == "  reading net.onnx\n  compiling, a minute\n"


def test_a_step_that_takes_long_is_told_while_it_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LOG", progress._Log())
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.05)
    with progress.task("compiling", 1):
        time.sleep(0.3)
    with pytest.raises(KeyboardInterrupt), progress.task("stopped", 1):
        raise KeyboardInterrupt
    before = capsys.readouterr().err
    assert before.startswith("  compiling\n  compiling: 0/1, 0 s so far\n")
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_start_is_the_first_line(capsys, clock):
    progress.start("searching for digits")
    with progress.task("reading", 3) as work:
        work.advance()
    assert capsys.readouterr().err == "  searching for digits\n"


def test_failure_is_the_last_line(capsys, clock):
    def main():
        with progress.task("reading", 3):
            raise OSError(2, "No such file or directory", "gone.npz")

    with pytest.raises(SystemExit):
        run_command_line(main)
    assert capsys.readouterr().err == "  reading\nerror: gone.npz: No such file or directory\n"


def test_quiet_prints_nothing(capsys, clock):
    def main():
        progress.start("mapping", quiet=True)
        with progress.task("mapping", 3, quiet=True) as work:
            clock(100)
            work.advance()

    with pytest.raises(SystemExit):
        run_command_line(main)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_line_for_everything(capsys, clock, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    with progress.task("mapping", 3) as work:
        work.advance()
    assert re.search(r"  mapping: done in 0\.0 s\n$", capsys.readouterr().err)


@pytest.mark.parametrize(("option", "lines"), [
    ("--quiet", []),
    ("--verbose", ["  mapping", "  mapping: done in 5.0 s", "  timing", "  timing: done in 5.0 s",
                   "  done in 10.0 s"])])
def test_all_parts_or_none_are_told_on_request(capsys, clock, option, lines):
    parser = argparse.ArgumentParser()
    progress.add_progress_options(parser)

    def main():
        assert getattr(parser.parse_args([option]), option[2:])
        for label in ("mapping", "timing"):
            with progress.task(label, 1):
                clock(5)

    with pytest.raises(SystemExit):
        run_command_line(main)
    assert capsys.readouterr().err.splitlines() == lines


def test_a_log_has_every_part_and_what_stopped_it(capsys, clock, tmp_path):
    log = tmp_path / "run.log"
    with progress.logged(log), progress.task("mapping", 2, quiet=True):
        clock(1.5)
    stop = pytest.raises(KeyboardInterrupt)
    with stop, progress.logged(log), progress.task("timing", 1, quiet=True, at_most=True):
        raise KeyboardInterrupt
    with progress.task("not of the run", 1, quiet=True):
        pass
    assert [line.partition(" ")[2] for line in log.read_text().splitlines()] == [
        "mapping: 2 steps", "mapping: done in 1.5 s", "timing: at most 1 step",
        "stopped: KeyboardInterrupt"]
    assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d .*\n){4}", log.read_text())
    assert capsys.readouterr().err == ""
