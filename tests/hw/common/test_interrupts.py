"""Ctrl-C before a command has begun."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hw.common import interrupts

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("module", ["search.run", "hw.ppa", "sim.evaluate", "models.train"])
@pytest.mark.parametrize("wait_s", [0.0, 0.05, 0.1])
def test_it_is_one_line_while_modules_are_imported(module, wait_s):
    """The first module of ours that is imported says so: the guard stands from there on."""
    with subprocess.Popen([sys.executable, "-v", "-m", module, "--help"], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        lines = iter(process.stderr.readline, "")
        next(line for line in lines if "hw.common.errors" in line or "import 'models'" in line
             or "import 'hw'" in line)
        time.sleep(wait_s)
        process.send_signal(signal.SIGINT)
        rest, said = "".join(lines), process.stdout.read()
    assert "Traceback" not in rest
    if "usage: " not in said:  # else it was done
        assert process.returncode == 130
        assert "error: interrupted\n" in rest


def test_it_raises_as_ever_where_ours_is_a_library(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    before = signal.getsignal(signal.SIGINT)
    interrupts.guard_start()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_command_gets_the_exception_again(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(sys, "argv", ["-m", "x"])
        interrupts.guard_start()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        interrupts.guard_end()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_ignores_it_is_not_guarded(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr(sys, "argv", ["-m", "x"])
        interrupts.guard_start()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
