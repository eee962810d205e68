"""Programs that rewrite ONNX files: simplifiers, converters of opsets, another quantiser.

pip install torch==2.13.0 onnx==1.23.2 onnxruntime==1.32.0 onnxsim==0.8.1 onnxslim==0.1.98
"""

import json
from importlib.metadata import version

import onnx
import onnx.version_converter
import onnxsim
import onnxslim
from common import INDEX, NETWORKS, record


def from_file(name):
    return onnx.load(NETWORKS / f"{name}.onnx"), json.loads(INDEX.read_text())[f"{name}.onnx"]


def save(name, model, origin, shows, program):
    path = NETWORKS / f"{name}.onnx"
    onnx.save(model, path)
    record(path.name, shows, f"{program} on {origin['exporter']}", image=origin["image"])
    print(path.name, path.stat().st_size)


def simplified(source, shows, **options):
    model, origin = from_file(source)
    found, right = onnxsim.simplify(model, **options)
    assert right
    save(f"onnxsim_{source.removeprefix('torch_')}", found, origin, shows,
         f"onnxsim {version('onnxsim')}")


def slimmed(source, shows):
    model, origin = from_file(source)
    save(f"onnxslim_{source.removeprefix('torch_')}", onnxslim.slim(model), origin, shows,
         f"onnxslim {version('onnxslim')}")


def moved_out(source, shows, **options):
    model, origin = from_file(source)
    path = NETWORKS / f"external_{source.removeprefix('torch_')}.onnx"
    for file in json.loads(INDEX.read_text()).get(path.name, {"sha256": {}})["sha256"]:
        (NETWORKS / file).unlink()  # onnx.save appends to weights that are there
    onnx.save(model, path, save_as_external_data=True, **options)
    record(path.name, shows, f"onnx.save of onnx {onnx.__version__} on {origin['exporter']}",
           image=origin["image"])
    print(path.name, path.stat().st_size)


def converted(source, opset, shows):
    model, origin = from_file(source)
    save(f"opset{opset}_{source.removeprefix('torch_')}",
         onnx.version_converter.convert_version(model, opset), origin, shows,
         f"onnx.version_converter {onnx.__version__}")


simplified("torch_attention_fixed", "Shape and Reshape folded to one row")
simplified("torch_mobilenet_v3", "batch axis set to 4",
           overwrite_input_shapes={"image": [4, 3, 12, 12]})
simplified("torch_preactivation", "BatchNormalization behind a pooling, batch axis free")
simplified("keras_separable", "NHWC with upsampling by Reshape and Tile")
simplified("ort_qdq_conv_1d", "QDQ: what is computed from constants is folded")
slimmed("torch_encoder", "a sequence")
slimmed("torch_group_norm", "GroupNorm by Reshape")
slimmed("torch_lstm", "LSTM")
converted("torch_preactivation", 7, "from opset 9")
converted("torch_log_softmax", 13, "from opset 7: LogSoftmax of opset 13")
converted("torch_slopes", 16, "from opset 9")
converted("torch_squeezed", 22, "from opset 13")
converted("torch_bare", 23, "from opset 13, batch axis 1")
converted("torch_unet", 21, "from opset 18")
converted("fake_quantize_by_hand", 19, "FakeQuantize from opset 13")
converted("ort_qdq_conv_1d", 23, "QDQ from opset 13")
moved_out("torch_plain", "a file beside it for each large tensor",
          all_tensors_to_one_file=False, size_threshold=1024)
moved_out("torch_conv_1d", "all weights in one file beside it", size_threshold=64,
          location="external_conv_1d.weights")
moved_out("ort_qdq_mlp", "codes and scales in one file beside it", size_threshold=0,
          location="external_ort_qdq_mlp.weights")
