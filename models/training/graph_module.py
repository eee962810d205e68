"""A float ONNX network as a torch module that can be trained, and back again.

One description of every architecture (`models.architectures`) serves random weights and
training. While it trains, every convolution has batch normalisation behind it instead of a bias;
on the way back that is folded into weights and bias, so the network has the operators it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from hw.common.errors import InputError

Float = npt.NDArray[np.float32]
FAR = 2**31 - 1  # an ONNX slice to the end


def graph_module(model: onnx.ModelProto) -> Any:
    """Return a `torch.nn.Module` of a network whose input is `input` and output `logits`.

    model : of Conv, Gemm (transB), Relu, Clip, Add, Concat, MaxPool, AveragePool,
    GlobalAveragePool, Flatten, Slice, Pad and Identity. Its weights are the starting point.

    Raises InputError for other operators.
    """
    import torch
    from torch import nn

    constants = {tensor.name: np.array(numpy_helper.to_array(tensor))
                 for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in OPERATORS and node.op_type not in ("Conv", "Gemm"):
            raise InputError(f"{node.name}: training knows no {node.op_type}; it knows Conv, Gemm, "
                             f"{', '.join(sorted(OPERATORS))}")

    class GraphModule(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleDict()
            for node in model.graph.node:
                if node.op_type == "Conv":
                    self.layers[key(node)] = _convolution(node, constants[node.input[1]])
                elif node.op_type == "Gemm":
                    weight = torch.from_numpy(constants[node.input[1]])
                    linear = nn.Linear(weight.shape[1], weight.shape[0])
                    with torch.no_grad():
                        linear.weight.copy_(weight)
                        linear.bias.zero_()
                    self.layers[key(node)] = linear

        def forward(self, images: Any) -> Any:
            tensors = {"input": images}
            for node in model.graph.node:
                if node.op_type in ("Conv", "Gemm"):
                    result = self.layers[key(node)](tensors[node.input[0]])
                else:
                    result = OPERATORS[node.op_type](_Call(node, constants, tensors))
                tensors[node.output[0]] = result
            return tensors["logits"]

    return GraphModule()


def key(node: onnx.NodeProto) -> str:
    """Return the name of a layer as torch allows it."""
    return str(node.name.replace(".", "/"))


def trained(model: onnx.ModelProto, module: Any) -> onnx.ModelProto:
    """Return the network with the weights of its module, batch normalisation folded in."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    weights: dict[str, Float] = {}
    for node in found.graph.node:
        if node.op_type == "Conv":
            convolution, norm = module.layers[key(node)]
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            pair = (convolution.weight * gain[:, None, None, None],
                    norm.bias - norm.running_mean * gain)
        elif node.op_type == "Gemm":
            linear = module.layers[key(node)]
            pair = (linear.weight, linear.bias)
        else:
            continue
        for name, value in zip(node.input[1:], pair, strict=True):
            weights[name] = np.ascontiguousarray(value.detach().float().cpu().numpy())
    for tensor in found.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return found


def _convolution(node: onnx.NodeProto, weight: npt.NDArray[Any]) -> Any:
    import torch
    from torch import nn

    from models.training.convolution import Convolution

    attributes = _attributes(node)
    out, group = weight.shape[0], attributes.get("group", 1)
    pads = attributes.get("pads", [0] * 4)
    if pads[:2] != pads[2:]:
        raise InputError(f"{node.name}: training needs equal padding on both sides, not {pads}")
    convolution = Convolution(weight.shape[1] * group, out, weight.shape[2:],
                              tuple(attributes.get("strides", (1, 1))), tuple(pads[:2]),
                              groups=group, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.from_numpy(weight))
    return nn.Sequential(convolution, nn.BatchNorm2d(out))


class _Call:
    """One operator being run: its attributes, constants and inputs."""

    def __init__(self, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray[Any]],
                 tensors: Mapping[str, Any]) -> None:
        self.attributes = _attributes(node)
        self.inputs = [tensors[name] for name in node.input if name in tensors]
        self.constants = [constants[name] for name in node.input if name in constants]

    @property
    def first(self) -> Any:
        return self.inputs[0]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def _pool(call: _Call, function: str) -> Any:
    from torch.nn import functional

    pads = call.attributes.get("pads", [0] * 4)
    return getattr(functional, function)(
        call.first, tuple(call.attributes["kernel_shape"]), tuple(call.attributes["strides"]),
        tuple(pads[:2]), ceil_mode=bool(call.attributes.get("ceil_mode", 0)))


def _slice(call: _Call) -> Any:
    starts, ends, axes, steps = (values.tolist() for values in call.constants)
    index = [slice(None)] * call.first.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, None if end >= FAR else end, step)
    return call.first[tuple(index)]


def _pad(call: _Call) -> Any:
    from torch.nn import functional

    sides = call.constants[0].reshape(2, -1).T[::-1]  # torch begins with the last axis
    return functional.pad(call.first, [int(size) for size in sides.ravel()])


def _concat(call: _Call) -> Any:
    import torch

    return torch.cat(call.inputs, int(call.attributes["axis"]))


OPERATORS: Mapping[str, Callable[[_Call], Any]] = {
    "Relu": lambda call: call.first.relu(),
    "Clip": lambda call: call.first.clamp(*(float(value) for value in call.constants)),
    "Add": lambda call: call.inputs[0] + call.inputs[1],
    "Concat": _concat,
    "MaxPool": lambda call: _pool(call, "max_pool2d"),
    "AveragePool": lambda call: _pool(call, "avg_pool2d"),
    "GlobalAveragePool": lambda call: call.first.mean((2, 3), keepdim=True),
    "Flatten": lambda call: call.first.flatten(1),
    "Slice": _slice,
    "Pad": _pad,
    "Identity": lambda call: call.first,
}
