"""Finished candidates as one Optuna study, so that an interrupted run continues.

Every candidate is one `add_trial` into a journal file (or any storage URL Optuna knows): its
energy is the value, accuracy and area are constraints, mapping and counts are attributes.
`optuna-dashboard` and `optuna.load_study` read it. Samplers never see this study: they live
in memory and are replayed on resumption, each answer coming from here, so that a resumed
search is the uninterrupted one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.common.errors import InputError, ToolError
from search.oracle import Measured, key
from search.result import Candidate

if TYPE_CHECKING:
    import optuna

FINGERPRINT = "fingerprint"
SENSITIVITY = "sensitivity:"
JOURNAL_START = b'{"op_code"'


class TrialStore:
    """A study of finished candidates; close it to let go of the file.

    Parameters
    ----------
    location : Path or str
        Journal file, or a storage URL such as `sqlite:///trials.db`.
    study_name : str
    fingerprint : mapping of str to str
        What measurements depend on (network, data, circuits). A study that was started with
        another one is refused: its answers would be wrong here.

    Raises
    ------
    InputError
        The file belongs to another run, is in use, or is no journal.
    ToolError
        The storage URL cannot be opened.
    """

    def __init__(self, location: Path | str, study_name: str, *,
                 fingerprint: Mapping[str, str]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.location = str(location)
        self._handle: Any = None
        try:
            self._study = optuna.create_study(
                storage=self._open_storage(), study_name=study_name, load_if_exists=True,
                direction="minimize")
            self._check(fingerprint)
            self._trials = [trial for trial in self._study.get_trials(deepcopy=False)
                            if "mapping" in trial.user_attrs]
        except BaseException:
            self.close()
            raise
        self._kept = {(trial.user_attrs["method"], key(json.loads(trial.user_attrs["mapping"])))
                      for trial in self._trials}

    def _open_storage(self) -> optuna.storages.BaseStorage:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        if "://" in self.location:
            try:
                return optuna.storages.RDBStorage(self.location)
            except Exception as error:  # driver, address and database errors have no common base
                raise ToolError(f"{self.location}: cannot be opened as Optuna storage "
                                f"({error})") from None
        path = Path(self.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("ab")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another run is writing to it") from None
        # Ours alone now: whatever a killed run left behind is stale.
        Path(f"{path}.lock").unlink(missing_ok=True)
        repair_journal(path)
        return optuna.storages.JournalStorage(JournalFileBackend(str(path)))

    def _check(self, fingerprint: Mapping[str, str]) -> None:
        stored = self._study.user_attrs.get(FINGERPRINT)
        if stored is None:
            self._study.set_user_attr(FINGERPRINT, dict(fingerprint))
            return
        for name in sorted(set(stored) | set(fingerprint)):
            if stored.get(name) != fingerprint.get(name):
                raise InputError(f"{self.location}: must come from the same {name}; choose "
                                 "another --name or start again with --force")

    def known(self) -> dict[str, Measured]:
        """Return every measurement of earlier runs, by `search.oracle.key`."""
        return {key(json.loads(trial.user_attrs["mapping"])): Measured(
                    right=trial.user_attrs["right"], damage=trial.user_attrs["damage"],
                    seconds=trial.user_attrs["seconds"]) for trial in self._trials}

    def add(self, method: str, candidate: Candidate, measured: Measured, *, needed: int) -> None:
        """Keep one finished candidate; the same one of the same method is kept once."""
        import optuna

        identity = (method, key(candidate.mapping))
        if identity in self._kept:
            return
        self._kept.add(identity)
        self._study.add_trial(optuna.trial.create_trial(
            value=candidate.energy, params={}, distributions={},
            constraints={"accuracy": float(needed - measured.right)},
            user_attrs={"method": method, "mapping": json.dumps(dict(candidate.mapping)),
                        "right": measured.right, "images": candidate.search_n,
                        "damage": measured.damage, "seconds": measured.seconds,
                        "area": candidate.area, "evaluation": candidate.evaluation}))

    def sensitivity(self, layer: str) -> list[float] | None:
        """Return the row of the sensitivity study that was kept for a layer."""
        row = self._study.user_attrs.get(SENSITIVITY + layer)
        return None if row is None else [float(value) for value in row]

    def keep_sensitivity(self, layer: str, row: Sequence[float]) -> None:
        """Keep one row of the sensitivity study, in the order of the multipliers."""
        self._study.set_user_attr(SENSITIVITY + layer, [float(value) for value in row])

    def close(self) -> None:
        """Let go of the journal file."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def repair_journal(path: Path) -> None:
    """Cut a torn last line off a journal; raises InputError when it is no journal at all.

    A killed run can leave half a line, and what Optuna appends to it is lost with it.
    """
    content = path.read_bytes()
    start = content[:len(JOURNAL_START)]
    if start != JOURNAL_START[:len(start)]:
        raise InputError(f"{path}: must be an Optuna journal file")
    whole = content[:content.rfind(b"\n") + 1]
    while whole and not _is_json(whole[whole[:-1].rfind(b"\n") + 1:]):
        whole = whole[:whole[:-1].rfind(b"\n") + 1]  # a tear that the file system padded
    if len(whole) < len(content):
        os.truncate(path, len(whole))


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
