"""The certificate: whether accuracy is kept on images that nothing else has used.

"Not significantly different" is no evidence of no loss. So this is a test of non-inferiority: is
the 95 % lower bound of the accuracy difference above -margin?

The comparison is paired: of n images, `lost` are right with the exact network only, `gained`
with the approximate one only. The bound is **exact and unconditional**: candidates for the
difference are tested with Tango's score statistic (Statist. Med. 17:891, 1998), whose null
distribution is summed over the trinomial instead of being taken as normal, at the least
favourable discordance rate (Hsueh, Liu & Chen, Biometrics 57:478, 2001). Wald's interval has
width zero when no image differs, and Tango's own is anticonservative at the handful of
discordances that a good design leaves; this one holds its level there. The discordance rate
is searched inside a Clopper-Pearson interval of level 1 - GAMMA, GAMMA being added to the
p-value (Berger & Boos, JASA 89:1012, 1994).

Several designs are certified in a planned order by the fallback procedure (Wiens & Dmitrienko,
J. Biopharm. Stat. 15:929, 2005): each has a share of the 5 % (`search.certify.sequence.shares`),
and a design that passes hands the level at which it did on to the next. One chance failure thus
ends nothing. The chance that any certificate is false stays at 5 %: until the first false one, what
a design that loses the margin is tested at was handed on by designs that do not, back to the last
one that does and failed. So these shares do not overlap, and together are at most 5 %, however the
tests depend on each other.

Where several networks share a bank, a design is certified only if every network is, each at the
full level on its own images. No correction is needed (an intersection-union test; Berger,
Technometrics 24:295, 1982): for the claim to be false one network at least must lose its margin,
and the claim is not made unless that very network passes, which happens at most once in twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from search.certify import betting
from search.certify.sequence import shares
from search.measure.metric import AGREEMENT, Kept, lost_of, total
from search.measure.scores import is_score
from search.report.record import Certificate

ALPHA = 0.05
GAMMA = 1e-4
NUISANCE_POINTS = 64
BOUND_TOLERANCE = 1e-6
# Discordance assumed when a margin is derived from a number of images: one image in a hundred.
EXPECTED_DISCORDANCE = 0.01
POWER_FACTOR = 8.57  # (z_0.95 + z_0.90)**2: 90 % power of a one-sided 95 % test
ONE_LOST = 4.8  # upper 95 % bound of a Poisson mean after a count of 1, rounded up

# Margins called "zero-loss": up to the first, or the supported one up to the second.
SMALL_MARGIN, LARGEST_MARGIN = 0.003, 0.01

EXACT_WORDING = "zero-loss (exact array, the same network)"

T = TypeVar("T")
Float = npt.NDArray[np.float64]


def supported_margin(n: int) -> float:
    """Return the margin that n images support, a fraction rounded to a tenth of a point.

    sqrt(8.57 p_d / n): a design without any loss passes with 90 % power by the normal formula (78 %
    by the exact bound at n = 800) when p_d = one image in a hundred changes sides. 0.010 for 800
    images, 0.003 for 10,000. With few images, a single lost one still passes. It depends on n
    alone, so it is fixed before any image is used.
    """
    if n < 1:
        raise InputError(f"Certificate must have at least 1 image, not {n}")
    margin = max(float(np.sqrt(POWER_FACTOR * EXPECTED_DISCORDANCE / n)), ONE_LOST / n)
    return min(0.5, max(0.001, round(margin, 3)))


def score(lost: npt.ArrayLike, gained: npt.ArrayLike, n: int, difference: float) -> Float:
    """Return Tango's score statistic of the hypothesis p_gained - p_lost = `difference`.

    Large values speak for a greater difference.
    """
    lost, gained = np.asarray(lost, float), np.asarray(gained, float)
    spread = difference * (1 - difference)
    b = (2 * n - gained + lost) * difference - lost - gained
    root = np.sqrt(np.maximum(b * b + 8 * n * lost * spread, 0))
    p_lost = (root - b) / (4 * n)  # maximum likelihood under the hypothesis
    variance = n * (2 * p_lost + spread)
    distance = gained - lost - n * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 0, distance / np.sqrt(np.maximum(variance, 0)),
                        np.where(np.abs(distance) < 1e-12, 0.0, np.copysign(np.inf, distance)))


def p_value(lost: int, gained: int, n: int, difference: float) -> float:
    """Return the exact p-value of "the true difference is at most `difference`".

    The chance, at the least favourable discordance rate, of a score at least as large as the
    one observed.
    """
    from scipy.special import bdtr, betaincinv

    if not -1 < difference < 1:
        return 0.0 if difference <= -1 else 1.0
    discordant = lost + gained
    low = float(betaincinv(discordant, n - discordant + 1, GAMMA / 2)) if discordant else 0.0
    high = (float(betaincinv(discordant + 1, n - discordant, 1 - GAMMA / 2))
            if discordant < n else 1.0)
    low = max(low, abs(difference))
    if low > high:
        return GAMMA
    rates = np.linspace(low, high, NUISANCE_POINTS)[:, None]
    totals = _likely_totals(n, low, high)
    most_lost = _tail(totals, n, difference, float(score(lost, gained, n, difference)))
    # Given the number of discordant images, those lost are binomial.
    share = np.clip((rates - difference) / (2 * rates), 0, 1) if low > 0 else np.full_like(
        rates, 0.5)
    inside = np.where(most_lost < 0, 0.0, bdtr(np.maximum(most_lost, 0), totals, share))
    chance = (_binomial_pmf(totals, n, rates) * inside).sum(axis=1).max()
    return min(1.0, float(chance) + GAMMA)


def _likely_totals(n: int, low: float, high: float) -> npt.NDArray[np.int64]:
    """Return the numbers of discordant images with any weight, int64[m]."""
    def reach(rate: float) -> float:
        return 7 * float(np.sqrt(n * rate * (1 - rate))) + 20
    first = max(0, int(n * low - reach(low)))
    return np.arange(first, min(n, int(n * high + reach(high))) + 1)


def _tail(totals: npt.NDArray[np.int64], n: int, difference: float, observed: float
          ) -> npt.NDArray[np.int64]:
    """Return for each total the most lost images that still score as high, -1 for none.

    For a fixed total the score falls as more of it is lost, so bisection finds the edge.
    """
    good, bad = np.full_like(totals, -1), totals + 1
    while (bad - good > 1).any():
        middle = (good + bad) // 2
        # Ties belong to the tail: rounding may not drop them.
        passes = (middle < 0) | (score(middle, totals - middle, n, difference)
                                 >= observed - 1e-9)
        good, bad = np.where(passes, middle, good), np.where(passes, bad, middle)
    return good


def _binomial_pmf(k: npt.NDArray[np.int64], n: int, p: Float) -> Float:
    from scipy.special import gammaln, xlog1py, xlogy

    log = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    return np.asarray(np.exp(log))


def lower_bound(lost: int, gained: int, n: int, *, margin: float | None = None,
                level: float = ALPHA) -> float:
    """Return the one-sided lower confidence bound of p_gained - p_lost, a fraction.

    margin : with it, the bound is at least -margin exactly if the test at -margin rejects. level :
    of the test; 0.05 gives the 95 % bound.
    """
    if n < 1 or lost < 0 or gained < 0 or lost + gained > n:
        raise ValueError(f"Paired counts must fit in {n} images, not {lost} lost, {gained} gained")
    rejected, kept = -1.0, (gained - lost) / n
    if margin is not None and -margin < kept:
        if p_value(lost, gained, n, -margin) <= level:
            rejected = -margin
        else:
            kept = -margin - BOUND_TOLERANCE
    while kept - rejected > BOUND_TOLERANCE:
        middle = (rejected + kept) / 2
        if p_value(lost, gained, n, middle) <= level:
            rejected = middle
        else:
            kept = middle
    return rejected


def fresh_images(lost: float, gained: float, n: int, margin: float) -> int | None:
    """Return how many fresh images would certify a design nine times in ten; None: no number would.

    lost, gained : of n images, taken for what it loses and gains of others as well. Rounded up to
    two digits.
    """
    distance = margin + (gained - lost) / n
    if distance <= 0:
        return None
    discordance = (lost + gained + 1) / n  # none seen is not a rate of none
    wanted = max(POWER_FACTOR * discordance / distance ** 2, ONE_LOST / margin)
    digit = 10 ** max(0, int(np.log10(wanted)) - 1)
    return int(np.ceil(wanted / digit) * digit)


def compare(exact_right: Kept, approx_right: Kept, *, margin: float, metric: str = "top1",
            level: float = ALPHA) -> Certificate:
    """Return the paired comparison of two networks on the same images.

    exact_right, approx_right : bool[n], whether each network classifies image i correctly, or its
    scores, float64[n]. margin : largest loss still called none, a fraction of the images; above 0.
    metric : what "right" means, a part of `search.measure.metric`. level : of the test.
    """
    if exact_right.shape != approx_right.shape or exact_right.ndim != 1:
        raise ValueError("Certificate must compare the same images, not "
                         f"{exact_right.shape} and {approx_right.shape}")
    if not 0 < margin < 1:
        raise InputError(f"Margin must be a fraction between 0 and 1, not {margin:g}")
    n, right = exact_right.size, total(exact_right)
    lost, gained = lost_of(exact_right, approx_right), lost_of(approx_right, exact_right)
    if is_score(metric):
        bound = betting.lower_bound(np.subtract(approx_right, exact_right, dtype=float),
                                    level=level)
        return _certificate(bound, n=n, exact_right=right, lost=lost, gained=gained, margin=margin,
                            metric=metric, level=level)
    return certificate_of(n=n, exact_right=int(right), lost=int(lost), gained=int(gained),
                          margin=margin, metric=metric, level=level)


def certificate_of(*, n: int, exact_right: int, lost: int, gained: int, margin: float, metric: str,
                   level: float) -> Certificate:
    """Return what paired counts say; the arguments are those of `compare` and of `Certificate`."""
    bound = (-most_changed(lost, n, level) if metric == AGREEMENT
             else lower_bound(lost, gained, n, margin=margin, level=level))
    return _certificate(bound, n=n, exact_right=exact_right, lost=lost, gained=gained,
                        margin=margin, metric=metric, level=level)


def _certificate(bound: float, *, n: int, exact_right: float, lost: float, gained: float,
                 margin: float, metric: str, level: float) -> Certificate:
    # A network that has no more right than it may lose has nothing to certify.
    certified = bound >= -margin and exact_right > margin * n
    return Certificate(
        n=n, exact_right=exact_right, approx_right=exact_right - lost + gained, lost=lost,
        gained=gained, margin=margin, lower_bound=bound, certified=certified, metric=metric,
        level=level, wording=wording(certified=certified, difference=gained - lost, margin=margin,
                                     n=n, metric=metric))


def most_changed(changed: int, n: int, level: float = ALPHA) -> float:
    """Return the one-sided upper bound of the share of images that change, exact binomial.

    Clopper & Pearson, Biometrika 26:404, 1934.
    """
    from scipy.special import betaincinv

    return float(betaincinv(changed + 1, n - changed, 1 - level)) if changed < n else 1.0


def identical(right: Kept, *, margin: float, metric: str = "top1"
              ) -> Certificate:
    """Return the certificate of the exact network itself: no loss, and not an estimate."""
    n = right.size
    return Certificate(n=n, exact_right=total(right), approx_right=total(right), lost=0,
                       gained=0, margin=margin, lower_bound=0.0, certified=True,
                       metric=metric, wording=EXACT_WORDING)


def wording(*, certified: bool, difference: float, margin: float, n: int, metric: str = "top1"
            ) -> str:
    """Return the sentence that states a verdict; the only place where it is phrased.

    "Zero-loss" needs a margin of at most 0.3 points, or the one that n images support, and never
    above one point. Any other margin is stated as a loss.
    """
    points = f"{points_of(margin)} points"
    if metric == AGREEMENT:
        return (f"at most {points_of(margin)} % answered otherwise (certified, 95 %)" if certified
                else "not certified")
    if is_score(metric):
        return (f"at most {points} of the score lost (certified, 95 %)" if certified
                else "not certified")
    if not certified:
        return "not certified" + " (point estimate: no loss)" * (difference >= 0)
    small = min(LARGEST_MARGIN, max(SMALL_MARGIN, supported_margin(n)))
    return (f"zero-loss (certified, margin {points}, 95 %)" if margin <= small + 1e-9
            else f"at most {points} lost (certified, 95 %)")


def points_of(margin: float) -> str:
    """Return a fraction in points, never rounded down: 0.01 is `1.0`."""
    short = f"{100 * margin:.1f}"
    return short if abs(float(short) - 100 * margin) < 1e-9 else f"{100 * margin:.6g}"


def certify_in_order(designs: Sequence[T], judge: Callable[[T, float], Sequence[Certificate]], *,
                     level: float = ALPHA, certified: Collection[T] = ()
                     ) -> list[tuple[T, Sequence[Certificate]]]:
    """Judge designs in the order given by the fallback procedure.

    judge : a design and the level of its test -> its certificates; all must hold. The order must
    not depend on the images that `judge` looks at. level : of all tests together. certified :
    designs that are so already: they are not judged again, and hand on their level.
    """
    judged, carried = [], 0.0
    for design, share in zip(designs, shares(len(designs)), strict=True):
        own = share * level + carried
        if design in certified:
            carried = own
            continue
        certificates = judge(design, own)
        judged.append((design, certificates))
        carried = own if holds(certificates) else 0.0
    return judged


def holds(certificates: Sequence[Certificate]) -> bool:
    """Return whether the accuracy of every network is certified."""
    return all(certificate.certified for certificate in certificates)
