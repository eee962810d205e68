"""Certificates for what methods found: the images that nothing else has touched.

The same rule for every method: of the designs that it accepted on the search split, and those that
change the network no more, a sequence is planned that saves most by what the search split lets
expect (`search.certify.expected`), and judged up to the first failure (`search.certify.sequence`).
The last one that passed is kept. The chosen method's certificate holds at 95 %; those of the others
stand beside it, each for itself. Where several networks share the bank, a design passes only if
each of them does, on its own images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from hw.common.pareto import pareto_front
from search.certify.expected import CertificateForecast
from search.certify.paired_test import certify_in_sequence, compare, holds, identical
from search.certify.sequence import plan_sequence
from search.measure.evaluation import SplitRuns
from search.measure.oracle import Measured
from search.report.record import Candidate, Certificate, MethodResult
from sim.accuracy.trie import Done, ignore_progress

Measure = Callable[[Sequence[Candidate]], Sequence[Measured]]


class Certification:
    """The certify split of each network, and the margins, fixed before any was looked at."""

    def __init__(self, runs: Sequence[SplitRuns], exact: Candidate, *,
                 margins: Sequence[float], announce: Callable[[], None] = lambda: None) -> None:
        self.margins, self._runs, self._exact = margins, runs, exact
        self.announce = announce  # to be called before the first look at the certify split
        self.forecast = CertificateForecast(
            exact_right=exact.right, searched=exact.images, margins=margins,
            certified=[len(one.labels) for one in runs])

    @property
    def images(self) -> int:
        """Images of all networks that one design is judged on."""
        return sum(self.forecast.certified)

    def plan(self, result: MethodResult, needed: Sequence[int], measure: Measure
             ) -> list[Candidate]:
        """Return the designs to judge, in order, from the search split alone.

        measure : candidates -> what was measured of them on the search split.
        """
        return sequence(result.history, measure(result.history), self._exact, self.forecast,
                        needed=needed)

    def judge(self, result: MethodResult, designs: Sequence[Candidate], *, chosen: bool,
              done: Done = ignore_progress) -> MethodResult:
        """Return the result with the cheapest of the designs that passed, and its certificates.

        When nothing passes, the chosen method falls back on the exact array, the same networks as
        before; another one keeps no design, and the certificates of the first that failed.

        designs : of `plan`. done : told of `images` for the exact network and for each.
        """
        right = [runs.right({}, done=done) for runs in self._runs]
        fallback = [identical(exact, margin=margin)
                    for exact, margin in zip(right, self.margins, strict=True)]

        def certificates_of(candidate: Candidate) -> list[Certificate]:
            if candidate.mapping == self._exact.mapping:
                done(self.images)
                return fallback
            return [compare(exact, runs.right(candidate.mapping, done=done),
                            margin=margin, separate=not chosen)
                    for exact, runs, margin in zip(right, self._runs, self.margins, strict=True)]

        judged = certify_in_sequence(designs, certificates_of)
        done((len(designs) - len(judged)) * self.images)  # what a failure spared
        passed = [entry for entry in judged if holds(entry[1])]
        if passed:
            best, certificates = passed[-1]
            return replace(result, best=best, certificates=tuple(certificates))
        if chosen:
            return replace(result, best=self._exact, certificates=tuple(fallback))
        return replace(result, best=None, certificates=tuple(judged[0][1]) if judged else ())


def sequence(history: Sequence[Candidate], answers: Sequence[Measured], exact: Candidate,
             forecast: CertificateForecast, *, needed: Sequence[int]) -> list[Candidate]:
    """Return the designs to judge, in order; nothing but the search split decides.

    Parameters
    ----------
    history, answers
        Every candidate that a method measured, and what was measured of it.
    exact : Candidate
        First where the method measured it: it passes for certain.
    needed
        Of each network, images of the search split that a design must have right.
    """
    front = _front(history, answers, needed)
    first = [candidate for candidate, _ in front if candidate.mapping == exact.mapping]
    designs = [entry for entry in front if entry[0].energy < exact.energy]
    if not designs:
        return first or [candidate for candidate, _ in front[-1:]]
    passes = forecast.passes(answers, [answer for _, answer in designs])
    saved = [exact.energy - candidate.energy for candidate, _ in designs]
    return [*first, *(designs[index][0] for index in plan_sequence(passes, saved))]


def _front(history: Sequence[Candidate], answers: Sequence[Measured], needed: Sequence[int]
           ) -> list[tuple[Candidate, Measured]]:
    """Return the designs that nothing cheaper is as harmless as, safest first.

    Those count that are no more harmful than one that kept its accuracy: which of such designs
    lost an image or two on the search split is chance. Harm is that of all networks together:
    which designs are looked at, not what is said of them.
    """
    measured = list(zip(history, answers, strict=True))
    most = max((answer.damage for candidate, answer in measured if candidate.keeps(needed)),
               default=-math.inf)
    counting = [entry for entry in measured if entry[1].damage <= most]
    points = [(candidate.energy, answer.damage) for candidate, answer in counting]
    return [counting[index] for index in reversed(pareto_front(points))]
