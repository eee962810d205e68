"""Networks: accumulators against slow integer arithmetic, operators against ONNX Runtime."""

import threading
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from models.data import load_digits_split
from sim.machine.array_model import tile_products
from sim.network.quant_network import QuantNetwork
from sim.tables import exact_table
from tests.outside_data import outside
from tests.sim.nets import NETS

DIGITS = Path(__file__).parents[3] / "models" / "zoo" / "digits.onnx"
LOPSIDED = get("mul8u_optrunc_a4w2").table


def load(tmp_path, name, images):
    path = tmp_path / f"{name}.onnx"
    onnx.save(NETS[name]().model(), path)
    return QuantNetwork.load(path, images, threads=2)


@pytest.fixture(params=NETS)
def net(request, tmp_path):
    images = np.random.default_rng(7).standard_normal((6, *NETS[request.param]().shape))
    images = images.astype(np.float32)
    return load(tmp_path, request.param, images), images


def slow_rows(layer, codes):
    """im2col one output pixel at a time: [groups, m, k] of values, from [n, c, h, w] codes."""
    values = codes.astype(np.int16) - layer.act_zero_point
    if layer.image_weights:  # from [images, heads, m, k]
        apart = values.reshape(len(values), layer.groups, -1, layer.k)
        return np.concatenate(list(apart), axis=1)
    if layer.window is None:
        return values.reshape(1, -1, layer.k)
    n, channels, height, width = values.shape
    window = layer.window
    top, left, bottom, right = window.padding(height, width)
    padded = np.zeros((n, channels, height + top + bottom, width + left + right), np.int16)
    padded[:, :, top:top + height, left:left + width] = values
    reach_y = (window.kernel[0] - 1) * window.dilation[0]
    reach_x = (window.kernel[1] - 1) * window.dilation[1]
    rows = [padded[image, :, y:y + reach_y + 1:window.dilation[0],
                   x:x + reach_x + 1:window.dilation[1]].reshape(layer.groups, -1)
            for image in range(n)
            for y in range(0, padded.shape[2] - reach_y, window.stride[0])
            for x in range(0, padded.shape[3] - reach_x, window.stride[1])]
    return np.stack(rows, axis=1)


def codes_into(network, images, tables):
    """Every layer with the weights that it has there, and its stored input."""
    state, found = {network.input: images}, {}
    for name, step in network.layer_steps.items():
        layer = next(layer for layer in network.layers if layer.name == name)
        at = network.advance(state, 0, step, tables)
        found[name] = layer.bound(at), at[layer.input]
    return found


def slow_sums(layer, rows, multiply):
    """What the products of each group, and of each image with weights of its own, add up to."""
    images = layer.weights.reshape(-1, layer.groups, layer.k, layer.n)
    return np.concatenate([
        np.concatenate([multiply(part, weights[group]) for part, weights in zip(
            np.split(rows[group], len(images)), images, strict=True)])
        for group in range(layer.groups)], axis=1)


@pytest.mark.parametrize("table", [exact_table(), LOPSIDED], ids=["exact", "lopsided"])
def test_every_accumulator_is_the_sum_of_table_products(net, table):
    network, images = net
    tables = {layer.name: table for layer in network.layers}
    found = network.accumulators(images, tables)
    operands = network.layer_operands(images, tables)
    inputs = codes_into(network, images, tables)
    for layer, codes in inputs.values():
        rows = slow_rows(layer, codes)
        np.testing.assert_array_equal(operands[layer.name], rows)
        expected = slow_sums(layer, rows, lambda acts, weights: tile_products(acts, weights, table))
        np.testing.assert_array_equal(found[layer.name], expected, err_msg=layer.name)


def test_exact_accumulators_are_integer_matrix_products(net):
    network, images = net
    operands, found = network.layer_operands(images), network.accumulators(images)
    for layer, _codes in codes_into(network, images, {}).values():
        expected = slow_sums(layer, operands[layer.name].astype(np.int64),
                             lambda acts, weights: acts @ weights.astype(np.int64))
        np.testing.assert_array_equal(found[layer.name], expected, err_msg=layer.name)


def test_swapping_the_operands_shows_in_every_layer(net):
    network, images = net
    for layer in network.layers:
        right = network.accumulators(images, {layer.name: LOPSIDED})[layer.name]
        swapped = network.accumulators(images, {layer.name: LOPSIDED.T})[layer.name]
        assert (right != swapped).any(), layer.name


def float_reference(network, images):
    """The same file in ONNX Runtime without fusions: float arithmetic on dequantised values."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(network.model.SerializeToString(), options)
    return session.run(None, {network.input: images})[0].reshape(len(images), -1)


def test_exact_network_is_onnx_runtimes_within_rounding(net):
    network, images = net
    got, expected = network.run(images), float_reference(network, images)
    span = float(np.abs(expected).max())
    assert np.abs(got - expected).max() <= span / 40  # a few steps of eight bits
    assert np.abs(got - expected).mean() <= span / 400


def test_all_conv_and_matrix_layers_are_mapped_under_their_names(net):
    network, _images = net
    assert network.unmapped == {}
    wanted = [node.name for node in network.model.graph.node
              if node.op_type in ("Conv", "Gemm", "MatMul")]
    assert [layer.name for layer in network.layers] == wanted


def test_batches_do_not_change_a_bit(net, monkeypatch):
    network, images = net
    tables = {layer.name: LOPSIDED for layer in network.layers}
    together = network.run(images, tables)
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 2)
    np.testing.assert_array_equal(network.run(images, tables), together)
    one_by_one = np.concatenate([network.run(image[None], tables) for image in images])
    np.testing.assert_array_equal(one_by_one, together)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_batches_side_by_side_do_not_change_a_bit(net, threads, monkeypatch):
    network, images = net
    tables = {layer.name: LOPSIDED for layer in network.layers}
    expected = network.run(images, tables)
    monkeypatch.setattr("sim.network.quant_network.FEWEST_ROWS", 1)
    several = QuantNetwork.load(Path(network.source), images, threads=threads)
    assert [len(batch) for batch in several.batches(images)] == {
        1: [6], 2: [3, 3], 4: [2, 2, 2]}[threads]
    np.testing.assert_array_equal(several.run(images, tables), expected)


def test_batches_run_side_by_side_where_every_thread_has_one(digits):
    network = QuantNetwork(digits.model, source=digits.source, threads=2)
    both = threading.Barrier(2, timeout=20)
    assert network.each("ab", lambda batch: both.wait() >= 0 and batch * 2) == ["aa", "bb"]
    # One batch, or another backend: one after the other.
    assert network.each("a", lambda batch: threading.get_ident()) == [threading.get_ident()]
    assert network.with_rows(8).with_scales({}).rows == 8
    other = network.with_products(lambda layer, table: layer.product(table))
    assert set(other.each("abcd", lambda batch: threading.get_ident())) == {threading.get_ident()}


@pytest.fixture(scope="module")
def digits():
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)


def test_digits_network_keeps_its_accuracy_in_int8(digits):
    images, labels = load_digits_split("search")
    logits = digits.run(images)
    assert (logits.argmax(1) == labels).mean() >= 0.98
    assert (logits.argmax(1) == float_reference(digits, images).argmax(1)).mean() >= 0.995


def test_digits_layers_have_their_shapes(digits):
    facts = [(layer.name, layer.kind, layer.k, layer.n, layer.positions) for layer in digits.layers]
    assert facts == [
        ("stem", "conv", 9, 16, 64), ("block1a", "conv", 144, 16, 64),
        ("block1b", "conv", 144, 16, 64), ("down", "conv", 144, 32, 16),
        ("block2a", "conv", 288, 32, 16), ("block2b", "conv", 288, 32, 16),
        ("mix", "conv", 32, 64, 16), ("classifier", "linear", 64, 10, 1)]
    assert sum(layer.macs for layer in digits.layers) == 706176


def test_unknown_layer_suggests_the_nearest(digits):
    with pytest.raises(InputError, match=r"^Unknown layer 'block1'; did you mean 'block1"):
        digits.run(load_digits_split("search").images[:1], {"block1": LOPSIDED})


@pytest.mark.parametrize(("images", "message"), [
    (np.zeros((2, 1, 8, 9), np.float32), r"^Images must have shape \[n, 1, 8, 8\], not \[2, 1"),
    (np.zeros((0, 1, 8, 8), np.float32), r"^Images must have shape \[n, 1, 8, 8\], not \[0, 1"),
    (np.zeros((2, 1, 8, 8)), r"^Images must be float32, not float64$"),
])
def test_images_that_do_not_fit_are_refused(digits, images, message):
    with pytest.raises(InputError, match=message):
        digits.run(images)


def _resnet20():
    network = outside("nets", "resnet20_cifar10.onnx")
    with np.load(outside("images", "cifar10_test.npz")) as archive:
        x, y = archive["x"][:300], archive["y"][:300].astype(np.int64)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = ((x.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
    return network, np.ascontiguousarray(x), y


def test_resnet20_agrees_with_onnx_runtime():
    path, x, y = _resnet20()
    network = QuantNetwork.load(path, x[:100])
    assert len(network.layers) == 20
    logits = network.run(x[100:])
    expected = float_reference(network, x[100:])
    assert (logits.argmax(1) == expected.argmax(1)).mean() >= 0.985
    assert (logits.argmax(1) == y[100:]).mean() >= 0.85


def test_how_layers_are_computed_is_explained():
    network = QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)
    layers = [layer.name for layer in network.layers]
    exact = network.explain()
    assert list(exact) == layers
    assert exact["mix"].startswith(("exact product", "one look-up"))
    approximate = network.explain({"mix": get("mul8u_truncvc_c7").table}, images=256)
    assert "row-add" in approximate["mix"]
    assert network.explain(images=256)["block1b"] == approximate["block1b"]


def test_how_operators_between_layers_are_computed_is_explained(digits):
    ways = digits.explain_operators()
    assert "ONNX Runtime" in ways.values()
    assert any(how == "table of all 65,536 operands, from ONNX Runtime" for how in ways.values())


def test_tensors_that_one_layer_reads_may_be_stored_without_what_its_array_ignores():
    """LOPSIDED ignores 4 bits: those of the codes, around the zero point, change no logit."""
    images = load_digits_split("calibrate").images[:8]
    network = QuantNetwork.load(DIGITS, images)
    fed = {layer.name: layer.fed_by for layer in network.layers}
    assert fed == {"stem": "", "block1a": None, "block1b": "block1a", "down": "", "block2a": None,
                   "block2b": "block2a", "mix": "", "classifier": ""}
    logits = {}
    for cut in (False, True):
        tables = {name: LOPSIDED for name, who in fed.items() if who is not None}
        state, done = {network.input: images}, 0
        for name, step in network.layer_steps.items():
            state = network.advance(state, done, step, tables)
            layer, done = network.layer_at(step), step
            if cut and name in tables:
                codes = state[layer.input].astype(np.int16) - layer.act_zero_point
                narrow = np.sign(codes) * (np.abs(codes) >> 4 << 4) + layer.act_zero_point
                assert (narrow != codes + layer.act_zero_point).any()
                state = {**state, layer.input: narrow.astype(state[layer.input].dtype)}
        logits[cut] = network.finish(network.advance(state, done, network.step_count, tables))
    np.testing.assert_array_equal(logits[True], logits[False])
    np.testing.assert_array_equal(logits[False], network.run(images, tables))
