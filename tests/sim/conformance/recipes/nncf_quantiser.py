"""NNCF's post-training quantiser, on TorchScript exports.

pip install torch==2.13.0 nncf==3.4.0 onnx==1.23.2 onnxruntime==1.32.0
"""

import json
import logging
import warnings
from importlib.metadata import version

import nncf
import numpy as np
import onnx
from common import INDEX, NETWORKS, record

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def quantised(source, shows, **options):
    origin = json.loads(INDEX.read_text())[f"{source}.onnx"]
    model = onnx.load(NETWORKS / f"{source}.onnx")
    images = np.random.default_rng(1).standard_normal((32, 1, *origin["image"]))
    data = nncf.Dataset([{model.graph.input[0].name: image.astype(np.float32)}
                         for image in images])
    found = nncf.quantize(model, data, subset_size=32, **options)
    path = NETWORKS / f"nncf_{source.removeprefix('torch_')}.onnx"
    onnx.save(found, path)
    record(path.name, shows, f"NNCF {version('nncf')} on {origin['exporter']}",
           image=origin["image"])
    print(path.name, path.stat().st_size)


quantised("torch_residual", "batch axis 1; mixed preset", preset=nncf.QuantizationPreset.MIXED)
quantised("torch_inception", "concatenation of one scale")
quantised("torch_mobilenet_v3", "HardSwish", preset=nncf.QuantizationPreset.MIXED)
quantised("torch_attention", "transformer", model_type=nncf.ModelType.TRANSFORMER)
