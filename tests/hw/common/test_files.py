"""Files are whole or absent."""

import gzip
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from hw.common.errors import InputError
from hw.common.files import read_bytes, read_json, write_json, write_json_gz, write_text


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


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "Expecting value"), (b"{", "Expecting property name"), (b"{} {}", "Extra data"),
    (b"\xff\xfe", "text must be UTF-8"), ('{"a": 1}'.encode("utf-16"), "text must be UTF-8"),
    (b'{"a": "\xe9"}', "text must be UTF-8"), (bytes(100), "Expecting value"),
    (b"[" * 10_000 + b"]" * 10_000, "values must be nested at most 64 deep"),
    (b'[{"a":' * 10_000, "values must be nested at most 64 deep"),
    (b"[0" + b",0" * 10_000_000 + b"]", "it must hold at most 10,000,000 values"),
    (b"[" + b"1" * 4_000 + b"]", "integers must have at most 20 digits, not 4000"),
    (b"[" + b"1" * 5_000 + b"]", "integers must have at most 20 digits, not 5000"),
    (b"1e999", "numbers must be finite, not 1e999"), (b"[NaN]", "numbers must be finite, not NaN"),
    (b"-Infinity", "numbers must be finite, not -Infinity"),
    (b'{"\\ud800": 1}', "text must be Unicode"), (b'["\\uDFFF"]', "text must be Unicode"),
    (b'{"a": 1, "b": 2, "a": 3}', "keys must differ, not 'a' twice")],
    ids=lambda value: repr(value[:12]))
@pytest.mark.parametrize("packed", [False, True])
def test_broken_json_is_refused_by_name(tmp_path, content, reason, packed):
    path = tmp_path / "broken.json"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    with pytest.raises(InputError, match=rf"broken\.json: not valid JSON \({re.escape(reason)}"):
        read_json(path)


def test_unusual_json_is_read(tmp_path):
    path = tmp_path / "unusual.json"
    path.write_bytes(b'\xef\xbb\xbf{"a[{": ["\\ud83d\\ude00", "\\"]]", '
                     b"18446744073709551615, -1e-999]}")
    assert read_json(path) == {"a[{": ["\N{GRINNING FACE}", '"]]', 2**64 - 1, 0.0]}


@pytest.mark.parametrize("index", range(0, 60, 3))
def test_no_bit_of_a_gzip_file_leads_to_anything_but_one_line(tmp_path, index):
    path = tmp_path / "flipped.json.gz"
    write_json_gz(path, {"x": list(range(30))})
    raw = bytearray(path.read_bytes())
    for bit in range(8):
        flipped = raw.copy()
        flipped[index % len(raw)] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            found = read_json(path)
        except InputError as error:
            found, message = None, str(error)
        assert found == {"x": list(range(30))} if found else message.startswith(f"{path}: not ")
    path.write_bytes(raw[:index])
    with pytest.raises(InputError, match=r"flipped\.json\.gz: not "):
        read_json(path)


def test_more_than_a_file_may_hold_is_never_unpacked(tmp_path):
    bomb = tmp_path / "bomb.json.gz"
    with gzip.open(bomb, "wb", 1) as stream:
        for _ in range(24):
            stream.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"bomb\.json\.gz: must hold at most 1 MiB"):
        read_bytes(bomb, 2**20)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    sparse = tmp_path / "sparse.json"
    with sparse.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(InputError, match=r"sparse\.json: must hold at most 256 MiB"):
        read_json(sparse)


def test_only_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe or device"),
                       (Path("/dev/zero"), "a pipe or device")):
        with pytest.raises(InputError, match=f"{path}: must be a file, not {what}"):
            read_json(path)
    with pytest.raises(InputError, match="must be the name of a file"):
        read_json(Path("a\0b"))
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_what_killed_writers_left_is_swept_and_a_live_ones_is_not(tmp_path):
    path = tmp_path / "result.json"
    code = ("import os, sys; from hw.common import files; "
            "os.fsync = lambda _: (print('writing', flush=True), sys.stdin.read()); "
            f"files.write_text({str(path)!r}, 'new')")
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        [part] = tmp_path.iterdir()
        write_text(path, "old")
        assert set(tmp_path.iterdir()) == {path, part}
        writer.kill()
    write_text(tmp_path / "other.json", "other")
    assert part.exists()
    write_text(path, "newer")
    assert {entry.name for entry in tmp_path.iterdir()} == {"result.json", "other.json"}
    assert path.read_text() == "newer"


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []
