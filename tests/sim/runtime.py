"""ONNX Runtime as a reference: every tensor of a model, in float and without fusions."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def tensors(model, names, images):
    """Values of named tensors (and of the output) on images.

    Without optimisations QDQ models are computed in float32, so nothing saturates.
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
    return dict(zip(wanted, session.run(wanted, {session.get_inputs()[0].name: images}),
                    strict=True))


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


def check_layers(network, model, images):
    """Feed every layer what ONNX Runtime fed it; return the share of output codes that differ.

    Fails where a requantised code differs by more than one step, or a float by more than rounding.
    """
    found = tensors(model, [name for layer in network.layers
                            for name in (layer.input, layer.output)], images)
    different = total = 0
    for layer in network.layers:
        sums, shape = network.sums(layer, found)
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
    return different / max(total, 1)


def check_sums(layer, codes, sums):
    """Compare a layer's accumulators with a direct loop in int64, from its stored input."""
    acts = codes.astype(np.int64) - layer.act_zero_point
    weights = layer.weights.astype(np.int64)
    if layer.window is None:
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
