"""Float networks become int8 networks, by ONNX Runtime's own static quantiser."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from hw.common.errors import InputError
from hw.common.records import Limits, Positive, read_record
from sim.network.onnx.calibrators import AUTO, CALIBRATORS, MINMAX, ends
from sim.network.onnx.float_run import float_logits
from sim.network.onnx.graph import PRODUCTS
from sim.network.onnx.histograms import histograms
from sim.network.onnx.runtime import silence

HOLD_OUT_EVERY = 4  # every fourth image is held out


class Range(NamedTuple):
    """Scale and zero point (0 to 255) of an activation tensor stored as uint8."""

    scale: float
    zero_point: int


class Quantised(NamedTuple):
    """The QDQ form of a float model; calibrator : that its ranges were found by."""

    model: onnx.ModelProto
    calibrator: str


def quantise(model: onnx.ModelProto, calibration: npt.NDArray[np.float32],
             ranges: Mapping[str, Range] | None = None, *, calibrator: str = MINMAX,
             symmetric: bool = False) -> Quantised:
    """Return the QDQ form of a float model; products keep their names.

    Activations become uint8 per tensor (asymmetric, range from `calibration`), weights int8 per
    output channel (symmetric). Batch norm, additions and factors behind a convolution are folded
    into it first.

    Parameters
    ----------
    model : ModelProto
        Every product has a name (`sim.network.onnx.file.load_model`).
    calibration : float32[n, c, h, w]
    ranges : tensor name -> Range
        Instead of the ranges found, such as those learnt in training.
    calibrator : str
        What finds ranges, one of `CHOICES`. With `auto` every calibrator is tried on three images
        of four. Of those whose logits differ least from the float network's on the fourth (mean
        square), it is the first; it then has all images.
    symmetric : bool
        Activations become int8 with zero point 0, as signed multipliers need; behind a ReLU that
        leaves 7 of 8 bits. Without `ranges`, which are of uint8.

    Raises InputError for the range of a tensor that is not in the network; ONNX Runtime raises what
    it likes for networks that it cannot quantise.
    """
    silence()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # ONNX Runtime's advice is for direct callers
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source, prepared = (Path(folder) / file for file in ("float.onnx", "folded.onnx"))
            onnx.save(model, source)
            _fold(str(source), str(prepared))
            folded = _flat_biases(_own_weights(_named_as(model, onnx.load(prepared))))
        options: dict[str, Any] = {"ActivationSymmetric": symmetric}
        if ranges:
            options["TensorQuantOverrides"] = _overrides(folded, ranges)
        if calibrator == AUTO:
            calibrator = _least_error(folded, calibration, options)
        [found] = _with_ranges(folded, calibration, options, [calibrator])
        return Quantised(found, calibrator)
    finally:
        root.setLevel(level)


def _least_error(folded: onnx.ModelProto, images: npt.NDArray[np.float32],
                 options: Mapping[str, Any]) -> str:
    """Return the calibrator whose logits are nearest to the float network's on images held out."""
    held_out = np.arange(len(images)) % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1
    if not held_out.any():
        raise InputError(f"Calibration images must be at least {HOLD_OUT_EVERY} for calibrator "
                         f"{AUTO} (every fourth is held out), not {len(images)}")
    wanted = float_logits(folded, images[held_out])
    errors = [float(np.square(float_logits(one, images[held_out]) - wanted).mean())
              for one in _with_ranges(folded, images[~held_out], options, list(CALIBRATORS))]
    return list(CALIBRATORS)[int(np.argmin(errors))]


def _with_ranges(folded: onnx.ModelProto, images: npt.NDArray[np.float32],
                 options: Mapping[str, Any], calibrators: Sequence[str]
                 ) -> Iterator[onnx.ModelProto]:
    """Yield the QDQ form of a folded model with the ranges of each calibrator in turn."""
    from onnxruntime.quantization import (
        CalibrationMethod,
        QDQQuantizer,
        QuantType,
        TensorData,
        TensorsData,
    )
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    symmetric = options["ActivationSymmetric"]
    values = histograms(folded, images, magnitudes=symmetric,
                        counted=list(calibrators) != [MINMAX])
    for calibrator in calibrators:
        found = {name: np.array(ends(calibrator, one, symmetric=symmetric), np.float32)
                 for name, one in values.items()}
        own = onnx.ModelProto()
        own.CopyFrom(folded)  # is changed in place
        quantizer = QDQQuantizer(
            own, True, False, QuantType.QInt8, QuantType.QInt8 if symmetric else QuantType.QUInt8,
            TensorsData(CalibrationMethod.MinMax, {
                name: TensorData(lowest=low, highest=high) for name, (low, high) in found.items()}),
            [], [], [*QLinearOpsRegistry, *QDQRegistry], dict(options))
        quantizer.quantize_model()
        quantizer.model.topological_sort()
        yield quantizer.model.model


def load_ranges(path: Path) -> dict[str, Range]:
    """Read ranges from JSON, `{"TENSOR": [SCALE, ZERO_POINT], ...}`; InputError names the file."""
    content = read_record(path, dict[str, tuple[Positive, Annotated[int, Limits(0, 255)]]])
    if not content:
        raise InputError(f"{path}: ranges must be an object of TENSOR: [SCALE, ZERO_POINT]")
    return {tensor: Range(*entry) for tensor, entry in content.items()}


def _own_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with weights that several products share, copied for each of them.

    Tied weights are scaled along another axis where they are transposed.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        name = node.input[1] if node.op_type in PRODUCTS and len(node.input) > 1 else ""
        if name in stored and name in seen:
            copy = model.graph.initializer.add()
            copy.CopyFrom(stored[name])
            copy.name = node.input[1] = f"{name}/{node.name}"
        seen.add(name)
    return model


def _flat_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with biases [1, n] as [n]: the quantiser takes no others."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        bias = stored.get(node.input[2]) if node.op_type == "Gemm" and len(node.input) > 2 else None
        if bias is None or len(bias.dims) != 2 or bias.dims[0] != 1:
            continue
        if sum(bias.name in one.input for one in model.graph.node) == 1:
            del bias.dims[0]
    return model


def _overrides(folded: onnx.ModelProto, ranges: Mapping[str, Range]
               ) -> dict[str, list[dict[str, Any]]]:
    """Return ranges in the quantiser's form, checked against the network after folding."""
    graph = folded.graph
    tensors = {entry.name for entry in graph.input} | {
        name for node in graph.node for name in node.output}
    unknown = sorted(set(ranges) - tensors)
    if unknown:
        raise InputError(f"Range must be of a tensor of the network, not {unknown[0]!r}")
    return {tensor: [{"scale": np.array(entry.scale, np.float32),
                      "zero_point": np.array(entry.zero_point, np.uint8)}]
            for tensor, entry in ranges.items()}


def _fold(source: str, target: str) -> None:
    """Write the float model with what follows a product folded into it, shapes inferred.

    The quantiser's own preparation (`quant_pre_process`), but equal layers are not merged to one:
    each is a layer of the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = target
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"],
                                 disabled_optimizers=["CommonSubexpressionElimination"])
    onnx.shape_inference.infer_shapes_path(target, target)


def _named_as(model: onnx.ModelProto, folded: onnx.ModelProto) -> onnx.ModelProto:
    """Return the folded model, its products named as those of the model that they stem from.

    What is folded into a product takes its name away: a product with a bias, or a batch
    normalisation behind it, is called after the fusion. It writes the tensor that the last of the
    merged operators wrote, so its origin is the first product met on the way back from there. One
    that came out of a branch or a loop keeps the optimiser's name.
    """
    maker = {output: node for node in model.graph.node for output in node.output}
    names = {node.name for node in model.graph.node if node.op_type in PRODUCTS}
    for node in folded.graph.node:
        if node.op_type not in PRODUCTS or node.name in names:
            continue
        origin = maker.get(node.output[0])
        while origin is not None and origin.op_type not in PRODUCTS:
            origin = next((maker[name] for name in origin.input if name in maker), None)
        # Where a product writes a new tensor, it is called `fc/MatMulAddFusion` for `fc`.
        parents = [name for name in names if node.name.startswith(f"{name}/")]
        node.name = origin.name if origin else max(parents, key=len, default=node.name)
    return folded
