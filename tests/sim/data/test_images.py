"""Reading in parts and in threads, and images that do not go together."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw.common import progress
from hw.common.errors import InputError
from models.data import load_digits_split
from sim.data import (
    Preprocessing,
    content,
    kept,
    load_data,
    load_images,
    open_images,
    parallel,
)
from tests.sim.data.writers import encoded, huge_png, nchw, pixels
from tests.sim.nets import plain

ROOT = Path(__file__).parents[3]
SETTINGS = Preprocessing(resize=12, crop=(9, 10), channels="bgr", scale=0.1, mean=(1, 2, 3))


def write(folder, images):
    for index, image in enumerate(images):
        (folder / f"{index % 3}").mkdir(exist_ok=True)
        (folder / f"{index % 3}" / f"{index:03}.png").write_bytes(encoded(image))
    return str(folder)


@pytest.fixture
def sources(tmp_path):
    """The same images as files, in mixed order, and as one array."""
    images = pixels(40, 14, 17, 3)
    np.savez(tmp_path / "d.npz", x=images, y=np.arange(40) % 3)
    (tmp_path / "set").mkdir()
    return images, write(tmp_path / "set", images), str(tmp_path / "d.npz")


def test_files_and_arrays_give_the_same(sources):
    images, folder, archive = sources
    one, other = load_data(folder, SETTINGS), load_data(archive, SETTINGS)
    order = open_images(folder, SETTINGS)._content.encoded
    stored = [int(Path(item.name).stem) for item in order]
    np.testing.assert_array_equal(one.images, other.images[stored])
    np.testing.assert_array_equal(one.images, SETTINGS.apply(images)[stored])
    np.testing.assert_array_equal(one.labels, np.array(stored) % 3)


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(sources, which, threads):
    np.testing.assert_array_equal(load_data(sources[which], SETTINGS, threads=threads).images,
                                  load_data(sources[which], SETTINGS).images)


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("step", [1, 7, 40])
def test_parts_make_the_whole(sources, which, step):
    images = open_images(sources[which], SETTINGS)
    parts = [images.read(start, start + step) for start in range(0, len(images), step)]
    np.testing.assert_array_equal(np.concatenate(parts), load_images(sources[which], SETTINGS))
    assert parts[0].shape[1:] == images.shape == (3, 9, 10)
    assert len(images) == len(images.labels) == 40
    assert images.read(40).shape == (0, 3, 9, 10)


@pytest.mark.parametrize("which", [1, 2])
def test_some_images_are_read_when_they_become_an_array(sources, which):
    images, whole = open_images(sources[which], SETTINGS), load_data(sources[which], SETTINGS)
    chosen = np.array([30, 2, 2, 39])
    for some, expected in ((images[5:9], slice(5, 9)), (images[chosen], chosen),
                           (images[10:][chosen[1:3]], np.array([12, 12])),
                           (images[40:], slice(40, 40))):
        assert len(some) == len(whole.labels[expected])
        np.testing.assert_array_equal(np.asarray(some), whole.images[expected])
        np.testing.assert_array_equal(some.labels, whole.labels[expected])
        assert some.nbytes == whole.images[expected].nbytes


def test_floats_that_are_ready_are_chosen_too(tmp_path):
    ready = np.random.default_rng(0).standard_normal((9, 3, 4, 5)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=ready, y=np.arange(9))
    images = open_images(str(tmp_path / "d.npz"), Preprocessing())
    chosen = np.array([8, 0, 3])
    np.testing.assert_array_equal(np.asarray(images[chosen]), ready[chosen])
    np.testing.assert_array_equal(np.asarray(images[chosen][1:]), ready[[0, 3]])
    np.testing.assert_array_equal(images.read(2, 5), ready[2:5])


@pytest.mark.parametrize("which", [1, 2])
def test_few_images_are_kept_and_many_are_not(sources, which, monkeypatch):
    images = open_images(sources[which], SETTINGS)
    assert images.kept_bytes == 40 * 9 * 10 * 3
    assert kept(images).images is not images
    monkeypatch.setattr("sim.data.images.WHOLE_BYTES", images.kept_bytes - 1)
    assert kept(images).images is images


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("settings", [
    SETTINGS, replace(SETTINGS, channels="rgb"), replace(SETTINGS, resize=None, crop=None),
    replace(SETTINGS, channels="grey", mean=(3,)), Preprocessing(channels="grey")])
def test_images_in_memory_are_the_same_a_byte_a_value(sources, which, settings, monkeypatch):
    images = open_images(sources[which], settings)[3:30]
    same = images.in_memory()
    assert same._content.pixels.nbytes <= max(same.kept_bytes, sources[0].nbytes)
    monkeypatch.setattr("sim.data.images.decode", None)
    monkeypatch.setattr(Preprocessing, "picture", None)
    chosen = np.array([5, 0, 26])
    found = np.asarray(same), np.asarray(same[chosen]), same.pixels(7), same.shape, same.labels
    monkeypatch.undo()
    for one, expected in zip(found, (np.asarray(images), np.asarray(images[chosen]),
                                     images.pixels(7), images.shape, images.labels), strict=True):
        np.testing.assert_array_equal(one, expected)


def test_layout_nhwc_is_the_shape_of_files(sources):
    images = open_images(sources[1], Preprocessing(layout="nhwc"), limit=2)
    assert images.shape == images.read().shape[1:] == (14, 17, 3)


def test_the_digits_are_a_source():
    data = load_data("digits:search", Preprocessing(scale=9), limit=5)
    np.testing.assert_array_equal(data.images, load_digits_split("search").images[:5])
    assert load_images("digits:search", Preprocessing()).shape == (300, 1, 8, 8)
    with pytest.raises(InputError, match=r"^Unknown digits split 'serch'; did you mean 'search'"):
        load_data("digits:serch", Preprocessing())


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("load", [load_data, load_images])
def test_limits_below_one_are_refused(load, limit):
    with pytest.raises(InputError, match=rf"^Limit must be at least 1, not {limit}$"):
        load("digits:search", Preprocessing(), limit=limit)


@pytest.mark.parametrize(("odd", "message"), [
    (pixels(6, 9, 3), r"002\.png: images must have one size, 8x9 as the first, not 6x9; --size, or "
                      r"--resize and --crop, make them equal \(docs/data\.md\)$"),
    (pixels(8, 9, 1), r"002\.png: images must all have 3 channels as the first, not 1; "
                      r"--channels rgb or grey makes them equal \(docs/data\.md\)$"),
])
def test_images_that_differ_are_named(tmp_path, odd, message):
    images = [*pixels(6, 8, 9, 3)]
    images[2] = odd
    source = write(tmp_path, images)
    with pytest.raises(InputError, match=message):
        load_data(source, Preprocessing())
    assert load_data(source, Preprocessing(channels="rgb", size=(5, 5))).images.shape == (
        6, 3, 5, 5)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_first_damaged_image_is_named_whatever_ends_first(tmp_path, threads):
    source = write(tmp_path, pixels(30, 40, 40, 3))
    order = [Path(item.name) for item in open_images(source, Preprocessing())._content.encoded]
    for index in (9, 10, 11, 29):
        order[index].write_bytes(order[index].read_bytes()[:1000 if index == 9 else 3])
    with pytest.raises(InputError, match=rf"{order[9].name}: damaged image \("):
        load_data(source, Preprocessing(), threads=threads)


def test_a_decompression_bomb_behind_others_is_named_though_warnings_are_off(tmp_path):
    source = write(tmp_path, pixels(2, 4, 4, 3))
    (tmp_path / "1" / "001.png").write_bytes(huge_png(9_500, 9_500))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match=r"001\.png: image must have at most 89 million"):
            load_data(source, Preprocessing())


def test_a_deep_image_is_named(tmp_path):
    from PIL import Image

    source = write(tmp_path, pixels(2, 4, 4, 3))
    (tmp_path / "1" / "001.png").write_bytes(encoded(Image.new("I;16", (4, 4))))
    with pytest.raises(InputError, match=r"001\.png: image must have 8 bits per channel"):
        load_data(source, Preprocessing())


def test_what_does_not_fit_in_memory_is_refused_but_can_be_read_in_parts(sources, monkeypatch):
    images, folder, archive = sources
    monkeypatch.setattr(content, "memory_limit", lambda: 4 * 30_000)  # 4 x 3 x 14 x 17 an image
    monkeypatch.setattr(parallel, "QUIET_BELOW", 0)
    with pytest.raises(InputError, match=r"set: 40 images would take 112 KiB of memory, more "
                                         r"than 29\.3 KiB; limit them to 10, .* --limit 10$"):
        load_data(folder, Preprocessing())
    assert len(load_data(folder, Preprocessing(), limit=10).images) == 10
    parts = [open_images(archive, Preprocessing()).read(start, start + 10)
             for start in range(0, 40, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), nchw(images))


def test_progress_is_told_on_stderr(sources, monkeypatch, capsys):
    monkeypatch.setattr(parallel, "QUIET_BELOW", 2)
    monkeypatch.setattr(progress, "_LOG", progress._Log())
    load_data(sources[1], SETTINGS)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "  reading set\n"
    open_images(sources[1], SETTINGS).read(quiet=True)
    assert capsys.readouterr().err == ""


def test_a_shell_sees_one_line_and_status_two(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = subprocess.run(
        [sys.executable, "-m", "sim.evaluate", "models/zoo/digits.onnx", "--data", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {tmp_path}/cat/a.png: ")


@pytest.mark.parametrize(("changes", "sidecar", "said"), [
    ({}, None, True), ({"channels": "rgb"}, None, True), ({"scale": 1 / 255}, None, False),
    ({}, {"input": {}}, False)])
def test_pixels_that_enter_as_they_are_stored_are_told_once(tmp_path, capsys, changes, sidecar,
                                                            said):
    np.savez(tmp_path / "images.npz", x=pixels(4, 9, 7, 3), y=[0, 1, 2, 3])
    np.savez(tmp_path / "floats.npz", x=np.zeros((4, 3, 9, 7), np.float32), y=[0, 1, 2, 3])
    onnx.save(plain().model(), tmp_path / "net.onnx")
    if sidecar is not None:
        (tmp_path / "net.json").write_text(json.dumps(sidecar))
    found = Preprocessing.beside(tmp_path / "net.onnx", changes=changes)
    for _ in range(2):
        open_images(str(tmp_path / "images.npz"), found)
    open_images(str(tmp_path / "floats.npz"), replace(found, takes=None))  # taken as they are
    expected = (f"notice: pixels enter the network as 0 to 255: no {tmp_path / 'net.json'} says "
                "otherwise (docs/data.md#preprocessing)\n")
    assert capsys.readouterr().err == expected * said
