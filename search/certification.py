"""Certificates for what methods found: the images that nothing else has touched.

The same rule for every method: of the designs it accepted on the search split, those that nothing
cheaper is as harmless as are judged in a fixed sequence, the safest first, and the last one before
the first failure is kept. The chosen method's certificate holds at 95 %; those of the others stand
beside it, each for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from search.certify import certify_in_sequence, compare, identical
from search.evaluation import SplitRuns
from search.result import Candidate, Certificate, MethodResult

SEQUENCE = 5  # designs judged at most: each may end it, and the last saves most


class Certification:
    """The certify split, and the margin that was fixed before it was looked at."""

    def __init__(self, runs: SplitRuns, exact: Candidate, *, margin: float) -> None:
        self.margin, self._runs, self._exact = margin, runs, exact

    def of(self, result: MethodResult, needed: int, damage: Callable[[Candidate], float], *,
           chosen: bool) -> MethodResult:
        """Return the result with the cheapest design that passed, and its certificate.

        When nothing passes, the chosen method falls back on the exact array, the same network as
        before; another one keeps no design, and the certificate of the first that failed.
        """
        right = self._runs.right({})
        fallback = identical(right, margin=self.margin)

        def judge(candidate: Candidate) -> Certificate:
            if candidate.mapping == self._exact.mapping:
                return fallback
            return compare(right, self._runs.right(candidate.mapping), margin=self.margin,
                           separate=not chosen)

        judged = certify_in_sequence(sequence(result, needed, damage), judge)
        passed = [entry for entry in judged if entry[1].certified]
        if passed:
            best, certificate = passed[-1]
            return replace(result, best=best, certificate=certificate)
        if chosen:
            return replace(result, best=self._exact, certificate=fallback)
        return replace(result, best=None, certificate=judged[0][1] if judged else None)


def sequence(result: MethodResult, needed: int, damage: Callable[[Candidate], float]
             ) -> list[Candidate]:
    """Return the accepted designs that nothing cheaper is as harmless as, safest first.

    Harm is the change of the logits on the search split. Of a long front, an even choice that
    holds both ends.
    """
    accepted = sorted((c for c in result.history if c.search_right >= needed),
                      key=lambda candidate: candidate.energy)
    front: list[Candidate] = []
    least = math.inf
    for candidate in accepted:
        harm = damage(candidate)
        if harm < least:
            front.append(candidate)
            least = harm
    front.reverse()
    if len(front) > SEQUENCE:
        chosen = np.linspace(0, len(front) - 1, SEQUENCE).round().astype(int)
        front = [front[index] for index in chosen]
    return front
