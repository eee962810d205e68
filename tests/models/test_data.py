"""The digits splits: disjoint, stratified, fixed for ever."""

import hashlib
import itertools

import numpy as np
import pytest

from hw.common.errors import InputError
from models.data import DIGITS_SPLITS, load_digits_split


@pytest.mark.parametrize("name", DIGITS_SPLITS)
def test_split_has_its_size_and_nearly_even_classes(name):
    images, labels = load_digits_split(name)
    assert images.shape == (DIGITS_SPLITS[name], 1, 8, 8)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    counts = np.bincount(labels, minlength=10)
    assert counts.max() - counts.min() <= 5


def test_splits_are_disjoint_and_cover_the_data():
    from models import data

    order = data._digits_order()
    assert sorted(order) == list(range(1797))
    assert sum(DIGITS_SPLITS.values()) == 1797
    pieces = [load_digits_split(name).images for name in DIGITS_SPLITS]
    for one, other in itertools.combinations(pieces, 2):
        keys = {image.tobytes() for image in one}
        assert not any(image.tobytes() in keys for image in other)


def test_splits_never_change():
    labels = np.concatenate([load_digits_split(name).labels for name in DIGITS_SPLITS])
    digest = hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()
    assert digest.startswith("144d84e5ba7823b8")


def test_unknown_split_is_rejected_with_the_nearest_name():
    with pytest.raises(InputError, match=r"^Unknown digits split 'serch'; did you mean 'search'\?"):
        load_digits_split("serch")
