"""TorchScript exports of opsets 7 to 20.

pip install torch==2.13.0 onnx==1.23.2
"""

import warnings

import torch
from common import NETWORKS, record
from torch_nets import build

warnings.simplefilter("ignore")
EXPORTER = f"torch.onnx.export of torch {torch.__version__.split('+')[0]}, dynamo=False"
FIXED = {}
FREE = {"input_names": ["image"], "output_names": ["scores"],
        "dynamic_axes": {"image": {0: "batch"}, "scores": {0: "batch"}}}
FREE_SIZES = {"input_names": ["image"], "output_names": ["scores"],
              "dynamic_axes": {"image": {0: "batch", 2: "height", 3: "width"},
                               "scores": {0: "batch"}}}
OLD = {"keep_initializers_as_inputs": True}  # as before IR version 4
UNFOLDED = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
FILES = {  # network: opset, options, what is special beside the network
    "plain": (17, FIXED, "default export, batch axis 1"),
    "residual": (13, FIXED, "addition of different scales"),
    "inception": (11, FREE, "concatenation of different scales"),
    "squeeze_excite": (12, FIXED, "squeeze and excitation by 1x1 convolution and by Linear"),
    "mobilenet_v2": (10, FIXED, "depthwise, ReLU6"),
    "mobilenet_v3": (14, FREE, "HardSwish, HardSigmoid, depthwise"),
    "silu": (15, FIXED, "x * sigmoid(x)"),
    "gelu": (20, FIXED, "Gelu, exact and by tanh"),
    "slopes": (9, FIXED, "PRelu, LeakyRelu, Elu, Softplus"),
    "grouped": (16, FREE, "groups, dilation, stride beyond the kernel"),
    "transposed": (13, FREE, "ConvTranspose"),
    "unet": (18, FIXED, "ConvTranspose and a concatenated skip"),
    "conv_1d": (13, FREE, "convolution over one dimension"),
    "mlp": (13, FREE, "vectors; Linear without bias before BatchNorm1d"),
    "attention": (17, FREE, "LayerNormalization, products of two activations"),
    "encoder": (17, FREE, "TransformerEncoderLayer on a sequence"),
    "mixer": (19, FREE, "Linear along either axis of a sequence"),
    "convnext": (17, FIXED, "depthwise 5x5, then LayerNorm and Linear with channels last"),
    "loop": (16, FREE, "Loop with a product inside"),
    "einsum": (14, FREE, "Einsum with constant weights"),
    "lstm": (14, FREE, "LSTM on a sequence"),
    "gru": (13, FREE, "GRU on rows of a convolution's output"),
    "pixel_shuffle": (13, FIXED, "PixelUnshuffle by Reshape, PixelShuffle by DepthToSpace"),
    "upsample": (13, FREE, "Resize, nearest and linear"),
    "pads": (16, FREE, "Pad by reflection, by the edge, by 0 and by 0.5; one-sided padding"),
    "shuffle": (13, FIXED, "Split, channel shuffle by Reshape and Transpose"),
    "view": (13, FREE, "view(x.size(0), -1): Shape, Gather, Concat, Reshape"),
    "reshape_one_row": (11, FIXED, "Reshape of the batch axis to [-1, 64]"),
    "mean": (18, FREE_SIZES, "ReduceMean; height and width free"),
    "adaptive": (16, FIXED, "adaptive pooling as AveragePool and GlobalMaxPool"),
    "ceil_pool": (12, FREE, "pooling with ceil_mode, padded average without the padding"),
    "softmax": (8, FIXED, "Softmax of opset 8 as output"),
    "log_softmax": (7, FIXED, "opset 7, LogSoftmax as output"),
    "squeezed": (13, FREE, "scores by Squeeze of a convolution's output"),
    "shared": (13, FIXED, "one convolution used twice"),
    "equal": (15, FREE, "two layers with equal weights, stored once"),
    "preactivation": (9, UNFOLDED | FREE, "BatchNormalization not folded"),
    "group_norm": (13, FREE, "GroupNorm as InstanceNormalization and Reshape"),
    "gated": (13, FIXED, "GLU: Split and Mul"),
    "bare": (13, FIXED, "no bias anywhere, no activation function"),
}
OTHERS = {  # file: network, opset, options, what is special
    "plain_inputs": ("plain", 9, OLD, "initialisers are graph inputs, IR version 3 style"),
    "equal_inputs": ("equal", 11, OLD, "initialisers are graph inputs, two of them equal"),
    "mlp_fixed": ("mlp", 17, FIXED, "vectors, batch axis 1"),
    "mlp_unfolded": ("mlp", 12, UNFOLDED, "MatMul and BatchNormalization apart"),
    "view_fixed": ("view", 13, FIXED, "view with batch axis 1: Reshape to a constant [1, -1]"),
    "residual_unfolded": ("residual", 14, UNFOLDED, "BatchNormalization after each convolution"),
    "conv_1d_fixed": ("conv_1d", 11, FIXED, "convolution over one dimension, batch axis 1"),
    "lstm_fixed": ("lstm", 9, FIXED, "LSTM, batch axis 1 and initial states of one row"),
    "attention_fixed": ("attention", 14, FIXED, "attention with constant Reshapes to one row"),
}


def export(name, network, opset, options, shows):
    model, shape = build(network)
    if network == "loop":
        model = torch.jit.script(model)
    path = NETWORKS / f"torch_{name}.onnx"
    torch.onnx.export(model, torch.randn(1, *shape), str(path), opset_version=opset, dynamo=False,
                      **options)
    record(path.name, shows, EXPORTER, image=shape)
    print(path.name, path.stat().st_size)


for name, entry in ({name: (name, *entry) for name, entry in FILES.items()} | OTHERS).items():
    export(name, *entry)
