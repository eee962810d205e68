"""Ctrl-C: what is measured is kept, and the process ends soon."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOON_S = 3  # on an idle machine


@pytest.mark.parametrize("wait_s", [0.0, 0.4])
def test_an_interrupted_run_ends_soon_and_says_how_to_go_on(tmp_path, wait_s):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "--output", str(tmp_path), "--compare", "none", "--method",
         "random", "--budget", "2000", "--multipliers", "mul8u_trunc_c9,mul8u_drum_k4",
         "--rows", "8", "--cols", "8", "--compensation", "none"],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    journal = tmp_path / "digits.unfinished" / "trials.journal"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
            journal.exists() and journal.read_bytes().count(b'"mapping"') > 3):
        time.sleep(0.05)
    time.sleep(wait_s)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _out, messages = process.communicate(timeout=60)
    load = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert time.monotonic() - started < SOON_S * load
    assert process.returncode == 130
    text = messages.decode()
    assert "continue with --resume" in text
    assert text.rstrip().endswith("error: interrupted")
    assert "Traceback" not in text
    kept = journal.read_bytes()
    assert kept.endswith(b"\n")
    assert kept.count(b'"mapping"') > 3


# Background jobs of a shell ignore Ctrl-C; this one is to heed it.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from search.run import main
from hw.common.errors import run_command_line
run_command_line(main)
"""
