"""What the search split lets expect of the certificate, for planning before it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.certify.forecast import IMAGINED, Paired, imagine
from search.certify.paired_test import SCORE_AT_ALPHA, score
from search.measure.oracle import Measured

ROUGHLY = 400  # imagined splits, where a chance to a few per cent will do


@dataclass(frozen=True, kw_only=True)
class CertificateForecast:
    """The certificate that designs will be put to.

    Parameters
    ----------
    exact_right, searched : sequence of int
        Of each network: images of its search split that it has right exactly, and all of them.
    certified : sequence of int
        Size of each network's certify split.
    margins : sequence of float
        Of the certificates, fractions of the images.
    """

    exact_right: Sequence[int]
    searched: Sequence[int]
    certified: Sequence[int]
    margins: Sequence[float]

    def passes(self, told: Sequence[Measured], asked: Sequence[Measured], *,
               splits: int = IMAGINED) -> npt.NDArray[np.bool_]:
        """Return whether designs pass on imagined certify splits, bool[splits, designs].

        told : all that was measured on the search split. asked : the designs, by their damage.
        Splits of two networks are drawn apart: their images have nothing to do with each other.
        """
        passed = [self._passes(network, told, asked, splits)
                  for network in range(len(self.margins))]
        return np.asarray(np.logical_and.reduce(passed))

    def chances(self, measured: Sequence[Measured]) -> npt.NDArray[np.float64]:
        """Return the chance of each measured design to pass alone."""
        return np.asarray(self.passes(measured, measured, splits=ROUGHLY).mean(axis=0))

    def _passes(self, network: int, told: Sequence[Measured], asked: Sequence[Measured],
                splits: int) -> npt.NDArray[np.bool_]:
        n = self.certified[network]
        pairs = [Paired(harm=answer.damages[network], lost=answer.lost[network],
                        gained=(answer.right[network] - self.exact_right[network]
                                + answer.lost[network])) for answer in told]
        counts = imagine(pairs, self.searched[network],
                         [answer.damages[network] for answer in asked], n,
                         splits=splits, seed=network)
        # Tango's score decides nearly as the exact test does, and at once.
        return np.asarray(score(counts.lost, counts.gained, n, -self.margins[network])
                          >= SCORE_AT_ALPHA)
