"""A float network with its weights stored as int8: a quarter of the file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

LARGEST = 127


def with_int8_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with int8 codes and one scale per output channel for all weights.

    Those of Conv, Gemm (transB) and MatMul.

    The codes are symmetric about 0 and the largest of each channel is 127, so quantising the
    network to 8 bits gives the same codes again. Activations, biases and sums stay float.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    # Weight -> axis of its output channels.
    axes = {node.input[1]: int(node.op_type == "MatMul") for node in model.graph.node
            if node.op_type in ("Conv", "Gemm", "MatMul")}
    kept, nodes = [], []
    for tensor in found.graph.initializer:
        if tensor.name not in axes:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        axis = axes[tensor.name]
        inner = tuple(other for other in range(values.ndim) if other != axis)
        largest = np.abs(values).max(axis=inner)
        scale = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
        codes = np.round(values / np.expand_dims(scale, inner))
        stored = [f"{tensor.name}.codes", f"{tensor.name}.scale"]
        kept += [numpy_helper.from_array(codes.clip(-LARGEST, LARGEST).astype(np.int8), stored[0]),
                 numpy_helper.from_array(scale, stored[1])]
        nodes.append(helper.make_node("DequantizeLinear", stored, [tensor.name],
                                      name=f"{tensor.name}.values", axis=axis))
    nodes += found.graph.node
    del found.graph.initializer[:], found.graph.node[:]
    found.graph.initializer.extend(kept)
    found.graph.node.extend(nodes)
    return found
