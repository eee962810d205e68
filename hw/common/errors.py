"""Expected failures and how a command line reports them.

A command exits 0 when it did its job, 2 when the input was at fault, 3 when the
environment was (a missing tool, a full disk), and 130 after Ctrl-C.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable

EXIT_INPUT = 2
EXIT_ENVIRONMENT = 3
EXIT_INTERRUPTED = 130


class InputError(ValueError):
    """The user's input is at fault; the message is one line, naming subject and expectation."""


class ToolError(RuntimeError):
    """The environment is at fault; the message is one line, naming what fixes it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for `name` not being one of `known`, suggesting the nearest."""
    names = sorted(known)
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
        status = main() or 0
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (`| head`) has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except InputError as error:
        status = _fail(str(error), EXIT_INPUT)
    except ToolError as error:
        status = _fail(str(error), EXIT_ENVIRONMENT)
    except OSError as error:
        # A path the user gave that cannot be opened is input; a full disk is not.
        path = f"{error.filename}: " if error.filename else ""
        at_fault = isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError,
                                      NotADirectoryError, FileExistsError))
        status = _fail(f"{path}{error.strerror or error}",
                       EXIT_INPUT if at_fault else EXIT_ENVIRONMENT)
    except KeyboardInterrupt:
        status = _fail("interrupted", EXIT_INTERRUPTED)
    sys.exit(status)


def _fail(message: str, status: int) -> int:
    sys.stdout.flush()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status
