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

TRAINED = "MatMul", "Add", "LayerNormalization"  # whose constants training changes
Float = npt.NDArray[np.float32]
FAR = 2**31 - 1  # an ONNX slice to the end


def graph_module(model: onnx.ModelProto) -> Any:
    """Return a `torch.nn.Module` of a network whose input is `input` and output `logits`.

    model : of Conv, Gemm (transB) and `OPERATORS`. Its weights are the starting point: those of
    Conv and Gemm, and the constants of `TRAINED`.

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

    nodes = _gelu_fused(list(model.graph.node))

    class GraphModule(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleDict()
            self.constants = nn.ParameterDict({
                key(name): nn.Parameter(torch.from_numpy(constants[name]))
                for name in _trained_constants(model, constants)})
            for node in model.graph.node:
                if node.op_type == "Conv":
                    self.layers[key(node.name)] = _convolution(node, constants[node.input[1]])
                elif node.op_type == "Gemm":
                    weight = torch.from_numpy(constants[node.input[1]])
                    linear = nn.Linear(weight.shape[1], weight.shape[0])
                    with torch.no_grad():
                        linear.weight.copy_(weight)
                        linear.bias.zero_()
                    self.layers[key(node.name)] = linear

        def forward(self, images: Any) -> Any:
            tensors = {"input": images, **{name: self.constants[key(name)] for name in constants
                                           if key(name) in self.constants}}
            for node in nodes:
                if node.op_type in ("Conv", "Gemm"):
                    results = self.layers[key(node.name)](tensors[node.input[0]])
                else:
                    results = OPERATORS[node.op_type](_Call(node, constants, tensors))
                tensors.update(zip(node.output, results, strict=True)
                               if len(node.output) > 1 else [(node.output[0], results)])
            return tensors["logits"]

    return GraphModule()


def key(name: str) -> str:
    """Return the name of a layer or a constant as torch allows it."""
    return name.replace(".", "/")


def _trained_constants(model: onnx.ModelProto, constants: Mapping[str, npt.NDArray[Any]]
                       ) -> list[str]:
    """Return the constants that training changes; single numbers belong to formulas."""
    return list(dict.fromkeys(
        name for node in model.graph.node if node.op_type in TRAINED for name in node.input
        if name in constants and constants[name].size > 1))


def trained(model: onnx.ModelProto, module: Any) -> onnx.ModelProto:
    """Return the network with the weights of its module, batch normalisation folded in."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    values = {tensor.name: key(tensor.name) for tensor in found.graph.initializer}
    weights = {name: _array(module.constants[at]) for name, at in values.items()
               if at in module.constants}
    for node in found.graph.node:
        if node.op_type == "Conv":
            convolution, norm = module.layers[key(node.name)]
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            pair = (convolution.weight * gain[:, None, None, None],
                    norm.bias - norm.running_mean * gain)
        elif node.op_type == "Gemm":
            linear = module.layers[key(node.name)]
            pair = (linear.weight, linear.bias)
        else:
            continue
        for name, value in zip(node.input[1:], pair, strict=True):
            weights[name] = _array(value)
    for tensor in found.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return found


def _array(value: Any) -> Float:
    return np.ascontiguousarray(value.detach().float().cpu().numpy())


def _gelu_fused(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return the nodes with every x (1 + erf(x / sqrt(2))) / 2 as one Gelu: a fifth of the memory.

    Exporters write it as Div, Erf, Add, Mul and Mul, one after the other.
    """
    found: list[onnx.NodeProto] = []
    last = 0
    for place in range(1, len(nodes)):
        pattern = nodes[place - 1:place + 4]
        if [one.op_type for one in pattern] == ["Div", "Erf", "Add", "Mul", "Mul"]:
            found += [*nodes[last:place - 1], onnx.helper.make_node(
                "Gelu", pattern[0].input[:1], pattern[-1].output)]
            last = place + 4
    return found + nodes[last:]


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
        self.constants = [constants[name] for name in node.input
                          if name in constants and name not in tensors]

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


def _arithmetic(function: str) -> Callable[[_Call], Any]:
    """Return an operator of two tensors, or of a tensor and a single number behind it."""
    def apply(call: _Call) -> Any:
        import torch

        other = call.inputs[1] if len(call.inputs) > 1 else float(call.constants[0])
        return getattr(torch, function)(call.first, other)

    return apply


def _norm(call: _Call) -> Any:
    from torch.nn import functional

    scale, bias = call.inputs[1:]
    return functional.layer_norm(call.first, scale.shape, scale, bias,
                                 call.attributes["epsilon"])


def _gelu(call: _Call) -> Any:
    from torch.nn import functional

    return functional.gelu(call.first)


def _reshape(call: _Call) -> Any:
    shape = [call.first.shape[axis] if size == 0 else size
             for axis, size in enumerate(call.constants[0].tolist())]
    return call.first.reshape(shape)


OPERATORS: Mapping[str, Callable[[_Call], Any]] = {
    "Relu": lambda call: call.first.relu(),
    "Clip": lambda call: call.first.clamp(*(float(value) for value in call.constants)),
    "Add": _arithmetic("add"),
    "Mul": _arithmetic("mul"),
    "Div": _arithmetic("div"),
    "Erf": lambda call: call.first.erf(),
    "Gelu": _gelu,
    "MatMul": lambda call: call.inputs[0] @ call.inputs[1],
    "Softmax": lambda call: call.first.softmax(call.attributes["axis"]),
    "LayerNormalization": _norm,
    "ReduceMean": lambda call: call.first.mean(call.attributes["axes"],
                                               keepdim=bool(call.attributes["keepdims"])),
    "Reshape": _reshape,
    "Transpose": lambda call: call.first.permute(call.attributes["perm"]),
    "Split": lambda call: call.first.split(call.constants[0].tolist(), call.attributes["axis"]),
    "Squeeze": lambda call: call.first.squeeze(tuple(call.constants[0].tolist())),
    "Concat": _concat,
    "MaxPool": lambda call: _pool(call, "max_pool2d"),
    "AveragePool": lambda call: _pool(call, "avg_pool2d"),
    "GlobalAveragePool": lambda call: call.first.mean((2, 3), keepdim=True),
    "Flatten": lambda call: call.first.flatten(1),
    "Slice": _slice,
    "Pad": _pad,
    "Identity": lambda call: call.first,
}
