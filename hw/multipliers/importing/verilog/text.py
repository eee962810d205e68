"""Verilog text without comments, strings and directives, so that a parser reads code only.

What is removed becomes blanks of the same lines; the result holds no backtick, no quoted text
and no comment. Directives that change nothing here are dropped; the others are refused by name:
some open files, and macros can grow without bound.
"""

from __future__ import annotations

import re

from hw.common.errors import InputError
from hw.multipliers.importing.source import Source, shown

HARMLESS = ("timescale", "default_nettype", "celldefine", "endcelldefine", "resetall",
            "nounconnected_drive", "line")
WITH_ARGUMENTS = ("timescale", "default_nettype", "line")
DPI = ('"DPI"', '"DPI-C"')
PIECE = re.compile(r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<open>/\*)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<quote>")
  | (?P<escaped>\\[!-~]+)
  | (?P<directive>`[A-Za-z_]\w*|`)
""", re.VERBOSE | re.DOTALL)
ESCAPED = re.compile(r"\\[\w.$<>\[\]()/:-]+", re.ASCII)
MAX_NAME = 200
TOKEN = re.compile(r"[\w$]+|[^\s\w$]")
MAX_TOKENS = 500_000  # some seconds of parsing; 20,000 instances of cells with named ports


def cleaned(source: Source) -> str:
    """Return the code of a file; raises InputError with the line of what is refused."""
    text = source.text
    parts: list[str] = []
    position = 0

    def fault(message: str) -> InputError:
        assert match is not None
        return source.error(message, text.count("\n", 0, match.start()) + 1)

    while match := PIECE.search(text, position):
        if len(parts) > MAX_TOKENS:
            raise _too_long(source)
        parts.append(text[position:match.start()])
        end = match.end()
        piece = match[0]
        match match.lastgroup:
            case "comment":
                if re.search(r"(synopsys|synthesis|pragma)\s+translate_o", piece):
                    raise fault("translate_off must not be used: tools differ about it")
                parts.append(_blank(piece))
            case "string":
                kept = piece if piece in DPI else '""'  # the parser then names the construct
                parts.append(kept + _blank(piece))
            case "escaped":
                if not ESCAPED.fullmatch(piece) or "//" in piece or len(piece) > MAX_NAME:
                    raise fault("escaped name must be of letters, digits and .$<>[]()/:-, "
                                f"not {shown(piece)}")
                parts.append(piece)
            case "directive":
                if piece[1:] not in HARMLESS:
                    raise fault(f"directive {shown(piece)} must not be used")
                if piece[1:] in WITH_ARGUMENTS:
                    newline = text.find("\n", end)
                    end = newline if newline >= 0 else len(text)
                parts.append(" ")
            case _:
                raise fault("comment or string must be closed")
        position = end
    parts.append(text[position:])
    code = "".join(parts)
    if sum(1 for _ in TOKEN.finditer(code)) > MAX_TOKENS:
        raise _too_long(source)
    return code


def _too_long(source: Source) -> InputError:
    return source.error(f"must have at most {MAX_TOKENS:,} words and signs")


def _blank(piece: str) -> str:
    """Return as many line ends, and at least one blank."""
    return " " + "\n" * piece.count("\n")
