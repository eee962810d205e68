"""Outputs that cannot be written are refused before any work, and nothing is made."""

import ctypes
import os
from pathlib import Path

import pytest

from hw.common.errors import InputError
from hw.common.outputs import check_output, library_output_aside


@pytest.fixture
def place(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    yield tmp_path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(("name", "folder", "message"), [
    ("folder", False, "folder: output must be a file, not a folder"),
    ("file", True, "file: output must be a folder, not a file"),
    ("file/x", False, "file: must be a folder to write x to, not a file"),
    ("file/x/y", True, "file: must be a folder to write y to, not a file"),
    ("a" * 300, False, "output cannot have this name (File name too long)"),
    ("a" * 10_000, True, "output cannot have this name (File name too long)"),
    ("a\0b", False, "output cannot have this name (embedded null byte)"),
])
def test_output_that_cannot_be_written_is_refused(place, name, folder, message):
    with pytest.raises(InputError) as refused:
        check_output(place / name, folder=folder)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 200 + len(str(place))


@pytest.mark.parametrize(("name", "folder"), [
    ("new", False), ("new/deep/x", False), ("file", False), ("folder", True), ("new/deep", True)])
def test_output_that_can_be_written_is_not_made(place, name, folder):
    check_output(place / name, folder=folder)


def test_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: output must be a file, not a pipe or device$"):
        check_output(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="everything may be written to by root")
def test_folder_without_permission_is_refused(place):
    (place / "folder").chmod(0o500)
    with pytest.raises(InputError, match="folder: must be a folder that can be written to"):
        check_output(Path(place / "folder" / "x"))


def test_what_libraries_print_does_not_mix_with_the_summary(capfd):
    with library_output_aside():
        ctypes.CDLL(None).puts(b"a remark")
    ctypes.CDLL(None).puts(b"an answer")
    ctypes.CDLL(None).fflush(None)
    out, err = capfd.readouterr()
    assert (out, err) == ("an answer\n", "a remark\n")
