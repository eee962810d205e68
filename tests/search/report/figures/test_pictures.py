"""Heat map and histogram: what they show is the error, no pair lost or moved."""

import base64
import io
import re

import matplotlib.image
import numpy as np
import pytest

from hw.multipliers import default_bank, get
from hw.multipliers.base import exact_products
from search.report.figures.pictures import (
    BAR,
    BINS,
    HEIGHT,
    LEVELS,
    PITCH,
    heat_map,
    histogram_counts,
    histogram_svg,
    rank,
)

NAMES = default_bank()[::6]


def errors_of(name):
    return get(name).table - exact_products()


def pixels(errors):
    """Return the picture as a browser decodes it: uint8[256, 256, 3], top row first."""
    head, text = heat_map(errors).split(",")
    assert head == "data:image/png;base64"
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(text)), format="png")
    return np.rint(image[..., :3] * 255).astype(int)


@pytest.mark.parametrize("name", NAMES)
def test_every_pair_has_the_colour_of_its_error(name):
    errors = errors_of(name)
    picture = pixels(errors)[::-1]  # [act, weight], the activation upwards
    assert picture.shape == (256, 256, 3)
    red, _green, blue = np.moveaxis(picture, 2, 0)
    assert np.array_equal((picture == 255).all(axis=2), errors == 0)
    assert np.array_equal(red > blue, errors > 0)
    assert np.array_equal(blue > red, errors < 0)


def test_a_single_wrong_pair_is_where_it_belongs():
    errors = np.zeros((256, 256), np.int64)
    errors[200, 3] = -7
    picture = pixels(errors)
    assert np.argwhere((picture != 255).any(axis=2)).tolist() == [[255 - 200, 3]]
    assert tuple(picture[55, 3]) == (0x21, 0x66, 0xAC)


def test_more_error_is_darker():
    errors = np.zeros((256, 256), np.int64)
    errors[0] = np.arange(256)
    brightness = pixels(errors)[-1].sum(axis=1)
    assert (np.diff(brightness) <= 0).all()
    assert len(set(brightness.tolist())) == LEVELS + 1


@pytest.mark.parametrize("count", [BINS, LEVELS])
@pytest.mark.parametrize("name", NAMES)
def test_levels_are_even_and_rounded_away_from_zero(name, count):
    errors = errors_of(name)
    worst = max(int(np.abs(errors).max()), 1)
    expected = np.copysign(np.ceil(np.round(np.abs(errors) * count / worst, 9)), errors)
    assert np.array_equal(rank(errors, count), expected)


@pytest.mark.parametrize("name", NAMES)
def test_histogram_counts_every_pair_once(name):
    errors, counts = errors_of(name), histogram_counts(errors_of(name))
    assert counts.shape == (2 * BINS + 1,)
    assert counts.sum() == 65536
    assert counts[BINS] == (errors == 0).sum()
    assert counts[:BINS].sum() == (errors < 0).sum()
    assert counts[BINS + 1:].sum() == (errors > 0).sum()


def test_bars_are_logarithms_at_their_place():
    errors = np.zeros((256, 256), np.int64)
    errors[:2] = -100
    errors[2, 0] = 1
    svg = histogram_svg(errors, "label")
    bars = {int(x) // PITCH: float(height) for x, height in re.findall(
        rf"M(\d+) {HEIGHT}v-([\d.]+)h{BAR}", svg)}
    counts = histogram_counts(errors)
    assert counts[[0, BINS, BINS + 1]].tolist() == [512, 65536 - 513, 1]
    assert bars.keys() == {0, BINS, BINS + 1}
    for index, height in bars.items():
        assert height == pytest.approx(
            HEIGHT * np.log(1 + counts[index]) / np.log(65537), abs=0.06)
    assert 'aria-label="label"' in svg


def test_pictures_of_a_bank_are_small():
    assert max(len(heat_map(errors_of(name))) for name in default_bank()) < 20_000
