"""What is fitted for a compensation, by the word of `--compensation`."""

from __future__ import annotations

from collections.abc import Mapping

NONE = "none"
# What `--compensation` takes besides -> the kind of fit, and its passes over the calibration
# images per multiplier: the sums of every kind of weights are needed.
KINDS: Mapping[str, tuple[str, int]] = {
    "affine": ("affine", 1), "weights": ("weights", 2), "both": ("weights+affine", 2),
    "chosen": ("chosen+affine", 3)}
