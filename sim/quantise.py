"""Float networks become int8 networks, by ONNX Runtime's own static quantiser."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sim.onnx_file import network_input

CALIBRATION_BATCH = 32


class _Batches:
    """Feeds calibration images to the quantiser."""

    def __init__(self, name: str, images: npt.NDArray[np.float32]) -> None:
        self._batches = iter([{name: images[first:first + CALIBRATION_BATCH]}
                              for first in range(0, len(images), CALIBRATION_BATCH)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def quantise(model: onnx.ModelProto, calibration: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """Return the QDQ form of a float model.

    Activations become uint8 per tensor (asymmetric, range from `calibration` by minimum and
    maximum), weights int8 per output channel (symmetric). calibration : float32[n, c, h, w].
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
            quantize_static(prepared, target, Reader(name, calibration),
                            quant_format=QuantFormat.QDQ, per_channel=True,
                            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
            return onnx.load(target)
    finally:
        root.setLevel(level)
