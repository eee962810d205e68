"""Constants of one layer, in place of those that it was quantised with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.packed import PackedBytes
from hw.common.records import LARGEST
from sim.network.layer import MappedLayer
from sim.network.requantize import MAX_SHIFT, MULTIPLIER_BITS

# What a file may hold: type, and the limits of integers.
FIELDS: dict[str, tuple[type[np.generic], int, int]] = {
    "bias": (np.int32, -2**31, 2**31 - 1),
    "sum_scale": (np.float64, 0, 0),
    "multiplier": (np.int64, 0, 2**MULTIPLIER_BITS - 1),
    "shift": (np.int64, 1, MAX_SHIFT),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """Other values for constants that the hardware has anyway.

    Parameters
    ----------
    bias : int32[channels]
    sum_scale : float64[channels]
        Value of one unit of the accumulator.
    multiplier, shift : int64[channels] or None
        Of the requantiser, as in `sim.network.requantize`; None for a layer without one.
    weight_codes : uint8[groups * k * n] or None
        The stored byte of each weight; None leaves the weights.
    """

    bias: npt.NDArray[np.int32] = field(repr=False)
    sum_scale: npt.NDArray[np.float64] = field(repr=False)
    multiplier: npt.NDArray[np.int64] | None = field(repr=False)
    shift: npt.NDArray[np.int64] | None = field(repr=False)
    weight_codes: PackedBytes | None = field(repr=False)

    @classmethod
    def of(cls, layer: MappedLayer, *, weights: bool = False) -> Correction:
        """Return the constants of a layer; weights : its weights, too."""
        fixed = layer.requantizer
        return cls(bias=layer.bias, sum_scale=layer.sum_scale,
                   weight_codes=PackedBytes.of(layer.weight_codes) if weights else None,
                   multiplier=None if fixed is None else fixed.multiplier,
                   shift=None if fixed is None else fixed.shift)

    def apply(self, layer: MappedLayer) -> MappedLayer:
        """Return a layer with these constants; raises InputError when they do not fit it."""
        channels = layer.groups * layer.n
        for name in ("bias", "sum_scale", "multiplier", "shift"):
            values = getattr(self, name)
            wanted = name in ("bias", "sum_scale") or layer.requantizer is not None
            if (values is not None) != wanted or (wanted and values.shape != (channels,)):
                found = "none" if values is None else len(values)
                raise InputError(f"Correction of layer {layer.name!r} must have "
                                 f"{channels if wanted else 'no'} {name} values, not {found}")
        if self.weight_codes is not None:
            layer = with_weights(layer, self.weight_codes.unpack(
                layer.weight_codes.shape[-3:], f"weight codes of layer {layer.name!r}"))
        fixed = layer.requantizer
        if fixed is not None and self.multiplier is not None and self.shift is not None:
            fixed = replace(fixed, multiplier=self.multiplier, shift=self.shift)
        return replace(layer, bias=self.bias, sum_scale=self.sum_scale, requantizer=fixed)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, ready for JSON."""
        return {name: None if (values := getattr(self, name)) is None else values.tolist()
                for name in FIELDS} | {"weight_codes": self.weight_codes and self.weight_codes.text}

    @classmethod
    def from_dict(cls, content: Any) -> Correction:
        """Return the correction of `to_dict`; raises InputError for anything else."""
        if not isinstance(content, dict) or set(content) != {*FIELDS, "weight_codes"}:
            raise InputError(f"correction must have {', '.join(FIELDS)}, weight_codes")
        arrays: dict[str, Any] = {name: _array(name, content[name]) for name in FIELDS}
        codes = content["weight_codes"]
        return cls(**arrays, weight_codes=None if codes is None else PackedBytes.read(
            codes, "weight_codes"))


def with_weights(layer: MappedLayer, codes: npt.NDArray[np.uint8]) -> MappedLayer:
    """Return the layer with other stored weights, uint8[groups, k, n].

    Raises InputError for a product of two activations.
    """
    if layer.image_weights:
        raise InputError(f"Layer {layer.name!r} must have weights to choose others, not two "
                         "activations")
    return layer.with_codes(codes)


def _array(name: str, values: Any) -> npt.NDArray[Any] | None:
    kind, low, high = FIELDS[name]
    if values is None and name not in ("bias", "sum_scale"):
        return None
    real = kind is np.float64
    allowed = (int, float) if real else (int,)
    if not isinstance(values, list) or not all(type(value) in allowed for value in values):
        raise InputError(f"{name} must be a list of {'numbers' if real else 'integers'}")
    if real and not all(1 / LARGEST <= value <= LARGEST for value in values):
        raise InputError(f"{name} must be positive and at most {LARGEST:g}")
    if not real and not all(low <= value <= high for value in values):
        raise InputError(f"{name} must be {low} to {high}")
    return np.array(values, kind)
