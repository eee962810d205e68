"""Class folders: numbering, order, what is left out."""

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, content, load_data, load_images
from sim.data.formats.folder import mixed
from tests.sim.data.writers import encoded, nchw, pixels

PLAIN = Preprocessing()


@pytest.fixture
def tree(tmp_path):
    """Three classes of 4, 2 and 2 images, whose first pixel tells which they are."""
    for name, count, base in (("cat", 4, 0), ("ant", 2, 100), ("bee", 2, 200)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(count):
            image = pixels(6, 5, 3)
            image[0, 0, 0] = base + index
            (tmp_path / "set" / name / f"{index}.PNG").write_bytes(encoded(image))
    return tmp_path / "set"


def marks(data):
    return data.images[:, 0, 0, 0].astype(int).tolist()


def test_classes_are_numbered_by_name_and_mixed_evenly(tree):
    data = load_data(str(tree), PLAIN)
    # Places: cat 1/8 3/8 5/8 7/8, ant and bee 1/4 3/4.
    assert marks(data) == [0, 100, 200, 1, 2, 101, 201, 3]
    assert data.labels.tolist() == [2, 0, 1, 2, 2, 0, 1, 2]
    first = load_data(f"folder:{tree}", PLAIN, limit=4)
    assert marks(first) == [0, 100, 200, 1]
    np.testing.assert_array_equal(load_images(str(tree), PLAIN), data.images)


@pytest.mark.parametrize("given", [False, True])
def test_a_class_list_numbers_the_classes(tree, given):
    path = tree.parent / "names.txt" if given else tree / "classes.txt"
    path.write_text("dog\ncat\n\nbee\nant\n")
    source = f"folder:{tree},{path}" if given else str(tree)
    data = load_data(source, PLAIN)
    assert sorted(zip(marks(data), data.labels.tolist(), strict=True)) == [
        (0, 1), (1, 1), (2, 1), (3, 1), (100, 3), (101, 3), (200, 2), (201, 2)]


@pytest.mark.parametrize(("names", "message"), [
    ("cat\nant\n", r"bee: folder must be one of the 2 classes of .*classes\.txt$"),
    ("cat\nant\nbee\nant\n", r"classes\.txt: classes must have different names$"),
])
def test_class_lists_that_do_not_fit_are_refused(tree, names, message):
    (tree / "classes.txt").write_text(names)
    with pytest.raises(InputError, match=message):
        load_data(str(tree), PLAIN)


def test_a_class_list_that_is_no_text_is_refused(tree):
    (tree / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"classes\.txt: must be UTF-8 text$"):
        load_data(str(tree), PLAIN)


def test_other_files_are_listed_once(tree, capsys):
    for name in ("ant/readme.md", "ant/.hidden.png", "cat/x.gif", "Thumbs.db"):
        (tree / name).write_bytes(b"")
    (tree / ".git").mkdir()
    assert len(load_data(str(tree), PLAIN).labels) == 8
    assert capsys.readouterr().err.splitlines() == [
        f"{tree}: 4 files are no images, left out: Thumbs.db, ant/.hidden.png, ant/readme.md, ..."]


@pytest.mark.parametrize("limit", [None, 2])
def test_images_without_classes_serve_where_no_labels_are_needed(tmp_path, limit):
    images = pixels(3, 4, 4, 3)
    for index, image in enumerate(images):
        (tmp_path / f"{index}.png").write_bytes(encoded(image))
    np.testing.assert_array_equal(load_images(str(tmp_path), PLAIN, limit=limit),
                                  nchw(images)[:limit])
    with pytest.raises(InputError, match="must have a folder of images per class"):
        load_data(str(tmp_path), PLAIN)


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must have images \("):
        load_images(str(tmp_path), PLAIN)
    (tmp_path / "cat").mkdir()
    with pytest.raises(InputError, match="must have a folder of images per class"):
        load_data(str(tmp_path), PLAIN)
    (tmp_path / "f.txt").write_text("")
    with pytest.raises(InputError, match=r"f\.txt: must be a folder"):
        load_data(f"folder:{tmp_path / 'f.txt'}", PLAIN)


def test_large_files_are_refused_before_they_are_read(tree, monkeypatch):
    monkeypatch.setattr(content, "MAX_FILE_BYTES", 50)
    with pytest.raises(InputError, match=r"/0\.PNG: image file must have at most 0 MiB$"):
        load_data(str(tree), PLAIN)


@pytest.mark.parametrize("sizes", [(50, 50), (90, 10), (7, 31, 62)])
def test_any_first_images_have_the_shares_of_the_whole(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = mixed(labels)
    assert sorted(order.tolist()) == list(range(labels.size))
    for first in range(1, labels.size + 1):
        counts = np.bincount(labels[order[:first]], minlength=len(sizes))
        assert np.abs(counts - first * np.array(sizes) / labels.size).max() <= 1
    for label in range(len(sizes)):
        own = order[labels[order] == label]
        assert (np.diff(own) > 0).all()
