"""Chances of designs to be certified, from the search split alone: for planning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.certify.forecast import SIMULATED_SPLITS, Paired, simulate
from search.certify.paired_test import SCORE_AT_ALPHA, score
from search.measure.designs import Measured

COARSE_SPLITS = 400  # simulated splits, enough for a chance to within a few per cent


@dataclass(frozen=True, kw_only=True)
class CertificateForecast:
    """What the certificates of a run depend on, known before the certify split is used.

    exact_right, searched : of each network, images of its search split that it has right exactly,
    and all of them. certified : size of its certify split. margins : fractions of the images.
    """

    exact_right: Sequence[int]
    searched: Sequence[int]
    certified: Sequence[int]
    margins: Sequence[float]

    def passes(self, measured: Sequence[Measured], candidates: Sequence[Measured], *,
               splits: int = SIMULATED_SPLITS) -> npt.NDArray[np.bool_]:
        """Return whether designs pass on simulated certify splits, bool[splits, designs].

        measured : everything measured on the search split. candidates : the designs to forecast.
        Splits of different networks are drawn independently.
        """
        passed = [self._passes(network, measured, candidates, splits)
                  for network in range(len(self.margins))]
        return np.asarray(np.logical_and.reduce(passed))

    def chances(self, measured: Sequence[Measured]) -> npt.NDArray[np.float64]:
        """Return the chance of each measured design to pass alone."""
        return np.asarray(self.passes(measured, measured, splits=COARSE_SPLITS).mean(axis=0))

    def _passes(self, network: int, measured: Sequence[Measured], candidates: Sequence[Measured],
                splits: int) -> npt.NDArray[np.bool_]:
        n = self.certified[network]
        pairs = [Paired(damage=answer.damages[network], lost=answer.lost[network],
                        gained=(answer.right[network] - self.exact_right[network]
                                + answer.lost[network])) for answer in measured]
        counts = simulate(pairs, self.searched[network],
                         [answer.damages[network] for answer in candidates], n,
                         splits=splits, seed=network)
        # Tango's score nearly always decides as the exact test does, in a fraction of the time.
        return np.asarray(score(counts.lost, counts.gained, n, -self.margins[network])
                          >= SCORE_AT_ALPHA)
