"""Run folders: whole or absent, and nobody else's while their run is alive."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hw.common.errors import InputError
from search.trials.folder import RunFolder

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from search.trials.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), sys.argv[2] or None, stem="net", resume=False, force=False)
(folder.open() / "trials").write_text("precious")
print(folder.name, flush=True)
sys.stdin.read()
print(folder.finish().name)
"""


def opened(output, name=None, *, resume=False, force=False):
    return RunFolder(output, name, stem="net", resume=resume, force=force)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


class Alive:
    """A run in a process of its own, at work until it is told to finish, or killed."""

    def __init__(self, output, name=""):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(output), name], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.name = self.process.stdout.readline().strip()

    def finish(self):
        return self.process.communicate("")[0].strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()


def test_a_live_run_is_neither_replaced_nor_resumed_nor_shared(tmp_path):
    run = Alive(tmp_path, "a")
    for options in ({"force": True}, {"resume": True}, {}):
        with pytest.raises(InputError, match=r"a\.unfinished: another run is at work here"):
            opened(tmp_path, "a", **options)
    with pytest.raises(InputError, match=r"a\.unfinished: another run is at work here"):
        RunFolder(tmp_path, None, stem="a", resume=True, force=False)
    assert (tmp_path / "a.unfinished" / "trials").read_text() == "precious"
    assert run.finish() == "a"
    assert (tmp_path / "a" / "trials").read_text() == "precious"


def test_runs_without_a_name_that_start_together_get_names_of_their_own(tmp_path):
    (tmp_path / "net").mkdir()
    runs = [Alive(tmp_path) for _ in range(4)]
    assert sorted(run.name for run in runs) == ["net-2", "net-3", "net-4", "net-5"]
    assert sorted(run.finish() for run in runs) == ["net-2", "net-3", "net-4", "net-5"]
    assert names(tmp_path) == ["net", "net-2", "net-3", "net-4", "net-5"]


def test_a_killed_run_blocks_nobody(tmp_path):
    Alive(tmp_path, "a").kill()
    with pytest.raises(InputError, match=r"a\.unfinished: an interrupted run is here; continue it"):
        opened(tmp_path, "a")
    with closing(opened(tmp_path, "a", resume=True)) as run:
        (run.work / ".run.json.x.part").touch()
        assert names(run.open(keep=["trials"])) == ["trials"]
    with closing(opened(tmp_path, "a", force=True)) as run:
        assert names(run.open(keep=["trials"])) == []
        run.finish()
    assert names(tmp_path) == ["a"]


def test_to_resume_without_a_name_the_last_interrupted_one_is_taken(tmp_path):
    for number, name in enumerate(("net", "net-2", "net-3")):
        (tmp_path / f"{name}.unfinished").mkdir()
        os.utime(tmp_path / f"{name}.unfinished", (number, number))
    with closing(opened(tmp_path, resume=True)) as run:
        assert run.name == "net-3"
        with closing(opened(tmp_path, resume=True)) as other:  # the last one lives
            assert other.name == "net-2"


def test_a_run_that_cannot_begin_leaves_nothing_and_keeps_what_was_there(tmp_path):
    output = tmp_path / "deep" / "runs"
    with closing(opened(output)) as run, pytest.raises(InputError), run.unless_begun():
        raise InputError("network is none")
    assert names(tmp_path) == []
    Alive(tmp_path, "a").kill()
    with closing(opened(tmp_path, "a", force=True)) as run, pytest.raises(InputError), \
            run.unless_begun():
        raise InputError("network is none")
    assert (tmp_path / "a.unfinished" / "trials").read_text() == "precious"


def test_what_a_run_killed_while_replacing_left_is_put_right(tmp_path):
    for name in ("a", ".a.replaced", ".b.replaced", "b.unfinished"):
        (tmp_path / name).mkdir()
    (tmp_path / ".b.replaced" / "old").touch()
    run = Alive(tmp_path, "c")  # alive, and between its two renames
    (tmp_path / ".c.replaced").mkdir()
    with closing(opened(tmp_path)):
        assert names(tmp_path) == [".c.replaced", "a", "b", "b.unfinished", "c.unfinished",
                                   "net.unfinished"]
    assert names(tmp_path / "b") == ["old"]
    run.kill()


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "a.unfinished").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    with pytest.raises(InputError, match=f"^{tmp_path}: must be a folder that can be written to$"):
        opened(tmp_path, "a", resume=True)
