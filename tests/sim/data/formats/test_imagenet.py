"""A folder of images with a list, in the forms that ImageNet's comes in."""

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data, load_images
from tests.sim.data.writers import encoded, nchw, pixels

PLAIN = Preprocessing()
IMAGES = pixels(4, 5, 6, 3)


@pytest.fixture
def val(tmp_path):
    (tmp_path / "val").mkdir()
    for index, image in enumerate(IMAGES, 1):
        (tmp_path / "val" / f"val_{index:08}.JPEG").write_bytes(encoded(image))  # PNG inside
    return tmp_path / "val"


def listed(val, text, name="list.txt"):
    (val.parent / name).write_text(text)
    return f"imagenet:{val},{val.parent / name}"


NAMED = "val_00000003.JPEG 7\nval_00000001.JPEG 0\n\nval_00000004.JPEG 999\n"


@pytest.mark.parametrize("limit", [None, 2])
def test_named_labels_are_in_the_order_of_the_list(val, limit):
    data = load_data(listed(val, NAMED), PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(IMAGES[[2, 0, 3]])[:limit])
    assert data.labels.tolist() == [7, 0, 999][:limit]


@pytest.mark.parametrize("limit", [None, 2])
def test_plain_labels_are_in_the_order_of_the_names(val, limit):
    data = load_data(listed(val, "5\n0\n17\n3\n"), PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(IMAGES)[:limit])
    assert data.labels.tolist() == [5, 0, 17, 3][:limit]


def test_numbers_of_the_development_kit_become_ranks_of_wordnet_ids(val):
    source = listed(val, "3\n1\n1\n2\n")
    (val.parent / "synsets").write_text("n03 dog, hound\nn01 cat\nn02 cow\n")
    data = load_data(f"{source},{val.parent / 'synsets'}", PLAIN)
    assert data.labels.tolist() == [1, 2, 2, 0]


def test_no_list_is_needed_where_no_labels_are(val):
    np.testing.assert_array_equal(load_images(f"imagenet:{val}", PLAIN, limit=3), nchw(IMAGES[:3]))
    with pytest.raises(InputError, match=r"a list of labels must follow: imagenet:.*,LIST$"):
        load_data(f"imagenet:{val}", PLAIN)


@pytest.mark.parametrize(("text", "message"), [
    ("", r"list must not be empty$"),
    ("1\n2\n3\n", r"list must have a label for each of 4 images of .*/val, not 3$"),
    ("1\n2\n3\n1000\n", r"labels 1 to 1000 are numbers of the development kit; name the list of"),
    ("1\n2\nx\n4\n", r"entry 3 must be LABEL, not 'x'$"),
    ("1\n-2\n3\n4\n", r"entry 2 must be LABEL, not '-2'$"),
    ("val_00000001.JPEG 1\n7\n", r"entry 2 must be NAME LABEL, not '7'$"),
    ("val_00000001.JPEG 1.5\n", r"entry 1 must be NAME LABEL, not 'val_00000001\.JPEG 1\.5'$"),
    ("val_00000009.JPEG 1\n", r"must name images of .*, but there is no 'val_00000009\.JPEG'$"),
    ("../list.txt 1\n", r"names must stay inside .*/val, not '\.\./list\.txt'$"),
    ("/etc/passwd 1\n", r"names must stay inside .*/val, not '/etc/passwd'$"),
    ("val_00000001.JPEG 99999999999999999999\n", r"entry 1 must be NAME LABEL"),
])
def test_lists_that_do_not_fit_are_refused_by_name(val, text, message):
    with pytest.raises(InputError, match=rf"list\.txt: {message}"):
        load_data(listed(val, text), PLAIN)


@pytest.mark.parametrize(("synsets", "message"), [
    ("n01\nn02\n", r"list\.txt: labels must be 1 to 2, the lines of .*/synsets, not 1 to 3$"),
    ("n01\nn02\nn01\n", r"synsets: WordNet ids must differ$"),
])
def test_wordnet_ids_that_do_not_fit_are_refused(val, synsets, message):
    source = listed(val, "3\n1\n1\n2\n")
    (val.parent / "synsets").write_text(synsets)
    with pytest.raises(InputError, match=message):
        load_data(f"{source},{val.parent / 'synsets'}", PLAIN)


def test_the_images_must_be_a_folder(val):
    with pytest.raises(InputError, match=r"list\.txt: must be a folder of images$"):
        load_data(f"imagenet:{listed(val, NAMED).split(',')[1]}", PLAIN)
