"""Steps run once, failures and interruptions leave a state that is continued."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hw.common.errors import InputError
from search.reproduce.runner import open_work, run_all
from search.reproduce.steps import DONE, FAILED, STARTED, Record, Step, with_producers

ROOT = Path(__file__).parents[3]
# A command of a work folder: notes its arguments, then does what the first one says.
COMMAND = """
import os, sys, time
from pathlib import Path

with open("log.txt", "a") as log:
    log.write(f"{os.getpid()} {' '.join(sys.argv[1:])}\\n")
if sys.argv[1] == "write":
    print("found it")
    Path(sys.argv[2]).write_text("result")
elif sys.argv[1] == "fail":
    print("error: not today", file=sys.stderr)
    sys.exit(2)
elif sys.argv[1] == "wait":
    Path("slow.unfinished").mkdir(exist_ok=True)
    if sys.argv[-1] != "--resume":
        time.sleep(60)
    Path("slow.unfinished").rename("slow")
"""
STEP = Step(name="group/one", command=("thing", "write", "one.txt"), inputs=("input.txt",),
            outputs=("one.txt",), about={"kind": "prepare"})
SLOW = Step(name="slow", command=("thing", "wait"), outputs=("slow",),
            unfinished="slow.unfinished", about={"kind": "prepare"})


@pytest.fixture
def work(tmp_path):
    (tmp_path / "thing.py").write_text(COMMAND)
    (tmp_path / "input.txt").write_text("input")
    return tmp_path


def commands(work):
    """Return the arguments of every command that was run."""
    log = work / "log.txt"
    return [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()] if log.exists() \
        else []


def record(step, work):
    return Record.load(step.file(work, ".json"))


def test_step_runs_once(work, capsys):
    assert run_all([STEP], work) == []
    assert run_all([STEP], work) == []
    assert commands(work) == ["write one.txt"]
    assert "[1/1] group/one: done before" in capsys.readouterr().err
    found = record(STEP, work)
    assert found.state == DONE
    assert found.command == "python -m thing write one.txt"
    assert found.processor_seconds > 0
    assert STEP.file(work, ".out").read_text() == "found it\n"


def test_changed_command_runs_again(work):
    run_all([STEP], work)
    changed = replace(STEP, command=(*STEP.command, "--budget", "2"))
    run_all([changed], work)
    run_all([changed], work)
    assert commands(work) == ["write one.txt", "write one.txt --budget 2"]


def test_changed_input_runs_again(work):
    run_all([STEP], work)
    (work / "input.txt").write_text("another")
    run_all([STEP], work)
    assert len(commands(work)) == 2


def test_removed_output_is_made_again(work):
    run_all([STEP], work)
    (work / "one.txt").unlink()
    run_all([STEP], work)
    assert (work / "one.txt").read_text() == "result"


def test_failed_step_is_returned_and_others_run(work, capsys):
    fails = Step(name="fails", command=("thing", "fail"), about={"kind": "prepare"})
    assert run_all([fails, STEP], work) == [fails]
    assert record(fails, work).state == FAILED
    assert record(fails, work).message == "error: not today"
    assert "[1/2] fails: failed, error: not today" in capsys.readouterr().err
    assert (work / "one.txt").exists()
    assert run_all([fails, STEP], work) == [fails]  # tried again
    assert commands(work) == ["fail", "write one.txt", "fail"]


def test_step_that_does_not_write_its_output_fails(work):
    forgets = Step(name="forgets", command=("thing", "nothing"), outputs=("never.txt",),
                   about={"kind": "prepare"})
    assert run_all([forgets], work) == [forgets]
    assert record(forgets, work).message == "it did not write never.txt"


def test_missing_input_is_named_and_is_no_failure(work, capsys):
    (work / "input.txt").unlink()
    assert run_all([STEP], work) == []
    assert "[1/1] group/one: not run, input.txt missing" in capsys.readouterr().err
    assert commands(work) == []


def start_slow(work):
    """Start the slow step in a process of its own; return that and the command's process id."""
    script = (f"import signal; signal.signal(signal.SIGTERM, signal.default_int_handler);"
              f"from pathlib import Path; from hw.common.errors import run_command_line;"
              f"from search.reproduce.runner import run_all;"
              f"from tests.search.reproduce.test_runner import SLOW;"
              f"run_command_line(lambda: len(run_all([SLOW], Path({str(work)!r}))))")
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE,
                               text=True)
    until = time.monotonic() + 60
    while not (work / "slow.unfinished").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return process, int((work / "log.txt").read_text().split()[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_the_command_and_is_resumed(work, number):
    process, command = start_slow(work)
    process.send_signal(number)
    messages = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert messages.endswith("error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(command, 0)
    interrupted = record(SLOW, work)
    assert interrupted.state == STARTED

    assert run_all([SLOW], work) == []
    assert commands(work) == ["wait", "wait --resume"]
    finished = record(SLOW, work)
    assert finished.state == DONE
    assert finished.command == "python -m thing wait"
    assert finished.seconds > interrupted.seconds > 0


def test_command_that_outlives_a_killed_run_keeps_others_away(work):
    process, command = start_slow(work)
    process.kill()
    process.communicate()
    with pytest.raises(InputError, match=r"slow\.lock: step must not be running already"):
        run_all([SLOW], work)
    os.kill(command, signal.SIGKILL)
    until = time.monotonic() + 60
    while True:
        try:
            assert run_all([SLOW], work) == []
            break
        except InputError:  # it is still going
            assert time.monotonic() < until
            time.sleep(0.05)
    assert commands(work) == ["wait", "wait --resume"]


def test_other_command_does_not_resume_what_another_left(work):
    (work / "slow.unfinished").mkdir()
    (work / "slow.unfinished" / "trials").write_text("of another command")
    other = replace(SLOW, command=("thing", "write", "slow"))
    run_all([other], work)
    assert commands(work) == ["write slow"]
    assert not (work / "slow.unfinished").exists()


def test_steps_come_with_what_they_need():
    first = Step(name="first", command=("a",), outputs=("runs/x",), about={})
    second = Step(name="second", command=("b",), inputs=("runs/x/run.json",), outputs=("y",),
                  about={})
    third = Step(name="third", command=("c",), inputs=("y",), about={})
    other = Step(name="other", command=("d",), about={})
    steps = [first, other, second, third]
    assert with_producers([third], steps) == [first, second, third]


def test_work_folder_points_to_data(tmp_path):
    data, other, work = tmp_path / "mine", tmp_path / "other", tmp_path / "work"
    data.mkdir()
    other.mkdir()
    open_work(work, data)
    assert (work / "data").resolve() == data
    assert (work / "docs" / "benchmarks.json").exists()
    open_work(work, other)
    assert (work / "data").resolve() == other
    (work / "data").unlink()
    (work / "data").mkdir()
    with pytest.raises(InputError, match=r"/work/data: must not exist, or be a link "):
        open_work(work, data)
    with pytest.raises(InputError, match=r"/none: must be a folder with nets/, "):
        open_work(work, tmp_path / "none")


def test_torn_record_is_named(work):
    path = STEP.file(work, ".json")
    path.parent.mkdir(parents=True)
    path.write_text('{"command": "x"}')
    with pytest.raises(InputError, match=r"one\.json: .*; remove it"):
        run_all([STEP], work)
