"""Progress for long work: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_INTERVAL_S = 5.0


class Task(Protocol):
    """One piece of work being counted, by any number of threads."""

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        """Count `steps` as done; `note` says what is being done now."""


class _PlainTask:
    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self.started = self.printed = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, steps: int = 1, *, note: str = "") -> None:
        with self._lock:
            self._count(steps, note)

    def _count(self, steps: int, note: str) -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.printed < PLAIN_INTERVAL_S or self.done >= self.total:
            return
        self.printed = now
        words = [f"{self.done}/{self.total}"]
        if self.done:  # before that nothing is known
            left = (now - self.started) / self.done * (self.total - self.done)
            words.append(f"{left:.0f} s left")
        words += [note] * bool(note)
        _say(f"  {self.label}: {', '.join(words)}")


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


@contextmanager
def task(label: str, total: int, *, quiet: bool = False) -> Iterator[Task]:
    """Count `total` steps of work called `label` on stderr, and say how long it took.

    quiet : print nothing (for machine-readable output and tests).
    """
    if quiet:
        yield _SilentTask()
        return
    started = time.monotonic()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        with Progress(TextColumn("  {task.description}"), BarColumn(bar_width=28),
                      MofNCompleteColumn(), TimeRemainingColumn(),
                      TextColumn("{task.fields[note]}"),
                      console=Console(stderr=True), transient=True) as bar:
            yield _BarTask(bar, bar.add_task(label, total=total, note=""))
    else:
        yield _PlainTask(label, total)
    _say(f"  {label}: done in {time.monotonic() - started:.1f} s")
