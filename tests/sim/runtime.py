"""ONNX Runtime as a reference: every tensor of a model, in float and without fusions."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

# What moves values without changing them.
MOVERS = ("Flatten", "Identity", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def tensors(model, names, images):
    """Values of named tensors (and of the output) on images.

    Without optimisations QDQ models are computed in float32, so nothing saturates. A model with a
    fixed batch axis gets so many images at a time.
    """
    import onnxruntime

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    names = [name for name in dict.fromkeys(names) if name != model.graph.output[0].name]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), options)
    wanted = [model.graph.output[0].name, *names]
    (entry,) = session.get_inputs()
    batch = entry.shape[0] if isinstance(entry.shape[0], int) else len(images)
    found = [session.run(wanted, {entry.name: images[first:first + batch]})
             for first in range(0, len(images), batch)]
    return {name: np.concatenate(parts)
            for name, parts in zip(wanted, zip(*found, strict=True), strict=True)}


def logits(model, images):
    return tensors(model, [], images)[model.graph.output[0].name].reshape(len(images), -1)


def in_integers(model):
    """The QDQ model with its convolutions and Gemms as ONNX Runtime's integer operators.

    Weights become uint8 with zero point 128: the kernels for two unsigned operands do not saturate.
    Products whose output is not quantised right away stay in float.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    maker = {node.output[0]: node for node in model.graph.node}
    reader = {name: node for node in model.graph.node for name in node.input}
    replaced, nodes = set(), []
    for node in model.graph.node:
        after = reader.get(node.output[0]) if node.op_type in ("Conv", "Gemm") else None
        if after is None or after.op_type != "QuantizeLinear":
            nodes.append(node)
            continue
        act, weight, bias = (list(maker[name].input) for name in node.input)
        name = f"{node.name}/uint8"
        unsigned = (constants[weight[0]].astype(np.int16) + 128).astype(np.uint8)
        zeros = np.full(constants[weight[1]].shape, 128, np.uint8)
        result.graph.initializer.extend([numpy_helper.from_array(unsigned, name),
                                         numpy_helper.from_array(zeros, f"{name}/zero")])
        operands = [*act[:3], name, weight[1], f"{name}/zero"]
        out = list(after.input[1:3])
        op, domain, inputs = (("QLinearConv", "", [*operands, *out, bias[0]])
                              if node.op_type == "Conv" else
                              ("QGemm", "com.microsoft", [*operands, bias[0], *out]))
        made = helper.make_node(op, inputs, [after.output[0]], name=node.name, domain=domain)
        made.attribute.extend(entry for entry in node.attribute if entry.name != "beta")
        nodes.append(made)
        replaced.add(after.output[0])
    del result.graph.node[:]
    result.graph.node.extend(node for node in nodes if node.op_type in ("QLinearConv", "QGemm")
                             or node.output[0] not in replaced)
    if all(entry.domain != "com.microsoft" for entry in result.opset_import):
        result.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return result


class Origins:
    """Where the tensors of a QDQ model come from."""

    def __init__(self, model):
        self.maker = {name: node for node in model.graph.node for name in node.output}
        self.constants = {tensor.name: numpy_helper.to_array(tensor)
                          for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Identity" and node.input[0] in self.constants:
                self.constants[node.output[0]] = self.constants[node.input[0]]

    def scale(self, tensor):
        """Scale float64 of the DequantizeLinear behind a tensor, None without one."""
        node = self.maker.get(tensor)
        while node is not None and node.op_type in MOVERS:
            node = self.maker.get(node.input[0])
        return (None if node is None or node.op_type != "DequantizeLinear"
                else self.constants[node.input[1]].astype(np.float64))


def with_integer_biases(model):
    """The QDQ model with its float biases rounded to units of the sums.

    An array adds biases to its sums, which are integers; ONNX Runtime does the same when it turns
    QDQ into integer operators.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    origins = Origins(model)
    for node in result.graph.node:
        bias = origins.constants.get(node.input[2]) if len(node.input) > 2 else None
        if node.op_type in ("Conv", "Gemm") and bias is not None:
            act, weight = (origins.scale(name) for name in node.input[:2])
            if act is not None and weight is not None and act.size == 1:
                node.input[2] = f"{node.output[0]}/bias"
                rounded = np.rint(bias / (act * weight)) * (act * weight)
                result.graph.initializer.append(
                    numpy_helper.from_array(rounded.astype(np.float32), node.input[2]))
    return result


def stored_inputs(model, layers):
    """Where the codes that each layer reads are found: tensors, and the scales of their values.

    A layer behind operators that move values, as Flatten does, reads codes that such a model has as
    float alone.
    """
    origins = Origins(model)
    nodes = {node.name or node.output[0]: node for node in model.graph.node}
    known = {*origins.maker, *(entry.name for entry in model.graph.input)}
    return {layer.name: [
        (read, None) if read in known else (operand, origins.scale(operand).item())
        for read, operand in zip(layer.reads, nodes[layer.name].input, strict=False)]
        for layer in layers}


def check_layers(network, model, images):
    """Return the share of output codes that differ, see `count_layers`."""
    different, total = count_layers(network, model, images)
    return different / max(total, 1)


def count_layers(network, model, images):
    """Feed every layer what ONNX Runtime fed it; return how many output codes differ, and of all.

    Fails where a requantised code differs by more than one step, or a float by more than rounding.
    """
    inputs = stored_inputs(model, network.layers)
    found = tensors(model, [name for layer in network.layers
                            for name in (*dict(inputs[layer.name]), layer.output)], images)
    different = total = 0
    for layer in network.layers:
        state = {}
        for (name, scale), read, zero, signed in zip(
                inputs[layer.name], layer.reads, (layer.act_zero_point, layer.weight_zero_point),
                (layer.act_signed, layer.weight_signed), strict=False):
            state[read] = found[name] if scale is None else (
                np.rint(found[name] / scale) + zero).astype(np.int8 if signed else np.uint8)
        sums, shape = network.sums(layer, state)
        got, expected = layer.finish(sums, shape), found[layer.output]
        assert got.shape == expected.shape, layer.name
        assert got.dtype == expected.dtype, layer.name
        if layer.requantizer is None:
            span = float(np.abs(expected).max())
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * span,
                                       err_msg=layer.name)
            continue
        steps = np.abs(got.astype(int) - expected.astype(int))
        assert steps.max() <= 1, layer.name
        different, total = different + int((steps > 0).sum()), total + steps.size
    return different, total


def check_sums(layer, codes, sums):
    """Compare a layer's accumulators with a direct loop in int64, from its stored input."""
    acts = codes.astype(np.int64) - layer.act_zero_point
    weights = layer.weights.astype(np.int64)
    if layer.image_weights:  # [images, heads, k, n]
        images, heads = weights.shape[:2]
        expected = (acts.reshape(images, heads, -1, layer.k) @ weights).swapaxes(1, 2).reshape(
            sums.shape)
    elif layer.window is None:
        expected = acts.reshape(-1, layer.k) @ weights[0]
    else:
        image = acts if acts.ndim == 4 else acts[:, :, None]
        kernel = (-1, *layer.window.kernel)
        filters = np.concatenate([matrix.T.reshape(layer.n, *kernel) for matrix in weights])
        expected = direct_convolution(
            image, filters, stride=layer.window.stride, dilation=layer.window.dilation,
            pads=layer.window.padding(*image.shape[2:]), groups=layer.groups)
        expected = expected.transpose(0, 2, 3, 1).reshape(sums.shape)
    np.testing.assert_array_equal(sums, expected, err_msg=layer.name)


def direct_convolution(image, filters, *, stride, dilation, pads, groups):
    """The definition, one kernel position at a time: int64[n, c, h, w] and [o, c / groups, i, j].

    pads : top, left, bottom, right, of zeros.
    """
    images, _channels, height, width = image.shape
    out_channels, per_group, kernel_h, kernel_w = filters.shape
    top, left, bottom, right = pads
    out_h = (height + top + bottom - ((kernel_h - 1) * dilation[0] + 1)) // stride[0] + 1
    out_w = (width + left + right - ((kernel_w - 1) * dilation[1] + 1)) // stride[1] + 1
    out = np.zeros((images, out_channels, out_h, out_w), np.int64)
    share = out_channels // groups
    for channel in range(out_channels):
        first = channel // share * per_group
        for y in range(out_h):
            for x in range(out_w):
                for i in range(kernel_h):
                    row = y * stride[0] + i * dilation[0] - top
                    for j in range(kernel_w):
                        column = x * stride[1] + j * dilation[1] - left
                        if 0 <= row < height and 0 <= column < width:
                            out[:, channel, y, x] += (
                                image[:, first:first + per_group, row, column]
                                @ filters[channel, :, i, j])
    return out
