"""Operand streams: what evolution weighs errors and switching by."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.multipliers.base import OPERANDS

STREAM_BEATS = 65536
ZERO_SHARE, ACT_SIGMA, WEIGHT_SIGMA, WEIGHT_MAX = 0.5, 38.0, 37.0, 127
SIGNED_MAX = 127
SEED = 0

Patterns = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class OperandStream:
    """Operands of many PE-cycles: a weight, an activation and the activation of the next beat.

    Parameters
    ----------
    name : str
        What they are of.
    act, next_act, weight : uint8[beats]
        Magnitudes, or two's-complement patterns for a signed multiplier.
    """

    name: str
    act: Patterns
    next_act: Patterns
    weight: Patterns

    def probability(self) -> npt.NDArray[np.float64]:
        """Return float64[256, 256], indexed `[act, weight]`, of the operands taken as independent.

        No pair that can occur gets probability 0 for not having been seen: every operand counts
        as seen once more than it was.
        """
        marginals = [np.bincount(values, minlength=OPERANDS) + 1.0
                     for values in (self.act, self.weight)]
        act, weight = (counts / counts.sum() for counts in marginals)
        probability: npt.NDArray[np.float64] = act[:, None] * weight
        return probability


def uniform(*, signed: bool = False) -> OperandStream:
    """Return a stream in which all operand patterns are equally likely and independent."""
    del signed  # every pattern is an operand either way
    random = np.random.default_rng(SEED)
    act, next_act, weight = random.integers(0, OPERANDS, (3, STREAM_BEATS)).astype(np.uint8)
    return OperandStream(name="uniform", act=act, next_act=next_act, weight=weight)


def typical(*, signed: bool = False) -> OperandStream:
    """Return a stream like those of a quantised network with ReLU.

    Half of the activations are 0, the others half-normal with a deviation of 38; weights are
    half-normal with a deviation of 37. These are the means over the layers of the CIFAR-10
    ResNet-20 of Akamaster, quantised with a scale per output channel. For a signed multiplier
    activations end at 127 and weights have both signs.
    """
    random = np.random.default_rng(SEED)
    acts = np.abs(random.normal(0, ACT_SIGMA, (2, STREAM_BEATS))).round()
    acts *= random.random(acts.shape) >= ZERO_SHARE
    weight = np.abs(random.normal(0, WEIGHT_SIGMA, STREAM_BEATS)).round()
    weight = np.minimum(weight, WEIGHT_MAX)
    largest = SIGNED_MAX if signed else OPERANDS - 1
    act, next_act = np.minimum(acts, largest).astype(np.uint8)
    if signed:
        weight *= random.choice([-1, 1], STREAM_BEATS)
    return OperandStream(name="typical", act=act, next_act=next_act,
                         weight=weight.astype(np.int64).astype(np.uint8))


BUILT_IN = {"uniform": uniform, "typical": typical}


def load(path: Path, *, signed: bool = False) -> OperandStream:
    """Return the stream of a `.npz` file with `act`, `next_act` and `weight`.

    For an unsigned multiplier signs are dropped: the PE multiplies magnitudes. For a signed one
    operands must be -128 to 127. Raises InputError when the file is not one.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            columns = {key: _patterns(content[key], key, signed=signed)
                       for key in ("act", "next_act", "weight")}
    except (ValueError, KeyError, EOFError, OSError, BadZipFile, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise
        reason = f"{error.args[0]}" if error.args else type(error).__name__
        raise InputError(f"{path}: must be an .npz file with act, next_act and weight "
                         f"({reason})") from None
    sizes = {key: values.size for key, values in columns.items()}
    if len(set(sizes.values())) != 1 or not sizes["act"]:
        raise InputError(f"{path}: act, next_act and weight must be equally long, not {sizes}")
    return OperandStream(name=path.stem, **columns)


def _patterns(values: npt.NDArray[Any], key: str, *, signed: bool) -> Patterns:
    if not np.issubdtype(values.dtype, np.integer) or values.ndim != 1:
        raise ValueError(f"{key} must be a row of integers, not {values.dtype}{values.shape}")
    wide = values.astype(np.int64)
    least, most = (-SIGNED_MAX - 1, SIGNED_MAX) if signed else (1 - OPERANDS, OPERANDS - 1)
    if wide.size and not least <= wide.min() <= wide.max() <= most:
        raise ValueError(f"{key} must be {least} to {most}, not {wide.min()} to {wide.max()}")
    return (wide if signed else np.abs(wide)).astype(np.uint8)
