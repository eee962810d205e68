"""Expected failures and how a command line reports them.

A command exits 0 when it did its job, 2 when the input was at fault, 3 when the
environment was (a missing tool, a full disk), and 130 after Ctrl-C.
"""

from __future__ import annotations

import difflib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable

from hw.common import progress
from hw.common.interrupts import EXIT_INTERRUPTED, guard_end, ignore_at_exit

EXIT_INPUT = 2
EXIT_ENVIRONMENT = 3
MOST_SHOWN = 80  # characters of a name
# What a path that somebody gave is to blame for.
PATH_ERRORS = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR,
                         errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL,
                         errno.ENXIO, errno.ENOTEMPTY})
# Of writing; without a name it was to what is open from the start.
OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class InputError(ValueError):
    """The user's input is at fault; the message is one line, naming subject and expectation."""


class ToolError(RuntimeError):
    """The environment is at fault; the message is one line, naming what fixes it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for `name` not being one of `known`, suggesting the nearest."""
    names = sorted(known)
    name = name if len(name) <= MOST_SHOWN else f"{name[:MOST_SHOWN]}..."
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    if close:
        hint = f"did you mean {close[0]!r}?"
    else:
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        hint = f"known: {shown}" if names else "none are known"
    return InputError(f"Unknown {kind} {name!r}; {hint}")


def run_command_line(main: Callable[[], int | None]) -> None:
    """Run `main` and leave the process with the documented exit status.

    Only expected failures become one line; anything else is a defect of ours and
    keeps its traceback.
    """
    try:
        guard_end()
        _check_streams()
        status = _status_of(main)
        if lost := _lose_output():
            status = _os_error(lost)
    except InputError as error:
        status = _fail(str(error), EXIT_INPUT)
    except ToolError as error:
        status = _fail(str(error), EXIT_ENVIRONMENT)
    except OSError as error:
        status = _os_error(error)
    except MemoryError as error:
        status = _fail("Memory must suffice for this input; --max-memory, where a command has it, "
                       f"refuses what is too large ({str(error) or 'none is left'})",
                       EXIT_ENVIRONMENT)
    except RecursionError:
        status = _fail("Input must be nested less deeply", EXIT_INPUT)
    except KeyboardInterrupt:
        status = _fail("interrupted", EXIT_INTERRUPTED)
    ignore_at_exit(status)
    sys.exit(status)


def _status_of(main: Callable[[], int | None]) -> int:
    try:
        with progress.command():
            return main() or 0
    except SystemExit as stop:  # argparse has printed its help, or what is wrong
        if not isinstance(stop.code, int):
            raise
        return stop.code


def _check_streams() -> None:
    """Refuse a closed standard output; what is written to or read from others is nothing."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        raise ToolError("Standard output must be open, not closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of layers and files


def _os_error(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):
        return 0  # the reader (`| head`) has what it wanted
    # A path the user gave that cannot be opened is input; a full disk is not.
    at_fault = error.filename and error.errno in PATH_ERRORS
    subject = error.filename or ("Standard output" if error.errno in OUTPUT_ERRORS else "")
    reason = error.strerror or str(error)
    return _fail(f"{subject}: {reason}" if subject else reason,
                 EXIT_INPUT if at_fault else EXIT_ENVIRONMENT)


def _lose_output() -> OSError | None:
    """Return why standard output takes no more, and send the rest nowhere; None if it does."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return error
    return None


def _fail(message: str, status: int) -> int:
    _lose_output()
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
    print(f"error: {line}", file=sys.stderr)
    return status
