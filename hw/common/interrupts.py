"""Ctrl-C while a command has not begun: one line and exit status 130, as later.

Imports take a second or more. They have nothing to clean up, and an exception in the midst of one
may be swallowed or printed by whoever imports.
"""

from __future__ import annotations

import os
import signal
import sys

EXIT_INTERRUPTED = 130


def guard_start() -> None:
    """Let Ctrl-C end `python -m` quietly while it imports; without effect anywhere else.

    `run_command_line` ends this by `guard_end`.
    """
    # Python calls a program `-m` as long as it looks for its module, inside of our packages.
    if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)


def guard_end() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _quit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore_at_exit(status: int) -> None:
    """Let Ctrl-C leave at once with a status that stands already, without the last clean-up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(status))


def _quit(_signal: int, _frame: object) -> None:
    os.write(2, b"error: interrupted\n")
    os._exit(EXIT_INTERRUPTED)
