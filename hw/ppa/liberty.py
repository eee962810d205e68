"""Reading Liberty files, the format in which cell libraries are published.

A recursive descent over the three statements that Liberty knows: `name : value ;`,
`name (values) ;` and `name (arguments) { statements }`. Meaning is left to
`hw.ppa.characterise`; here a file becomes a tree of `Group`.
"""

from __future__ import annotations

import gzip
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hw.common.errors import InputError

MAX_DEPTH = 32  # Liberty nests five deep; a broken file must not exhaust the stack

TOKEN = re.compile(
    r'(?P<skip>[ \t\r\n]+|\\\r?\n|/\*.*?\*/|//[^\n]*)'
    r'|"(?P<string>(?:[^"\\]|\\.)*)"'
    r'|(?P<word>[^\s(){}:;,"\\]+)'
    r'|(?P<mark>[(){}:;,])', re.DOTALL)
CONTINUATION = re.compile(r"\\\r?\n")


@dataclass
class Group:
    """One `kind (arguments) { ... }` of a Liberty file.

    Parameters
    ----------
    kind : str
        `library`, `cell`, `pin`, `timing`, ...
    arguments : tuple of str
    line : int
        Where it begins, counted from 1.
    attributes : dict of str to str
        Simple attributes; a repeated one keeps its last value.
    lists : dict of str to tuple of str
        Complex attributes such as `index_1 (...)`; a repeated one keeps its last value.
    groups : list of Group
        In file order.
    """

    kind: str
    arguments: tuple[str, ...]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The first argument, `""` when there is none."""
        return self.arguments[0] if self.arguments else ""

    def children(self, kind: str) -> list[Group]:
        """Return the groups of one kind directly below this one."""
        return [group for group in self.groups if group.kind == kind]


def read_liberty(path: Path) -> Group:
    """Return the `library` group of a Liberty file, plain or gzipped.

    Raises
    ------
    InputError
        The file is not Liberty; the message names file and line.
    """
    path = Path(path)
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: not a complete gzip file ({error})") from None
    return parse_liberty(raw.decode("utf-8", errors="replace"), str(path))


def parse_liberty(text: str, source: str = "<text>") -> Group:
    """Return the `library` group of Liberty `text`; errors name `source` and the line."""
    return _Parser(text, source).library()


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._tokens = self._tokenise()
        self._advance()

    # --- tokens: (kind, text, offset); kind is "word", "string", "end" or the mark itself ---

    def _tokenise(self) -> Iterator[tuple[str, str, int]]:
        position, end = 0, len(self._text)
        match_at = TOKEN.match
        while position < end:
            match = match_at(self._text, position)
            if match is None:
                raise self._error(f"unexpected {self._text[position]!r}", position)
            kind = match.lastgroup
            if kind == "mark":
                yield match["mark"], match["mark"], position
            elif kind != "skip":
                assert kind is not None
                yield kind, match[kind], position
            position = match.end()
        while True:
            yield "end", "the end of the file", end

    def _advance(self) -> tuple[str, str, int]:
        token = getattr(self, "_next", ("", "", 0))
        self._next = next(self._tokens)
        return token

    def _line(self, offset: int) -> int:
        return bisect_right(self._newlines, offset - 1) + 1

    def _error(self, problem: str, offset: int) -> InputError:
        return InputError(f"{self._source}:{self._line(offset)}: not valid Liberty, {problem}")

    def _expect(self, kind: str) -> tuple[str, str, int]:
        token = self._advance()
        if token[0] != kind:
            wanted = "a name" if kind == "word" else repr(kind)
            raise self._error(f"{wanted} must come here, not {token[1]!r}", token[2])
        return token

    # --- statements ---

    def library(self) -> Group:
        name, offset = self._expect("word")[1:]
        if name != "library":
            raise self._error(f"the file must begin with 'library', not {name!r}", offset)
        group = self._group(name, self._arguments(), offset, 0)
        self._expect("end")
        return group

    def _group(self, kind: str, arguments: tuple[str, ...], offset: int, depth: int) -> Group:
        if depth > MAX_DEPTH:
            raise self._error(f"groups must nest at most {MAX_DEPTH} deep", offset)
        group = Group(kind, arguments, self._line(offset))
        self._expect("{")
        while self._next[0] != "}":
            if self._next[0] == ";":
                self._advance()
            elif self._next[0] == "end":
                raise self._error(f"{kind!r} of line {group.line} is not closed", self._next[2])
            else:
                self._statement(group, depth)
        self._advance()
        return group

    def _statement(self, group: Group, depth: int) -> None:
        _, name, offset = self._expect("word")
        if self._next[0] == ":":
            self._advance()
            group.attributes[name] = self._value(offset)
            return
        arguments = self._arguments()
        if self._next[0] == "{":
            group.groups.append(self._group(name, arguments, offset, depth + 1))
        else:
            group.lists[name] = arguments

    def _value(self, offset: int) -> str:
        """Read up to the semicolon, which some writers leave out at the end of a line."""
        words: list[str] = []
        line = self._line(offset)
        while self._next[0] not in (";", "{", "}", "end"):
            if words and self._line(self._next[2]) != line:
                break
            token = self._advance()
            words.append(_joined(token[1]) if token[0] == "string" else token[1])
            line = self._line(token[2] + len(token[1]))
        if not words or self._next[0] == "{":
            raise self._error(f"a value must come here, not {self._next[1]!r}", self._next[2])
        return " ".join(words)

    def _arguments(self) -> tuple[str, ...]:
        self._expect("(")
        arguments: list[str] = []
        while self._next[0] != ")":
            token = self._advance()
            if token[0] in ("word", "string"):
                arguments.append(_joined(token[1]))
            elif token[0] != ",":
                raise self._error(f"')' must come here, not {token[1]!r}", token[2])
        self._advance()
        return tuple(arguments)


def _joined(text: str) -> str:
    return CONTINUATION.sub("", text)
