"""A step: one command, the files it reads and writes, and the record that it was run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.files import file_digest, write_json
from hw.common.records import read_record

FOLDER = "steps"
STARTED, DONE, FAILED = "started", "done", "failed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command; every path is relative to the work folder, in which it is run.

    Parameters
    ----------
    name : str
        Path-like: `exact/resnet20`.
    command : sequence of str
        Behind `python -m`: a module and its arguments.
    inputs, outputs : sequence of str
        Files that it reads, and files or folders that it writes. An input that another step
        writes makes that step go first.
    unfinished : str, optional
        What an interrupted run leaves, from which the command goes on with `--resume`.
    varies : (str, str), optional
        Part of the command that differs between steps of one kind, and what stands for it where
        they are shown together.
    figure : str, optional
        SVG among the outputs that the page may show.
    about : mapping of str to str
        What the page needs to know: `kind`, and network, method or multiplier.
    """

    name: str
    command: Sequence[str]
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    unfinished: str | None = None
    varies: tuple[str, str] | None = None
    figure: str | None = None
    about: Mapping[str, str]

    def text(self) -> str:
        """Return the command as typed."""
        return shlex.join(["python", "-m", *self.command])

    def file(self, work: Path, suffix: str) -> Path:
        """Return where the record (`.json`), output (`.out`) or messages (`.err`) are kept."""
        return work / FOLDER / f"{self.name}{suffix}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A step that was started: what it was, and how it ended.

    inputs : file -> SHA-256. seconds, processor_seconds : of all attempts that led here.
    versions, machine : of the last one.
    """

    command: str
    inputs: Mapping[str, str]
    state: str
    seconds: float = 0.0
    processor_seconds: float = 0.0
    message: str = ""
    versions: Mapping[str, str | None]
    machine: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the record atomically."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Record | None:
        """Read a record, None where there is none; raises InputError when it is malformed."""
        if not path.exists():
            return None
        try:
            return read_record(path, cls)
        except InputError as error:
            raise InputError(f"{error}; remove it") from None


def missing(step: Step, work: Path) -> list[str]:
    """Return the inputs that are not there."""
    return [name for name in step.inputs if not (work / name).exists()]


def digests(step: Step, work: Path) -> dict[str, str]:
    """Return the SHA-256 of every input, which must be there."""
    return {name: _digest_at(work / name) for name in step.inputs}


def _digest_at(path: Path) -> str:
    status = path.stat()
    return _digest(path.resolve(), status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    return file_digest(path)


def is_done(step: Step, work: Path, record: Record | None) -> bool:
    """Return whether the very same command has finished on the very same inputs."""
    return (record is not None and record.state == DONE and same(step, work, record)
            and all((work / name).exists() for name in step.outputs))


def same(step: Step, work: Path, record: Record) -> bool:
    """Return whether a record is of this command on these inputs."""
    return (record.command == step.text() and not missing(step, work)
            and dict(record.inputs) == digests(step, work))


def producers(step: Step, steps: Sequence[Step]) -> list[Step]:
    """Return the steps whose outputs a step reads."""
    return [one for one in steps if any(writes(one, name) for name in step.inputs)]


def writes(step: Step, name: str) -> bool:
    """Return whether a file is an output of a step, or in one."""
    return any(name == output or name.startswith(f"{output}/") for output in step.outputs)


def with_producers(chosen: Iterable[Step], steps: Sequence[Step]) -> list[Step]:
    """Return the chosen steps and all whose outputs they need, in the order of `steps`."""
    wanted: dict[str, Step] = {}
    waiting = list(chosen)
    while waiting:
        step = waiting.pop()
        if step.name not in wanted:
            wanted[step.name] = step
            waiting += producers(step, steps)
    return [step for step in steps if step.name in wanted]
