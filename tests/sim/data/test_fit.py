"""Images that a network does not take: refused by name, with the settings that make them fit."""

import re
import shlex

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data, load_images, open_images
from sim.data.fit import check_fits
from tests.sim.data.writers import pixels
from tests.sim.nets import NetBuilder

ANY = None


@pytest.mark.parametrize(("shape", "takes"), [
    ((3, 8, 9), (3, 8, 9)), ((3, 8, 9), (3, ANY, ANY)), ((16,), (16,)), ((4, 5), (4, ANY)),
    ((2, 3, 4, 5), (2, 3, 4, 5))])
@pytest.mark.parametrize("layout", [None, "nchw", "nhwc"])
def test_free_sizes_take_any(shape, takes, layout):
    check_fits(shape, takes, name="d", layout=layout)


@pytest.mark.parametrize(("shape", "takes", "remedy"), [
    ((8, 9, 3), (3, 8, 9), r"store x\.transpose\(0, 3, 1, 2\)$"),
    ((3, 8, 9), (ANY, ANY, 3), r"store x\.transpose\(0, 2, 3, 1\)$"),
    ((3, 8, 8), (3, 9, 8), r"store x as float32 \[n, 3, 9, 8\], or pictures as uint8 \[n, h, w, c"),
    ((15,), (16,), r"store x as float32 \[n, 16\]$"),
    ((1, 4, 4), (16,), r"store x as float32 \[n, 16\]$"),
    ((16,), (ANY, 8), r"store x as float32 \[n, any, 8\]$"),
])
def test_arrays_are_told_what_to_store(shape, takes, remedy):
    with pytest.raises(InputError, match=rf"^d: images must have shape .*; {remedy}"):
        check_fits(shape, takes, name="d", layout=None)


def saved(path, shape, images, labels=None):
    net = NetBuilder(shape)
    net.add("Relu")
    onnx.save(net.model(), path / "net.onnx")
    np.savez(path / "d.npz", x=images, y=np.arange(len(images)) if labels is None else labels)
    return str(path / "d.npz")


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(("channels", "takes", "expected"), [
    (3, (3, 6, 7), "--size 6 7"),
    (3, (1, 8, 9), "--channels grey"),
    (1, (3, 8, 9), "--channels rgb"),
    (1, (3, 6, 7), "--channels rgb --size 6 7"),
    (3, (3, "h", 9), ""), (3, (3, "h", 7), "--size 8 7"),
])
def test_what_the_refusal_says_makes_pictures_fit(tmp_path, layout, channels, takes, expected):
    """Both when the layout is right and when it is not."""
    source = saved(tmp_path, takes if layout == "nchw" else (*takes[1:], takes[0]),
                   pixels(2, 8, 9, channels))
    for given in ("nchw", "nhwc"):
        pixels_ = Preprocessing(layout=given).for_network(tmp_path / "net.onnx")
        words = f"--layout {layout} " * (given != layout) + expected
        if not words:
            assert load_images(source, pixels_).shape[0] == 2
            continue
        with pytest.raises(InputError, match=rf"d\.npz: images must have shape .*, which the "
                                             rf"network takes, not .*; {words.strip()} \(or so"
                           ) as refusal:
            open_images(source, pixels_)
        options = shlex.split(re.search(r"; (--.*) \(or", str(refusal.value))[1])
        settings = {"layout": given, **_parsed(options)}
        fitting = Preprocessing.from_settings(settings).for_network(tmp_path / "net.onnx")
        assert load_images(source, fitting).shape[0] == 2


def _parsed(options):
    settings = {}
    for word in options:
        if word.startswith("--"):
            settings[name := word[2:]] = []
        else:
            settings[name].append(int(word) if word.isdigit() else word)
    return {name: values[0] if len(values) == 1 else values for name, values in settings.items()}


def test_pictures_are_no_vectors_and_have_few_channels(tmp_path):
    source = saved(tmp_path, (16,), pixels(2, 4, 4, 1))
    with pytest.raises(InputError, match=r"store x as float32 \[n, 16\] in an \.npz file$"):
        load_data(source, Preprocessing().for_network(tmp_path / "net.onnx"))
    source = saved(tmp_path, (5, 4, 4), pixels(2, 4, 4, 3))
    with pytest.raises(InputError, match=r"pictures have 1 or 3 channels: store x as float32 \[n"):
        load_data(source, Preprocessing().for_network(tmp_path / "net.onnx"))


@pytest.mark.parametrize("shape", [(16,), (4, 7), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_floats_of_any_shape_are_taken_where_the_network_takes_them(tmp_path, shape, dtype):
    values = np.random.default_rng(0).standard_normal((6, *shape)).astype(dtype)
    source = saved(tmp_path, shape, values)
    takes = Preprocessing().for_network(tmp_path / "net.onnx")
    data = load_data(source, takes, limit=5)
    assert data.images.dtype == np.float32
    np.testing.assert_array_equal(data.images, values[:5].astype(np.float32))
    assert open_images(source, takes).shape == shape
    with pytest.raises(InputError, match=r"d\.npz: images must have shape"):
        load_data(saved(tmp_path, shape, values[..., :-1]), takes)
