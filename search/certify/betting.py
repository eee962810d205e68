"""A lower bound of the mean of bounded differences, by betting; exact for any distribution.

Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", J. R. Stat. Soc.
B 86:1, 2024 (arXiv 2010.09686): the one-sided half of the hedged capital, with predictable plug-in
bets (their equation 26). Somebody bets that the mean difference is above m: starting with 1, the
wealth is multiplied by 1 + bet (difference - m) at each sample, the bet fixed before the sample is
seen. If the mean is at most m, wealth never grows on average, so that by Ville's inequality it
reaches 1 / level at any time at most with the chance `level`. So m is rejected if the largest
wealth ever reached is that much.

Samples must be independent of each other: documents, not their tokens.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

LARGEST_BET = 0.75  # wealth stays positive where differences are above -1 and m below 1/3
HIGHEST = 1 / 3
TOLERANCE = 1e-6
PLANNED_LEVEL = 0.05  # bets do not depend on the level of a test, so smaller levels reject less


def wealth(differences: Float, mean: float) -> float:
    """Return the largest wealth of who bets that the mean is above `mean`.

    differences : float64[n], -1 to 1, in an order that does not depend on them. mean : -1 to 1/3.
    """
    return float(np.exp(max(0.0, _growth(differences, _bets(differences), mean))))


def p_value(differences: Float, mean: float) -> float:
    """Return a p-value of "the true mean is at most `mean`": the inverse of the largest wealth."""
    return 1 / wealth(differences, mean)


def lower_bound(differences: Float, *, level: float) -> float:
    """Return the one-sided lower confidence bound of the mean, -1 to 1/3."""
    bets = _bets(differences)
    rejected, kept = -1.0, HIGHEST
    while kept - rejected > TOLERANCE:  # wealth falls with m
        middle = (rejected + kept) / 2
        if _growth(differences, bets, middle) >= -np.log(level):
            rejected = middle
        else:
            kept = middle
    return rejected


def _bets(differences: Float) -> Float:
    """Return the bet on each sample, from the ones before it: float64[n]."""
    n = len(differences)
    seen = np.arange(2, n + 2)
    # One imagined sample before the first: mean 0, variance 1, the most that there can be.
    means = np.cumsum(differences) / seen
    variances = (1 + np.cumsum((differences - means) ** 2)) / seen
    before = np.concatenate([[1.0], variances[:-1]])
    bets = np.sqrt(-2 * np.log(PLANNED_LEVEL) / (n * before))
    return np.asarray(np.minimum(LARGEST_BET, bets))


def _growth(differences: Float, bets: Float, mean: float) -> float:
    """Return the logarithm of the largest wealth after any sample."""
    return float(np.cumsum(np.log1p(bets * (differences - mean))).max())
