"""Bytes of an array in a JSON file: deflated, as text.

Weights of a layer are millions of bytes of few bits each; as lists of numbers a file of them would
be ten times as large.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError

LEVEL = 6


@dataclass(frozen=True)
class PackedBytes:
    """An array of bytes, flat and deflated; its shape is known elsewhere."""

    deflated: bytes = field(repr=False)

    @classmethod
    def of(cls, values: npt.NDArray[np.uint8]) -> PackedBytes:
        """Pack uint8[...]."""
        return cls(zlib.compress(np.ascontiguousarray(values).data, LEVEL))

    @classmethod
    def read(cls, text: Any, subject: str) -> PackedBytes:
        """Return what has this `text`; raises InputError for anything else."""
        try:
            return cls(base64.b64decode(text, validate=True))
        except (TypeError, ValueError, binascii.Error):
            raise InputError(f"{subject} must be deflated bytes in base64, "
                             f"not {text!r:.40}") from None

    @property
    def text(self) -> str:
        """ASCII, for `read`."""
        return base64.b64encode(self.deflated).decode()

    def unpack(self, shape: Sequence[int], subject: str) -> npt.NDArray[np.uint8]:
        """Return uint8[shape]; raises InputError when there are more bytes or fewer."""
        size = math.prod(shape)
        stream = zlib.decompressobj()
        try:
            found = stream.decompress(self.deflated, size + 1)  # no more, whatever it stands for
        except zlib.error as error:
            raise InputError(f"{subject} must be deflated bytes ({error})") from None
        if len(found) != size or not stream.eof:
            raise InputError(f"{subject} must be {size} bytes, not "
                             f"{len(found)}{' or more' if len(found) > size else ''}")
        return np.frombuffer(found, np.uint8).reshape(shape).copy()
