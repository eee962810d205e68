"""The folder of a run: absent, unfinished or complete.

While a run works, `NAME.unfinished` holds its trials and is locked; when all is written it becomes
`NAME` by one rename. What is called `NAME` is therefore always whole, and no run disturbs another
one that is alive. The kernel unlocks the folder of a process that dies, however it does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from hw.common.errors import InputError
from hw.common.outputs import check_output

UNFINISHED = ".unfinished"
REPLACED = ".replaced"  # of `.NAME.replaced`, an older run while the new one takes its name


class RunFolder:
    """The place of one run, which is this process's alone until it is closed.

    output : parent of all run folders; made where it is not there. name : without it the first free
    of `stem`, `stem-2`, ... is taken; to resume, the run of those that was interrupted last.
    resume, force : continue an interrupted run; replace an existing one.

    Raises InputError when the run exists already, another process is at work on it, there is
    nothing to resume, or the folder cannot be written.
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
        self._resume, self._force = resume, force
        self._new = False  # nothing was here before
        self._made = [folder for folder in (self.output, *self.output.parents)
                      if not folder.exists()]
        if not resume:
            self.output.mkdir(parents=True, exist_ok=True)
        try:
            if name is None and not force:
                stem = _plain(stem)
                self.name, self._lock = (self._interrupted(stem) if resume
                                         else self._first_free(stem))
            else:
                self.name = name or _plain(stem)
                self._lock = self._taken(self.name)
            for folder in (self.output, self.work):
                check_output(folder, folder=True)
        except BaseException:
            self._remove_made()
            raise
        self._sweep()

    @property
    def work(self) -> Path:
        """The folder while the run works."""
        return self.output / (self.name + UNFINISHED)

    @property
    def final(self) -> Path:
        """The folder of the finished run."""
        return self.output / self.name

    # --- taking a name ------------------------------------------------------------

    def _taken(self, name: str) -> int:
        """Return the lock of the run of this name, made or found as the options say."""
        work, final = self.output / (name + UNFINISHED), self.output / name
        if self._resume:
            if not work.is_dir():
                state = "is finished" if final.exists() else "does not exist"
                raise InputError(f"{work}: must be an interrupted run to resume, but it {state}")
            return _locked(work)
        if not self._force:
            lock = self._made_anew(name)
            if lock is not None:
                return lock
            if not work.exists():
                raise InputError(f"{final}: exists already; choose another --name or replace it "
                                 "with --force")
            os.close(_locked(work))
            raise InputError(f"{work}: an interrupted run is here; continue it with --resume or "
                             "start again with --force")
        self._new = not work.exists()
        work.mkdir(exist_ok=True)
        return _locked(work)

    def _first_free(self, stem: str) -> tuple[str, int]:
        number = 1
        while True:
            name = stem if number == 1 else f"{stem}-{number}"
            lock = self._made_anew(name)
            if lock is not None:
                return name, lock
            number += 1

    def _made_anew(self, name: str) -> int | None:
        """Return the lock of a run that was not there, None where there is one."""
        work, final = self.output / (name + UNFINISHED), self.output / name
        try:
            work.mkdir()  # of several at once one succeeds
            lock = _locked(work)
        except (FileExistsError, InputError):
            return None
        if final.exists():
            work.rmdir()
            os.close(lock)
            return None
        self._new = True
        return lock

    def _interrupted(self, stem: str) -> tuple[str, int]:
        waiting = [path for path in self.output.glob(f"{stem}*{UNFINISHED}") if path.is_dir()]
        if not waiting:
            raise InputError(f"{self.output}: must hold an interrupted run to resume, but has no "
                             f"{stem}*{UNFINISHED}")
        waiting.sort(key=lambda path: path.stat().st_mtime)
        for path in reversed(waiting):
            with contextlib.suppress(InputError):
                return path.name.removesuffix(UNFINISHED), _locked(path)
        raise _alive(waiting[-1])

    # --- work ---------------------------------------------------------------------

    @contextlib.contextmanager
    def unless_begun(self) -> Iterator[None]:
        """Leave nothing behind where the inputs turn out to be no good."""
        try:
            yield
        except BaseException:
            self.withdraw()
            raise

    def withdraw(self) -> None:
        """Leave nothing behind of a run that has not begun."""
        if self._new:
            self.discard()

    def open(self, *, keep: Collection[str] = ()) -> Path:
        """Return the folder to work in, empty but for the files to keep of an interrupted run."""
        for entry in self.work.iterdir():
            if not (self._resume and entry.name in keep):
                _remove(entry)
        return self.work

    def discard(self) -> None:
        """Remove the unfinished folder: nothing in it is worth keeping."""
        shutil.rmtree(self.work, ignore_errors=True)
        self._remove_made()

    def finish(self) -> Path:
        """Give the finished folder its name, replacing an older run, and return it."""
        old = self.output / f".{self.name}{REPLACED}"
        if self.final.exists():
            _remove(old)
            self.final.rename(old)
        self.work.rename(self.final)
        _remove(old)
        return self.final

    def close(self) -> None:
        """Let go of the run."""
        os.close(self._lock)

    def _remove_made(self) -> None:
        """Remove the parents that were made for this run alone."""
        with contextlib.suppress(OSError):
            for folder in self._made:
                folder.rmdir()

    def _sweep(self) -> None:
        """Put away older runs that a killed process was about to replace."""
        for old in self.output.glob(f".*{REPLACED}"):
            name = old.name[1:].removesuffix(REPLACED)
            with contextlib.suppress(InputError, OSError):
                mine = name == self.name
                lock = None if mine else self._lock_of(name)
                if (self.output / name).exists():
                    _remove(old)
                else:  # killed before the new one had the name
                    old.rename(self.output / name)
                if lock is not None:
                    os.close(lock)

    def _lock_of(self, name: str) -> int | None:
        """Lock whatever folder a run has now; raises InputError while it is alive."""
        for path in (self.output / (name + UNFINISHED), self.output / name):
            if path.is_dir():
                return _locked(path)
        return None


def _locked(folder: Path) -> int:
    """Lock a folder and return the descriptor that holds it; InputError where another has it."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), folder.stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):  # or renamed by a run that has just finished
        pass
    os.close(lock)
    raise _alive(folder)


def _alive(folder: Path) -> InputError:
    return InputError(f"{folder}: another run is at work here; let it finish or choose another "
                      "--name")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _plain(stem: str) -> str:
    """Return a stem that is fit for a name."""
    return "".join(c if c.isalnum() or c in "_-." else "_" for c in stem).lstrip(".") or "run"
