"""Exports of torch.export, opsets 18 to 23.

pip install torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2
"""

import logging
import warnings

import torch
from common import NETWORKS, forget_sources, record
from torch_nets import build

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
EXPORTER = f"torch.onnx.export of torch {torch.__version__.split('+')[0]}, dynamo=True"
DEFAULT = {}
BATCH = torch.export.Dim("batch", min=1, max=1024)
FREE = {"dynamic_shapes": ({0: BATCH},), "external_data": False}
FREE_SIZES = {"dynamic_shapes": ({0: BATCH, 2: torch.export.Dim("height", min=8, max=512),
                                  3: torch.export.Dim("width", min=8, max=512)},),
              "external_data": False}
INSIDE = {"external_data": False}
PLAIN = {"optimize": False, "external_data": False}  # as decomposed, nothing folded
FILES = {  # file: network, opset, options, what is special beside the network
    "default": ("plain", None, DEFAULT, "all defaults: batch axis 1, weights in another file"),
    "residual": ("residual", 18, FREE, "addition of different scales"),
    "squeeze_excite": ("squeeze_excite", 18, FREE, "squeeze and excitation"),
    "mobilenet_v3": ("mobilenet_v3", 20, DEFAULT, "HardSwish, weights in another file"),
    "mobilenet_v2": ("mobilenet_v2", 23, FREE, "depthwise, ReLU6 as Clip"),
    "silu": ("silu", 22, INSIDE, "x * sigmoid(x)"),
    "gelu": ("gelu", 21, FREE, "Gelu, exact and by tanh"),
    "conv_1d": ("conv_1d", 18, INSIDE, "convolution over one dimension, batch axis 1"),
    "mlp": ("mlp", 18, FREE, "vectors; Linear without bias before BatchNorm1d"),
    "mlp_fixed": ("mlp", 21, DEFAULT, "vectors, batch axis 1, weights in another file"),
    "attention": ("attention", 23, FREE, "LayerNormalization, products of two activations"),
    "fused_attention": ("fused_attention", 23, FREE, "Attention of opset 23"),
    "encoder": ("encoder", 18, INSIDE, "TransformerEncoderLayer, batch axis 1"),
    "mixer": ("mixer", 18, FREE, "Linear along either axis of a sequence"),
    "convnext": ("convnext", 23, INSIDE, "depthwise 5x5, LayerNorm and Linear, channels last"),
    "lstm": ("lstm", 18, INSIDE, "LSTM on a sequence, batch axis 1"),
    "einsum": ("einsum", 18, FREE, "Einsum with constant weights"),
    "pixel_shuffle": ("pixel_shuffle", 20, FREE, "PixelUnshuffle, PixelShuffle"),
    "pads": ("pads", 18, FREE, "Pad by reflection, by the edge, by 0 and by 0.5"),
    "shuffle": ("shuffle", 21, INSIDE, "Split, channel shuffle"),
    "mean": ("mean", 18, FREE_SIZES, "ReduceMean; height and width free"),
    "equal": ("equal", 18, FREE, "two equal layers of one tensor, merged by the exporter"),
    "group_norm": ("group_norm", 21, FREE, "GroupNormalization"),
    "decomposed": ("residual", 18, PLAIN, "as decomposed, nothing folded or fused"),
    "softmax": ("softmax", 22, INSIDE, "Softmax as output"),
}


def export(name, network, opset, options, shows):
    model, shape = build(network)
    path = NETWORKS / f"dynamo_{name}.onnx"
    torch.onnx.export(model, (torch.randn(2 if "dynamic_shapes" in options else 1, *shape),),
                      path, opset_version=opset, dynamo=True, verbose=False, **options)
    forget_sources(path)
    record(path.name, shows, EXPORTER, image=shape)
    print(path.name, path.stat().st_size)


for name, entry in FILES.items():
    export(name, *entry)
