"""Preprocessing from options and from the file beside the network."""

import argparse
import json

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_images
from sim.options import add_options, preprocessing
from tests.sim.nets import plain

SIDECAR = {"preset": "caffe-imagenet", "std": [2, 3, 4]}
FROM_SIDECAR = Preprocessing(resize=256, crop=(224, 224), mean=(103.939, 116.779, 123.68),
                             std=(2, 3, 4), channels="bgr")


def chosen(tmp_path, *arguments, sidecar=SIDECAR):
    if sidecar is not None:
        (tmp_path / "net.json").write_text(json.dumps({"input": sidecar}))
    onnx.save(plain().model(), tmp_path / "net.onnx")
    parser = argparse.ArgumentParser()
    add_options(parser, images="--data")
    return preprocessing(parser.parse_args(arguments), tmp_path / "net.onnx")


@pytest.mark.parametrize(("images", "said"), [
    ({}, "quantised on --calibrate-limit"),
    ({"images": "--data"}, "quantised on (default: the first 128 of --data) --calibrate-limit")])
def test_the_help_names_the_images_that_are_there(images, said):
    parser = argparse.ArgumentParser()
    add_options(parser, **images)
    assert said in " ".join(parser.format_help().split())


def test_the_sidecar_is_the_default(tmp_path):
    assert chosen(tmp_path) == FROM_SIDECAR
    (tmp_path / "net.json").unlink()
    assert chosen(tmp_path, sidecar=None) == Preprocessing()


@pytest.mark.parametrize("arguments", [[], ["--preset", "unit"]])
def test_the_header_of_the_network_says_what_it_takes(tmp_path, arguments):
    assert chosen(tmp_path, *arguments).takes == (3, 9, 7)


@pytest.mark.parametrize(("arguments", "field", "value"), [
    (["--scale", "0.5"], "scale", 0.5), (["--mean", "1", "2", "3"], "mean", (1, 2, 3)),
    (["--mean", "0"], "mean", (0,)), (["--std", "5"], "std", (5,)),
    (["--resize", "32"], "resize", 32), (["--crop", "9"], "crop", (9, 9)),
    (["--crop", "9", "8"], "crop", (9, 8)), (["--size", "7", "6"], "size", (7, 6)),
    (["--channels", "grey"], "channels", "grey"), (["--layout", "nhwc"], "layout", "nhwc"),
])
def test_an_option_changes_its_setting_alone(tmp_path, arguments, field, value):
    got = chosen(tmp_path, *arguments)
    assert getattr(got, field) == value
    for name in Preprocessing.__dataclass_fields__:
        if name not in (field, "takes", "asked"):
            assert getattr(got, name) == getattr(FROM_SIDECAR, name), name


def test_a_preset_replaces_the_sidecar_and_options_change_it(tmp_path):
    assert chosen(tmp_path, "--preset", "unit", "--mean", "0.5") == Preprocessing(
        scale=1 / 255, mean=(0.5,))


@pytest.mark.parametrize(("arguments", "message"), [
    (["--preset", "units"], r"^Unknown preset 'units'; did you mean 'unit'\?$"),
    (["--crop", "1", "2", "3"], r"^--crop must have one side or height and width, not 3 numbers$"),
    (["--size", "0"], r"^Preprocessing size must be 1 to 16384 pixels, not 0$"),
    (["--channels", "rbg"], r"^Unknown channels 'rbg'; did you mean 'rgb'\?$"),
])
def test_options_that_do_not_fit_are_refused(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        chosen(tmp_path, *arguments)


def test_a_wrong_sidecar_is_named(tmp_path):
    with pytest.raises(InputError, match=r"net\.json: Preprocessing scale must be a number"):
        chosen(tmp_path, "--scale", "1", sidecar={"scale": "x"})


def test_settings_that_change_nothing_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros((4, 3, 9, 7), np.float32))
    pixels = chosen(tmp_path, "--mean", "1", "2", "3", "--preset", "unit")
    with pytest.raises(InputError, match=rf"^{tmp_path}/x.npz: its arrays are taken as they are, "
                                         r"so that --mean and --preset must not be given$"):
        load_images(str(tmp_path / "x.npz"), pixels)
    # What the file beside the network says is for pixels alone.
    assert len(load_images(str(tmp_path / "x.npz"), chosen(tmp_path))) == 4
