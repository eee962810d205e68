"""Memory lent piece by piece, and taken back at once.

Memory that is handed back to the system after every layer costs more in page faults than many
layers cost in arithmetic. So each thread keeps what it once had.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

LINE = 64  # bytes, of a cache
_LOCAL = threading.local()


class Arena:
    """Memory of one thread, as much as was ever lent at a time.

    `with arena:` takes back in the end what was taken meanwhile, to lend it to others.
    """

    def __init__(self) -> None:
        self._memory = np.zeros(0, np.uint8)
        self._used = 0  # bytes
        self._marks: list[int] = []  # what was used where the blocks began

    def take(self, shape: tuple[int, ...], kind: Any) -> npt.NDArray[Any]:
        """Return memory that begins a cache line and holds anything, at first zeros."""
        first = self._used
        self._used += -(-math.prod(shape) * np.dtype(kind).itemsize // LINE) * LINE
        if self._used > self._memory.size:  # what is lent already keeps the memory before
            raw = np.zeros(self._used + LINE, np.uint8)
            self._memory = raw[-raw.ctypes.data % LINE:]
        return np.ndarray(shape, kind, self._memory, first)

    def __enter__(self) -> Arena:
        self._marks.append(self._used)
        return self

    def __exit__(self, *_error: object) -> None:
        self._used = self._marks.pop()


def this_arena() -> Arena:
    """Return the arena of this thread, which lives as long as the thread."""
    if not hasattr(_LOCAL, "arena"):
        _LOCAL.arena = Arena()
    arena: Arena = _LOCAL.arena
    return arena
