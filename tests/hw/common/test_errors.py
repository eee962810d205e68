"""Exit codes and one-line messages."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hw.common.errors import InputError, ToolError, run_command_line, unknown_name

ROOT = Path(__file__).parents[3]
LIST = (sys.executable, "-m", "hw.multipliers", "list")


@pytest.fixture(autouse=True)
def restored():
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def _raiser(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(("error", "status", "line"), [
    (InputError("File must be whole,\nnot half"), 2, "error: File must be whole, not half\n"),
    (ToolError("g++ is missing"), 3, "error: g++ is missing\n"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.npz"), 2,
     "error: x.npz: No such file or directory\n"),
    (PermissionError(errno.EACCES, "Permission denied", "runs"), 2,
     "error: runs: Permission denied\n"),
    (OSError(errno.ENOSPC, "No space left on device", "run.json"), 3,
     "error: run.json: No space left on device\n"),
    (OSError(errno.ENAMETOOLONG, "File name too long", "x"), 2, "error: x: File name too long\n"),
    (KeyboardInterrupt(), 130, "error: interrupted\n"),
    (RecursionError(), 2, "error: Input must be nested less deeply\n"),
    (MemoryError("Unable to allocate 3 TiB"), 3,
     "error: Memory must suffice for this input; --max-memory, where a command has it, refuses "
     "what is too large (Unable to allocate 3 TiB)\n"),
])
def test_expected_failures_are_one_line_and_a_status(error, status, line, capsys):
    with pytest.raises(SystemExit) as stop:
        run_command_line(_raiser(error))
    assert stop.value.code == status
    assert capsys.readouterr().err == line


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command_line(lambda: 1 // 0)


def test_success_exits_zero():
    with pytest.raises(SystemExit) as stop:
        run_command_line(lambda: None)
    assert stop.value.code == 0


@pytest.mark.parametrize(("name", "known", "message"), [
    ("mul8u_exat", ["mul8u_exact", "mul8u_trunc"], "did you mean 'mul8u_exact'?"),
    ("zzz", ["a", "b"], "known: a, b"),
    ("zzz", [], "none are known"),
])
def test_unknown_names_get_a_hint(name, known, message):
    assert str(unknown_name("thing", name, known)) == f"Unknown thing {name!r}; {message}"


@pytest.mark.parametrize(("redirection", "status", "message"), [
    (">&-", 3, "error: Standard output must be open, not closed\n"),
    (">/dev/full", 3, "error: Standard output: No space left on device\n"),
    ("--help >/dev/full", 3, "error: Standard output: No space left on device\n"),
    ("2>&-", 0, ""), ("<&-", 0, ""),
    (">/dev/null 2>&- <&-", 0, "")])
def test_streams_that_are_closed_or_full_are_one_line(redirection, status, message):
    done = subprocess.run(["sh", "-c", f'"$@" {redirection}', "sh", *LIST], cwd=ROOT, text=True,
                          capture_output=True, check=False,
                          env=os.environ | {"PYTHONUNBUFFERED": ""})
    assert done.returncode == status
    assert done.stderr == message
    assert bool(done.stdout) == (status == 0 and "null" not in redirection)


def test_a_reader_that_has_enough_is_no_error():
    done = subprocess.run(["bash", "-o", "pipefail", "-c", '"$@" | head -1', "sh", *LIST], cwd=ROOT,
                          text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
