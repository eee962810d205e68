"""Progress for long work: a bar with the time left on a terminal, a few plain lines elsewhere.

In files and pipes a command has one line at its start, at most one a minute after that, and one at
its end, whatever it is made of; with `--verbose` two for each part of it, with `--quiet` none. A
log, where there is one, has every part whatever is printed.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from hw.common.wording import counted, duration

PLAIN_INTERVAL_S = 60.0
TOLD = 0.1  # of the steps must be done before it is said how long the others take


class Task(Protocol):
    """One piece of work being counted, by any number of threads."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Count `steps` as done; `note` says what is being done now."""


class _Log:
    """The plain lines of this process.

    started, printed : when, None before the first one. told : `quiet` or `verbose`, as the command
    line says. file : what is done is written to it, too.
    """

    def __init__(self) -> None:
        self.started: float | None = None
        self.printed = 0.0
        self.told = ""
        self.file: Path | None = None
        self.lock = threading.Lock()

    def begin(self, line: str) -> None:
        """Print the first line of the process."""
        with self.lock:
            if self.started is None:
                self.started = self.printed = time.monotonic()
                _say(line)

    def due(self) -> bool:
        """Return whether a line may be printed, which is then the latest."""
        now = time.monotonic()
        if now - self.printed < PLAIN_INTERVAL_S and self.told != "verbose":
            return False
        self.printed = now
        return True

    def end(self) -> None:
        """Print the last line of a process that had a first one."""
        with self.lock:
            if self.started is not None and self.told != "quiet":
                _say(f"  done in {time.monotonic() - self.started:.1f} s")


_LOG = _Log()  # of the command that this process runs


class _PlainTask:
    def __init__(self, label: str, total: int, *, at_most: bool, announce: bool) -> None:
        self.label, self.total, self.done = label, total, 0
        self._bound = "at most " * at_most
        self._started = time.monotonic()
        self._first: tuple[float, int] | None = None  # when, and how many were done then
        if _LOG.started is not None and (announce or _LOG.told == "verbose"):
            _say(f"  {label}")
        _LOG.begin(f"  {label}")
        self._ended = threading.Event()
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self) -> None:
        """Say once a minute that a step goes on: what is one compilation never advances."""
        while not self._ended.wait(PLAIN_INTERVAL_S):
            with _LOG.lock:
                now = time.monotonic()
                if now - _LOG.printed >= PLAIN_INTERVAL_S:
                    _LOG.printed = now
                    left = self._left(now) if self._first else ""
                    _say(f"  {self.label}: {self.done}/{self.total}, "
                         f"{left or f'{duration(now - self._started)} so far'}")

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        with _LOG.lock:
            self.done += steps
            now = time.monotonic()
            self._first = self._first or (now, self.done)
            if self.done < self.total and now - _LOG.printed >= PLAIN_INTERVAL_S and _LOG.due():
                _say(f"  {self.label}: " + ", ".join(filter(None, (
                    f"{self.done}/{self.total}", self._left(now), note))))

    def leave(self) -> None:
        """Say no more."""
        self._ended.set()

    def end(self) -> None:
        self.leave()
        with _LOG.lock:
            if _LOG.due():
                _say(f"  {self.label}: done in {time.monotonic() - self._started:.1f} s")

    def _left(self, now: float) -> str:
        """Say how long the other steps take; nothing as long as that is not known.

        The first step may have prepared or compiled what the others use, and does not count.
        """
        assert self._first is not None
        since, before = self._first
        if self.done - before < max(1.0, TOLD * self.total):
            return ""
        seconds = (now - since) / (self.done - before) * (self.total - self.done)
        return f"{self._bound}{duration(seconds)} left"


class _BarTask:
    def __init__(self, bar: object, task_id: object) -> None:
        self._bar, self._id = bar, task_id

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        self._bar.update(self._id, advance=steps, note=note)  # type: ignore[attr-defined]


class _SilentTask:
    def advance(self, steps: int = 1, *, note: str = "") -> None:
        pass


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def start(what: str, *, quiet: bool = False) -> None:
    """Print the first line of a command, before it imports what takes a second."""
    if not quiet and _LOG.told != "quiet":
        _LOG.begin(f"  {what}")


@contextmanager
def command() -> Iterator[None]:
    """Tell of one command: its first line is to come, and its last one follows if it ends well."""
    global _LOG  # noqa: PLW0603
    _LOG = _Log()
    yield
    if not sys.stderr.isatty():
        _LOG.end()


class _Tell(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, True)
        _LOG.told = self.dest


def add_progress_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare --quiet and --verbose, which hold for the command from when they are parsed."""
    for name, does in (("quiet", "print no progress"),
                       ("verbose", "print when each part of the work begins and how long it took")):
        parser.add_argument(f"--{name}", action=_Tell, nargs=0, default=False, help=does)


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Add to a file when each part of the work begins, how long it took, and what stopped it."""
    before, _LOG.file = _LOG.file, path
    try:
        yield
    except BaseException as error:
        _note(f"stopped: {type(error).__name__} {error}".rstrip())
        raise
    finally:
        _LOG.file = before


def _note(line: str) -> None:
    if _LOG.file is not None:
        with _LOG.lock, _LOG.file.open("a", encoding="utf-8") as stream:
            stream.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}\n")


@contextmanager
def task(label: str, total: int, *, quiet: bool = False, at_most: bool = False,
         announce: bool = False) -> Iterator[Task]:
    """Count `total` steps of work called `label` on stderr, and say how long it took.

    quiet : print nothing (for machine-readable output and tests). at_most : it may end earlier.
    announce : say what begins in files and pipes, too, as what takes a minute deserves.
    """
    _note(f"{label}: {'at most ' * at_most}{counted(total, 'step')}")
    began = time.monotonic()
    with _task(label, total, quiet=quiet or _LOG.told == "quiet", at_most=at_most,
               announce=announce) as one:
        yield one
    _note(f"{label}: done in {time.monotonic() - began:.1f} s")


@contextmanager
def _task(label: str, total: int, *, quiet: bool, at_most: bool, announce: bool
          ) -> Iterator[Task]:
    if quiet:
        yield _SilentTask()
    elif sys.stderr.isatty():
        started = time.monotonic()
        with _bar(label, total) as bar:
            yield bar
        _say(f"  {label}: done in {time.monotonic() - started:.1f} s")
    else:
        plain = _PlainTask(label, total, at_most=at_most, announce=announce)
        try:
            yield plain
        except BaseException:
            plain.leave()
            raise
        plain.end()


@contextmanager
def _bar(label: str, total: int) -> Iterator[Task]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    # What is one long step, such as a compilation, shows that it is alive by the time it has taken.
    times = (TimeElapsedColumn(),) if total == 1 else (TimeRemainingColumn(),)
    with Progress(TextColumn("  {task.description}"), BarColumn(bar_width=28),
                  MofNCompleteColumn(), *times, TextColumn("{task.fields[note]}"),
                  console=Console(stderr=True), transient=True) as bar:
        yield _BarTask(bar, bar.add_task(label, total=total, note=""))
