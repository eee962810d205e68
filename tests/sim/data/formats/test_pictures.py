"""Image files of every mode, damaged ones, and those that would fill the memory."""

import warnings

import numpy as np
import pytest
from PIL import Image

from hw.common.errors import InputError
from sim.data.formats.pictures import FORMATS, coloured, decode, pixels_of, strict
from tests.sim.data.writers import encoded, huge_png, pixels


def read(content):
    with strict():
        return decode(content, "a.png")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_files_keep_their_pixels(kind, channels):
    image = pixels(5, 7, channels)
    np.testing.assert_array_equal(pixels_of(read(encoded(image, kind))), image)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_files_are_near(kind):
    image = np.full((16, 24, 3), (200, 100, 30), np.uint8)
    assert np.abs(pixels_of(read(encoded(image, kind))).astype(int) - image).max() < 6


def _grey_with_alpha():
    return Image.fromarray(pixels(4, 4, 1)[..., 0]).convert("LA")


def _palette(**info):
    image = Image.fromarray(pixels(4, 4, 3)).quantize(8)
    image.info.update(info)
    return image


@pytest.mark.parametrize(("image", "mode"), [
    (Image.new("L", (4, 4)), "L"), (Image.new("1", (4, 4)), "L"), (Image.new("RGB", (4, 4)), "RGB"),
    (_palette(), "RGB")], ids=["L", "1", "RGB", "P"])
def test_modes_that_need_no_decision(image, mode):
    assert coloured(image, None).mode == mode


@pytest.mark.parametrize(("image", "mode"), [
    (Image.new("RGBA", (4, 4)), "RGBA"), (Image.new("CMYK", (4, 4)), "CMYK"),
    (_grey_with_alpha(), "LA"), (_palette(transparency=0), "RGBA"),
    (_palette(transparency=bytes(8)), "RGBA")], ids=["RGBA", "CMYK", "LA", "P", "P bytes"])
def test_modes_that_need_a_decision(image, mode):
    with strict():
        with pytest.raises(InputError, match=f"^image must be grey or RGB, not {mode}: say what"):
            coloured(image, None)
        assert coloured(image, "rgb").mode == "RGB"
        assert coloured(image, "bgr").mode == "RGB"
        assert coloured(image, "grey").mode == "L"


@pytest.mark.parametrize("channels", [None, "rgb", "grey"])
@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_images_are_refused_rather_than_clipped(mode, channels):
    with pytest.raises(InputError, match=f"^image must have 8 bits per channel, not mode {mode}$"):
        coloured(Image.new(mode, (4, 4)), channels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated_files_are_refused(kind, part):
    content = encoded(pixels(40, 40, 3), kind)
    with pytest.raises(InputError, match=r"^a\.png: (damaged image \(|must be an image)"):
        read(content[:int(part * len(content))])


@pytest.mark.parametrize("content", [
    b"", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", b"\0" * 100, b"import os"])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(InputError, match=rf"^a\.png: must be an image \({', '.join(FORMATS)}\)$"):
        read(content)


def test_odd_metadata_is_no_damage():
    with strict():
        warnings.warn_explicit("Possibly corrupt EXIF data", UserWarning, "f", 1,
                               module="PIL.TiffImagePlugin")


@pytest.mark.parametrize("side", [9_500, 14_000, 60_000])
def test_decompression_bombs_are_refused_before_they_unpack(side):
    with pytest.raises(InputError, match=r"^a\.png: image must have at most 89 million pixels$"):
        read(huge_png(side, side))
