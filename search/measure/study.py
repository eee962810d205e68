"""Every multiplier in every layer alone, measured (Figure 9 of the paper).

The study replaces the predictions of `search.stages.calibrate`. Small damages are mostly noise
of the few images they are measured on, and an optimiser picks what noise makes look harmless. So
each measurement is drawn towards its prediction, on a logarithmic scale:

    log s = log p + m_i + (log x - log p - m_i) v / (v + e)

x measured, p predicted, m_i the mean of log x / p over the layer, v the variance of what is left,
e that of measuring, taken from how the two halves of the images differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from search.measure.probes import Notes, Runs, changes, variance
from sim.accuracy.trie import Done, ignore_progress

Float = npt.NDArray[np.float64]


def study(layers: Sequence[str], multipliers: Sequence[str], runs: Runs, *,
          notes: Notes, done: Done = ignore_progress) -> Float:
    """Return the measured damage of every multiplier in every layer alone, float64[2, N, K].

    The two halves of the images are told apart; their mean is the damage on all of them.
    notes : keeps each layer for a run that is resumed. done : told of images, those of every
    multiplier in every layer.
    """
    [exact] = runs.logits([{}])
    damage = np.zeros((2, len(layers), len(multipliers)))
    for row, layer in enumerate(layers):
        name = f"sensitivity:{layer}"
        known = notes.note(name)
        if known is None or len(known[0]) != len(multipliers):
            # The exact layers before this one are computed once.
            found = runs.logits([{layer: name} for name in multipliers], done=done)
            known = np.array([_halves(logits, exact) for logits in found]).T.tolist()
            notes.keep_note(name, known)
        else:
            done(len(multipliers) * len(runs.labels))
        damage[:, row] = known
    return damage


def shrunk(halves: Float, predicted: Float) -> Float:
    """Return float64[N, K] between measured and predicted, by how well it was measured.

    halves : float64[2, N, K] of `study`. predicted : float64[N, K]. Zero where either is.
    """
    measured = halves.mean(axis=0)
    result = np.where(predicted > 0, measured, 0.0)
    for row in range(len(measured)):
        usable = (halves[:, row] > 0).all(axis=0) & (predicted[row] > 0)
        if usable.sum() < 3:  # too few to tell noise from difference
            continue
        logs = np.log(halves[:, row, usable])
        ratio = np.log(measured[row, usable]) - np.log(predicted[row, usable])
        rest = ratio - ratio.mean()
        noise = float(((logs[0] - logs[1]) ** 2).mean() / 4)  # of the mean of two halves
        real = max(float((rest ** 2).mean()) - noise, 0.0)
        kept = real / (real + noise) if real + noise > 0 else 1.0
        result[row, usable] = predicted[row, usable] * np.exp(ratio.mean() + kept * rest)
    return result


def _halves(logits: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]) -> list[float]:
    """Return the damage on each half of the images, relative to the variance over all."""
    change = changes(logits, exact) / exact.shape[1]
    middle, whole = len(exact) // 2, variance(exact)
    return [float(part.mean()) / whole for part in (change[:middle], change[middle:])]
