"""A user's file: read once, within limits, and named in every message about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hw.common.errors import InputError

MAX_BYTES = 8 << 20  # the largest published 16x16 circuits take under one


@dataclass(frozen=True, kw_only=True)
class Source:
    """The content of one file.

    Parameters
    ----------
    path : Path
        Used in messages only; nothing is opened by it again.
    content : bytes
    """

    path: Path
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Source:
        """Return the file at `path`; raises InputError when it is no file or too large."""
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: must be a file, not a folder or a device")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{path}: must have at most {MAX_BYTES >> 20} MiB")
        if not content:
            raise InputError(f"{path}: must not be empty")
        return cls(path=path, content=content)

    @property
    def text(self) -> str:
        """The content as text; raises InputError when it is not plain UTF-8."""
        if b"\0" in self.content:
            line = self.content[:self.content.index(b"\0")].count(b"\n") + 1
            raise self.error("text must not hold NUL bytes", line)
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content[:error.start].count(b"\n") + 1
            raise self.error("text must be UTF-8", line) from None

    def error(self, message: str, line: int | None = None) -> InputError:
        """Return the InputError that says what is wrong in this file, and where."""
        place = f"{self.path}:{line}" if line else str(self.path)
        return InputError(f"{place}: {message}")


def shown(text: object, limit: int = 40) -> str:
    """Return untrusted text as one short printable word for a message."""
    word = repr(str(text))[1:-1]
    return word if len(word) <= limit else word[:limit] + "..."
