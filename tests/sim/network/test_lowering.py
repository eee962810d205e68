"""One layer in every form that ONNX has: the same sums, and codes within a step of ORT's."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from hw.common.errors import InputError
from hw.multipliers import get
from sim.network.quant_network import QuantNetwork
from sim.network.steps import cut
from tests.sim import forms, runtime
from tests.sim.array_reference import table_sums

LOPSIDED = get("mul8u_optrunc_a4w2").table
ACTS = {"uint8": (np.uint8, 0), "uint8 asymmetric": (np.uint8, 117), "uint8 high": (np.uint8, 255),
        "uint8 middle": (np.uint8, 128), "int8": (np.int8, 0),
        "int8 asymmetric": (np.int8, -128), "int8 high": (np.int8, 127)}
WEIGHTS = {"int8": (np.int8, 0), "int8 asymmetric": (np.int8, 37), "int8 low": (np.int8, -128),
           "uint8": (np.uint8, 128), "uint8 asymmetric": (np.uint8, 200),
           "uint8 low": (np.uint8, 0)}
SHAPES = {
    "conv": {"shape": (4, 5, 6), "weights": (6, 4, 3, 2), "attributes": {"pads": [1, 0, 0, 2]}},
    "grouped": {"shape": (4, 5, 6), "weights": (6, 2, 3, 3),
                "attributes": {"group": 2, "strides": [2, 1]}},
    "depthwise": {"shape": (4, 5, 6), "weights": (8, 1, 2, 3), "attributes": {"group": 4}},
    "one dimension": {"shape": (4, 9), "weights": (6, 4, 3),
                      "attributes": {"pads": [2, 1], "strides": [2], "dilations": [2]}},
    "matmul": {"shape": (7,), "weights": (7, 5), "op": "MatMul"},
    "batched matmul": {"shape": (3, 2, 7), "weights": (7, 5), "op": "MatMul"},
    "gemm": {"shape": (7,), "weights": (7, 5), "op": "Gemm"},
    "gemm transposed": {"shape": (7,), "weights": (5, 7), "op": "Gemm",
                        "attributes": {"transB": 1}}}


def layer(shape="conv", act="uint8 asymmetric", weight="int8", *, per_channel=False, bias=True,
          seed=3, **changes):
    random = np.random.default_rng(seed)
    facts = SHAPES[shape]
    op, attributes = facts.get("op", "Conv"), facts.get("attributes", {})
    channels = facts["weights"][0 if op == "Conv" or attributes.get("transB") else 1]
    (act_type, act_zero), (kind, zero) = ACTS[act], WEIGHTS[weight]
    limits = np.iinfo(kind)
    codes = random.integers(limits.min, limits.max + 1, facts["weights"]).astype(kind)
    codes.flat[:2] = limits.min, limits.max
    return forms.Layer(**{
        "codes": codes, "weight_zero": zero, "act_type": act_type, "act_zero": act_zero,
        "scale": (random.uniform(0.01, 0.03, channels) if per_channel else np.array(0.02)
                  ).astype(np.float32),
        "shape": facts["shape"], "op": op, "attributes": attributes,
        "bias": (random.integers(-9000, 9000, channels).astype(np.int32)
                 if bias and op != "MatMul" else None), **changes})


def images(facts, count=3):
    """Values that reach both ends of the codes."""
    random = np.random.default_rng(11)
    return (random.uniform(-256, 256, (count, *facts.shape)) * forms.ACT).astype(np.float32)


def check(model, facts, path, *, same_file=True):
    """The layer is mapped; sums by a direct loop, also for a multiplier; codes as ORT has them."""
    network = QuantNetwork.load(forms.save(model, path), threads=2)
    assert network.unmapped == {}
    assert [mapped.name for mapped in network.layers] == ["layer"]
    mapped, x = network.layers[0], images(facts)
    codes = np.clip(np.rint(x / np.float32(forms.ACT)) + facts.act_zero,
                    np.iinfo(facts.act_type).min, np.iinfo(facts.act_type).max).astype(
                        facts.act_type)
    sums = network.accumulators(x)["layer"]
    runtime.check_sums(mapped, codes, sums)
    np.testing.assert_array_equal(
        np.sort(mapped.weights.ravel()),
        np.sort(facts.codes.astype(np.int16).ravel() - facts.weight_zero))
    operands = network.layer_operands(x)["layer"]
    np.testing.assert_array_equal(
        network.accumulators(x, {"layer": LOPSIDED})["layer"],
        table_sums(operands, mapped.weights, LOPSIDED))
    if same_file:
        runtime.check_layers(network, model, x)
    return network, x, sums


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
def test_every_shape_as_qdq(shape, per_channel, tmp_path):
    facts = layer(shape, per_channel=per_channel)
    check(forms.qdq(facts), facts, tmp_path / "net.onnx")


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_zero_point(act, weight, tmp_path):
    facts = layer("grouped", act, weight)
    check(forms.qdq(facts), facts, tmp_path / "net.onnx")


@pytest.mark.parametrize("opset", [13, 17, 21, 23])
def test_every_opset(opset, tmp_path):
    facts = layer(per_channel=True, opset=opset)
    check(forms.qdq(facts), facts, tmp_path / "net.onnx")


@pytest.mark.parametrize("weights", ["float", "turned", "reshaped"])
@pytest.mark.parametrize("shape", ["conv", "depthwise", "matmul", "gemm transposed"])
def test_weights_may_be_quantised_or_turned_in_the_file(weights, shape, tmp_path):
    facts = layer(shape, per_channel=weights != "reshaped")
    _network, x, sums = check(forms.qdq(facts, weights=weights), facts, tmp_path / "net.onnx")
    plain = QuantNetwork.load(forms.save(forms.qdq(facts), tmp_path / "plain.onnx"))
    np.testing.assert_array_equal(sums, plain.accumulators(x)["layer"])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weight", ["int8", "uint8 asymmetric"])
def test_qoperator_is_qdq(shape, weight, tmp_path):
    facts = layer(shape, weight=weight, per_channel=True)
    if "batched" in shape:
        facts.scale = facts.scale[:1].reshape(())
    _network, x, sums = check(forms.qoperator(facts), facts, tmp_path / "net.onnx",
                              same_file=False)
    as_qdq = QuantNetwork.load(forms.save(forms.qdq(facts), tmp_path / "qdq.onnx"))
    np.testing.assert_array_equal(sums, as_qdq.accumulators(x)["layer"])
    np.testing.assert_array_equal(_network.run(x), as_qdq.run(x))


@pytest.mark.parametrize("shape", ["conv", "gemm transposed", "matmul"])
def test_qoperator_outputs_are_onnx_runtimes_within_a_step(shape, tmp_path):
    facts = layer(shape, weight="uint8 asymmetric")  # u8u8 kernels do not saturate
    model = forms.qoperator(facts)
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))
    x = images(facts)
    steps = (network.run(x) - runtime.logits(model, x)) / np.float32(forms.OUT)
    assert np.abs(steps).max() < 1.01
    assert (np.abs(steps) > 0.5).mean() < 0.01


@pytest.mark.parametrize("shape", ["conv", "grouped", "matmul", "batched matmul"])
@pytest.mark.parametrize("weight", ["int8", "int8 asymmetric", "uint8 asymmetric"])
def test_integer_products_write_their_sums(shape, weight, tmp_path):
    facts = layer(shape, weight=weight, bias=False)
    network, x, sums = check(forms.integer(facts), facts, tmp_path / "net.onnx", same_file=False)
    out = network.run(x)
    if facts.op == "Conv":
        sums = sums.reshape(len(x), -1, sums.shape[-1]).transpose(0, 2, 1)
    np.testing.assert_array_equal(out, sums.reshape(len(x), -1).astype(np.float32))


def test_gemm_factors_are_folded(tmp_path):
    facts = layer("gemm transposed", attributes={"transB": 1, "alpha": 0.5, "beta": 3.0})
    check(forms.qdq(facts), facts, tmp_path / "net.onnx")


def test_large_biases_are_kept_to_the_last_unit(tmp_path):
    facts = layer("gemm", bias=False)
    facts.bias = np.array([2**30 + 1, -2**30 - 1, 2**28 + 3, 5, 0], np.int32)
    network = QuantNetwork.load(forms.save(forms.qdq(facts), tmp_path / "net.onnx"))
    np.testing.assert_array_equal(network.layers[0].bias, facts.bias)


def test_pruned_filters_keep_their_bias_at_any_scale(tmp_path):
    """A filter of zeros may have been given any scale, here one in which its bias does not fit."""
    facts = layer("conv", per_channel=True, bias=False)
    facts.codes[1] = 0
    facts.scale[1] = 1.2e-9
    model = forms.qdq(facts)
    [node] = [node for node in model.graph.node if node.name == "layer"]
    node.input.append("bias")
    bias = np.array([0.5, 7.1, -3.1, 0.0, 1.1, 2.1], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(bias, "bias"))
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))
    x = images(facts)
    np.testing.assert_array_equal(network.run(x).reshape(3, 6, -1)[:, 1],
                                  runtime.logits(model, x).reshape(3, 6, -1)[:, 1])
    assert runtime.check_layers(network, model, x) < 0.01


def test_biases_beyond_the_accumulators_stay_outside(tmp_path):
    facts = layer("conv", per_channel=True, bias=False)
    facts.scale[1] = 1.2e-9
    model = forms.qdq(facts)
    [node] = [node for node in model.graph.node if node.name == "layer"]
    node.input.append("bias")
    model.graph.initializer.append(numpy_helper.from_array(np.full(6, 7, np.float32), "bias"))
    with pytest.raises(InputError, match=r"layer: its biases do not fit in int32 accumulators$"):
        QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))


def test_unnamed_products_are_named_by_their_output(tmp_path):
    model = forms.qdq(layer(), named=False)
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))
    assert [found.name for found in network.layers] == ["sum"]


# --- what runs exactly, and why --------------------------------------------------------


def with_second_layer(node, *constants, shape):
    """`layer`, its output through another node, and that is the output."""
    model = forms.qdq(layer(shape))
    model.graph.node.append(node)
    model.graph.initializer.extend(numpy_helper.from_array(values, name)
                                   for name, values in constants)
    model.graph.output[0].name = node.output[0]
    return model


def random(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


UNMAPPED = {
    "ConvTranspose": (helper.make_node("ConvTranspose", ["out", "w"], ["up"], name="up"),
                      "conv", random(6, 2, 2, 2),
                      "ConvTranspose is no product of windows with weights"),
    "Einsum": (helper.make_node("Einsum", ["out", "w"], ["up"], name="up", equation="bk,kn->bn"),
               "matmul", random(5, 3), "Einsum has no quantised form"),
    "float input": (helper.make_node("Conv", ["out.float", "w"], ["up"], name="up"),
                    "conv", random(2, 6, 1, 1), "its input is not quantised"),
    "float weights": (helper.make_node("MatMul", ["out", "w"], ["up"], name="up"),
                      "matmul", random(5, 3), "its weights are not quantised"),
    "two activations": (helper.make_node("MatMul", ["out", "out.float"], ["up"], name="up"),
                        "square", None, "both its operands are activations"),
    "stack of matrices": (helper.make_node("MatMul", ["out", "w"], ["up"], name="up"),
                          "square", random(1, 5, 4), "its weights are not quantised"),
    "negative factor": (helper.make_node("Gemm", ["out", "weight"], ["up"], name="up", alpha=-2.0),
                        "flat square", None, "it multiplies by -2.0")}
# Multiplications an image, by hand from the shapes.
MACS = {"ConvTranspose": 6 * 4 * 7 * 8, "Einsum": 15, "float input": 2 * 4 * 7 * 6,
        "float weights": 15,
        "two activations": 125, "stack of matrices": 100, "negative factor": 25}
SQUARES = {"square": {"shape": (5, 5), "weights": (5, 5), "op": "MatMul"},
           "flat square": {"shape": (5,), "weights": (5, 5), "op": "MatMul"}}


@pytest.mark.parametrize("case", UNMAPPED)
def test_other_products_run_exactly_and_are_listed(case, tmp_path, monkeypatch):
    node, shape, weights, reason = UNMAPPED[case]
    monkeypatch.setattr(f"{__name__}.SHAPES", SHAPES | SQUARES)
    model = with_second_layer(node, *([] if weights is None else [("w", weights)]), shape=shape)
    if case in ("float input", "two activations"):
        model.graph.node.insert(len(model.graph.node) - 1,
                                helper.make_node("Neg", ["out"], ["out.float"]))
    network = QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))
    [(name, product)] = network.unmapped.items()
    assert (name, product.reason) == ("up", reason)
    assert product.macs == MACS[case]
    assert [found.name for found in network.layers] == ["layer"]
    x = images(layer(shape))
    expected = runtime.logits(model, x)  # a step of `layer` may differ
    difference = np.abs(network.run(x) - expected)
    assert np.median(difference) <= 1e-6 * np.abs(expected).max()
    assert difference.max() <= 0.05 * np.abs(expected).max()


def test_transposed_inputs_stay_outside(monkeypatch):
    monkeypatch.setattr(f"{__name__}.SHAPES", SHAPES | SQUARES)
    node = helper.make_node("Gemm", ["out", "weight"], ["up"], name="up", transA=1)
    model = with_second_layer(node, shape="flat square")
    assert cut(model).unmapped == {"up": "it transposes its input"}


def test_sums_that_may_exceed_int32_stay_outside(tmp_path, monkeypatch):
    wide = {"shape": (33026,), "weights": (33026, 1), "op": "MatMul"}
    monkeypatch.setattr(f"{__name__}.SHAPES", {**SHAPES, "wide": wide})
    model = forms.qdq(layer("wide", act="uint8", weight="uint8 low"))
    with pytest.raises(InputError, match=r"layer: 33026 products of up to 65025 may exceed int32$"):
        QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))


@pytest.mark.parametrize(("zeros", "scales", "reason"), [
    ([128, 127], [0.01, 0.02], "its weights have more than one zero point"),
    ([128, 128], [0.01, 0.02], "its weights are scaled along an inner dimension"),
])
def test_weights_that_no_array_holds_run_exactly(zeros, scales, reason, tmp_path, monkeypatch):
    monkeypatch.setitem(SHAPES, "two", {"shape": (5,), "weights": (5, 2), "op": "MatMul"})
    monkeypatch.setitem(SHAPES, "inner", {"shape": (2,), "weights": (2, 5), "op": "MatMul"})
    facts = layer("two" if "zero" in reason else "inner", weight="uint8")
    model = forms.qdq(facts)
    kept = [tensor for tensor in model.graph.initializer
            if tensor.name not in ("weight.zero", "weight.scale")]
    del model.graph.initializer[:]
    model.graph.initializer.extend([
        *kept, numpy_helper.from_array(np.array(zeros, np.uint8), "weight.zero"),
        numpy_helper.from_array(np.array(scales, np.float32), "weight.scale")])
    for node in model.graph.node:
        if node.output[0] == "weight":
            node.attribute.append(helper.make_attribute("axis", 1 if "zero" in reason else 0))
    with pytest.raises(InputError, match=f"constant weights; layer: {reason}$"):
        QuantNetwork.load(forms.save(model, tmp_path / "net.onnx"))


def test_duplicate_names_are_refused(tmp_path):
    model = with_second_layer(helper.make_node("MatMul", ["out", "weight"], ["up"], name="layer"),
                              shape="matmul")
    path = forms.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"^{path}: layers must have different names, but 2 are "
                                         "'layer'$"):
        QuantNetwork.load(path)


def test_weights_of_other_channels_are_refused(tmp_path):
    model = forms.qdq(layer())
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    path = forms.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"^{path}: network does not run on images of "
                                         r"\[5, 5, 6\] \(.*C: 5 kernel channels: 4"):
        QuantNetwork.load(path)


def test_input_of_other_type_is_refused(tmp_path):
    model = forms.qdq(layer())
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    path = forms.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"^{path}: network input must be float32, not double$"):
        QuantNetwork.load(path)
