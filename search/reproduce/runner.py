"""Runs steps, each once: what has finished with the same command and inputs is left alone."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from hw.common.code import ROOT
from hw.common.errors import InputError
from hw.common.interrupts import EXIT_INTERRUPTED
from models import ZOO
from search.reproduce.machine import machine, versions
from search.reproduce.steps import (
    DONE,
    FAILED,
    STARTED,
    Record,
    Step,
    digests,
    is_done,
    missing,
    same,
)

GRACE_S = 60.0  # for an interrupted command to leave a state that can be continued
RESUME = "--resume"
# Folders of the project that commands may read by a relative name, beside the user's `data`.
LINKS = {"docs": ROOT / "docs", "zoo": ZOO}


def open_work(work: Path, data: Path) -> None:
    """Make the work folder, in which `data` is the user's folder, `docs` and `zoo` the project's.

    Raises InputError when one of the names is taken by something else.
    """
    if not data.is_dir():
        raise InputError(f"{data}: must be a folder with nets/, images/ and multipliers/")
    work.mkdir(parents=True, exist_ok=True)
    for name, target in {"data": data, **LINKS}.items():
        link = work / name
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            raise InputError(f"{link}: must not exist, or be a link that an earlier run made")
        link.symlink_to(target.resolve())


def run_all(steps: Sequence[Step], work: Path) -> list[Step]:
    """Run what is not done yet, in order; return the steps that failed.

    A step whose inputs are missing is named and left out. An interruption ends the running
    command, which goes on next time where it can, and is raised. Several may work in one folder,
    on different steps: InputError is raised where another is at the same one.
    """
    failed = []
    for number, step in enumerate(steps, 1):
        title = f"[{number}/{len(steps)}] {step.name}"
        record = Record.load(step.file(work, ".json"))
        if is_done(step, work, record):
            _say(f"{title}: done before")
        elif absent := missing(step, work):
            _say(f"{title}: not run, {', '.join(absent)} missing")
        else:
            _say(f"{title}: {step.text()}")
            with _claimed(step, work) as claim:
                ended = run_step(step, work, record, claim)
            if ended.state == FAILED:
                failed.append(step)
                _say(f"{title}: failed, {ended.message}")
            else:
                _say(f"{title}: done in {ended.seconds:.0f} s")
    return failed


@contextmanager
def _claimed(step: Step, work: Path) -> Iterator[int]:
    """Hold a step and give the descriptor that does, for a command that may outlive this process.

    Raises InputError where another run holds it.
    """
    path = step.file(work, ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: step must not be running already") from None
        yield stream.fileno()


def run_step(step: Step, work: Path, before: Record | None, claim: int) -> Record:
    """Run one step, its inputs being there, and return its record.

    before : record of an earlier attempt. Where that was of the same command and inputs it is
    continued; else what it left is removed. claim : descriptor that the command keeps open.
    """
    continued = before is not None and before.state != DONE and same(step, work, before)
    resumed = bool(continued and step.unfinished and (work / step.unfinished).exists())
    if not resumed:
        for name in (*step.outputs, *filter(None, [step.unfinished])):
            _remove(work / name)
    record = Record(command=step.text(), inputs=digests(step, work), state=STARTED,
                    versions=versions(), machine=machine(),
                    seconds=before.seconds if before and resumed else 0.0,
                    processor_seconds=before.processor_seconds if before and resumed else 0.0)
    path = step.file(work, ".json")
    record.save(path)
    spent = _Clock(record)
    try:
        code, last = _execute([*step.command, *[RESUME] * resumed], step, work, claim)
    except BaseException:
        spent.record(STARTED).save(path)
        raise
    absent = [name for name in step.outputs if not (work / name).exists()]
    if code == EXIT_INTERRUPTED:
        spent.record(STARTED).save(path)
        raise KeyboardInterrupt
    if code or absent:
        ended = spent.record(FAILED, last or f"exit status {code}" if code
                             else f"it did not write {absent[0]}")
    else:
        ended = spent.record(DONE)
    ended.save(path)
    return ended


class _Clock:
    """Time since it was made, wall and processor's, added to a record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._started = time.monotonic(), _children_s()

    def record(self, state: str, message: str = "") -> Record:
        wall, processor = self._started
        before = self._record
        return replace(before, state=state, message=message,
                       seconds=before.seconds + time.monotonic() - wall,
                       processor_seconds=before.processor_seconds + _children_s() - processor)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _execute(command: Sequence[str], step: Step, work: Path, claim: int) -> tuple[int, str]:
    """Return the exit status and the last line of the messages, which are shown as they come."""
    out, messages = step.file(work, ".out"), step.file(work, ".err")
    for name in (*step.outputs, str(out.relative_to(work))):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as stdout, messages.open("wb") as kept:
        # A group of its own: Ctrl-C reaches it once, from here.
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=work, env=_environment(),
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, process_group=0,
            pass_fds=(claim,))
        try:
            last = _show(process, kept)
            return process.wait(), last
        except BaseException:
            _end(process)
            raise


def _environment() -> Mapping[str, str]:
    """Return the environment, in which the project's modules are found from any folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _show(process: subprocess.Popen[bytes], kept: BinaryIO) -> str:
    last = ""
    assert process.stderr is not None
    with process.stderr as lines:
        for line in lines:
            kept.write(line)
            text = line.decode(errors="replace").rstrip()
            _say(f"    {text.strip()}")
            last = text.strip() or last
    return last


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a command and what it started, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(GRACE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
