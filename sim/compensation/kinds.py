"""The kinds of compensation."""

from __future__ import annotations

from collections.abc import Mapping

OWN, MAPPED, CHOSEN = "own", "mapped", "chosen"  # weights
# What may be changed: the weights, and how the requantiser is fitted. Chosen weights leave sums of
# another mean and slope, so that there are none without a line.
KINDS: Mapping[str, tuple[str, str | None]] = {
    "affine": (OWN, "affine"), "bias": (OWN, "bias"), "weights": (MAPPED, None),
    "weights+bias": (MAPPED, "bias"), "weights+affine": (MAPPED, "affine"),
    "chosen+affine": (CHOSEN, "affine")}
# Said of layers that no kind can choose weights of.
NO_WEIGHTS = ("{}: both operands are activations, so there are no weights to choose; constants of "
              "the requantiser are all that is fitted")
