"""Finished candidates as one Optuna study, so that an interrupted run continues.

Every candidate is one `add_trial`: energy and accuracy are its objectives, accuracy and area its
constraints, the multiplier of every array and the array of every layer its parameters.
`optuna-dashboard` and `optuna trials` read it; a finished run's figures are its artifacts.
Samplers never see this study: they live in memory and are replayed on resumption, each answer
coming from here, so that a resumed search is the uninterrupted one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hw.common.errors import InputError
from search.measure.designs import Measured, key
from search.problem.space import TOLERANCE
from search.report.record import Candidate
from search.trials.backends import (
    close_database,
    is_database,
    open_database,
    open_journal,
    with_retries,
)

if TYPE_CHECKING:
    import optuna

FINGERPRINT = "fingerprint"
NOTE = "note:"
RESULT = "result"
NO_ARRAY = "-"


class TrialStore:
    """A study of finished candidates; close it to let go of the file.

    location : journal file, or a storage URL such as `postgresql://user@host/name`. fingerprint :
    what measurements depend on (network, data, circuits). A study that was started with another one
    is refused: its answers would be wrong here. objectives : names of energy and accuracy, for
    readers. layers, multipliers : what mappings are made of.

    Raises InputError when the file belongs to another run, is in use, or is no journal, ToolError
    when the storage URL cannot be opened.
    """

    def __init__(self, location: Path | str, study_name: str, *,
                 fingerprint: Mapping[str, str], objectives: tuple[str, str],
                 layers: Sequence[str], multipliers: Sequence[str], max_arrays: int,
                 area_limit: float) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.location, self.study_name = str(location), study_name
        self._objectives, self._layers, self._area_limit = objectives, layers, area_limit
        self._slots = max_arrays
        self._multipliers = (NO_ARRAY, *multipliers)
        self._handle: IO[bytes] | None = None
        self._database: optuna.storages.RDBStorage | None = None
        self._storage: optuna.storages.BaseStorage
        if is_database(location):
            self._storage = self._database = open_database(self.location)
        else:
            self._storage, self._handle = open_journal(Path(location))
        try:
            self._study = with_retries(self._open_study)
            self._check(fingerprint)
            self._trials = self._finished()
        except BaseException:
            self.close()
            raise
        self._kept = {_identity(trial) for trial in self._trials}

    def _open_study(self) -> optuna.Study:
        import warnings

        import optuna

        study = optuna.create_study(
            storage=self._storage, study_name=self.study_name, load_if_exists=True,
            directions=["minimize", "maximize"])
        if len(study.directions) != len(self._objectives):
            raise InputError(f"{self.location}: study {self.study_name!r} must be of this version; "
                             "choose another --name or start again with --force")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if study.metric_names is None:
                study.set_metric_names(list(self._objectives))
        return study

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in with_retries(lambda: self._study.get_trials(deepcopy=False))
                if {"mapping", *Measured._fields} <= trial.user_attrs.keys()]

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
        """Return every measurement of the run before it was interrupted, by `key`."""
        return {_identity(trial)[1]: Measured.read(trial.user_attrs) for trial in self._trials}

    def add(self, method: str, candidate: Candidate, measured: Measured, *, shortfall: int
            ) -> None:
        """Keep one finished candidate; the same one of the same method is kept once."""
        import optuna

        identity = (method, key(candidate.mapping))
        if identity in self._kept:
            return
        self._kept.add(identity)
        params, distributions = self._parameters(candidate)
        constraints = {"accuracy": float(shortfall),
                       "area": candidate.area - self._area_limit - TOLERANCE}
        trial = optuna.trial.create_trial(
            values=[candidate.energy, candidate.search_share], params=params,
            distributions=distributions, constraints=constraints,
            # optuna-dashboard knows constraints by number only, as Optuna had them before 5.
            system_attrs={"constraints": list(constraints.values())},
            user_attrs={"method": method, "mapping": json.dumps(dict(candidate.mapping)),
                        "images": candidate.images, "area": candidate.area,
                        "evaluation": candidate.evaluation, **measured._asdict()})
        with_retries(lambda: self._study.add_trial(trial))

    def _parameters(self, candidate: Candidate) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what `optuna trials` shows: a multiplier per array, an array per layer."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        arrays = candidate.arrays
        params: dict[str, Any] = {
            f"array{slot}": arrays[slot] if slot < len(arrays) else NO_ARRAY
            for slot in range(self._slots)}
        distributions: dict[str, Any] = dict.fromkeys(
            params, CategoricalDistribution(self._multipliers))
        for layer in self._layers:
            params[layer] = arrays.index(candidate.mapping[layer])
            distributions[layer] = IntDistribution(0, max(self._slots - 1, 0))
        return params, distributions

    def note(self, name: str) -> Any:
        """Return what was kept under a name as JSON has it, None when nothing was."""
        return self._study.user_attrs.get(NOTE + name)

    def keep_note(self, name: str, value: Any) -> None:
        """Keep numbers and texts in lists and dicts, beside the trials."""
        with_retries(lambda: self._study.set_user_attr(NOTE + name, value))

    def conclude(self, said: str, figures: Iterable[Path], artifacts: Path) -> None:
        """Keep what the run found in words, and figures as artifacts of the study.

        artifacts : folder for their files, what `optuna-dashboard --artifact-dir` names. Those that
        are there stay: an interrupted attempt's, or another worker's.
        """
        from optuna.artifacts import (
            FileSystemArtifactStore,
            get_all_artifact_meta,
            upload_artifact,
        )

        artifacts.mkdir(exist_ok=True)
        store = FileSystemArtifactStore(artifacts)
        kept = {one.filename for one in with_retries(lambda: get_all_artifact_meta(self._study))}
        for path in figures:
            if path.name not in kept:
                with_retries(partial(upload_artifact, artifact_store=store, file_path=str(path),
                                     study_or_trial=self._study))
        with_retries(lambda: self._study.set_user_attr(RESULT, said))

    def close(self) -> None:
        """Let go of the journal file or the database."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        if self._database is not None:
            close_database(self._database)
            self._database = None


def _identity(trial: optuna.trial.FrozenTrial) -> tuple[str, str]:
    return trial.user_attrs["method"], key(json.loads(trial.user_attrs["mapping"]))
