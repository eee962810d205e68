"""Reading Liberty files, the format in which cell libraries are published.

Liberty knows three statements: `name : value ;`, `name (values) ;` and `name (arguments) {
statements }`. Meaning is left to `hw.ppa.library.characterise`; here a file becomes a tree of
`Group`. All braces are paired at once. The text between them is read on demand, because most of a
library is tables of cells that are not used.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hw.common.errors import InputError
from hw.common.memory import require_memory

# Limits that no library exceeds: broken or hostile files are refused early.
MAX_DEPTH = 32  # Liberty nests five deep
MAX_GROUPS = 500_000  # of asap7, 46 MB: 118,000
MAX_TOKENS = 100_000  # of one group, without its subgroups
MAX_BYTES, HEAD_BYTES = 1 << 29, 1 << 20

# Linear in the text whatever it holds: a comment that is not closed reaches to the end. Groups that
# give nothing back are atomic, not repeated possessively: Python 3.11.2 matches such ones wrongly.
SKIP = r"(?:\s++|\\\r?\n|/\*[^*]*+(?>(?:\*(?!/)[^*]*+)*)(?:\*/|\Z)|//[^\n]*+)"
STRING = r'"(?>(?:[^"\\]++|\\.)*)"'
HEAD = re.compile(rb"(?>%b*)([^\s(){}:;,\"]*+)" % SKIP.encode())
TO_BRACE = re.compile(  # up to the next brace that is no part of a string or comment
    rf'(?>(?:[^{{}}"/]++|{STRING}|{SKIP}|/){{0,{MAX_TOKENS}}})([{{}}])?', re.DOTALL)
TOKEN = re.compile(
    rf'(?P<skip>(?>{SKIP}+))|(?P<string>{STRING})|(?P<word>[^\s(){{}}:;,"\\]++)'
    r'|(?P<mark>[(){}:;,])', re.DOTALL)
OWNER = re.compile(r"(\w+)\s*\([^(){}]*\)\s*$")
CONTINUATION = re.compile(r"\\\r?\n")

Token = tuple[str, str, int]  # ("word", "string", "end" or the mark itself; text; offset)


@dataclass(frozen=True)
class _Source:
    """The text of a file, and where each opening brace is closed."""

    text: str
    name: str
    closed_at: dict[int, int]

    def line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def error(self, problem: str, offset: int) -> InputError:
        return InputError(f"{self.name}:{self.line(offset)}: not valid Liberty, {problem}")


@dataclass(frozen=True)
class Group:
    """One `kind (arguments) { ... }` of a Liberty file.

    Parameters
    ----------
    kind : str
        `library`, `cell`, `pin`, `timing`, ...
    arguments : tuple of str

    `attributes`, `lists` and `groups` raise InputError, naming file and line, where the text of
    this group is malformed.
    """

    kind: str
    arguments: tuple[str, ...]
    _source: _Source = field(repr=False, compare=False)
    _start: int = field(repr=False, compare=False)
    _brace: int = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The first argument, `""` when there is none."""
        return self.arguments[0] if self.arguments else ""

    @property
    def line(self) -> int:
        """Where it begins, counted from 1."""
        return self._source.line(self._start)

    @property
    def attributes(self) -> dict[str, str]:
        """Simple attributes; a repeated one keeps its last value."""
        return self._body.attributes

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Complex attributes such as `index_1 (...)`; a repeated one keeps its last value."""
        return self._body.lists

    @property
    def groups(self) -> list[Group]:
        """Return the groups directly below this one, in file order."""
        return self._body.groups

    def children(self, kind: str) -> list[Group]:
        """Return the groups of one kind directly below this one."""
        return [group for group in self.groups if group.kind == kind]

    @cached_property
    def _body(self) -> _Body:
        return _Body(self._source, self._brace + 1, self._source.closed_at[self._brace])


def read_liberty(path: Path) -> Group:
    """Return the `library` group of a Liberty file, plain or gzipped.

    Raises
    ------
    InputError
        The file is not Liberty; the message names file and line.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: must be a Liberty file, not a folder, pipe or device")
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            raw = stream.read(HEAD_BYTES)
            _check_head(path, raw)
            raw += stream.read(MAX_BYTES + 1 - len(raw))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: Liberty file must have at most {MAX_BYTES >> 20} MiB")
    require_memory(3 * len(raw), f"{path}: Liberty file")
    return parse_liberty(raw.decode("utf-8", errors="replace"), str(path))


def _check_head(path: Path, raw: bytes) -> None:
    """Raise InputError for what is no library at all, before the rest of it is read."""
    first = HEAD.match(raw)
    if first is not None and first[1] and first[1] != b"library":
        raise InputError(f"{path}:{raw.count(10, 0, first.start(1)) + 1}: not valid Liberty, the "
                         f"file must begin with 'library', not {_shown(first[1])}")


def parse_liberty(text: str, source: str = "<text>") -> Group:
    """Return the `library` group of Liberty `text`; errors name `source` and the line."""
    closed_at: dict[int, int] = {}
    found = _Source(text, source, closed_at)
    tokens = _Tokens(found, 0, len(text))
    _, name, start = tokens.expect("word")
    if name != "library":
        raise found.error(f"the file must begin with 'library', not {name!r}", start)
    arguments = tokens.arguments()
    brace = tokens.expect("{")[2]
    end = _pair_braces(found, brace)
    _Tokens(found, end + 1, len(text)).expect("end")
    library = Group(name, arguments, found, start, brace)
    _ = library.groups  # errors at the top level are raised at once
    return library


def _pair_braces(source: _Source, first: int) -> int:
    """Fill `source.closed_at`; return where the brace at `first` is closed."""
    text, closed_at = source.text, source.closed_at
    waiting = [first]
    position = first + 1
    to_brace = TO_BRACE.match
    while waiting:
        match = to_brace(text, position)
        assert match is not None  # it may be empty
        position = match.end()
        if match[1] is None:
            raise _unclosed(source, waiting[-1], position)
        if match[1] == "}":
            closed_at[waiting.pop()] = position - 1
        elif len(waiting) > MAX_DEPTH:
            raise source.error(f"groups must nest at most {MAX_DEPTH} deep", position - 1)
        elif len(closed_at) > MAX_GROUPS:
            raise source.error(f"a library must have at most {MAX_GROUPS} groups", position - 1)
        else:
            waiting.append(position - 1)
    return position - 1


def _unclosed(source: _Source, brace: int, stopped: int) -> InputError:
    """Return the error for a brace after which there is no other one as far as `stopped`."""
    if stopped < len(source.text):
        problem = ("unexpected '\"'" if source.text[stopped] == '"'
                   else f"a group must have at most {MAX_TOKENS} words")
        return source.error(problem, stopped)
    owner = OWNER.search(source.text, max(0, brace - 1000), brace)
    return source.error(f"{owner[1] if owner else '{'!r} of line {source.line(brace)} is not "
                        "closed", len(source.text))


class _Tokens:
    """The tokens between two offsets, one ahead."""

    def __init__(self, source: _Source, start: int, end: int) -> None:
        self._source, self._end = source, end
        self._count = 0
        self.jump(start)

    def jump(self, position: int) -> None:
        """Go on at another offset."""
        self._position = position
        self.next = self._read()

    def advance(self) -> Token:
        token, self.next = self.next, self._read()
        return token

    def _read(self) -> Token:
        text = self._source.text
        while self._position < self._end:
            start = self._position
            match = TOKEN.match(text, start, self._end)
            if match is None:
                raise self._source.error(f"unexpected {text[start]!r}", start)
            self._position = match.end()
            kind = match.lastgroup
            if kind == "skip":
                continue
            self._count += 1
            if self._count > MAX_TOKENS:
                raise self._source.error(f"a group must have at most {MAX_TOKENS} words", start)
            assert kind is not None
            found = match[kind]
            return (found if kind == "mark" else kind,
                    found[1:-1] if kind == "string" else found, start)
        return "end", "the end of the file", self._end

    def expect(self, kind: str) -> Token:
        token = self.advance()
        if token[0] != kind:
            wanted = "a name" if kind == "word" else repr(kind)
            raise self._source.error(f"{wanted} must come here, not {_shown(token[1])}", token[2])
        return token

    def arguments(self) -> tuple[str, ...]:
        self.expect("(")
        arguments: list[str] = []
        while self.next[0] != ")":
            kind, text, offset = self.advance()
            if kind in ("word", "string"):
                arguments.append(_joined(text))
            elif kind != ",":
                raise self._source.error(f"')' must come here, not {_shown(text)}", offset)
        self.advance()
        return tuple(arguments)

    def value(self) -> str:
        """Read up to the semicolon, which some writers leave out at the end of a line."""
        words: list[str] = []
        last = self.next[2]
        while self.next[0] not in (";", "{", "}", "end"):
            if words and "\n" in self._source.text[last:self.next[2]]:
                break
            kind, text, offset = self.advance()
            words.append(_joined(text) if kind == "string" else text)
            last = offset + len(text)
        if not words or self.next[0] == "{":
            raise self._source.error(f"a value must come here, not {_shown(self.next[1])}",
                                     self.next[2])
        return " ".join(words)


class _Body:
    """The statements of one group."""

    def __init__(self, source: _Source, start: int, end: int) -> None:
        self.attributes: dict[str, str] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.groups: list[Group] = []
        tokens = _Tokens(source, start, end)
        while tokens.next[0] != "end":
            if tokens.next[0] == ";":
                tokens.advance()
                continue
            _, name, offset = tokens.expect("word")
            if tokens.next[0] == ":":
                tokens.advance()
                self.attributes[name] = tokens.value()
                continue
            arguments = tokens.arguments()
            if tokens.next[0] == "{":
                brace = tokens.next[2]
                self.groups.append(Group(name, arguments, source, offset, brace))
                tokens.jump(source.closed_at[brace] + 1)
            else:
                self.lists[name] = arguments


def _joined(text: str) -> str:
    return CONTINUATION.sub("", text)


def _shown(text: str | bytes) -> str:
    """Return a word for a message: in quotes, printable and short."""
    found = text if isinstance(text, str) else text[:40].decode("utf-8", errors="replace")
    return repr(found if len(found) <= 24 else found[:24] + "...")
