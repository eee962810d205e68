"""Whole runs on clusters of real processes: the same bytes, whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.search.test_interrupt import ROOT

pytestmark = pytest.mark.long
SEARCHED = ("--method", "milp", "--compare", "tpe", "--budget", "60", "--multipliers",
            "mul8u_trunc_c9,mul8u_drum_k4,mul8u_truncvc_c9", "--rows", "8", "--cols", "8",
            "--compensation", "affine", "--name", "digits", "--json")
KILLS = 10


def start(output, *more):
    output.mkdir(exist_ok=True)
    with (output / "messages").open("ab") as messages:
        return subprocess.Popen(
            [sys.executable, "-m", "search.run", *SEARCHED, "--output", str(output), *more],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=messages, start_new_session=True,
            # What one run keeps another must not find.
            env={**os.environ, "AUTOAPPROX_CACHE": str(output / "cache")})


def finished(process, output):
    assert process.wait(timeout=1800) == 0, (output / "messages").read_text()
    return outcome(output)


def outcome(output):
    """Return the design's bytes and what the run found, without what it took."""
    content = json.loads((output / "digits" / "run.json").read_text())
    for name in ("seconds", "processor_seconds", "peak_bytes", "configuration"):
        del content[name]
    for method in content["methods"]:
        del method["seconds"]
    del content["compensation"]["refit_seconds"]
    return (output / "digits" / "design.json").read_bytes(), content


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    output = tmp_path_factory.mktemp("plain")
    return finished(start(output), output)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_finds_the_same_bytes(plain, tmp_path, workers):
    assert finished(start(tmp_path, "--cluster", f"local:{workers}"), tmp_path) == plain


def workers_of(process):
    """Return the worker processes that a driver has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(path.parent.name), path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(rest[1]) == process.pid and b"spawn_main" in command:
            found.append(pid)
    return found


def journal(output):
    paths = [*output.glob("digits*/trials.journal")]
    return paths[0].read_bytes().count(b'"mapping"') if paths else 0


def test_workers_that_are_killed_cost_their_chunks_only(plain, tmp_path):
    """Two of four at random, ten times, in as many runs as that takes."""
    generator, killed = np.random.default_rng(5), 0
    while killed < KILLS:
        output = tmp_path / str(killed)
        process = start(output, "--cluster", "local:4")
        while process.poll() is None:
            time.sleep(generator.uniform(0.2, 2))
            own = workers_of(process)
            if len(own) >= 3 and killed < KILLS:
                for pid in generator.choice(own, 2, replace=False):
                    os.kill(pid, signal.SIGKILL)
                killed += 1
        assert finished(process, output) == plain


def test_a_driver_that_is_killed_leaves_no_worker_and_goes_on_elsewhere(plain, tmp_path):
    process = start(tmp_path, "--cluster", "local:2")
    deadline = time.monotonic() + 600
    while journal(tmp_path) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    own = workers_of(process)
    assert len(own) >= 2
    process.kill()
    process.wait()
    known = journal(tmp_path)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in own):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = finished(start(tmp_path, "--cluster", "local:1", "--resume"), tmp_path)
    assert found == plain
    assert journal(tmp_path) > known
