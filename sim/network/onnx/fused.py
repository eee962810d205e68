"""Convolutions that ONNX Runtime's optimiser has fused, written out as the standard's operators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sim.network.onnx.graph import attribute

FUSED = "FusedConv"  # Conv, then perhaps + another tensor, then an activation
OWN = ("activation", "activation_params")
PARAMETERS = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}


def written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without fused convolutions; each keeps its name. It is not changed."""
    if not any(node.op_type == FUSED for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes = [part for node in model.graph.node for part in (
        _parts(node, result.graph) if node.op_type == FUSED else [node])]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _parts(node: onnx.NodeProto, graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield Conv, Add where something is added, and the activation; limits become constants."""
    label = node.name or node.output[0]
    conv = helper.make_node("Conv", node.input[:3], [f"{label}/conv"], name=label)
    conv.attribute.extend(entry for entry in node.attribute if entry.name not in OWN)
    yield conv
    last = conv.output[0]
    if len(node.input) > 3 and node.input[3]:
        yield helper.make_node("Add", [last, node.input[3]], [f"{label}/sum"], name=f"{label}/Add")
        last = f"{label}/sum"
    activation = attribute(node, "activation", b"Identity").decode()
    values = list(attribute(node, "activation_params", ()))
    inputs, named = [last], dict(zip(PARAMETERS.get(activation, ()), values, strict=False))
    if activation == "Clip":
        for end, value in zip(("min", "max"), values, strict=True):
            inputs.append(f"{label}/{end}")
            graph.initializer.append(numpy_helper.from_array(np.float32(value), inputs[-1]))
    yield helper.make_node(activation, inputs, list(node.output), name=f"{label}/{activation}",
                           **named)
