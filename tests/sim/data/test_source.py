"""Which kind of data a word names: by prefix, by name, by what is in a folder."""

from pathlib import Path

import pytest

from hw.common.errors import InputError
from sim.data import PRESETS
from sim.data.source import KINDS, kind_of, parse, relative_to
from sim.options import SETTINGS


@pytest.mark.parametrize(("name", "kind"), [
    ("a.npz", "npz"), ("A.NPZ", "npz"),
    ("data_batch_3.bin", "cifar10"), ("test_batch", "cifar10"),
    ("train.bin", "cifar100"), ("test.bin", "cifar100"),
    ("cifar-10-binary.tar.gz", "cifar10"), ("cifar-10-python.tar", "cifar10"),
    ("cifar-100-binary.tgz", "cifar100"),
    ("train-images-idx3-ubyte", "idx"), ("t10k-images.idx3-ubyte.gz", "idx"),
])
def test_files_are_known_by_their_name(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"")
    assert parse(str(tmp_path / name)).kind == kind


@pytest.mark.parametrize("name", [*KINDS, *PRESETS, *SETTINGS])
def test_kinds_presets_and_settings_are_documented(name):
    assert f"`{name}" in (Path(__file__).parents[3] / "docs" / "data.md").read_text()


@pytest.mark.parametrize(("names", "kind"), [
    (["data_batch_1.bin", "batches.meta.txt"], "cifar10"), (["test_batch"], "cifar10"),
    (["train.bin", "test.bin"], "cifar100"), (["train", "test", "meta"], "cifar100"),
    (["train-images-idx3-ubyte.gz"], "idx"), (["cat/", "dog/"], "folder"),
    (["train/", "test/", "meta/"], "folder"), ([], "folder"),
])
def test_folders_are_known_by_the_names_in_them(tmp_path, names, kind):
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(b"")
    assert kind_of(tmp_path) == kind


def test_a_prefix_decides_and_a_split_follows(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    source = parse(f"cifar100:{tmp_path / 'x'}#train")
    assert (source.kind, source.path, source.split) == ("cifar100", tmp_path / "x", "train")
    listed = parse(f"imagenet:{tmp_path},{tmp_path / 'x'},{tmp_path / 'x'}")
    assert listed.files == (tmp_path / "x",) * 2


@pytest.mark.parametrize(("text", "meant"), [
    ("a.npz", "{0}/a.npz"), ("c#train", "{0}/c#train"), ("cifar10:c#train", "cifar10:{0}/c#train"),
    ("idx:x,y", "idx:{0}/x,{0}/y"), ("npz:/b.npz", "npz:/b.npz"), ("/b.npz", "/b.npz"),
    ("digits:search", "digits:search"), ("npz:odd", "{0}/npz:odd"), ("nonsense:x", "nonsense:x")])
def test_paths_may_be_meant_relative_to_a_folder(tmp_path, text, meant):
    (tmp_path / "npz:odd").touch()
    assert relative_to(text, tmp_path) == meant.format(tmp_path)


def test_an_existing_path_is_taken_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a#b,c.npz", "idx:x.npz"):
        (tmp_path / name).write_bytes(b"")
        source = parse(name)
        assert (source.kind, str(source.path), source.split) == ("npz", name, None)


@pytest.mark.parametrize(("text", "message"), [
    ("no.npz", r"no\.npz: No such file or directory$"),
    ("no.npz#test", r"no\.npz: No such file or directory$"),
    ("", r"Data: No such file or directory$"),
    ("npz:", r"Data: No such file or directory$"),
    ("cifar:x", r"Unknown kind of data 'cifar'; did you mean 'cifar10'\?$"),
    ("folder:x,no", r"no: No such file or directory$"),
    ("npz:x,x", r"npz:x,x: npz must be followed by at most 0 files after the path, not 1$"),
    ("imagenet:x,x,x,x", r"imagenet:x,x,x,x: imagenet must be followed by at most 2 files"),
    ("npz:x#test", r"npz:x#test: npz data has no splits to choose by #test$"),
    ("x", rf"x: kind of data cannot be told from the name; write KIND:x with a KIND of "
          rf"{', '.join(KINDS)}$"),
])
def test_words_that_name_nothing_are_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(InputError, match=f"^{message}"):
        parse(text)
