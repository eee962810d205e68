"""Chances of designs to be certified, from the search split alone: for planning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from search.certify.forecast import SIMULATED_SPLITS, Paired, SimulatedCounts, simulate
from search.certify.paired_test import ALPHA, score
from search.measure.designs import Measured
from search.measure.metric import AGREEMENT, METRICS

COARSE_SPLITS = 400  # simulated splits, enough for a chance to within a few per cent


@dataclass(frozen=True, kw_only=True)
class CertificateForecast:
    """What the certificates of a run depend on, known before the certify split is used.

    Of each network and part of the metric: exact_right, searched : images of its search split
    that it has right exactly, and all of them. certified : size of its certify split. margins :
    fractions of the images. parts : of the metric. level : of all tests together.
    """

    exact_right: Sequence[float]
    searched: Sequence[int]
    certified: Sequence[int]
    margins: Sequence[float]
    parts: Sequence[str] = METRICS["top1"]
    level: float = ALPHA

    def passes(self, measured: Sequence[Measured], candidates: Sequence[Measured], *,
               splits: int = SIMULATED_SPLITS) -> npt.NDArray[np.bool_]:
        """Return whether designs pass on simulated certify splits, bool[splits, designs].

        The rest as of `counts`.
        """
        return self.p_values(self.counts(measured, candidates, splits=splits)) <= self.level

    def counts(self, measured: Sequence[Measured], candidates: Sequence[Measured], *,
               splits: int = SIMULATED_SPLITS) -> list[SimulatedCounts]:
        """Return the counts of each claim on simulated certify splits.

        measured : everything measured on the search split. candidates : the designs to forecast.
        Splits of different networks are drawn independently.
        """
        return [self._counts(claim, measured, candidates, splits)
                for claim in range(len(self.margins))]

    def p_values(self, counts: Sequence[SimulatedCounts]) -> npt.NDArray[np.float64]:
        """Return the p-value of the claim that is hardest to show, float64[splits, designs]."""
        # Tango's score nearly always decides as the exact test does, in a fraction of the time.
        return np.asarray(norm.sf(np.minimum.reduce([
            score(one.lost, one.gained, n, -margin)
            for one, n, margin in zip(counts, self.certified, self.margins, strict=True)])))

    def chances(self, measured: Sequence[Measured]) -> npt.NDArray[np.float64]:
        """Return the chance of each measured design to pass alone."""
        return np.asarray(self.passes(measured, measured, splits=COARSE_SPLITS).mean(axis=0))

    def _counts(self, claim: int, measured: Sequence[Measured], candidates: Sequence[Measured],
                splits: int) -> SimulatedCounts:
        network = claim // len(self.parts)
        pairs = [Paired(damage=answer.damages[network], lost=answer.lost[claim],
                        gained=(answer.right[claim] - self.exact_right[claim]
                                + answer.lost[claim])) for answer in measured]
        found = simulate(pairs, self.searched[claim],
                         [answer.damages[network] for answer in candidates],
                         self.certified[claim], splits=splits, seed=network)
        if self.parts[claim % len(self.parts)] != AGREEMENT:
            return found
        changed = found.lost + found.gained  # and none of them for the better
        return SimulatedCounts(lost=changed, gained=0 * changed)
