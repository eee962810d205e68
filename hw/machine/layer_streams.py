"""Layers with sampled operands, in a file: what energy needs to know of a network.

`python -m sim.layer_streams` writes such a file; `python -m hw.ppa` reads it. It is an `.npz`:
`layers` is JSON text with the format and what each layer is, `acts_0`, `weights_0`, ... are arrays.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from hw.common.files import parse_json, read_bytes, write_bytes
from hw.common.memory import memory_limit, require_memory
from hw.common.packed import PackedBytes
from hw.common.records import Limits, Size, Text, record, without_format
from hw.machine.operands import code_range
from hw.machine.pe.operand_format import Range

FORMAT = "autoapprox-layer-streams/3"


class Codes(NamedTuple):
    """How results are stored."""

    zero_point: int
    low: int
    high: int


class GroupedWeights:
    """The sizes of a layer, read from its weights.

    They are int16[groups, k, n], or int16[images, groups, k, n] where every image has its own: in
    a product of two activations.
    """

    weights: npt.NDArray[np.int16]
    weight_zero_point: int
    weight_signed: bool

    @property
    def image_weights(self) -> bool:
        """Whether every image has weights of its own."""
        return self.weights.ndim == 4

    @cached_property
    def weight_range(self) -> Range:
        """Smallest and largest weight; where every image has its own, those that may occur."""
        if self.image_weights:
            return code_range(self.weight_zero_point, signed=self.weight_signed)
        return int(self.weights.min()), int(self.weights.max())

    @property
    def groups(self) -> int:
        """Independent products; the depth for a depthwise convolution."""
        return int(self.weights.shape[-3])

    @property
    def k(self) -> int:
        """Length of the inner product, per group."""
        return int(self.weights.shape[-2])

    @property
    def n(self) -> int:
        """Output channels, per group."""
        return int(self.weights.shape[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerStream(GroupedWeights):
    """A layer and a part of the activations that stream through it.

    Parameters
    ----------
    name : str
    positions : int
        Output positions per image.
    act_zero_point : int
    act_signed : bool
    requantizer : Codes or None
        None when the network wants the sums themselves.
    acts : int16[groups, m, k]
        Activations minus zero point, in streaming order; a part of them.
    weights : int16[groups, k, n] or int16[images, groups, k, n]
        Stored bytes, int8 if `weight_signed`, minus `weight_zero_point`. Those of images belong to
        equal parts of `acts`, in order.
    fed_by : str or None
        The layer that writes its input, or "" for the host, where nothing else reads it.
    """

    name: str
    positions: int
    act_zero_point: int
    act_signed: bool
    requantizer: Codes | None
    acts: npt.NDArray[np.int16]
    weights: npt.NDArray[np.int16]
    weight_zero_point: int = 0
    weight_signed: bool = True
    fed_by: str | None = None

    def with_weight_codes(self, codes: PackedBytes | None) -> LayerStream:
        """Return the layer with other stored bytes of its weights, if any."""
        if codes is None:
            return self
        stored = codes.unpack(self.weights.shape, f"Weight codes of layer {self.name!r}")
        values = stored.view(np.int8) if self.weight_signed else stored
        return replace(self, weights=values.astype(np.int16) - np.int16(self.weight_zero_point))


def save_layer_streams(path: Path, layers: Sequence[LayerStream]) -> None:
    """Write the file atomically; equal layers give equal bytes."""
    described = [{"name": layer.name, "k": layer.k, "n": layer.n, "groups": layer.groups,
                  "positions": layer.positions, "act_zero_point": layer.act_zero_point,
                  "act_signed": layer.act_signed, "weight_zero_point": layer.weight_zero_point,
                  "weight_signed": layer.weight_signed, "fed_by": layer.fed_by,
                  "output": list(layer.requantizer) if layer.requantizer else None}
                 for layer in layers]
    arrays = {f"{what}_{index}": getattr(layer, what)
              for index, layer in enumerate(layers) for what in ("acts", "weights")}
    stream = io.BytesIO()
    np.savez_compressed(stream, layers=np.array(json.dumps(
        {"format": FORMAT, "layers": described})), **arrays)
    write_bytes(path, stream.getvalue())


def load_layer_streams(path: Path) -> tuple[LayerStream, ...]:
    """Read the file; InputError, naming it, when it is none."""
    raw = read_bytes(path, memory_limit())
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as members:
            size = sum(member.file_size for member in members.infolist())
        require_memory(size, f"{path}: operands")
        with np.load(io.BytesIO(raw), allow_pickle=False) as content:
            described = record(_Described, without_format(
                parse_json(str(content["layers"]).encode()), FORMAT))
            layers = tuple(entry.stream(content[f"acts_{index}"], content[f"weights_{index}"])
                           for index, entry in enumerate(described.layers))
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile,
            NotImplementedError) as error:
        message = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{path}: must be a file of layers and operands ({message})") from None
    if not layers:
        raise InputError(f"{path}: must hold at least one layer")
    return layers


@dataclass(frozen=True, kw_only=True)
class _LayerFile:
    """A layer in the file, without its arrays."""

    name: Text
    k: Size
    n: Size
    groups: Size
    positions: Size
    act_zero_point: Annotated[int, Limits(-128, 255)]
    act_signed: bool
    weight_zero_point: Annotated[int, Limits(-128, 255)]
    weight_signed: bool
    fed_by: str | None
    output: tuple[int, int, int] | None

    def stream(self, acts: npt.NDArray[Any], weights: npt.NDArray[Any]) -> LayerStream:
        if not acts.dtype == weights.dtype == np.int16:
            raise ValueError(f"operands of layer {self.name!r} must be int16, not {acts.dtype} "
                             f"and {weights.dtype}")
        if acts.ndim != 3 or weights.ndim not in (3, 4) or 0 in (*acts.shape, *weights.shape) \
                or acts.shape[::2] != (self.groups, self.k) \
                or weights.shape[-3:] != (self.groups, self.k, self.n) \
                or (weights.ndim == 4 and acts.shape[1] % len(weights)):
            raise ValueError(f"acts {list(acts.shape)} and weights {list(weights.shape)} of layer "
                             f"{self.name!r} do not fit")
        if max(np.abs(acts.astype(np.int32)).max(), np.abs(weights.astype(np.int32)).max()) > 255:
            raise ValueError(f"operands of layer {self.name!r} must be from -255 to 255")
        return LayerStream(name=self.name, positions=self.positions, acts=acts, weights=weights,
                           act_zero_point=self.act_zero_point, act_signed=self.act_signed,
                           weight_zero_point=self.weight_zero_point,
                           weight_signed=self.weight_signed, fed_by=self.fed_by,
                           requantizer=None if self.output is None else Codes(*self.output))


@dataclass(frozen=True, kw_only=True)
class _Described:
    """The JSON text in the file, beside its format."""

    layers: tuple[_LayerFile, ...]
