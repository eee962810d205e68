"""One image counts once, however it is written; images that differ are left alone."""

import numpy as np
import pytest

from models.data import load_digits_split
from search.problem.repeated_images import fingerprints, originals
from sim.data import Preprocessing, open_images

DIGITS = load_digits_split("certify").images[:40]


def distinct(*sets, eight_bit=False):
    found = originals([fingerprints(np.asarray(one, np.float32), eight_bit=eight_bit)
                       for one in sets])
    return len(np.unique(np.concatenate(found)))


@pytest.mark.parametrize("noise", [0, 1e-6, 1e-4, 0.1 / 256, 0.49 / 256])
def test_copies_with_noise_that_8_bits_do_not_show_are_one_image(noise):
    generator = np.random.default_rng(0)
    tiled = np.tile(DIGITS, (25, 1, 1, 1))
    assert distinct(tiled + generator.uniform(-noise, noise, tiled.shape)) == 40


def test_the_first_of_equal_images_stands_for_them():
    noisy = DIGITS[[3, 1, 3, 1, 3]] + np.array([0, 0, 1e-6, -1e-6, 1e-5])[:, None, None, None]
    alone, = originals([fingerprints(noisy.astype(np.float32), eight_bit=False)])
    assert alone.tolist() == [0, 1, 0, 1, 0]
    one, other = originals([fingerprints(noisy[:2].astype(np.float32), eight_bit=False),
                            fingerprints(noisy[2:].astype(np.float32), eight_bit=False)])
    assert (one.tolist(), other.tolist()) == ([0, 1], [0, 1, 0])


def test_values_at_the_borders_of_rounding_are_no_way_out():
    """Grey levels at k + 1/2 steps: any rounding would tear copies apart."""
    levels = (np.rint(DIGITS * 16) * 16 + 0.5) / 256
    noise = np.random.default_rng(1).uniform(-1e-5, 1e-5, (20, *levels.shape))
    assert distinct(np.concatenate(levels + noise)) == 40


@pytest.mark.parametrize("eight_bit", [False, True])
def test_one_grey_level_of_256_makes_another_image(eight_bit):
    changed = np.rint(DIGITS * 255) / 255
    changed[:, 0, 0, 0] = 1  # the range is all 256 levels
    other = changed.copy()
    other[:, 0, 4, 4] += np.where(other[:, 0, 4, 4] < 1, 1, -1) / 255
    assert distinct(changed, other, eight_bit=eight_bit) == 80


def test_images_of_8_bits_are_compared_exactly():
    noisy = DIGITS + np.float32(1e-6)
    assert distinct(DIGITS, noisy, eight_bit=True) == 80
    assert distinct(DIGITS, DIGITS, eight_bit=True) == 40


def test_faint_images_beside_strong_ones_are_left_alone():
    faint = 0.5 + 1e-3 * np.random.default_rng(2).standard_normal((200, 1, 8, 8))
    assert distinct(faint, DIGITS) == 240
    assert distinct(faint, faint + 1e-6, DIGITS) == 240


def test_an_outlier_does_not_make_all_images_one():
    outlier = np.full((1, 1, 8, 8), 1e6)
    assert distinct(outlier, np.tile(DIGITS, (5, 1, 1, 1)), load_digits_split("search").images
                    ) == 1 + 40 + 300


def test_digits_and_noise_are_all_different():
    every = np.concatenate([load_digits_split(name).images for name in (
        "train", "calibrate", "search", "certify")])
    assert distinct(every) == 1797
    assert distinct(np.random.default_rng(3).standard_normal((3000, 1, 8, 8))) == 3000


def test_vectors_and_constant_images():
    assert distinct(np.eye(5)) == 5
    assert distinct(np.zeros((7, 3))) == 1
    assert distinct(np.zeros((1, 1, 1, 1))) == 1


def test_floats_are_compared_with_pixels_but_not_with_other_shapes():
    pixels, floats = fingerprints(DIGITS, eight_bit=True), fingerprints(DIGITS + np.float32(1e-6),
                                                              eight_bit=False)
    one, other = originals([pixels, floats])
    assert one.tolist() == other.tolist() == list(range(40))
    wide = fingerprints(DIGITS.reshape(40, 1, 4, 16), eight_bit=False)
    found = originals([fingerprints(DIGITS[:, :, :3, :3], eight_bit=False), wide])
    assert not set(found[0]) & set(found[1])


def test_only_pixels_have_8_bits(tmp_path):
    for name, x in (("u", np.zeros((3, 8, 8, 1), np.uint8)), ("f", DIGITS[:3])):
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.arange(3))
    found = [open_images(str(tmp_path / f"{name}.npz"), Preprocessing()).eight_bit
             for name in "uf"]
    assert found == [True, False]


def test_images_that_are_not_kept_in_memory_are_told_apart_the_same(tmp_path):
    pixels = np.rint(np.tile(DIGITS, (3, 1, 1, 1)) * 16).astype(np.uint8).transpose(0, 2, 3, 1)
    np.savez(tmp_path / "d.npz", x=pixels, y=np.zeros(120, int))
    unread = open_images(str(tmp_path / "d.npz"), Preprocessing())
    near = fingerprints(DIGITS * 16 + np.float32(0.01), eight_bit=False)
    for images in (unread, unread.read()):
        one, other = originals([fingerprints(images, eight_bit=True), near])
        assert one.tolist() == [*range(40)] * 3
        assert other.tolist() == list(range(40))
