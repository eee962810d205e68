"""Quantisation-aware networks of torch.ao: FakeQuantize, exported as QuantizeLinear.

pip install torch==2.13.0 onnx==1.23.2
"""

import warnings

import torch
from common import NETWORKS, record
from torch import nn
from torch.ao.nn import qat
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    QConfig,
    QConfigMapping,
    disable_observer,
)
from torch.ao.quantization.quantize_fx import prepare_qat_fx
from torch_nets import build

warnings.simplefilter("ignore")
EXPORTER = f"FakeQuantize and torch.onnx.export of torch {torch.__version__}".split("+")[0]
UINT8 = FakeQuantize.with_args(observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255,
                               dtype=torch.quint8, reduce_range=False)
INT8 = FakeQuantize.with_args(observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127,
                              dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
PER_CHANNEL = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127,
    dtype=torch.qint8, qscheme=torch.per_channel_symmetric, ch_axis=0)
FREE = {"input_names": ["image"], "output_names": ["scores"],
        "dynamic_axes": {"image": {0: "batch"}, "scores": {0: "batch"}}}


def export(network, opset, weights, shows, **options):
    """A network that torch.fx rewrote for training with uint8 activations."""
    model, shape = build(network)
    mapping = QConfigMapping().set_global(QConfig(UINT8, weights))
    finish(network, prepare_qat_fx(model.train(), mapping, torch.randn(1, *shape)),
           shape, opset, shows, **options)


def export_by_hand(opset, shows, **options):
    """A network with FakeQuantize between its layers; pooling and Flatten come after it."""
    config = QConfig(INT8, PER_CHANNEL)
    torch.manual_seed(7)
    model = nn.Sequential(INT8(), qat.Conv2d(3, 8, 3, qconfig=config, bias=False), nn.ReLU(),
                          INT8(), nn.MaxPool2d(2),
                          qat.Conv2d(8, 8, 3, qconfig=config, bias=False), nn.ReLU(), INT8(),
                          nn.Flatten(), qat.Linear(72, 6, qconfig=config, bias=False))
    finish("by_hand", model, (3, 12, 12), opset, shows, **options)


def finish(name, model, shape, opset, shows, **options):
    images = torch.randn(64, *shape)
    with torch.no_grad():
        model.train()
        for _ in range(3):
            model(images)
    model.apply(disable_observer).eval()
    path = NETWORKS / f"fake_quantize_{name}.onnx"
    torch.onnx.export(model, torch.randn(1, *shape), str(path), opset_version=opset,
                      dynamo=False, **options)
    record(path.name, shows, EXPORTER, image=shape)
    print(path.name, path.stat().st_size)


export("plain", 13, INT8, "float weights behind QuantizeLinear, per tensor; biases in float",
       **FREE)
export("conv_1d", 17, PER_CHANNEL, "one dimension; batch axis 1")
export("residual", 14, PER_CHANNEL, "addition; biases of the folded normalisation in float", **FREE)
export("mobilenet_v2", 13, PER_CHANNEL, "depthwise, ReLU6; biases in float", **FREE)
export("shuffle", 16, PER_CHANNEL, "Split, Concat; biases in float", **FREE)
export_by_hand(13, "MaxPool and Flatten after DequantizeLinear; no biases", **FREE)
