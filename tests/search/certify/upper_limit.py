"""The largest chance that simulated runs leave possible."""

from scipy.stats import beta


def upper_limit(events, runs, confidence=0.99):
    """Return the exact one-sided upper limit of a binomial chance (Clopper & Pearson, 1934)."""
    return float(beta.ppf(confidence, events + 1, runs - events))
