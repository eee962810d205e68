"""Ctrl-C and SIGKILL: what is measured is kept, and the run goes on from there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SOON_S = 3  # on an idle machine


@pytest.mark.parametrize(("wait_s", "where"), [(0.0, ()), (0.4, ("--cluster", "local:2"))])
def test_an_interrupted_run_ends_soon_and_says_how_to_go_on(tmp_path, wait_s, where):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "--output", str(tmp_path), "--compare", "none", "--method",
         "random", "--budget", "2000", "--multipliers", "mul8u_trunc_c9,mul8u_drum_k4",
         "--rows", "8", "--cols", "8", "--compensation", "none", *where],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    journal = tmp_path / "digits.unfinished" / "trials.journal"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
            journal.exists() and journal.read_bytes().count(b'"mapping"') > 3):
        time.sleep(0.05)
    time.sleep(wait_s)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to workers as well
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


KILLS = 50
SEARCHED = ("--method", "milp", "--compare", "tpe", "--budget", "90", "--multipliers",
            "mul8u_trunc_c9,mul8u_drum_k4,mul8u_truncvc_c9", "--rows", "8", "--cols", "8",
            "--compensation", "none", "--name", "digits")


@pytest.mark.long
def test_fifty_kills_lose_nothing_and_change_nothing(tmp_path):
    """SIGKILL at random moments, of the start and of the search; then the run is finished."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(whole)
    generator = np.random.default_rng(7)
    kept: list[bytes] = []
    killed_searching = 0
    for number in range(KILLS):
        with start(killed, resume=number > 0) as process:
            if generator.random() < 0.3:
                time.sleep(generator.uniform(0, 5))
            else:
                wait_for_trials(killed, len(kept) + int(generator.integers(1, 4)), process)
                time.sleep(generator.uniform(0, 0.05))
                killed_searching += 1
            assert process.poll() is None, said(killed)
            process.kill()
        found = finished_trials(killed)
        assert found[:len(kept)] == kept
        kept = found
    assert killed_searching > KILLS / 2
    finish(killed, resume=True)
    trials = finished_trials(killed)
    assert trials[:len(kept)] == kept
    assert len(trials) == len(finished_trials(whole))  # nothing was measured twice
    assert outcome(killed) == outcome(whole)


def start(output, *, resume=False):
    output.mkdir(exist_ok=True)
    with (output / "messages").open("wb") as messages:
        return subprocess.Popen(
            [sys.executable, "-m", "search.run", *SEARCHED, "--output", str(output), "--json",
             *(["--resume"] if resume else [])],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=messages)


def said(output):
    return "the run ended before it was killed: " + (output / "messages").read_text()


def finish(output, *, resume=False):
    with start(output, resume=resume) as process:
        assert process.wait(timeout=600) == 0, said(output)


def wait_for_trials(output, count, process):
    deadline = time.monotonic() + 300
    while len(finished_trials(output)) < count:
        assert process.poll() is None, said(output)
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finished_trials(output):
    """Return the whole lines of the journal that hold a measured design."""
    journals = [*output.glob("digits*/trials.journal")]
    lines = journals[0].read_bytes().split(b"\n")[:-1] if journals else []
    return [line for line in lines if b'"mapping"' in line]


def outcome(output):
    """Return what a run found, without what it took."""
    content = json.loads((output / "digits" / "run.json").read_text())
    for name in ("seconds", "configuration"):
        del content[name]
    for method in content["methods"]:
        del method["seconds"]
    return content


# Background jobs of a shell ignore Ctrl-C; this one is to heed it.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from search.run import main
from hw.common.errors import run_command_line
run_command_line(main)
"""
