"""One quantised layer, written in each of the ways that ONNX has."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ACT, OUT = 0.05, 0.4  # scales


@dataclass(kw_only=True)
class Layer:
    """A Conv (weights [o, c / g, ...]) or a matrix product (weights [k, n]) of codes."""

    codes: np.ndarray  # of the weights, int8 or uint8
    scale: np.ndarray  # float32, of the weights: one or one per channel
    weight_zero: int
    act_type: type
    act_zero: int
    shape: tuple[int, ...]  # of the input, without batch
    op: str = "Conv"
    bias: np.ndarray | None = None  # int32
    attributes: dict = field(default_factory=dict)
    opset: int = 17

    @property
    def axis(self):
        return 0 if self.op == "Conv" or self.attributes.get("transB") else 1


class Writer:
    """Nodes and constants of a file with one layer, named `layer`."""

    def __init__(self, layer):
        self.layer, self.nodes, self.constants = layer, [], []
        self.const("act.scale", np.float32(ACT))
        self.const("act.zero", np.array(layer.act_zero, layer.act_type))
        self.const("out.scale", np.float32(OUT))
        self.const("out.zero", np.array(layer.act_zero, layer.act_type))
        zeros = np.full(layer.scale.shape, layer.weight_zero, layer.codes.dtype)
        self.const("weight.zero", zeros)
        self.const("weight.scale", layer.scale)
        self.node("QuantizeLinear", ["input", "act.scale", "act.zero"], "act.codes")

    def const(self, name, values):
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op, inputs, output, name=None, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=name or f"{output}.{op}",
                                           **attributes))
        return output

    def model(self, output):
        shape = ["n", *self.layer.shape]
        graph = helper.make_graph(
            self.nodes, "one", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT,
                                           [f"out{axis}" for axis in range(len(shape))])],
            self.constants)
        opsets = {"": self.layer.opset, "com.microsoft": 1}
        return helper.make_model(graph, ir_version=10 if self.layer.opset > 20 else 8,
                                 opset_imports=[helper.make_opsetid(*item)
                                                for item in opsets.items()])


def qdq(layer, *, weights="codes", named=True):
    """DequantizeLinear, the operator, QuantizeLinear. weights : `codes`; `float` behind
    QuantizeLinear; `turned` or `reshaped` behind DequantizeLinear.
    """
    w = Writer(layer)
    w.node("DequantizeLinear", ["act.codes", "act.scale", "act.zero"], "act")
    per_axis = {"axis": layer.axis} if layer.scale.size > 1 else {}
    codes = layer.codes
    if weights == "float":
        scale, zero = (np.asarray(values).reshape(
            [-1 if at == layer.axis else 1 for at in range(codes.ndim)] if layer.scale.size > 1
            else []) for values in (layer.scale, layer.weight_zero + 0 * layer.scale))
        w.const("weight.float", (scale * (codes - zero)).astype(np.float32))
        w.node("QuantizeLinear", ["weight.float", "weight.scale", "weight.zero"], "weight.codes",
               **per_axis)
    elif weights == "turned":
        w.const("weight.codes", np.ascontiguousarray(codes.T))
        per_axis = {"axis": codes.ndim - 1 - layer.axis} if per_axis else {}
    elif weights == "reshaped":
        w.const("weight.codes", codes.reshape(-1))
        w.const("weight.shape", np.array([0, *codes.shape[1:]] if codes.ndim == 1 else codes.shape))
    else:
        w.const("weight.codes", codes)
    made = "weight.values" if weights in ("turned", "reshaped") else "weight"
    w.node("DequantizeLinear", ["weight.codes", "weight.scale", "weight.zero"], made, **per_axis)
    if weights == "turned":
        w.node("Transpose", ["weight.values"], "weight")
    if weights == "reshaped":
        w.node("Reshape", ["weight.values", "weight.shape"], "weight")
    inputs = ["act", "weight"]
    if layer.bias is not None:
        w.const("bias.codes", layer.bias)
        w.const("bias.scale", np.atleast_1d(np.float32(ACT) * layer.scale))
        if layer.scale.size > 1:
            w.const("bias.zero", np.zeros(layer.scale.size, np.int32))
            w.node("DequantizeLinear", ["bias.codes", "bias.scale", "bias.zero"], "bias", axis=0)
        else:
            w.const("bias.one", np.float32(ACT) * layer.scale.reshape(()))
            w.node("DequantizeLinear", ["bias.codes", "bias.one"], "bias")
        inputs.append("bias")
    w.nodes.append(helper.make_node(layer.op, inputs, ["sum"], name="layer" if named else "",
                                    **layer.attributes))
    w.node("QuantizeLinear", ["sum", "out.scale", "out.zero"], "codes")
    w.node("DequantizeLinear", ["codes", "out.scale", "out.zero"], "out")
    return w.model("out")


def qoperator(layer):
    """QLinearConv, QLinearMatMul or QGemm."""
    w = Writer(layer)
    act = ["act.codes", "act.scale", "act.zero"]
    weight = [w.const("weight.codes", layer.codes), "weight.scale", "weight.zero"]
    out = ["out.scale", "out.zero"]
    bias = [w.const("bias.codes", layer.bias)] if layer.bias is not None else []
    if layer.op == "Conv":
        w.node("QLinearConv", [*act, *weight, *out, *bias], "codes", "layer", **layer.attributes)
    elif layer.op == "MatMul":
        assert not bias
        w.node("QLinearMatMul", [*act, *weight, *out], "codes", "layer", **layer.attributes)
    else:
        w.node("QGemm", [*act, *weight, *(bias or [""]), *out], "codes", "layer",
               domain="com.microsoft", **layer.attributes)
    w.node("DequantizeLinear", ["codes", "out.scale", "out.zero"], "out")
    return w.model("out")


def integer(layer):
    """ConvInteger or MatMulInteger, its sums as float32."""
    w = Writer(layer)
    w.const("weight.codes", layer.codes)
    w.const("weight.one_zero", np.array(layer.weight_zero, layer.codes.dtype))
    w.node(f"{layer.op}Integer", ["act.codes", "weight.codes", "act.zero", "weight.one_zero"],
           "sum", "layer", **layer.attributes)
    w.node("Cast", ["sum"], "out", to=TensorProto.FLOAT)
    return w.model("out")


def save(model, path):
    onnx.save(model, path)
    return path
