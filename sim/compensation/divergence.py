"""Divergence of the class probabilities of two networks, without labels.

It decides what is kept. Exponentials and logarithms of NumPy and of the C library differ in the
last bit from CPU to CPU; those here do not.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Logits = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]

LOG_2 = math.log(2)
LOG_2_HIGH = round(LOG_2 * 2**32) / 2**32  # times a whole number below 2**20 exact
LOG_2_LOW = -4.2009150726810846e-11  # what that leaves of log(2)
TERMS = 14  # of the series: of exp up to half of log(2), of log up to the root of 2


def logit_divergence(reference: Logits, logits: Logits, temperature: float = 1.0) -> float:
    """Return the mean Kullback-Leibler divergence of the softmax, in nats per image.

    reference, logits : float32[n, classes]. KL(softmax(reference) || softmax(logits)): 0 when
    they are equal up to a constant per image, and not symmetric.
    temperature : divisor of the logits. Above 1, confident predictions count less, so that a few
    images do not dominate the mean (as in Hinton et al., 2015, without their factor).
    """
    if reference.shape != logits.shape:
        raise ValueError(f"Logits must have shape {reference.shape}, not {logits.shape}")
    expected, found = (_log_softmax(values.astype(np.float64) / temperature)
                       for values in (reference, logits))
    return float((exponential(expected) * (expected - found)).sum(axis=1).mean())


def _log_softmax(logits: Reals) -> Reals:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - logarithm(exponential(shifted).sum(axis=1))[:, None])


def exponential(values: Reals) -> Reals:
    """Return exp of float64[...], none positive, within two units of the last place."""
    out = np.empty(values.size)
    _exponential(np.ascontiguousarray(values).ravel(), out)
    return out.reshape(values.shape)


def logarithm(values: Reals) -> Reals:
    """Return the natural logarithm of float64[n], all positive and normal."""
    out = np.empty(values.size)
    _logarithm(np.ascontiguousarray(values), out)
    return out


@njit("void(float64[::1], float64[::1])", nogil=True, cache=keep())
def _exponential(values: Reals, out: Reals) -> None:
    for index in range(values.size):
        whole = math.floor(max(values[index], -1000.0) / LOG_2 + 0.5)
        rest = (values[index] - whole * LOG_2_HIGH) - whole * LOG_2_LOW
        total = 1.0
        for term in range(TERMS, 0, -1):
            total = 1.0 + total * rest / term
        out[index] = math.ldexp(total, int(whole)) if values[index] > -700.0 else 0.0


@njit("void(float64[::1], float64[::1])", nogil=True, cache=keep())
def _logarithm(values: Reals, out: Reals) -> None:
    for index in range(values.size):
        fraction, exponent = math.frexp(values[index])
        if fraction < 0.7071067811865476:
            fraction, exponent = 2.0 * fraction, exponent - 1
        ratio = (fraction - 1.0) / (fraction + 1.0)  # log = 2 atanh(ratio)
        total = 0.0
        for term in range(2 * TERMS + 1, 0, -2):
            total = total * ratio * ratio + 1.0 / term
        out[index] = exponent * LOG_2_HIGH + (exponent * LOG_2_LOW + 2.0 * ratio * total)
