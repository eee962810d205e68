"""Weights in files beside a network: read where they may be, refused where they may not."""

import os

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from hw.common.errors import InputError
from sim.network.onnx.external_data import read_external
from sim.network.onnx.file import load_model
from tests.sim.nets import NETS


@pytest.fixture
def folder(tmp_path):
    """A network whose weights are in `net.data`, as `torch.onnx.export` writes it."""
    model = NETS["plain"]().model()
    onnx.save(model, tmp_path / "whole.onnx")
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.data",
              size_threshold=0)
    return tmp_path


def change(folder, **entries):
    """Give the first tensor other entries; None removes one."""
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    [tensor] = model.graph.initializer[:1]
    kept = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in kept.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    (folder / "net.onnx").write_bytes(model.SerializeToString())


def test_weights_beside_the_network_are_read(folder):
    found, whole = (load_model(folder / name) for name in ("net.onnx", "whole.onnx"))
    for one, other in zip(found.graph.initializer, whole.graph.initializer, strict=True):
        assert not one.external_data
        np.testing.assert_array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))


def test_weights_of_constants_and_subgraphs_are_read(folder):
    whole = onnx.load(folder / "whole.onnx")
    values = numpy_helper.from_array(np.arange(6, dtype=np.float32), "values")
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Constant", [], ["c"], value=values)], "branch", [],
        [onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [6])])
    whole.graph.node.append(onnx.helper.make_node("If", ["b"], ["i"], then_branch=branch,
                                                  else_branch=branch))
    (folder / "net.data").write_bytes(values.raw_data)
    for tensor in (whole.graph.node[-1].attribute[0].g.node[0].attribute[0].t,):
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="net.data")
    read_external(whole, folder / "net.onnx")
    read = whole.graph.node[-1].attribute[0].g.node[0].attribute[0].t
    np.testing.assert_array_equal(numpy_helper.to_array(read), np.arange(6))


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "sub/../../secret", "", ".",
                                      "link", "linked/secret", "pipe"])
def test_weights_outside_the_folder_are_refused(location, folder):
    inner = folder / "inner"
    inner.mkdir()
    for name in ("net.onnx", "net.data"):
        (folder / name).rename(inner / name)
    (folder / "secret").write_bytes(bytes(10_000))
    (inner / "link").symlink_to(folder / "secret")
    (inner / "linked").symlink_to(folder)
    (inner / "sub").mkdir()
    os.mkfifo(inner / "pipe")
    change(inner, location=location)
    with pytest.raises(InputError, match=rf"^{inner}/net.onnx: tensor 'w0' must be kept in a file "
                                         "in the network's own folder, not "):
        load_model(inner / "net.onnx")


def test_links_within_the_folder_are_followed(folder):
    (folder / "link").symlink_to("net.data")
    change(folder, location="link")
    assert load_model(folder / "net.onnx").graph.initializer[0].raw_data


@pytest.mark.parametrize(("entries", "message"), [
    ({"location": "nowhere"}, "is kept in 'nowhere', which must be beside the network"),
    ({"location": "a\0b"}, r"is kept in 'a\\x00b', which must be beside the network"),
    ({"offset": "-4"}, "must have an offset of bytes, not '-4'"),
    ({"offset": "9" * 30}, "must have an offset of bytes, not '999"),
    ({"length": "4"}, r"must fill its dimensions \[8, 3, 3, 3\] with 864 bytes, not 4"),
    ({"offset": "1000000"}, r"must be in 'net.data' up to byte 1000864, but that file has \d+"),
])
def test_weights_that_are_not_there_are_refused(entries, message, folder):
    change(folder, **entries)
    with pytest.raises(InputError, match=rf"net.onnx: tensor 'w0' {message}"):
        load_model(folder / "net.onnx")


def test_dimensions_of_terabytes_are_refused_before_anything_is_read(folder):
    model = onnx.load(folder / "net.onnx", load_external_data=False)
    model.graph.initializer[0].dims[:] = [2**20, 2**20]
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"net.onnx: weights must have at most 2147483647 bytes"):
        load_model(folder / "net.onnx")
