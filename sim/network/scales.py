"""Scales of activations, changed so that the network stays a plain int8 network.

A larger scale makes smaller codes, which toggle less and round more. Zero points stay, so that 0 is
stored exactly and a range grows about it. What follows is left to `sim.network.lowering`: the
requantiser of the layer that writes a tensor, sums and bias of the layers that read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from sim.network.onnx.graph import Graph

PAIR = ("QuantizeLinear", "DequantizeLinear")


def activation_scales(model: onnx.ModelProto) -> dict[str, str]:
    """Return tensor of codes -> the stored scale that it alone, or with other tensors, has.

    Left out are tensors whose codes something else than DequantizeLinear reads, and those of which
    writer and readers name scales of their own, or one that weights have, too.
    """
    graph = Graph(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    users: dict[str, set[str]] = defaultdict(set)  # scale -> tensors of codes, "" for anything else
    for node in graph.nodes:
        for place, name in enumerate(node.input):
            if name in stored:
                codes = {"QuantizeLinear": node.output[0],
                         "DequantizeLinear": node.input[0]}.get(node.op_type, "")
                users[name].add(codes if place == 1 and codes not in stored else "")
    found = {}
    for node in graph.nodes:
        if node.op_type != PAIR[0] or node.input[1] not in stored:
            continue
        scale, codes = node.input[1], node.output[0]
        readers = graph.readers.get(codes, [])
        if codes not in graph.outputs and all(
                one.op_type == PAIR[1] and one.input[1] == scale for one in readers):
            found[codes] = scale
    return {codes: scale for codes, scale in found.items() if users[scale] <= found.keys()}


def rescaled(model: onnx.ModelProto, factors: Mapping[str, float]) -> onnx.ModelProto:
    """Return the model with stored scales multiplied by factors, float32; scale -> factor."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for tensor in result.graph.initializer:
        if tensor.name in factors:
            values = numpy_helper.to_array(tensor) * np.float32(factors[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    return result
