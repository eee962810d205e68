"""Colour, geometry, numbers and layout, each against its definition."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from hw.common.errors import InputError
from sim.data import PRESETS, Preprocessing
from tests.sim.data.writers import nchw, pixels

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (2.0,)), (MEAN, (2.0,)), ((0.5,), STD),
                                           (MEAN, STD)])
def test_numbers_are_scale_then_mean_then_std_to_the_bit(mean, std):
    every = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    scaled = every.astype(np.float32) * np.float32(1 / 255)
    expected = (scaled - np.array(mean, np.float32)) / np.array(std, np.float32)
    got = Preprocessing(scale=1 / 255, mean=mean, std=std).apply(every)
    assert got.dtype == np.float32
    assert got.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(got, expected.transpose(0, 3, 1, 2))


def test_layout_nhwc_keeps_the_order_of_the_pixels():
    images = pixels(3, 4, 5, 3)
    np.testing.assert_array_equal(Preprocessing(layout="nhwc", mean=(1, 2, 3)).apply(images),
                                  images.astype(np.float32) - np.array([1, 2, 3], np.float32))


def test_blue_comes_first_and_the_mean_is_in_the_networks_order():
    images = pixels(2, 4, 5, 3)
    got = Preprocessing(channels="bgr", mean=(1, 2, 3)).apply(images)
    for channel in range(3):
        np.testing.assert_array_equal(got[:, channel],
                                      images[..., 2 - channel].astype(np.float32) - channel - 1)


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_grey_becomes_colour_only_when_asked(channels):
    images = pixels(2, 4, 5, 1)
    assert Preprocessing().apply(images).shape == (2, 1, 4, 5)
    got = Preprocessing(channels=channels).apply(images)
    np.testing.assert_array_equal(got, np.repeat(nchw(images), 3, axis=1))


def test_colour_becomes_grey_by_luma():
    images = pixels(2, 4, 5, 3)
    got = Preprocessing(channels="grey").apply(images)
    luma = images @ np.array([0.299, 0.587, 0.114])
    assert got.shape == (2, 1, 4, 5)
    np.testing.assert_allclose(got[:, 0], luma, atol=0.51)


def test_the_crop_is_the_centre():
    images = pixels(1, 9, 14, 3)
    got = Preprocessing(crop=(3, 6)).apply(images)
    np.testing.assert_array_equal(got, nchw(images[:, 3:6, 4:10]))


@pytest.mark.parametrize(("stored", "expected"), [((30, 45), (20, 30)), ((45, 30), (30, 20)),
                                                  ((33, 50), (20, 30)), ((20, 31), (20, 31)),
                                                  ((7, 10), (20, 28))])
def test_the_shorter_side_is_resized_and_the_other_keeps_the_aspect(stored, expected):
    image = Image.fromarray(pixels(*stored, 3))
    got = Preprocessing(resize=20).picture(image)
    assert got.shape == (*expected, 3)
    reference = image.resize(expected[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(got, np.asarray(reference))


def test_resize_crop_and_size_follow_one_another():
    image = Image.fromarray(pixels(40, 60, 3))
    got = Preprocessing(resize=20, crop=(16, 24), size=(8, 10)).picture(image)
    shrunk = image.resize((30, 20), Image.Resampling.BILINEAR)
    cut = shrunk.crop((3, 2, 27, 18))
    np.testing.assert_array_equal(got, np.asarray(cut.resize((10, 8), Image.Resampling.BILINEAR)))


def test_arrays_and_image_files_are_resized_alike():
    images = pixels(3, 12, 18, 3)
    preprocessing = Preprocessing(resize=8, crop=(6, 7), channels="bgr")
    one_by_one = [preprocessing.picture(Image.fromarray(image)) for image in images]
    np.testing.assert_array_equal(preprocessing.pictures(images), one_by_one)


@pytest.mark.parametrize("geometry", [{}, {"resize": 8}, {"crop": (5, 4)}, {"size": (6, 7)}])
def test_blue_comes_first_in_image_files_too(geometry):
    image = pixels(12, 18, 3)
    blue = Preprocessing(channels="bgr", **geometry).picture(Image.fromarray(image))
    red = Preprocessing(channels="rgb", **geometry).picture(Image.fromarray(image))
    np.testing.assert_array_equal(blue, red[..., ::-1])
    if not geometry:
        np.testing.assert_array_equal(red, image)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("torchvision-imagenet", -0.485 / 0.229, (1 - 0.485) / 0.229),
    ("imagenet-statistics", -0.485 / 0.229, (1 - 0.485) / 0.229),
    ("tf-imagenet", -1, 1),
    ("caffe-imagenet", -103.939, 255 - 103.939),
    ("torchvision-mnist", -0.1307 / 0.3081, (1 - 0.1307) / 0.3081),
    ("unit", 0, 1),
])
def test_presets_reach_the_published_range(name, low, high):
    preprocessing = Preprocessing.from_settings({"preset": name})
    flat = np.stack([np.zeros((300, 400, 3), np.uint8), np.full((300, 400, 3), 255, np.uint8)])
    got = preprocessing.apply(flat)
    np.testing.assert_allclose([got[0, 0].max(), got[1, 0].min()], [low, high], rtol=1e-5)
    if "resize" in PRESETS[name]:
        assert got.shape == (2, 3, 224, 224)


def test_every_preset_can_be_changed():
    for name in PRESETS:
        assert Preprocessing.from_settings({"preset": name, "std": 9}).std == (9.0,)


def test_the_sidecar_holds_all_settings(tmp_path):
    path = tmp_path / "net.json"
    path.write_text(json.dumps({"input": {
        "preset": "torchvision-imagenet", "crop": [200, 100], "size": 64, "layout": "NHWC"}}))
    got = Preprocessing.from_sidecar(path, changes={"channels": "bgr"})
    assert got == Preprocessing(scale=1 / 255, mean=MEAN, std=STD, resize=256, crop=(200, 100),
                                size=(64, 64), channels="bgr", layout="nhwc")


@pytest.mark.parametrize(("settings", "message"), [
    ({"means": 1}, r"Unknown preprocessing setting 'means'; did you mean 'mean'\?$"),
    ({"preset": "torchvision-imagnet"}, r"Unknown preset .*did you mean 'torchvision-imagenet'\?$"),
    ({"channels": "rbg"}, r"Unknown channels 'rbg'; did you mean 'rgb'\?$"),
    ({"layout": "nwhc"}, r"Unknown layout 'nwhc'; did you mean 'nhwc'\?$"),
    ({"resize": 0}, r"Preprocessing resize must be 1 to 16384 pixels, not 0$"),
    ({"crop": [224, -1]}, r"Preprocessing crop must be 1 to 16384 pixels, not -1$"),
    ({"crop": [1, 2, 3]}, r"Preprocessing crop must be a side or \[height, width\] in pixels, "
                          r"not \[1, 2, 3\]$"),
    ({"resize": 22.5}, r"Preprocessing resize must be a whole number of pixels, not 22\.5$"),
    ({"mean": [True]}, r"Preprocessing mean must be a number or a list of numbers, not \[True\]$"),
    ({"scale": "1/255"}, r"Preprocessing scale must be a number, not '1/255'$"),
    ({"std": [1, 0, 1]}, r"Preprocessing std must be finite and not 0, not 0\.0$"),
    ({"mean": 1e308 * 10}, r"Preprocessing mean must be finite, not inf$"),
    ({"scale": 10**400}, r"Preprocessing scale must be a number, not 1000.*\.\.\.$"),
    ({"mean": [1, 2], "std": [1, 2, 3]}, r"Preprocessing mean and std must have as many values, "
                                         r"not 2 and 3$"),
    ({"std": 1e-30}, r"Preprocessing scale, mean and std must keep pixels within 1e\+18, not reach "
                     r"2\.55e\+32$"),
    ({"scale": 1e308, "std": 1e-308}, r"Preprocessing scale, mean and std must keep .* reach inf$"),
    ({"size": 16384}, r"Preprocessing size must have at most 89 million pixels, not 16384x16384$"),
    ({"mean": [[1]]}, r"Preprocessing mean must be a number or a list of numbers, not \[\[1\]\]$"),
    ({"mean": ["1"] * 10**5}, r"Preprocessing mean must be a number or .{,120}$"),
    ({"crop": {}}, r"Preprocessing crop must be a side or \[height, width\] in pixels, not \{\}$"),
    ({"preset": ["unit"]}, r"Unknown preset"),
])
def test_settings_that_do_not_fit_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=f"^{message}"):
        Preprocessing.from_settings(settings)
    (tmp_path / "net.json").write_text(json.dumps({"input": settings}))
    with pytest.raises(InputError, match=rf"net\.json: (not valid JSON|{message})"):
        Preprocessing.from_sidecar(tmp_path / "net.json")


@pytest.mark.parametrize("content", ["[]", "{}", '{"input": 3}'])
def test_a_sidecar_without_settings_is_refused(tmp_path, content):
    (tmp_path / "net.json").write_text(content)
    with pytest.raises(InputError, match=r'net\.json: must have an object "input"'):
        Preprocessing.from_sidecar(tmp_path / "net.json")


def test_a_pipe_beside_the_network_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "net.json")
    with pytest.raises(InputError, match=r"net\.json: must be a file, not a device$"):
        Preprocessing.from_sidecar(tmp_path / "net.json")


def test_as_many_means_as_channels_are_needed():
    with pytest.raises(InputError, match=r"^Preprocessing mean must have 1 value, not 3$"):
        Preprocessing(mean=MEAN).apply(pixels(1, 2, 2, 1))
    assert Preprocessing(mean=MEAN, channels="rgb").apply(pixels(1, 2, 2, 1)).shape[1] == 3


@pytest.mark.parametrize(("settings", "message"), [
    ({"crop": (5, 3)}, r"^image of 4x4 must not be smaller than the crop of 5x3: resize first$"),
    ({"crop": (3, 5)}, r"^image of 4x4 must not be smaller than the crop of 3x5: resize first$"),
])
def test_a_crop_beyond_the_image_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Preprocessing(**settings).apply(pixels(1, 4, 4, 3))


@pytest.mark.parametrize("settings", [{"channels": "rgb"}, {"channels": "grey"}, {"resize": 2}])
def test_arrays_that_are_neither_grey_nor_colour_have_no_colour(settings):
    with pytest.raises(InputError, match=r"^images must have 1 or 3 channels to be resized or "
                                         r"coloured, not 4$"):
        Preprocessing(**settings).apply(pixels(1, 4, 4, 4))


def test_a_thin_image_does_not_fill_the_memory():
    with pytest.raises(InputError, match=r"image of 1x60000 must have at most 89 million pixels"):
        Preprocessing(resize=256).picture(Image.new("RGB", (60000, 1)))
