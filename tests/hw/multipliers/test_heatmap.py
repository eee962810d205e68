"""Heat maps: which error lies where, for unsigned and signed multipliers."""

import io

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.image import imread

from hw.multipliers import get
from hw.multipliers.heatmap import BOTTOM_IN, LEFT_IN, PNG_DPI, SIDE_IN, draw, error_percent

SIGNED = "mul8s_bam_h2v8"  # not commutative


def test_error_is_indexed_by_activation_then_weight():
    error = error_percent(get("mul8u_optrunc_a4w2"))
    np.testing.assert_allclose(error[255, 4], -100 * 15 * 4 / 65535)
    np.testing.assert_allclose(error[16, 255], -100 * 16 * 3 / 65535)


def test_error_of_a_signed_multiplier_is_indexed_by_ascending_operands():
    table, error = get(SIGNED).table, error_percent(get(SIGNED))
    expected = np.array([[table[act % 256, weight % 256] - act * weight
                          for weight in range(-128, 128)] for act in range(-128, 128)])
    np.testing.assert_allclose(error, 100 * expected / 65535)
    assert (expected != expected.T).any()


@pytest.mark.parametrize("name", ["mul8u_exact", "mul8s_exact"])
def test_an_exact_multiplier_has_no_error(name):
    assert not error_percent(get(name)).any()


class Picture:
    """The pixels of a heat map whose operands start at `first`."""

    def __init__(self, name, first):
        self.pixels, self.first = imread(io.BytesIO(draw(get(name), ".png"))), first

    def colour(self, act, weight):
        pitch = PNG_DPI * SIDE_IN / 256  # pixels per operand pair
        up, right = (pitch * (operand - self.first + 0.5) for operand in (act, weight))
        row = self.pixels.shape[0] - BOTTOM_IN * PNG_DPI - up
        return self.pixels[int(row), int(LEFT_IN * PNG_DPI + right), :3].tolist()


def test_picture_has_the_activation_upwards_and_the_weight_to_the_right():
    picture = Picture("mul8u_optrunc_a4w2", 0)
    white, worst = picture.colour(240, 252), picture.colour(239, 251)
    assert min(white) == pytest.approx(0.969, abs=0.01)  # both are multiples of what is kept
    assert worst[2] > worst[0] + 0.3  # too small is blue
    assert picture.colour(16, 252) == picture.colour(32, 128) == white
    # 15 is cut to 0 as an activation, to 12 as a weight.
    assert sum(picture.colour(15, 252)) < sum(picture.colour(252, 15)) < sum(white)


@pytest.mark.parametrize(("act", "weight"), [
    (-126, -126), (-126, 125), (125, -126), (125, 125), (-1, 3), (3, -1), (-77, 50), (0, -90)])
def test_picture_of_a_signed_multiplier_has_the_smallest_operands_at_the_lower_left(act, weight):
    error = error_percent(get(SIGNED))
    share = error[act + 128, weight + 128] / np.abs(error).max()
    np.testing.assert_allclose(Picture(SIGNED, -128).colour(act, weight),
                               colormaps["RdBu_r"](0.5 + share / 2)[:3], atol=0.01)


@pytest.mark.parametrize(("name", "labels"), [
    ("mul8u_bam_h2v6", ["0", "64", "128", "192", "255", "weight magnitude"]),
    (SIGNED, ["−128", "−64", "0", "64", "127", "weight"]),
])
def test_axes_name_the_operands(name, labels):
    svg = draw(get(name), ".svg").decode()
    assert all(f">{label}<" in svg for label in labels)
    assert svg == draw(get(name), ".svg").decode()
