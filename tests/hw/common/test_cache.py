"""Kept results: none of them matters."""

import pytest

from hw.common import cache
from hw.common.cache import keep, read_kept
from hw.common.files import write_json


def test_what_was_kept_is_read(tmp_path):
    keep(tmp_path, lambda: write_json(tmp_path / "a.json", [1]))
    assert read_kept(tmp_path / "a.json") == [1]


def test_nothing_is_read_where_nothing_can_be(tmp_path):
    (tmp_path / "damaged.json").write_bytes(b"\x1f\x8b[")
    (tmp_path / "file").touch()
    for name in ("none.json", "damaged.json", "file/a.json", ""):
        assert read_kept(tmp_path / name) is None


def test_a_folder_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path, capsys):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "kept"
    for name in ("a.json", "b.json"):
        keep(folder, lambda name=name: write_json(folder / name, []))
    assert capsys.readouterr().err == f"  {folder}: results are not kept (Not a directory)\n"
    cache._told.clear()


def test_our_own_mistakes_are_not_hidden(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        keep(tmp_path, lambda: write_json(tmp_path / "a.json", float("nan")))
