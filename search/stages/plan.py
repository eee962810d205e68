"""Plan: which designs of a method to certify, and in which order, from the search split alone.

Of the designs that it accepted on the search split, and those that change the network no more, a
sequence is planned that saves most by what the search split lets expect
(`search.certify.expected`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hw.common.pareto import pareto_front
from search.certify.expected import CertificateForecast
from search.certify.sequence import plan_sequence
from search.measure.designs import Measured
from search.report.record import Candidate
from search.stages.records import Searched


def plan(searched: Searched, exact: Candidate, forecast: CertificateForecast, *,
         needed: Sequence[int]) -> list[Candidate]:
    """Return the designs to judge, the exact one first if measured: it passes for certain.

    needed : of each network, images of the search split that a design must have right.
    """
    front = _front(searched.result.history, searched.answers, needed)
    first = [candidate for candidate, _ in front if candidate.mapping == exact.mapping]
    designs = [entry for entry in front if entry[0].energy < exact.energy]
    if not designs:
        return first or [candidate for candidate, _ in front[-1:]]
    passes = forecast.passes(searched.answers, [answer for _, answer in designs])
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
