"""Several workers on one database: a candidate is measured by one of them and known to all.

Every worker runs the same search with the same seed. Whatever one is about to measure it first
claims, as a running trial of the study `NAME.claims`, and shows signs of life while it measures;
the others take what is not claimed, and wait for the rest. A claim whose worker has gone silent
fails and is free again. As answers do not depend on who found them, all workers end with the
result of a single one. Of two that claim the same candidate the earlier measures it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from search.measure.designs import Measure, Measured, key
from search.trials.backends import with_retries

if TYPE_CHECKING:
    import optuna

POLL_S = 0.5
SHARE = 4  # candidates claimed at a time, so that others find some left


class WorkerPool:
    """The claims on one study."""

    def __init__(self, storage: Any, study_name: str) -> None:
        import optuna

        self._storage = storage
        self._study: optuna.Study = with_retries(lambda: optuna.create_study(
            storage=storage, study_name=f"{study_name}.claims", load_if_exists=True))

    def known(self) -> dict[str, Measured]:
        """Return what any worker has measured, by `search.measure.designs.key`."""
        return self._read_trials()[0]

    def measure(self, mappings: Sequence[Mapping[str, str]], evaluate: Measure
                ) -> list[Measured]:
        """Return the measurement of every mapping, made here or by another worker."""
        wanted = {key(mapping): mapping for mapping in mappings}
        found: dict[str, Measured] = {}
        while True:
            done, claimed = self._read_trials()
            found.update({name: done[name] for name in wanted if name in done})
            left = [name for name in wanted if name not in found]
            if not left:
                return [found[key(mapping)] for mapping in mappings]
            free = [name for name in left if name not in claimed][:SHARE]
            if free:
                found.update(self._do({name: wanted[name] for name in free}, evaluate))
            else:
                time.sleep(POLL_S)

    def _read_trials(self) -> tuple[dict[str, Measured], dict[str, int]]:
        """Return what is measured, and the earliest claim of each that lives."""
        import warnings

        import optuna
        from optuna.trial import TrialState

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            with_retries(lambda: optuna.storages.fail_stale_trials(self._study))
        done: dict[str, Measured] = {}
        claimed: dict[str, int] = {}
        for trial in with_retries(lambda: self._study.get_trials(deepcopy=False)):
            name = key(json.loads(trial.user_attrs["mapping"]))
            if trial.state == TrialState.COMPLETE:
                done[name] = Measured.read(trial.user_attrs)
            elif trial.state == TrialState.RUNNING:
                claimed[name] = min(claimed.get(name, trial._trial_id), trial._trial_id)
        return done, claimed

    def _do(self, wanted: Mapping[str, Mapping[str, str]], evaluate: Measure
            ) -> dict[str, Measured]:
        """Claim, measure and publish what no other worker has claimed before.

        Gives the claims back when interrupted.
        """
        claims = {name: self._claim(mapping) for name, mapping in wanted.items()}
        try:
            mine = self._earliest_claims(claims)
            with self._heartbeat(list(mine.values())):
                measured = list(evaluate([wanted[name] for name in mine])) if mine else []
        except BaseException:
            self._release(list(claims.values()))
            raise
        for claim, answer in zip(mine.values(), measured, strict=True):
            self._publish(claim, answer)
        return dict(zip(mine, measured, strict=True))

    def _earliest_claims(self, claims: Mapping[str, int]) -> dict[str, int]:
        """Return the claims that no earlier one of another worker precedes; give up the others."""
        _done, claimed = self._read_trials()
        kept = {name: claim for name, claim in claims.items() if claimed.get(name) == claim}
        self._release([claim for name, claim in claims.items() if name not in kept])
        return kept

    def _claim(self, mapping: Mapping[str, str]) -> int:
        import optuna
        from optuna.trial import TrialState

        template = optuna.trial.create_trial(
            state=TrialState.RUNNING, user_attrs={"mapping": json.dumps(dict(mapping))})
        trial_id = with_retries(lambda: self._storage.create_new_trial(
            self._study._study_id, template_trial=template))
        with_retries(lambda: self._storage.record_heartbeat(trial_id))
        return int(trial_id)

    def _publish(self, claim: int, answer: Measured) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            for name, value in answer._asdict().items():
                with_retries(lambda name=name, value=value:  # type: ignore[misc]
                          self._storage.set_trial_user_attr(claim, name, value))
            with_retries(lambda: self._storage.set_trial_state_values(
                claim, state=TrialState.COMPLETE, values=[answer.damage]))
        except UpdateFinishedTrialError:
            pass  # thought dead, and taken over by another worker

    def _release(self, claims: Sequence[int]) -> None:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        for claim in claims:
            try:
                self._storage.set_trial_state_values(claim, state=TrialState.FAIL)
            except UpdateFinishedTrialError:
                continue

    @contextmanager
    def _heartbeat(self, claims: Sequence[int]) -> Iterator[None]:
        over = Event()

        def beat() -> None:
            while not over.wait(self._storage.get_heartbeat_interval()):
                for claim in claims:
                    with_retries(lambda claim=claim:  # type: ignore[misc]
                              self._storage.record_heartbeat(claim))
            self._storage.remove_session()  # that of this thread

        thread = Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
