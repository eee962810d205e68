"""Small files of the published form become what `make reproduce` takes; others are refused."""

import hashlib
import io
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import onnx
import pytest

from hw.common.errors import InputError
from hw.common.files import file_digest
from search.reproduce.prepare import downloads
from search.reproduce.prepare.checkpoint import head_digest, read_checkpoint
from search.reproduce.prepare.splits import cut_cifar10
from sim.data import Preprocessing, load_data
from tests.command import run_main
from tests.search.reproduce.prepare.test_checkpoint import made_up, saved

CIFAR, RESNET20, _RESNET56, IMAGENET = downloads.DOWNLOADS
PER_BATCH = 260


def write_cifar(path):
    """Return pixels [n, 32, 32, 3] and labels of training and test images, also in the archive."""
    generator = np.random.default_rng(0)
    splits = {}
    with tarfile.open(path, "w:gz") as archive:
        for name in (*(f"data_batch_{index}" for index in range(1, 6)), "test_batch"):
            pixels = generator.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8)
            labels = generator.integers(0, 10, PER_BATCH).tolist()
            content = pickle.dumps({b"data": pixels, b"labels": labels}, protocol=2)
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
            own = splits.setdefault("test" if name == "test_batch" else "train", ([], []))
            own[0].append(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            own[1].extend(labels)
    return {split: (np.concatenate(parts), labels) for split, (parts, labels) in splits.items()}


def expect(monkeypatch, **digests):
    """Let these be the digests that are demanded, by file."""
    monkeypatch.setattr(downloads, "DOWNLOADS", tuple(
        replace(one, digest=digests.get(one.file.split("-")[0], one.digest))
        for one in downloads.DOWNLOADS))


def test_archive_and_checkpoint_become_images_and_a_network(tmp_path, monkeypatch, capsys):
    splits = write_cifar(tmp_path / CIFAR.file)
    path = saved(made_up(), tmp_path / RESNET20.file)
    expect(monkeypatch, cifar=file_digest(tmp_path / CIFAR.file),
           resnet20=head_digest(read_checkpoint(path)))
    data = tmp_path / "data"
    assert run_main(downloads.main, monkeypatch, str(tmp_path), "-o", str(data)) == 0
    printed = capsys.readouterr().out.splitlines()
    files = ["images/cifar10_train_0.npz", "images/cifar10_test.npz", "nets/resnet20_cifar10.onnx"]
    assert printed[:3] == [f"{file_digest(data / name)}  {data / name}" for name in files]
    assert [line.partition(":")[0] for line in printed[3:]] == [
        "resnet56-4bfd9763.th", "ILSVRC2012_img_val.tar"]
    for name, split in zip(files, ("train", "test"), strict=False):
        with np.load(data / name) as found:
            np.testing.assert_array_equal(found["x"], splits[split][0])
            np.testing.assert_array_equal(found["y"], splits[split][1])
    onnx.checker.check_model(onnx.load(data / files[2]))
    calibrate, *_ = cut_cifar10(data, tmp_path / "work")  # as make reproduce goes on
    assert len(load_data(str(calibrate), Preprocessing()).labels) == 128


@pytest.mark.parametrize(("one", "said"), [
    (CIFAR, r"sha256 must be 6d958be0.*, as stated by Keras"),
    (RESNET20, r"sha256 of the last layer must be 717174a9"),
    (IMAGENET, r"ILSVRC2012_devkit_t12.tar.gz: must be there")])
def test_other_files_are_refused(tmp_path, monkeypatch, one, said):
    if one is RESNET20:
        saved(made_up(), tmp_path / one.file)
    else:
        (tmp_path / one.file).write_bytes(b"another")
    with pytest.raises(InputError, match=said):
        run_main(downloads.main, monkeypatch, str(tmp_path), "-o", str(tmp_path / "data"))
    assert not (tmp_path / "data" / "nets").exists()


def test_a_digest_is_of_the_algorithm_that_is_named(tmp_path):
    path = tmp_path / IMAGENET.file
    path.write_bytes(b"images")
    downloads.check(path, replace(IMAGENET, digest=hashlib.md5(b"images").hexdigest()))
    with pytest.raises(InputError, match=r"md5 must be 29b22e29.*image-net\.org"):
        downloads.check(path, IMAGENET)


def test_an_empty_folder_is_told_what_belongs_there(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"must hold one of cifar-10-python\.tar\.gz, resnet20"):
        run_main(downloads.main, monkeypatch, str(tmp_path), "-o", str(tmp_path / "data"))
