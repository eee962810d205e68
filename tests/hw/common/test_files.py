"""Files are whole or absent."""

import os

import pytest

from hw.common.errors import InputError
from hw.common.files import read_json, write_json, write_json_gz, write_text


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _descriptor: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_json_round_trip_plain_and_compressed(tmp_path):
    content = {"b": [1, 2.5, None], "a": "µ"}
    write_json(tmp_path / "deep" / "plain.json", content)
    write_json_gz(tmp_path / "packed.json.gz", content)
    assert read_json(tmp_path / "deep" / "plain.json") == content
    assert read_json(tmp_path / "packed.json.gz") == content


def test_compressed_bytes_depend_on_the_content_alone(tmp_path):
    for name in ("one.gz", "two.gz"):
        write_json_gz(tmp_path / name, {"x": list(range(100))})
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"\x1f\x8bnot gzip", b"\xff\xfe"])
def test_broken_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.json: not valid JSON"):
        read_json(path)


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []
