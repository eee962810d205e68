"""Labels come back whole, each once and a class, or not at all."""

import numpy as np
import pytest
from PIL import Image

from hw.common.errors import InputError
from search.pool.labelling import FOLDER, PAGE, TEMPLATE, read_labels, write_images

WHICH, CLASSES = np.array([3, 12]), ("cat", "dog<b>", "7")


def test_pictures_a_page_and_a_list_are_written_and_a_begun_list_stays(tmp_path):
    pictures = np.random.default_rng(1).normal(size=(20, 3, 4, 5)).astype(np.float32)
    for _ in range(2):
        write_images(tmp_path, pictures, WHICH, CLASSES)
        place = tmp_path / FOLDER
        assert sorted(path.name for path in place.iterdir()) == [
            "000003.png", "000012.png", PAGE, TEMPLATE]
        (place / TEMPLATE).write_text("image,label\n000003,cat\n")
    assert (place / TEMPLATE).read_text().endswith("cat\n")
    with Image.open(place / "000003.png") as picture:
        assert picture.size == (5, 4)
    page = (place / PAGE).read_text()
    assert "dog&lt;b&gt;" in page
    assert 'src="000012.png"' in page


def test_features_are_written_as_arrays(tmp_path):
    features = np.arange(60, dtype=np.float32).reshape(20, 3)
    write_images(tmp_path, features, WHICH, CLASSES)
    assert (np.load(tmp_path / FOLDER / "000012.npy") == features[12]).all()


def test_labels_are_numbers_or_names_in_any_order(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("﻿image,label\n000012,dog<b>\n000003, 0 \n", encoding="utf-8")
    assert read_labels(path, WHICH, CLASSES).tolist() == [0, 1]


@pytest.mark.parametrize(("rows", "message"), [
    (["000003,cat", "000012,"], "1 of 2 images have no label yet; nothing is certified from part"),
    (["000003,cat"], "1 of 2 images have no label yet"),
    (["000003,cat", "000012,dgo<b>"], r"line 3: Unknown class 'dgo<b>'; did you mean 'dog<b>'"),
    (["000003,3", "000012,1"], "line 2: label must be a class below 3, not 3"),
    (["000003,-1", "000012,1"], "line 2: Unknown class '-1'"),
    (["000004,cat"], "line 2: '000004' is not one of the 2 images to label"),
    (["000003,cat", "000003,cat"], "line 3: image 000003 must be labelled once"),
    (["000003,cat,x"], "line 2 must have image and label"),
    (["000003"], "1 of 2 images|2 of 2 images"),
])
def test_other_lists_are_refused(tmp_path, rows, message):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["image,label", *rows, ""]))
    with pytest.raises(InputError, match=message):
        read_labels(path, WHICH, CLASSES)


def test_a_list_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("labels.csv", "absent.csv"):
        with pytest.raises(InputError, match=f"{name}: must be a CSV file"):
            read_labels(tmp_path / name, WHICH, CLASSES)
