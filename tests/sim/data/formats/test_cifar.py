"""CIFAR files in all published forms hold the same images; damaged ones are refused by name."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest

from hw.common.errors import InputError
from sim.data import Preprocessing, load_data, load_images
from sim.data.formats import cifar
from tests.outside_data import outside
from tests.sim.data.writers import nchw, pixels

PLAIN = Preprocessing()
BATCHES = {"cifar10": {"train": [f"data_batch_{index}" for index in range(1, 6)],
                       "test": ["test_batch"]},
           "cifar100": {"train": ["train"], "test": ["test"]}}
PER_BATCH = 3


def contents(kind, form):
    """File name -> bytes, and split -> (images, labels) as they must be read."""
    files, expected = {}, {}
    generator = np.random.default_rng(4)
    for split, names in BATCHES[kind].items():
        images = generator.integers(0, 256, (PER_BATCH * len(names), 32, 32, 3), np.uint8)
        labels = generator.permutation(10 if kind == "cifar10" else 100)[:len(images) % 100]
        labels = np.resize(labels, len(images))
        expected[split] = images, labels
        planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        for index, name in enumerate(names):
            part = slice(index * PER_BATCH, (index + 1) * PER_BATCH)
            fine = labels[part].astype(np.uint8)
            if form == "bin":
                heads = [fine] if kind == "cifar10" else [fine // 5, fine]
                files[f"{name}.bin"] = np.column_stack([*heads, planes[part]]).tobytes()
            else:
                labelled = {b"labels": fine.tolist()} if kind == "cifar10" else {
                    b"coarse_labels": (fine // 5).tolist(), b"fine_labels": fine.tolist()}
                files[name] = pickle.dumps({b"batch_label": b"x", **labelled,
                                            b"data": planes[part], b"filenames": [b"a.png"] * 3}, 3)
    files["readme.html"] = b"text"
    return files, expected


def write_folder(path, files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def write_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        # Not in the order of their numbers, as published.
        for name, content in sorted(files.items(), reverse=True):
            member = tarfile.TarInfo(f"cifar-10-batches/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("form", ["bin", "py"])
@pytest.mark.parametrize("place", ["folder", "tar.gz", "tar"])
@pytest.mark.parametrize(("split", "limit"), [("train", None), ("test", None), ("train", 2),
                                              ("train", 4)])
def test_every_form_holds_the_same(tmp_path, kind, form, place, split, limit):
    files, expected = contents(kind, form)
    if place == "folder":
        if kind == "cifar100":
            files["meta"] = b""
        source = write_folder(tmp_path / "f", files)
    else:
        source = write_tar(tmp_path / f"{kind.replace('r1', 'r-1')}.{place}", files,
                           "w:gz" if place == "tar.gz" else "w")
    images, labels = expected[split]
    data = load_data(f"{source}#{split}", PLAIN, limit=limit)
    np.testing.assert_array_equal(data.images, nchw(images)[:limit])
    np.testing.assert_array_equal(data.labels, labels[:limit])
    np.testing.assert_array_equal(load_images(f"{source}#{split}", PLAIN, limit=limit),
                                  data.images)


@pytest.mark.parametrize("form", ["bin", "py"])
def test_one_batch_is_a_source(tmp_path, form):
    files, expected = contents("cifar10", form)
    folder = write_folder(tmp_path / "f", files)
    name = "data_batch_2" + ".bin" * (form == "bin")
    data = load_data(str(folder / name), PLAIN)
    np.testing.assert_array_equal(data.images, nchw(expected["train"][0][3:6]))
    np.testing.assert_array_equal(data.labels, expected["train"][1][3:6])
    with pytest.raises(InputError, match=rf"{name}#test: one batch has no splits$"):
        load_data(f"{folder / name}#test", PLAIN)


def test_splits_must_be_named(tmp_path):
    source = write_tar(tmp_path / "cifar-10.tar.gz", contents("cifar10", "bin")[0])
    with pytest.raises(InputError, match=r"-10\.tar\.gz: must be followed by #train or #test$"):
        load_data(str(source), PLAIN)
    with pytest.raises(InputError, match=r"^\S+: Unknown split 'tset'; did you mean 'test'\?$"):
        load_data(f"{source}#tset", PLAIN)


def test_missing_batches_are_named(tmp_path):
    files, _ = contents("cifar10", "bin")
    del files["data_batch_4.bin"]
    folder = write_folder(tmp_path / "f", files)
    with pytest.raises(InputError, match=r"f: must have a file data_batch_4\.bin or data_batch_4$"):
        load_data(f"{folder}#train", PLAIN)
    assert len(load_data(f"{folder}#train", PLAIN, limit=9).labels) == 9
    source = write_tar(tmp_path / "cifar-10.tar.gz", files)
    with pytest.raises(InputError, match=r"must hold a file data_batch_4\.bin or data_batch_4$"):
        load_data(f"{source}#train", PLAIN)


def _row(label):
    return bytes([label]) + pixels(3072).tobytes()


def _pickle(**changes):
    return pickle.dumps({"data": pixels(2, 3072), "labels": [1, 2], **changes}, 3)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("test_batch.bin", _row(1)[:-1], r"must have records of 3073 bytes, but has 3072 bytes$"),
    ("test_batch.bin", b"", r"must have records of 3073 bytes, but has 0 bytes$"),
    ("test_batch.bin", _row(10), r"labels must be 0 to 9, not 10$"),
    ("test.bin", b"\3" + _row(100), r"labels must be 0 to 99, not 100$"),
    ("test.bin", _row(1), r"must have records of 3074 bytes, but has 3073 bytes$"),
    ("test_batch", b"", r"not a valid pickle \("),
    ("test_batch", pickle.dumps([1]), r"must be a batch with data, uint8 \[n, 3072\]$"),
    ("test_batch", _pickle(data=pixels(2, 3071)), r"must be a batch with data, uint8 \[n, 3072\]$"),
    ("test_batch", _pickle(data=pixels(2, 3072).astype(np.int64)), r"must be a batch with data"),
    ("test_batch", _pickle(labels=[1]), r"must have labels, a class number for each of 2 images$"),
    ("test_batch", _pickle(labels=[1, "2"]), r"must have labels, a class number for each"),
    ("test_batch", _pickle(labels=[1, [2]]), r"must have labels, a class number for each"),
    ("test_batch", _pickle(labels=[1, 1 << 70]), r"must have labels, a class number for each"),
    ("test_batch", _pickle(labels=[1, 10]), r"labels must be 0 to 9, not 10$"),
    ("test_batch", _pickle(labels=[1, -1]), r"labels must not be negative, but -1 is$"),
    ("test_batch", b"cos\nsystem\n(S'touch broken'\ntR.", r"pickle must .*, not os\.system$"),
])
@pytest.mark.parametrize("place", ["file", "tar"])
def test_batches_that_do_not_fit_are_refused_by_name(tmp_path, monkeypatch, name, content, message,
                                                     place):
    monkeypatch.chdir(tmp_path)
    if place == "file":
        (tmp_path / name).write_bytes(content)
        source, named = name, name
    else:
        kind = "cifar100" if name == "test.bin" else "cifar10"
        write_tar(tmp_path / "a.tar", {name: content}, "w")
        source, named = f"{kind}:a.tar#test", f"a.tar: {name}"
    with pytest.raises(InputError, match=f"^{named.replace('.', '[.]')}: {message}"):
        load_data(source, PLAIN)
    assert not (tmp_path / "broken").exists()


def _member(**changes):
    member = tarfile.TarInfo("test_batch.bin")
    for name, value in changes.items():
        setattr(member, name, value)
    return member


@pytest.mark.parametrize(("member", "message"), [
    (_member(type=tarfile.SYMTYPE, linkname="/etc/passwd"), r"must hold a file test_batch\.bin"),
    (_member(type=tarfile.LNKTYPE, linkname="../secret"), r"must hold a file test_batch\.bin"),
    (_member(type=tarfile.FIFOTYPE), r"must hold a file test_batch\.bin or test_batch$"),
    (_member(type=tarfile.CHRTYPE), r"must hold a file test_batch\.bin or test_batch$"),
    (_member(size=300 << 20), r"test_batch\.bin: batch must have at most 256 MiB, not 300$"),
    (_member(name="big", size=1 << 40), r"archive must have at most 512 MiB unpacked$"),
    (_member(size=3073), r"(damaged archive \(|test_batch\.bin: is cut short)"),
])
def test_archives_that_lead_elsewhere_are_refused(tmp_path, member, message):
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(InputError, match=rf"a\.tar: {message}"):
        load_data(f"cifar10:{tmp_path / 'a.tar'}#test", PLAIN)


def test_names_in_an_archive_are_never_paths(tmp_path):
    row = _row(3)
    member = _member(name="../../../test_batch.bin", size=len(row))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(member, io.BytesIO(row))
    before = sorted(tmp_path.rglob("*"))
    assert load_data(f"cifar10:{tmp_path / 'a.tar'}#test", PLAIN).labels.tolist() == [3]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_archives_that_unpack_without_end_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(cifar, "MAX_ARCHIVE_BYTES", 1 << 20)
    member = _member(name="big", type=kind, size=1 << 32)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(member.tobuf() + bytes(2 << 20)))
    with pytest.raises(InputError, match=r"a\.tgz: (archive must have at most 1 MiB unpacked$|"
                                         r"damaged archive \(header of 4294967296 bytes\)$)"):
        load_data(f"cifar10:{tmp_path / 'a.tgz'}#test", PLAIN)


def test_archives_of_headers_alone_are_refused(tmp_path):
    member = _member(type=tarfile.GNUTYPE_LONGNAME, size=1)
    (tmp_path / "a.tar").write_bytes((member.tobuf() + bytes(512)) * 5000)
    with pytest.raises(InputError, match=r"a\.tar: damaged archive \("):
        load_data(f"cifar10:{tmp_path / 'a.tar'}#test", PLAIN)


@pytest.mark.parametrize("part", [0.2, 0.7, 0.95])
def test_truncated_archives_are_refused_by_name(tmp_path, part):
    source = write_tar(tmp_path / "cifar-10.tar.gz", contents("cifar10", "bin")[0])
    content = source.read_bytes()
    source.write_bytes(content[:int(part * len(content))])
    with pytest.raises(InputError, match=r"cifar-10\.tar\.gz: "):
        load_data(f"{source}#train", PLAIN)


def test_large_batches_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "MAX_BATCH_BYTES", 3072)
    (tmp_path / "test_batch.bin").write_bytes(_row(1))
    with pytest.raises(InputError, match=r"test_batch\.bin: batch must have at most 0 MiB"):
        load_data(str(tmp_path / "test_batch.bin"), PLAIN)


def test_the_shared_test_set_survives_the_way_through_its_published_form(tmp_path):
    path = outside("images", "cifar10_test.npz")
    with np.load(path) as archive:
        x, y = archive["x"][:1000], archive["y"][:1000]
    rows = np.column_stack([y, x.transpose(0, 3, 1, 2).reshape(len(x), -1)])
    (tmp_path / "test_batch.bin").write_bytes(rows.astype(np.uint8).tobytes())
    preprocessing = Preprocessing.from_settings({"preset": "imagenet-statistics"})
    stored = load_data(str(path), preprocessing, limit=1000)
    binary = load_data(str(tmp_path / "test_batch.bin"), preprocessing)
    np.testing.assert_array_equal(stored.images, binary.images)
    np.testing.assert_array_equal(stored.labels, binary.labels)
