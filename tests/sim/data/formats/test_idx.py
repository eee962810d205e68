"""IDX files, plain and compressed, alone and in a folder."""

import gzip

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data, load_images
from tests.sim.data.writers import nchw, pixels, write_idx

PLAIN = Preprocessing()
IMAGES, LABELS = pixels(5, 6, 7), np.array([3, 1, 4, 1, 5], np.uint8)


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("mark", ["-idx", ".idx"])
@pytest.mark.parametrize("limit", [None, 2])
def test_labels_lie_beside_the_images(tmp_path, gz, mark, limit):
    path = write_idx(tmp_path / f"a-images{mark}3-ubyte{gz}", IMAGES)
    write_idx(tmp_path / f"a-labels{mark}1-ubyte{gz}", LABELS)
    data = load_data(str(path), PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(IMAGES[..., None])[:limit])
    assert data.labels.tolist() == LABELS[:limit].tolist()


def test_labels_may_be_named_and_are_not_needed_for_images(tmp_path):
    images, labels = write_idx(tmp_path / "i", IMAGES), write_idx(tmp_path / "l", LABELS)
    assert load_data(f"idx:{images},{labels}", PLAIN).labels.tolist() == LABELS.tolist()
    assert load_images(f"idx:{images}", PLAIN).shape == (5, 1, 6, 7)
    with pytest.raises(InputError, match=r"/i: labels must be named: idx:.*/i,LABELS$"):
        load_data(f"idx:{images}", PLAIN)


def test_four_dimensions_are_colour(tmp_path):
    images = pixels(2, 4, 5, 3)
    path = write_idx(tmp_path / "i", images)
    np.testing.assert_array_equal(load_images(f"idx:{path}", PLAIN), nchw(images))


def test_a_folder_has_splits(tmp_path):
    for name, images, labels in (("train", IMAGES, LABELS), ("t10k", IMAGES[:2], LABELS[:2])):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte.gz", labels)
    assert len(load_data(f"{tmp_path}#train", PLAIN).labels) == 5
    assert len(load_data(f"{tmp_path}#test", PLAIN).labels) == 2
    with pytest.raises(InputError, match=r"must be followed by #train or #test$"):
        load_data(str(tmp_path), PLAIN)
    with pytest.raises(InputError, match=r"^\S+: Unknown split 'tset'; did you mean 'test'\?$"):
        load_data(f"{tmp_path}#tset", PLAIN)
    with pytest.raises(InputError, match=r"one IDX file has no splits$"):
        load_data(f"{tmp_path}/train-images-idx3-ubyte.gz#train", PLAIN)


WHOLE = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2]) + bytes(8)


@pytest.mark.parametrize(("content", "message"), [
    (b"", r"must be an IDX file of unsigned bytes \(00 00 08 \.\.\.\), not empty$"),
    (b"\x89PNG", r"must be an IDX file of unsigned bytes \(00 00 08 \.\.\.\), not 89 50 4e 47$"),
    (b"\0\0\x0d\3" + WHOLE[4:], r"must be an IDX file of unsigned bytes .*, not 00 00 0d 03$"),
    (WHOLE[:9], r"is cut short$"),
    (WHOLE[:-1], r"must have 8 bytes for \[2, 2, 2\], not 7$"),
    (b"\0\0\x08\x01" + WHOLE[4:], r"must have 3 or 4 dimensions that are not 0, not \[2\]$"),
    (WHOLE[:4] + bytes(12), r"must have 3 or 4 dimensions that are not 0, not \[0, 0, 0\]$"),
    (WHOLE[:4] + b"\xff" * 12, r"4294967295 images would take .* TiB of memory, more than .*; --"),
])
@pytest.mark.parametrize("gz", ["", ".gz"])
def test_files_that_do_not_fit_are_refused_by_name(tmp_path, content, message, gz):
    path = tmp_path / f"i{gz}"
    path.write_bytes(gzip.compress(content) if gz else content)
    with pytest.raises(InputError, match=rf"/i{gz}: {message}"):
        load_images(f"idx:{path}", PLAIN)


def test_damaged_gzip_is_refused(tmp_path):
    whole = gzip.compress(WHOLE)
    for content in (whole[:-12], b"\x1f\x8b" + bytes(20), b"nonsense", whole[:15] + b"\xff" * 9):
        (tmp_path / "i.gz").write_bytes(content)
        with pytest.raises(InputError, match=r"/i\.gz: damaged gzip file"):
            load_images(f"idx:{tmp_path / 'i.gz'}", PLAIN)


def test_counts_must_match(tmp_path):
    images, labels = write_idx(tmp_path / "i", IMAGES), write_idx(tmp_path / "l", LABELS[:4])
    with pytest.raises(InputError, match=r"/l: must have a label for each of 5 images of .*/i, "
                                         r"not 4$"):
        load_data(f"idx:{images},{labels}", PLAIN, limit=2)
