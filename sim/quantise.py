"""Float networks become int8 networks, by ONNX Runtime's own static quantiser."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from hw.common.files import read_json
from sim.onnx_file import PRODUCTS, network_input

# Every tensor of a batch is held until its extremes are taken; these do not depend on batches.
CALIBRATION_BATCH = 32  # images, and at most so many numbers, four images of 224x224:
CALIBRATION_NUMBERS = 4 * 3 * 224 * 224


class Range(NamedTuple):
    """Scale and zero point (0 to 255) of an activation tensor stored as uint8."""

    scale: float
    zero_point: int


class _Batches:
    """Feeds calibration images to the quantiser."""

    def __init__(self, name: str, images: npt.NDArray[np.float32]) -> None:
        size = max(1, min(CALIBRATION_BATCH, CALIBRATION_NUMBERS // max(images[0].size, 1)))
        self._batches = iter([{name: images[first:first + size]}
                              for first in range(0, len(images), size)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def quantise(model: onnx.ModelProto, calibration: npt.NDArray[np.float32],
             ranges: Mapping[str, Range] | None = None, *,
             symmetric: bool = False) -> onnx.ModelProto:
    """Return the QDQ form of a float model; products keep their names.

    Activations become uint8 per tensor (asymmetric, range from `calibration` by minimum and
    maximum), weights int8 per output channel (symmetric). Batch norm, additions and factors behind
    a convolution are folded into it first.

    Parameters
    ----------
    model : ModelProto
        Every product has a name (`sim.onnx_file.load_model`).
    calibration : float32[n, c, h, w]
    ranges : tensor name -> Range
        Instead of the ranges found, such as those learnt in training.
    symmetric : bool
        Activations become int8 with zero point 0, as signed multipliers need; behind a ReLU that
        leaves 7 of 8 bits. Without `ranges`, which are of uint8.

    Raises InputError for the range of a tensor that is not in the network; ONNX Runtime raises what
    it likes for networks that it cannot quantise.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(_Batches, CalibrationDataReader):  # type: ignore[misc]
        pass

    name, _shape = network_input(model)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # its advice is for people who call it by hand
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source, prepared, target = (str(Path(folder) / file)
                                        for file in ("float.onnx", "folded.onnx", "int8.onnx"))
            onnx.save(model, source)
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            options: dict[str, Any] = {"ActivationSymmetric": symmetric}
            if ranges:
                options["TensorQuantOverrides"] = _overrides(prepared, ranges)
            quantize_static(prepared, target, Reader(name, calibration),
                            quant_format=QuantFormat.QDQ, per_channel=True,
                            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
                            weight_type=QuantType.QInt8,
                            extra_options=options)
            result = onnx.load(target)
    finally:
        root.setLevel(level)
    _restore_names(result, [node.name for node in model.graph.node if node.op_type in PRODUCTS])
    return result


def load_ranges(path: Path) -> dict[str, Range]:
    """Read ranges from JSON, `{"TENSOR": [SCALE, ZERO_POINT], ...}`; InputError names the file."""
    content = read_json(path)
    ranges = {}
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: ranges must be an object of TENSOR: [SCALE, ZERO_POINT]")
    for tensor, entry in content.items():
        match entry:
            case [float() | int() as scale, int() as zero_point] if (
                    0 < scale < np.inf and 0 <= zero_point <= 255):
                ranges[tensor] = Range(float(scale), zero_point)
            case _:
                raise InputError(f"{path}: range of {tensor!r} must be [SCALE, ZERO_POINT], "
                                 f"positive and 0 to 255, not {entry}")
    return ranges


def _overrides(prepared: str, ranges: Mapping[str, Range]) -> dict[str, list[dict[str, Any]]]:
    """Return ranges in the quantiser's form, checked against the network after folding."""
    graph = onnx.load(prepared).graph
    tensors = {entry.name for entry in graph.input} | {
        name for node in graph.node for name in node.output}
    unknown = sorted(set(ranges) - tensors)
    if unknown:
        raise InputError(f"Range must be of a tensor of the network, not {unknown[0]!r}")
    return {tensor: [{"scale": np.array(entry.scale, np.float32),
                      "zero_point": np.array(entry.zero_point, np.uint8)}]
            for tensor, entry in ranges.items()}


def _restore_names(model: onnx.ModelProto, names: list[str]) -> None:
    """Undo renamings: folding a bias makes `fc/MatMulAddFusion` of `fc`."""
    for node in model.graph.node:
        if node.op_type in PRODUCTS and node.name not in names:
            origins = [name for name in names if node.name.startswith(f"{name}/")]
            if not origins:
                raise InputError(f"{node.op_type} {node.name!r} must be a layer of the float "
                                 "network")
            node.name = max(origins, key=len)
