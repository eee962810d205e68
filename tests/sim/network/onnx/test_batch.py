"""Fixed batch axes are freed where that is the same network, else kept."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw.common.errors import InputError
from sim.network.quant_network import QuantNetwork
from tests.sim import runtime
from tests.sim.nets import NetBuilder


def pictures(count=10, shape=(3, 8, 8)):
    return np.random.default_rng(4).standard_normal((count, *shape)).astype(np.float32)


def saved(net, tmp_path, batch):
    """The network as an exporter writes it that was shown a batch of that size."""
    model = net.model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def in_batches(path, x, size):
    model = onnx.load(path)
    return np.concatenate([runtime.logits(model, x[first:first + size])
                           for first in range(0, len(x) // size * size, size)])


def one_conv():
    net = NetBuilder((3, 8, 8))
    net.conv(3, 4, 3, name="conv")
    return net


def by_reshape(batch):
    """Ends as view(batch, -1) does."""
    net = NetBuilder((3, 8, 8))
    net.conv(3, 6, 3, name="conv")
    net.add("Relu")
    net.add("Reshape", net.given([batch, -1], np.int64))
    net.add("Gemm", net.constant((216, 5), 0.1), name="fc")
    return net


def shuffled(batch):
    """Channels shuffled as ShuffleNet does, then resized to sizes."""
    net = NetBuilder((3, 8, 8))
    net.conv(3, 6, 3, name="conv")
    net.add("Reshape", net.given([batch, 2, 3, 6, 6], np.int64))
    net.add("Transpose", perm=[0, 2, 1, 3, 4])
    net.add("Reshape", net.given([batch, 6, 6, 6], np.int64))
    net.add("Resize", "", "", net.given([batch, 6, 3, 3], np.int64), mode="nearest")
    net.conv(6, 4, 3, name="last")
    return net


def windows(batch):
    """Windows folded into the batch, as Swin does."""
    net = NetBuilder((3, 8, 8))
    net.conv(3, 4, 1, name="conv")
    net.add("Reshape", net.given([batch, 4, 2, 4, 2, 4], np.int64))
    net.add("Transpose", perm=[0, 2, 4, 1, 3, 5])
    net.add("Reshape", net.given([batch * 4, 64], np.int64))
    net.add("Gemm", net.constant((64, 3), 0.1), name="fc")
    net.add("Reshape", net.given([batch, 12], np.int64))
    return net


def with_token(batch):
    """A token is put before those of the image: a constant as large as the batch."""
    net = NetBuilder((3, 8, 8))
    net.conv(3, 4, 4, strides=[4, 4], name="patches")
    net.add("Reshape", net.given([batch, 4, 4], np.int64))
    net.add("Concat", net.given(np.full((batch, 4, 1), 0.5)), axis=2)
    net.add("Flatten")
    net.add("Gemm", net.constant((20, 5), 0.3), name="fc")
    return net


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("build", [by_reshape, shuffled, windows])
def test_fixed_batch_is_freed(build, batch, tmp_path):
    path, x = saved(build(batch), tmp_path, batch), pictures(12)
    network = QuantNetwork.load(path, x)
    assert network.input_shape[0] is None
    expected = in_batches(path, x, batch)
    found = network.run(x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    # One by one, or all at once: the same bits.
    np.testing.assert_array_equal(np.concatenate([network.run(x[i:i + 1]) for i in range(5)]),
                                  found[:5])


@pytest.mark.parametrize("how", ["Squeeze", "Reshape"])
def test_batch_that_is_squeezed_away_is_kept(how, tmp_path):
    net = NetBuilder((3, 8, 8))
    net.conv(3, 6, 3, name="conv")
    net.add("GlobalAveragePool")
    net.add(how, *([net.given([6], np.int64)] if how == "Reshape" else []))
    net.add("MatMul", net.constant((6, 5), 0.5), name="fc")
    path, x = saved(net, tmp_path, 1), pictures()
    network = QuantNetwork.load(path, x)
    assert [layer.name for layer in network.layers] == ["conv", "fc"]
    model = onnx.load(path)
    expected = np.stack([runtime.tensors(model, [], image[None])["fc.out"] for image in x])
    assert np.abs(network.run(x) - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("batch", [1, 4])
def test_batch_that_cannot_be_freed_is_kept(batch, tmp_path):
    path, x = saved(with_token(batch), tmp_path, batch), pictures(10)
    network = QuantNetwork.load(path, x)
    assert network.fixed_batch == batch
    expected = in_batches(path, np.concatenate([x, x[-1:], x[-1:]]), batch)[:10]
    found = network.run(x)  # 4 does not divide 10
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert network.layers[0].positions == 4


def test_axis_that_mixes_images_is_not_freed(tmp_path):
    """In a batch of one the mean over the batch is the image itself."""
    net = NetBuilder((3, 8, 8))
    net.conv(3, 5, 8, name="conv")
    scores = net.tensor
    net.add("ReduceMax", axes=[0], keepdims=1)
    net.add("Sub", scores)
    net.add("Add", scores)
    path, x = saved(net, tmp_path, 1), pictures()
    network = QuantNetwork.load(path, x)
    assert network.fixed_batch == 1
    expected = in_batches(path, x, 1)
    assert np.abs(network.run(x) - expected).max() < 0.05 * np.abs(expected).max()


def test_free_batch_with_a_fixed_reshape_is_mended(tmp_path):
    path, x = saved(by_reshape(1), tmp_path, 1), pictures(6)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.save(model, path)
    network = QuantNetwork.load(path, x)
    assert network.input_shape[0] is None
    assert network.run(x).shape == (6, 5)


@pytest.mark.parametrize(("place", "size"), [(0, 0), (0, -1), (2, -1)])
def test_sizes_that_are_none_mean_free(place, size, tmp_path):
    model = one_conv().model()
    model.graph.input[0].type.tensor_type.shape.dim[place].dim_value = size
    onnx.save(model, tmp_path / "net.onnx")
    assert QuantNetwork.load(tmp_path / "net.onnx", pictures(3)).input_shape == (None, 3, 8, 8)


def test_output_without_a_row_an_image_is_refused_by_name(tmp_path):
    net = NetBuilder((3, 8, 8))
    net.conv(3, 5, 8, name="conv")  # [n, 5, 1, 1]
    net.add("Expand", net.given([1, 5, 1, 6], np.int64))
    net.add("Transpose", perm=[3, 0, 1, 2], name="steps")
    onnx.save(net.model(), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=rf"^{tmp_path}/net.onnx: output 'steps.out' must have one "
                                         r"row of numbers an image, not shape \[6, 1, 5, 1\] for a "
                                         r"batch of 1$"):
        QuantNetwork.load(tmp_path / "net.onnx", pictures(16))


def test_output_that_is_no_number_is_refused(tmp_path):
    net = NetBuilder((3, 8, 8))
    net.conv(3, 5, 8, name="conv")
    net.add("Sqrt")  # of negative sums
    onnx.save(net.model(), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"net.onnx: network output must be finite"):
        QuantNetwork.load(tmp_path / "net.onnx", pictures(16))


def test_shape_of_an_output_is_told_before_quantising(tmp_path, monkeypatch):
    onnx.save(one_conv().model(), tmp_path / "net.onnx")
    monkeypatch.setattr("sim.network.quant_network.quantise", None)
    seen = []

    def check_output(outputs):
        seen.append(outputs)
        raise InputError("no")

    with pytest.raises(InputError, match=r"^no$"):
        QuantNetwork.load(tmp_path / "net.onnx", pictures(4), check_output=check_output)
    assert seen == [(4, 6, 6)]


def test_open_sizes_come_from_the_images(tmp_path):
    model = one_conv().model()
    for place, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    onnx.save(onnx.shape_inference.infer_shapes(model), tmp_path / "net.onnx")
    x = pictures(6, (3, 9, 7))
    network = QuantNetwork.load(tmp_path / "net.onnx", x)
    assert network.input_shape == (None, 3, 9, 7)
    assert network.run(x).shape == (6, 4 * 7 * 5)
    onnx.save(network.model, tmp_path / "quantised.onnx")
    assert QuantNetwork.load(tmp_path / "quantised.onnx").input_shape == (None, 3, 9, 7)


def test_open_sizes_without_images_are_refused_with_the_remedy(tmp_path):
    model = helper.make_model(helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [numpy_helper.from_array(np.float32(1), "one")]), ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"net.onnx: network must be given the sizes of its input "
                                         r"\['n', 3, '\?', '\?'\], .*--input-shape$"):
        QuantNetwork.load(tmp_path / "net.onnx")
