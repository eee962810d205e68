"""Exit codes and one-line messages."""

import errno

import pytest

from hw.common.errors import InputError, ToolError, run_command_line, unknown_name


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
    (KeyboardInterrupt(), 130, "error: interrupted\n"),
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
