"""Shapes of layers: ResNet-50 as published, users' files."""

import json
import re

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.bench.shapes import LayerShape, load_shapes, quick, resnet50

TINY = {"name": "a", "channels": 2, "height": 5, "width": 4, "out_channels": 3, "kernel": 3}


def test_resnet50_is_the_published_network():
    shapes = resnet50()
    assert sum(shape.count for shape in shapes if not shape.linear) == 53
    assert sum(shape.count * shape.k * shape.n for shape in shapes) == 25_502_912  # no biases
    assert sum(shape.count * shape.macs for shape in shapes) == 4_089_184_256
    assert len({shape.name for shape in shapes}) == len(shapes) == 24


def test_rows_are_enough_for_a_kernel_or_the_batch_is_full():
    for shape in resnet50():
        rows = shape.images * shape.positions
        assert rows >= 4096 or shape.images == 256
        assert rows - shape.positions < 4096


def test_output_size_is_that_of_im2col():
    shape = LayerShape(**TINY | {"stride": 2, "pad": 1})
    rows, size = shape.window.rows(np.zeros((1, 2, 5, 4), np.uint8), 0, 1)
    assert size == (shape.out_height, shape.out_width) == (3, 2)
    assert rows.shape == (1, shape.positions, shape.k)


def test_quick_is_part_of_resnet50():
    assert len(quick()) == 5
    assert set(quick()) < set(resnet50())


def test_file_round_trip(tmp_path):
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps([shape.to_dict() for shape in resnet50()]))
    assert load_shapes(str(path)) == resnet50()


@pytest.mark.parametrize(("content", "message"), [
    ({}, "Content must be a list, not an empty object"),
    ([], "shapes must be a list of objects, not empty"),
    ([3], "[0] must be an object, not 3"),
    ([TINY, TINY], "shapes must have different names"),
    ([TINY | {"kernels": 3}], "[0]: Unknown key 'kernels'; did you mean 'kernel'?"),
    ([TINY | {"stride": 0}], "[0]: Shape stride must be an integer of at least 1, not 0"),
    ([TINY | {"count": 1.5}], "[0].count must be an integer, not 1.5"),
    ([TINY | {"kernel": 5}], "[0]: Shape kernel must fit in the padded image, not 5 in 5x4 "
                             "with pad 0"),
    ([TINY | {"zero_point": 256}], "[0]: Shape zero_point must be at most 255, not 256"),
    ([TINY | {"linear": True}], "[0]: Shape 'a' must be 1x1 throughout because it is linear"),
    ([TINY | {"linear": 1}], "[0].linear must be true or false, not 1"),
    ([TINY | {"name": 1}], "[0].name must be a text, not 1"),
])
def test_faulty_file_is_one_line(tmp_path, content, message):
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_shapes(str(path))


def test_missing_entry_is_named(tmp_path):
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps([{"name": "a", "channels": 1}]))
    with pytest.raises(InputError, match=r"\[0\]: must have a value for 'height'"):
        load_shapes(str(path))


def test_unknown_preset_suggests():
    with pytest.raises(InputError, match=r"^Unknown shapes 'resnet5'; did you mean 'resnet50'\?$"):
        load_shapes("resnet5")
