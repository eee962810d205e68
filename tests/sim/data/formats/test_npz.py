"""`.npz` files: arrays, packed image files, sheets, and what is wrong with them."""

import zipfile

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data, load_images
from tests.outside_data import outside
from tests.sim.data.writers import encoded, nchw, pixels

PLAIN = Preprocessing()


def saved(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def packed(images, kind):
    files = [encoded(image, kind.upper()) for image in images]
    return {kind: np.frombuffer(b"".join(files), np.uint8),
            "offset": np.cumsum([0, *map(len, files)])}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("limit", [None, 1, 5, 99])
def test_pixels_and_labels(tmp_path, order, limit):
    x, y = pixels(6, 4, 5, 3), np.arange(6, dtype=np.uint8)[::-1]
    source = saved(tmp_path / "d.npz", x=np.asarray(x, order=order), y=y)
    data = load_data(source, PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(x)[:limit])
    np.testing.assert_array_equal(data.labels, y[:limit])
    assert data.labels.dtype == np.int64
    np.testing.assert_array_equal(load_images(source, PLAIN, limit=limit), data.images)


def test_floats_are_taken_as_they_are(tmp_path):
    x = np.random.default_rng(3).normal(size=(3, 2, 4, 5)).astype(np.float32)
    source = saved(tmp_path / "d.npz", x=x, y=np.arange(3))
    np.testing.assert_array_equal(
        load_data(source, Preprocessing(scale=9, resize=3), limit=2).images, x[:2])


@pytest.mark.parametrize("compressed", [False, True])
def test_a_limit_reads_no_more_than_it_needs(tmp_path, monkeypatch, compressed):
    x = pixels(4096, 16, 16, 3)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "d.npz", x=x)
    taken = []
    original = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda stream, n=-1: taken.append(
        original(stream, n)) or taken[-1])
    got = load_images(str(tmp_path / "d.npz"), PLAIN, limit=3)
    np.testing.assert_array_equal(got, nchw(x[:3]))
    assert sum(map(len, taken)) < 3 * x[0].size + 1000


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("limit", [None, 2])
def test_packed_image_files(tmp_path, kind, limit):
    images = np.broadcast_to(pixels(5, 1, 1, 3), (5, 8, 8, 3)).copy()  # flat: near after webp, too
    source = saved(tmp_path / "d.npz", **packed(images, kind), y=np.arange(5) * 2)
    data = load_data(source, PLAIN, limit=limit)
    np.testing.assert_allclose(data.images, nchw(images)[:limit], atol=0 if kind == "png" else 6)
    np.testing.assert_array_equal(data.labels, [0, 2, 4, 6, 8][:limit])


def test_packed_image_files_of_many_sizes_are_cropped_alike(tmp_path):
    images = [pixels(size, size + 3, 3) for size in (9, 12, 30)]
    source = saved(tmp_path / "d.npz", **packed(images, "png"))
    got = load_images(source, Preprocessing(crop=(5, 5)))
    for index, size in enumerate((9, 12, 30)):
        top, left = round((size - 5) / 2), round((size - 2) / 2)
        np.testing.assert_array_equal(got[index:index + 1], nchw(
            images[index][None, top:top + 5, left:left + 5]))


def sheet(images, rows, columns):
    full = np.zeros((rows * columns, 32, 32, 3), np.uint8)
    full[:len(images)] = images
    return full.reshape(rows, columns, 32, 32, 3).swapaxes(1, 2).reshape(rows * 32, columns * 32, 3)


@pytest.mark.parametrize("limit", [None, 1, 5, 9])
def test_sheets_are_read_row_by_row(tmp_path, limit):
    images = pixels(15, 32, 32, 3)
    sheets = [sheet(images[first:first + 5], 2, 3) for first in (0, 5, 10)]
    source = saved(tmp_path / "d.npz", **packed(sheets, "png"), y=np.arange(15))
    data = load_data(source, PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(images)[:limit])
    np.testing.assert_array_equal(data.labels, np.arange(15)[:limit])
    np.testing.assert_array_equal(load_images(source, PLAIN, limit=limit), data.images)


FILES = packed(pixels(2, 8, 8, 3), "png")
X, Y = pixels(4, 8, 8, 1), np.arange(4)


@pytest.mark.parametrize(("arrays", "message"), [
    ({"x": X, "y": Y[:, None]}, r"y must have shape \[4\], not \[4, 1\]$"),
    ({"x": X[:, :0], "y": Y}, r"x must not be empty, but its shape is \[4, 0, 8, 1\]$"),
    ({"x": X[:0], "y": Y[:0]}, r"x must not be empty, but its shape is \[0, 8, 8, 1\]$"),
    ({"x": X[:, 0, :, 0], "y": Y}, r"x must have shape \[n, h, w, c\] where it is uint8, not "
                                   r"\[4, 8\]; store features as x\.astype\('float32'\)$"),
    ({"x": X[..., 0], "y": Y}, r"x must have .*; store .*, or pictures x\[\.\.\., None\]$"),
    ({"x": X.astype(np.int16), "y": Y}, r"x must be uint8 for pictures \[n, h, w, c\], else "
                                        r"float32, not int16; store features as x\.astype"),
    ({"x": np.ones(4, np.float32), "y": Y}, r"x must have shape \[n, \.\.\.\], such as \[n, k\]"),
    ({"x": np.full((4, 2), -3e38, np.float32), "y": Y}, r"x must be finite and within 1e\+18, but "
                                                        r"holds -3e\+38$"),
    ({"x": np.full((4, 2), 1e300), "y": Y}, r"x must be finite and within 1e\+18, but .* 1e\+300$"),
    ({"x": np.array([{}]), "y": Y}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
    ({"x": X, "y": np.array([{}])}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
    ({**FILES}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
    ({"png": FILES["png"], "y": Y[:2]}, r"data must be an \.npz file with arrays x and y(; .*)?$"),
    ({**FILES, "offset": [0, 10**9, 10**9 + 1], "y": Y[:2]}, r"offset must be integers \[files"),
    ({**FILES, "offset": [-5, 1, 2], "y": Y[:2]}, r"offset must be integers \[files \+ 1\]"),
    ({**FILES, "offset": [5, 4, 6], "y": Y[:2]}, r"offset must be integers \[files \+ 1\] that "),
    ({**FILES, "offset": [0.0, 1.0, 2.0], "y": Y[:2]}, r"offset must be integers \[files \+ 1\]"),
    ({**FILES, "offset": [0], "y": Y[:2]}, r"offset must be integers \[files \+ 1\]"),
    ({**FILES, "png": FILES["png"].astype(np.int64), "y": Y[:2]}, r"png must be uint8 \[bytes\]"),
    ({**FILES, "y": Y[:3]}, r"y must have one label per image of 2 files, not 3$"),
    ({**FILES, "y": Y[:1]}, r"y must have one label per image of 2 files, not 1$"),
    ({**FILES, "y": Y}, r"png 0: sheet must be RGB with at least 2 images of 32x32, not RGB of "),
    ({**FILES, "offset": FILES["offset"] + [0, 9, 0], "y": Y[:2]}, r"png 1: must be an image"),
    ({**FILES, "offset": FILES["offset"] - [0, 60, 0], "y": Y[:2]}, r"png 0: damaged image"),
])
def test_archives_that_do_not_fit_are_refused_by_name(tmp_path, arrays, message):
    with pytest.raises(InputError, match=rf"d\.npz: {message}"):
        load_data(saved(tmp_path / "d.npz", **arrays), PLAIN)


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_truncated_archives_are_refused_by_name(tmp_path, cut):
    saved(tmp_path / "d.npz", x=X, y=Y)
    (tmp_path / "d.npz").write_bytes((tmp_path / "d.npz").read_bytes()[:cut])
    with pytest.raises(InputError, match=r"d\.npz: data must be an \.npz file with arrays x and y"):
        load_data(str(tmp_path / "d.npz"), PLAIN)


def _claim(path, shape, dtype="|u1", content=b"1234"):
    """An archive whose x claims a shape that its bytes do not have."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", magic + header + content)


@pytest.mark.parametrize(("shape", "message"), [
    ((10**7, 500, 500, 3), r"10000000 images would take 6\.82 TiB of memory, more than .*; limit "
                           r"them to \d+, for instance by --limit \d+$"),
    ((1 << 62, 1, 1, 1), r"4611686018427387904 images would take 4\.19e\+06 TiB of memory, more "),
    ((10, 500, 500, 3), r"x is cut short$"),
    ((10, -500, 500, 3), r"x must have shape|.*images must be an \.npz file with array x(; .*)?$"),
])
def test_shapes_that_the_content_does_not_have_allocate_nothing(tmp_path, shape, message):
    _claim(tmp_path / "d.npz", shape)
    with pytest.raises(InputError, match=rf"d\.npz: {message}"):
        load_images(str(tmp_path / "d.npz"), PLAIN)


@pytest.mark.parametrize("dtype", ["|O", "|u1' + exit() + '", "<c8", "<f16", "<i8"])
def test_types_of_a_hostile_header_are_refused(tmp_path, dtype):
    _claim(tmp_path / "d.npz", (1, 1, 1, 4), dtype)
    with pytest.raises(InputError, match=r"d\.npz: (images must be an \.npz|x must be uint8 for)"):
        load_images(str(tmp_path / "d.npz"), PLAIN)


@pytest.mark.parametrize("part", [0, 1])
def test_the_shared_training_sheets(part):
    path = outside("images", f"cifar10_train_{part}.npz")
    data = load_data(str(path), PLAIN, limit=2001)
    assert data.images.shape == (2001, 3, 32, 32)
    # Published: the first training images are a frog, two trucks and a deer.
    if part == 0:
        assert data.labels[:4].tolist() == [6, 9, 9, 4]
    # No black tile: sheets have 1,024 places for 1,000 images.
    assert data.images.max(axis=(1, 2, 3)).min() > 0
