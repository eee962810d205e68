"""ONNX Runtime's quantisers and optimisers, on TorchScript exports.

pip install torch==2.13.0 onnx==1.23.2 onnxruntime==1.32.0
"""

import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from common import NETWORKS, record
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch_nets import build

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
ORT = f"of ONNX Runtime {onnxruntime.__version__} on torch.onnx.export"
FREE = {"input_names": ["image"], "output_names": ["scores"],
        "dynamic_axes": {"image": {0: "batch"}, "scores": {0: "batch"}}}
QDQ, QOP = {"quant_format": QuantFormat.QDQ}, {"quant_format": QuantFormat.QOperator}
U8S8 = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
U8U8 = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8}
S8S8 = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
PER_CHANNEL = {"per_channel": True}
# Kernels for signed weights saturate on CPUs without VNNI, but not with 7 bits.
SEVEN = {"reduce_range": True}
FILES = {  # file: network, opset, options, what is special beside the network
    "qdq_u8s8": ("residual", 13, QDQ | U8S8 | PER_CHANNEL, "uint8 and int8 per channel"),
    "qdq_s8s8": ("squeeze_excite", 17, QDQ | S8S8, "int8 and int8 per tensor"),
    "qdq_u8u8": ("inception", 14, QDQ | U8U8, "uint8 and uint8: weights with a zero point"),
    "qdq_reduced": ("mobilenet_v3", 16, QDQ | U8S8 | PER_CHANNEL | SEVEN,
                    "weights of 7 bits"),
    "qdq_weights": ("shuffle", 13, QDQ | U8S8 | {"extra_options": {"AddQDQPairToWeight": True}},
                    "float weights behind QuantizeLinear"),
    "qdq_dedicated": ("shared", 13, QDQ | U8S8 | {"extra_options": {
        "DedicatedQDQPair": True, "QDQKeepRemovableActivations": True}},
        "a DequantizeLinear for every reader, Relu kept"),
    "qdq_float_bias": ("plain", 13, QDQ | U8S8 | PER_CHANNEL | {"extra_options": {
        "QuantizeBias": False}}, "biases in float"),
    "qdq_asymmetric": ("grouped", 15, QDQ | S8S8 | {"extra_options": {"WeightSymmetric": False}},
                       "int8 weights with a zero point"),
    "qdq_entropy": ("gelu", 20, QDQ | S8S8 | PER_CHANNEL | {
        "calibrate_method": CalibrationMethod.Entropy}, "ranges by entropy"),
    "qdq_partly": ("residual", 13, QDQ | U8S8 | {"nodes_to_exclude": ["/0/Conv", "/6/Gemm"]},
                   "two products left in float"),
    "qdq_matmul": ("attention", 17, QDQ | U8S8 | {"op_types_to_quantize": ["MatMul"]},
                         "MatMul alone quantised, those of two activations, too"),
    "qdq_convnext": ("convnext", 18, QDQ | U8S8, "depthwise, then MatMul with channels last"),
    "qdq_mlp": ("mlp", 13, QDQ | S8S8 | PER_CHANNEL, "vectors"),
    "qdq_fixed": ("view", 13, QDQ | U8S8, "batch axis 1, Reshape to [1, -1] between codes"),
    "qdq_conv_1d": ("conv_1d", 13, QDQ | U8S8 | PER_CHANNEL, "convolution over one dimension"),
    "qdq_opset21": ("mobilenet_v2", 21, QDQ | U8S8 | PER_CHANNEL, "opset 21 by conversion"),
    "qdq_16_bits": ("plain", 13, QDQ | U8S8 | {"extra_options": {
        "UseQDQContribOps": True, "TensorQuantOverrides": {
            "/8/Relu_output_0": [{"quant_type": QuantType.QUInt16}]}}},
        "one activation of 16 bits: its reader is outside"),
    "qdq_4_bits": ("plain", 21, QDQ | U8S8 | {"extra_options": {"TensorQuantOverrides": {
        "9.weight": [{"quant_type": QuantType.QInt4}]}}}, "one layer's weights of type int4"),
    "qop_u8s8": ("plain", 13, QOP | U8S8 | PER_CHANNEL | SEVEN, "QLinearConv per channel, QGemm"),
    "qop_u8u8": ("mobilenet_v2", 12, QOP | U8U8, "QLinearConv, depthwise, QLinearAdd"),
    "qop_s8s8": ("residual", 11, QOP | S8S8 | SEVEN, "QLinearConv, QLinearAdd, int8 and int8"),
    "qop_squeeze_excite": ("squeeze_excite", 13, QOP | U8S8 | SEVEN, "QLinearMul, QLinearSigmoid"),
    "qop_inception": ("inception", 14, QOP | U8U8, "QLinearConcat of different scales"),
    "qop_mlp": ("mlp", 17, QOP | U8U8, "QGemm, vectors"),
    "qop_attention": ("attention", 14, QOP | U8S8 | SEVEN,
                      "QLinearMatMul, also of two activations"),
}


class Images(CalibrationDataReader):
    def __init__(self, name, shape, batch):
        images = np.random.default_rng(1).standard_normal((32, *shape)).astype(np.float32)
        self.left = iter(images.reshape(-1, batch, *shape))
        self.name = name

    def get_next(self):
        images = next(self.left, None)
        return None if images is None else {self.name: images}


def exported(network, opset, folder, *, fixed=False):
    """Return path and image shape of the float network, prepared as the quantiser advises."""
    model, shape = build(network)
    path, prepared = str(folder / "float.onnx"), str(folder / "prepared.onnx")
    torch.onnx.export(model, torch.randn(1, *shape), path, opset_version=min(opset, 20),
                      dynamo=False, **({"input_names": ["image"]} if fixed else FREE))
    if opset > 20:
        onnx.save(onnx.version_converter.convert_version(onnx.load(path), opset), path)
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    return prepared, shape


def finish(name, shows, exporter, shape):
    path = NETWORKS / f"{name}.onnx"
    record(path.name, shows, f"{exporter} {ORT}", image=shape)
    print(path.name, path.stat().st_size)


def static(name, network, opset, options, shows):
    with tempfile.TemporaryDirectory() as folder:
        path, shape = exported(network, opset, Path(folder), fixed=name == "qdq_fixed")
        quantize_static(path, str(NETWORKS / f"ort_{name}.onnx"), Images("image", shape, 1),
                        **options)
    finish(f"ort_{name}", shows, "quantize_static", shape)


def dynamic(name, network, opset, weights, shows):
    with tempfile.TemporaryDirectory() as folder:
        path, shape = exported(network, opset, Path(folder))
        quantize_dynamic(path, str(NETWORKS / f"ort_{name}.onnx"), weight_type=weights)
    finish(f"ort_{name}", shows, "quantize_dynamic", shape)


def optimised(name, network, opset, level, shows):
    with tempfile.TemporaryDirectory() as folder:
        path, shape = exported(network, opset, Path(folder))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.optimized_model_filepath = str(NETWORKS / f"ort_{name}.onnx")
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    finish(f"ort_{name}", shows, "optimized_model_filepath", shape)


def blocked(name, network, opset, shows):
    with tempfile.TemporaryDirectory() as folder:
        path, shape = exported(network, opset, Path(folder))
        quantiser = MatMulNBitsQuantizer(onnx.load(path), bits=4, block_size=16)
        quantiser.process()
        onnx.save(quantiser.model.model, NETWORKS / f"ort_{name}.onnx")
    finish(f"ort_{name}", shows, "MatMulNBitsQuantizer", shape)


for name, entry in FILES.items():
    static(name, *entry)
dynamic("dynamic", "mlp", 13, QuantType.QInt8, "MatMulInteger behind DynamicQuantizeLinear")
dynamic("dynamic_conv", "plain", 13, QuantType.QUInt8, "ConvInteger, MatMulInteger, dynamic")
optimised("extended", "mobilenet_v2", 13,
          onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
          "FusedConv of com.microsoft where an activation follows")
optimised("basic", "attention", 17, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
          "constants folded, unused domains imported")
blocked("blocked", "mixer", 19, "MatMulNBits of com.microsoft, weights of 4 bits")
