"""What several commands say in the same words."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from typing import NoReturn

PRODUCT = "autoapprox"  # the script that has the commands as subcommands
CUTOFF = 0.6  # of likeness, below which nothing is suggested


def duration(seconds: float) -> str:
    """Return a time in a fitting unit."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def energy(nanojoules: float) -> str:
    """Return an energy with four digits in a fitting unit."""
    size, unit = next(((size, unit) for size, unit in ((1e6, "mJ"), (1e3, "uJ"), (1, "nJ"))
                       if abs(nanojoules) >= size), (1e-3, "pJ"))
    return f"{nanojoules / size:.4g} {unit}"


def counted(number: int, name: str) -> str:
    """Return how many there are of something: `1 array`, `2 arrays`."""
    return f"{number} {name}{'s' * (number != 1)}"


def times_a_round(inferences: int) -> str:
    """Return how often a network runs, in words."""
    return f"{counted(inferences, 'inference')} a round"


class HelpWithDefaults(argparse.ArgumentDefaultsHelpFormatter):
    """States the defaults that say something and are not already in the help."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "") or "(default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def program(module: str) -> str:
    """Return how a command was started: `autoapprox run`, or `python -m search.run`."""
    return sys.argv[0] if sys.argv[0].startswith(f"{PRODUCT} ") else f"python -m {module}"


class CommandParser(argparse.ArgumentParser):
    """Suggests the nearest option, subcommand or choice to one that does not exist."""

    def error(self, message: str) -> NoReturn:
        """Print usage, the fault and a suggestion, and leave with status 2."""
        super().error("; ".join((message, *self._suggestions(message))))

    def _suggestions(self, message: str) -> Iterator[str]:
        if message.startswith("unrecognized arguments: "):
            known = set(_options(self))
            wrong = [word.partition("=")[0] for word in message.split()[2:]
                     if word.startswith("-")]
        elif choice := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            wrong, known = [choice[1]], {name.strip("' ") for name in choice[2].split(",")}
        else:
            return
        for word in wrong:
            if close := difflib.get_close_matches(word, sorted(known), n=1, cutoff=CUTOFF):
                yield f"did you mean {close[0]}?"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a parser and of its subcommands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _options(command)
