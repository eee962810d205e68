"""Options of a run as a TOML file: a key is an option without its dashes.

    network = "net.onnx"
    multipliers = ["default", "mine.json"]
    area-limit = 2.0
    keep-exact = true

Values are those of the command line, which override them. A list stands for what an option takes
between commas, or for an option that is given several times. Paths are relative to the folder in
which the command is started, as on the command line.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from hw.common.errors import InputError, unknown_name

MOST_BYTES = 1 << 20  # of a file: far more than all options take
Scalar = str | int | float


def read_config(path: Path, parser: argparse.ArgumentParser) -> list[str]:
    """Return the arguments that a file stands for, to be put before those of the command line.

    Raises InputError where the file is no TOML, or has a key or value that the parser lacks.
    """
    known = _options(parser)
    arguments = list[str]()
    for key, value in _content(path).items():
        if key not in known:
            raise InputError(f"{path}: {unknown_name('key', key, known)}")
        arguments += _said(path, key, value, known[key])
    return arguments


def config_text(parser: argparse.ArgumentParser, arguments: argparse.Namespace,
                without: Collection[str]) -> str:
    """Return a file that says what a command line said, defaults included.

    without : names of arguments that are left out.
    """
    lines = list[str]()
    for key, action in _options(parser).items():
        value = getattr(arguments, action.dest, None)
        if action.dest in without or value is None or value is False or value == []:
            continue
        lines.append(f"{key} = {_toml(value)}")
    return "\n".join((*lines, ""))


def _content(path: Path) -> Mapping[str, object]:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: must have at most {MOST_BYTES} bytes")
    try:
        return tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: must be TOML: {error}") from error


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return what can be said, by key, in the order of the help."""
    return {name[2:]: action for action in parser._actions for name in action.option_strings
            if name.startswith("--") and name != "--help"}


def _said(path: Path, key: str, value: object, action: argparse.Action) -> Iterator[str]:
    """Yield the arguments of one key."""
    def wrong(expected: str) -> InputError:
        return InputError(f"{path}: Key {key!r} must be {expected}, not {value!r}")

    if action.nargs == 0:
        if not isinstance(value, bool):
            raise wrong("true or false")
        if value:
            yield f"--{key}"
        return
    values = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool) or not isinstance(one, Scalar) for one in values):
        raise wrong("a text, a number or a list of them")
    texts = list(map(str, values))
    for text in texts if isinstance(action, argparse._AppendAction) else [",".join(texts)]:
        try:
            if callable(action.type):
                action.type(text)
        except (ValueError, argparse.ArgumentTypeError) as error:
            name = getattr(action.type, "__name__", "")
            raise wrong({"int": "a whole number", "float": "a number"}.get(name, str(error))
                        ) from error
        yield f"--{key}={text}"


def _toml(value: object) -> str:
    """Return a value as TOML; JSON's text, true and lists are."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool | str | Path):
        return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
    return repr(value)
