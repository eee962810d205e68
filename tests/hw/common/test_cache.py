"""Kept results: found for equal inputs and code only, never wrong, never in the way."""

import argparse
import errno
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from hw.common import cache, content, files
from hw.common.cache import add_cache_option, cache_folder, kept, kept_each, kept_folder

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Figures:
    name: str
    values: tuple[float, ...]


FOUND = Figures("conv1", (0.1, 1e-300, 3.0))


@pytest.fixture
def calls():
    return []


@pytest.fixture
def ask(empty_cache, calls):
    """Ask for figures; what had to be made is in `calls`."""
    return lambda key="key": kept(key, lambda: calls.append(key) or FOUND, Figures)


@pytest.fixture
def ask_folder(empty_cache, calls):
    def fill(folder):
        calls.append(folder)
        (folder / "deep").mkdir()
        (folder / "deep" / "model.so").write_bytes(b"code")
        (folder / "run").write_text("#!/bin/sh\necho ran\n")
        (folder / "run").chmod(0o755)

    return lambda key="key": kept_folder(key, fill)


def entry():
    path, = cache_folder().glob("*/*")
    return path


def test_what_was_made_is_found(ask, calls):
    assert ask() == ask() == FOUND
    assert calls == ["key"]


def test_many_are_made_at_once_and_kept_one_by_one(empty_cache):
    def make(missing):
        asked.append(missing)
        for name in reversed(missing):
            if name == stop:
                raise KeyboardInterrupt
            yield name, ord(name)

    asked, stop = [], "a"
    with pytest.raises(KeyboardInterrupt):
        kept_each({name: name for name in "abc"}, make, int)
    stop = None
    for _ in range(2):
        found = kept_each({name: name for name in "abcd"}, make, int)
        assert list(found.items()) == [("a", 97), ("b", 98), ("c", 99), ("d", 100)]
    assert asked == [["a", "b", "c"], ["a", "d"]]


def test_other_code_makes_it_again(ask, calls, monkeypatch):
    ask()
    monkeypatch.setattr(content, "code_digest", lambda module: f"other {module}")
    ask()
    assert calls == ["key", "key"]


def test_functions_of_one_module_share_nothing(empty_cache):
    def one():
        return 1

    def two():
        return 2

    assert [kept("key", make, int) for make in (one, two, one)] == [1, 2, 1]


def test_no_flipped_bit_is_believed(ask, calls):
    ask()
    path, whole = entry(), entry().read_bytes()
    generator = random.Random(1)
    for place in generator.sample(range(8 * len(whole)), 200):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        assert ask() == FOUND
        assert path.read_bytes() == whole
    assert len(calls) == 201


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"\x1f\x8b["), lambda path: path.write_text("[]"),
    lambda path: path.unlink(), lambda path: path.rename(path.parent / "x"),
    lambda path: (path.unlink(), path.mkdir())])
def test_damage_is_made_again(ask, calls, damage):
    ask()
    damage(entry())
    assert ask() == FOUND
    assert calls == ["key", "key"]


def test_another_entry_is_not_believed(ask, calls, capsys):
    ask("one")
    one = entry()
    content = one.read_bytes()
    one.unlink()
    ask("two")
    entry().write_bytes(content)
    assert ask("two") == FOUND
    assert calls == ["one", "two", "two"]
    assert capsys.readouterr().err == f"  {entry()}: damaged, made again\n"


def test_another_shape_of_the_record_is_made_again(empty_cache, calls):
    def make():
        calls.append(1)
        return FOUND

    kept("key", make, Figures)
    assert kept("key", make, dict[str, int]) == FOUND
    assert len(calls) == 2


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.EROFS, errno.ENOSPC])
def test_a_cache_that_cannot_be_written_is_told_once(ask, ask_folder, monkeypatch, capsys, number):
    def refuse(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    if number == errno.ENOTDIR:
        cache_folder().touch()
    else:
        monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
        monkeypatch.setattr(cache, "staging_folder", refuse)
    for key in "ab":
        assert ask(key) == FOUND
        made = ask_folder(key)
        assert subprocess.run([made / "run"], capture_output=True, check=True).stdout == b"ran\n"
    assert capsys.readouterr().err \
        == f"  {cache_folder()}: results are not kept ({os.strerror(number)})\n"
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


def contend():
    """Ask for one entry again and again, and delete or damage it in between."""
    for number in range(120):
        assert kept("key", lambda: list(range(1000)), list[int]) == list(range(1000))
        for path in cache_folder().glob("*/*"):
            with suppress(OSError):  # the other was faster
                if number % 3 == 0:
                    path.unlink()
                elif number % 3 == 1:
                    os.truncate(path, 100)


def test_two_processes_may_make_the_same(empty_cache):
    command = [sys.executable, "-c", "from tests.hw.common.test_cache import contend; contend()"]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(list(empty_cache.glob("*/*"))) <= 1  # and nothing half-written


def test_interrupted_work_leaves_nothing(empty_cache):
    def stop(*_folder):
        raise KeyboardInterrupt

    for ask in (lambda: kept("key", stop, int), lambda: kept_folder("key", stop)):
        with pytest.raises(KeyboardInterrupt):
            ask()
    assert not list(empty_cache.glob("*/*"))


def test_our_own_mistakes_are_not_hidden(empty_cache):
    with pytest.raises(ValueError, match="JSON compliant"):
        kept("key", lambda: float("nan"), float)


# --- folders --------------------------------------------------------------------------


def test_a_folder_is_filled_once(ask_folder, calls):
    folder = ask_folder()
    assert ask_folder() == folder == entry()
    assert len(calls) == 1
    assert not calls[0].exists()
    assert os.access(folder / "run", os.X_OK)


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "run").write_text("#!/bin/sh\necho ram\n"),
    lambda folder: (folder / "deep" / "model.so").unlink(),
    lambda folder: (folder / "deep" / "model.so").rename(folder / "deep" / "model.sp"),
    lambda folder: (folder / "more").touch(),
    lambda folder: (folder / cache.SEAL).unlink()])
def test_a_changed_folder_is_made_again(ask_folder, calls, capsys, damage):
    whole = {path: path.read_bytes() for path in ask_folder().rglob("*") if path.is_file()}
    damage(entry())
    folder = ask_folder()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == whole
    assert len(calls) == 2
    assert capsys.readouterr().err == f"  {folder}: damaged, made again\n"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_of_those_who_ask_at_the_same_time_one_fills_it(ask_folder, calls):
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(lambda _number: ask_folder(), range(8))} == {entry()}
    assert len(calls) == 1


# --- place ----------------------------------------------------------------------------


def test_option_goes_before_variable_and_holds_for_what_is_started(tmp_path, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE)
    assert cache_folder() == cache.DEFAULT
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "variable"))
    assert cache_folder() == tmp_path / "variable"
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    add_cache_option(parser)
    parser.parse_args(["--cache", "option"])
    assert cache_folder() == tmp_path / "option"
    assert os.environ[cache.VARIABLE] == str(tmp_path / "option")
