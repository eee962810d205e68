"""One validation image of each class, by made-up archives of the published form."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hw.common.errors import InputError
from search.reproduce.prepare import imagenet
from sim.data import Preprocessing, load_data

IDS = ["n03", "n01", "n02"]  # of the development kit's classes 1, 2, 3
TRUTH = [2, 1, 1, 3, 2]


def add(archive, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def write_kit(path):
    synsets = np.array([(number, name, "", "", 0) for number, name in enumerate(IDS, 1)]
                       + [(4, "n00", "", "", 3)],  # what holds classes is none
                       dtype=[("ILSVRC2012_ID", object), ("WNID", object), ("words", object),
                              ("gloss", object), ("num_children", object)])
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    with tarfile.open(path, "w:gz") as archive:
        folder = "ILSVRC2012_devkit_t12/data"
        add(archive, f"{folder}/{imagenet.META}", meta.getvalue())
        add(archive, f"{folder}/{imagenet.TRUTH}", "".join(f"{one}\n" for one in TRUTH).encode())


def write_images(path, count=5):
    """Image i has the brightness 40 i, and a black border that the crop leaves out."""
    with tarfile.open(path, "w") as archive:
        for index in reversed(range(count)):  # whatever their order in the archive
            pixels = np.zeros((512, 600, 3), np.uint8)
            pixels[32:-32, 76:-76] = 40 * index
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, "jpeg", quality=95)
            add(archive, f"ILSVRC2012_val_{index + 1:08}.JPEG", out.getvalue())


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(imagenet, "CLASSES", len(IDS))
    write_kit(tmp_path / "kit.tar.gz")
    write_images(tmp_path / "val.tar")
    return tmp_path / "val.tar", tmp_path / "kit.tar.gz"


def test_the_first_image_of_each_class_is_cropped_and_labelled(files, tmp_path):
    archive, kit = files
    labels = imagenet.read_labels(kit)
    assert labels.tolist() == [0, 2, 2, 1, 0]  # places of n01, n03, n03, n02, n01
    np.savez(tmp_path / "sample.npz", **imagenet.sample(archive, labels))
    found = load_data(str(tmp_path / "sample.npz"), Preprocessing())
    assert found.labels.tolist() == [0, 1, 2]
    assert found.images.shape == (3, 3, 224, 224)
    for image, brightness in zip(found.images, (0, 120, 40), strict=True):
        assert np.abs(image[:, 4:-4, 4:-4] - brightness).max() <= 3


def test_what_is_missing_is_said(files, tmp_path):
    archive, kit = files
    labels = imagenet.read_labels(kit)
    write_images(archive, count=4)
    with pytest.raises(InputError, match=r"must hold 5 images of 3 classes, not 4 of 3"):
        imagenet.sample(archive, labels)
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    (tmp_path / "page.html").write_text("sign in first")
    for other in ("empty.tar.gz", "page.html"):
        with pytest.raises(InputError, match=r"must be the development kit of ILSVRC 2012"):
            imagenet.read_labels(tmp_path / other)
    with pytest.raises(InputError, match="must be a tar archive"):
        imagenet.sample(tmp_path / "page.html", labels)
