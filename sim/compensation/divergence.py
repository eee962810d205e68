"""Divergence of the class probabilities of two networks, without labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]


def logit_divergence(reference: Logits, logits: Logits, temperature: float = 1.0) -> float:
    """Return the mean Kullback-Leibler divergence of the softmax, in nats per image.

    reference, logits : float32[n, classes]. KL(softmax(reference) || softmax(logits)): 0 when
    they are equal up to a constant per image, and not symmetric.
    temperature : divisor of the logits. Above 1, confident predictions count less, so that a few
    images do not dominate the mean (as in Hinton et al., 2015, without their factor).
    """
    if reference.shape != logits.shape:
        raise ValueError(f"Logits must have shape {reference.shape}, not {logits.shape}")
    expected, found = (_log_softmax(values / temperature) for values in (reference, logits))
    return float((np.exp(expected) * (expected - found)).sum(axis=1).mean())


def _log_softmax(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
