"""Quantisation-aware networks of Brevitas, as QCDQ and as QONNX.

pip install torch==2.13.0 brevitas==0.13.4 onnx==1.23.2 onnxscript==0.7.2 onnxoptimizer==0.4.2
    qonnx==1.0.0
"""

import warnings
from importlib.metadata import version

import brevitas
import brevitas.nn as qnn
import torch
from brevitas.export import export_onnx_qcdq, export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerTensorFloat,
    Uint8ActPerTensorFloat,
)
from common import NETWORKS, forget_sources, record
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.qonnx_to_qcdq import QuantToQCDQ
from qonnx.util.cleanup import cleanup_model
from torch import nn

warnings.simplefilter("ignore")
CLASSES = 6
IMAGE = (3, 12, 12)
VERSION = f"Brevitas {brevitas.__version__}"


def conv(a, b, kernel, *, weights=Int8WeightPerChannelFloat, bits=8, bias=True,
         bias_quant=Int32Bias, **options):
    return qnn.QuantConv2d(a, b, kernel, bias=bias, weight_quant=weights, weight_bit_width=bits,
                           bias_quant=bias_quant if bias else None, **options)


def linear(a, b, *, weights=Int8WeightPerTensorFloat, bits=8, bias=True):
    return qnn.QuantLinear(a, b, bias=bias, weight_quant=weights, weight_bit_width=bits,
                           bias_quant=Int32Bias if bias else None)


def start(quant=Int8ActPerTensorFloat):
    return qnn.QuantIdentity(act_quant=quant, return_quant_tensor=True)


def relu(bits=8, quant=Uint8ActPerTensorFloat):
    return qnn.QuantReLU(act_quant=quant, bit_width=bits, return_quant_tensor=True)


def plain(bits=8, **options):
    return nn.Sequential(start(), conv(3, 8, 3, bits=bits, **options), relu(bits),
                         nn.MaxPool2d(2), conv(8, 8, 3, bits=bits, **options), relu(bits),
                         nn.Flatten(), linear(72, 16, bits=bits), relu(bits),
                         linear(16, CLASSES, bits=bits))


def per_tensor():
    return plain(weights=Int8WeightPerTensorFloat)


def four_bits():
    return plain(4)


def float_bias():
    return plain(bias_quant=None)


def shifted():
    """Zero points that are not zero."""
    weights = ShiftedUint8WeightPerTensorFloat
    return nn.Sequential(start(ShiftedUint8ActPerTensorFloat),
                         conv(3, 8, 3, weights=weights), nn.ReLU(),
                         start(ShiftedUint8ActPerTensorFloat),
                         conv(8, 8, 3, weights=weights, stride=2), nn.ReLU(),
                         start(ShiftedUint8ActPerTensorFloat), nn.Flatten(),
                         linear(128, CLASSES, weights=weights))


def folded_norm():
    """Batch normalisation between convolution and activation is not folded by the exporter."""
    return nn.Sequential(start(), conv(3, 8, 3, bias=False), nn.BatchNorm2d(8), relu(),
                         conv(8, 8, 3, groups=8, bias=False), nn.BatchNorm2d(8), relu(),
                         conv(8, 8, 1, bias=False), nn.BatchNorm2d(8), relu(),
                         nn.AvgPool2d(8), start(), nn.Flatten(), linear(8, CLASSES))


class Residual(nn.Module):
    """Both summands get one scale, from one quantiser."""

    def __init__(self):
        super().__init__()
        self.a, self.act = conv(8, 8, 3, padding=1), relu()
        self.b, self.same = conv(8, 8, 3, padding=1), start()
        self.out = relu()

    def forward(self, x):
        return self.out(self.same(self.b(self.act(self.a(x)))) + self.same(x))


def residual():
    return nn.Sequential(start(), conv(3, 8, 3, stride=2), relu(), Residual(),
                         nn.AvgPool2d(5), start(),
                         nn.Flatten(), linear(8, CLASSES))


def bare(bits=8):
    """Without biases, whose 32 bits QuantToQCDQ leaves as Quant nodes."""
    return nn.Sequential(start(), conv(3, 8, 3, bits=bits, bias=False), relu(bits),
                         conv(8, 8, 3, bits=bits, stride=2, bias=False), relu(bits), nn.Flatten(),
                         linear(128, CLASSES, bits=bits, bias=False))


def bare_three_bits():
    return bare(3)


def mlp():
    """Jet tagging's kind of network: vectors, few bits, batch normalisation."""
    return nn.Sequential(start(), linear(16, 24, bits=6, bias=False), nn.BatchNorm1d(24), relu(6),
                         linear(24, 16, bits=6, bias=False), nn.BatchNorm1d(16), relu(6),
                         linear(16, CLASSES))


def settled(make, shape):
    """Return the network after two passes in training mode, which set scales and statistics."""
    torch.manual_seed(sum(map(ord, make.__name__)))
    model = make()
    images = torch.randn(256, *shape)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.mul_(2.0)
        model.train()
        for _ in range(4):
            model(images)
        model.eval()
        scores = model(images)
        model[-1].weight.div_(scores.std())
        if model[-1].bias is not None:
            model[-1].bias.sub_(scores.mean(0)).div_(scores.std())
    return model.eval()


def export(make, opset, shows, *, shape=IMAGE, suffix="", **options):
    path = NETWORKS / f"brevitas_{make.__name__}{suffix}.onnx"
    export_onnx_qcdq(settled(make, shape), args=torch.randn(1, *shape), export_path=str(path),
                     opset_version=opset, dynamo=False, **options)
    finish(path, shows, f"{VERSION}, export_onnx_qcdq", shape)


def export_by_qonnx(make, opset, shows, *, shape=IMAGE):
    path = NETWORKS / f"qonnx_{make.__name__}.onnx"
    export_qonnx(settled(make, shape), args=torch.randn(1, *shape), export_path=str(path),
                 opset_version=opset, dynamo=False)
    model = cleanup_model(ModelWrapper(str(path)))
    model.transform(QuantToQCDQ()).save(str(path))
    finish(path, shows, f"{VERSION}, export_qonnx, and QuantToQCDQ of qonnx {version('qonnx')}",
           shape)


def finish(path, shows, exporter, shape):
    forget_sources(path)
    record(path.name, shows, exporter, image=shape)
    print(path.name, path.stat().st_size)


FREE = {"input_names": ["image"], "output_names": ["scores"],
        "dynamic_axes": {"image": {0: "batch"}, "scores": {0: "batch"}}}
export(plain, 13, "int8 per channel, int32 biases, ends in DequantizeLinear, Flatten, Gemm", **FREE)
export(plain, 17, "default export, batch axis 1", suffix="_fixed")
export(per_tensor, 14, "int8 per tensor", **FREE)
export(four_bits, 13, "4-bit codes clipped in 8-bit tensors: Clip after QuantizeLinear", **FREE)
export(float_bias, 13, "biases in float", **FREE)
export(shifted, 13, "uint8 activations and weights with zero points", **FREE)
export(folded_norm, 13, "BatchNormalization between product and activation; depthwise", **FREE)
export(residual, 15, "addition of two quantised tensors", **FREE)
export(mlp, 13, "vectors, 6 bits, BatchNorm1d", shape=(16,), **FREE)
export_by_qonnx(bare, 13, "Quant nodes turned to QCDQ by qonnx, batch axis 1")
export_by_qonnx(bare_three_bits, 14, "Quant nodes of 3 bits turned to QCDQ, batch axis 1")
