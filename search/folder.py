"""The folder of a run: absent, unfinished or complete.

While a run works, `NAME.unfinished` holds its trials; when all is written it becomes `NAME`
by one rename. What is called `NAME` is therefore always whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hw.common.errors import InputError

UNFINISHED = ".unfinished"


class RunFolder:
    """The place of one run.

    Parameters
    ----------
    output : Path
        Parent of all run folders.
    name : str, optional
        Without it the first free of `stem`, `stem-2`, ... is taken; to resume, the run of
        those that was interrupted last.
    stem : str
    resume, force : bool
        Continue an interrupted run; replace an existing one.

    Raises
    ------
    InputError
        The run exists already, or there is nothing to resume.
    """

    def __init__(self, output: Path, name: str | None, *, stem: str, resume: bool, force: bool
                 ) -> None:
        if resume and force:
            raise InputError("--resume must not be combined with --force")
        self.output = Path(output)
        if self.output.exists() and not self.output.is_dir():
            raise InputError(f"{self.output}: must be a folder")
        if name is not None and (not name or any(
                not (c.isalnum() or c in "_-.") for c in name) or name.startswith(".")):
            raise InputError("Run name must be made of letters, digits, '_', '-' and '.', "
                             f"not {name!r}")
        self.name = name or self._choose(_plain(stem), resume=resume, force=force)
        self.final = self.output / self.name
        self.work = self.output / (self.name + UNFINISHED)
        if resume and not self.work.is_dir():
            state = "is finished" if self.final.exists() else "does not exist"
            raise InputError(f"{self.work}: must be an interrupted run to resume, but it {state}")
        if not (resume or force):
            if self.final.exists():
                raise InputError(f"{self.final}: exists already; choose another --name or replace "
                                 "it with --force")
            if self.work.exists():
                raise InputError(f"{self.work}: an interrupted run is here; continue it with "
                                 "--resume or start again with --force")
        self._force = force

    def _choose(self, stem: str, *, resume: bool, force: bool) -> str:
        if resume:
            waiting = [path for path in self.output.glob(f"{stem}*{UNFINISHED}")
                       if path.is_dir()]
            if not waiting:
                raise InputError(f"{self.output}: must hold an interrupted run to resume, but has "
                                 f"no {stem}*{UNFINISHED}")
            latest = max(waiting, key=lambda path: path.stat().st_mtime)
            return latest.name.removesuffix(UNFINISHED)
        if force:
            return stem
        number = 1
        while True:
            name = stem if number == 1 else f"{stem}-{number}"
            if not any((self.output / (name + suffix)).exists() for suffix in ("", UNFINISHED)):
                return name
            number += 1

    def open(self) -> Path:
        """Make the folder to work in and return it."""
        if self._force and self.work.exists():
            shutil.rmtree(self.work)
        self.work.mkdir(parents=True, exist_ok=True)
        return self.work

    def discard(self) -> None:
        """Remove the unfinished folder: nothing in it is worth keeping."""
        shutil.rmtree(self.work, ignore_errors=True)

    def finish(self) -> Path:
        """Give the finished folder its name, replacing an older run, and return it."""
        old = self.output / f".{self.name}.replaced"
        if self.final.exists():
            shutil.rmtree(old, ignore_errors=True)
            self.final.rename(old)
        self.work.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)
        return self.final


def _plain(stem: str) -> str:
    """Return a stem that is fit for a name."""
    return "".join(c if c.isalnum() or c in "_-." else "_" for c in stem).lstrip(".") or "run"
