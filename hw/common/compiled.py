"""Whether what numba compiles is kept for later processes."""

from __future__ import annotations

import sys
from functools import cache


@cache
def keep() -> bool:
    """Return whether numba can keep what it compiles, for its option `cache`.

    It keeps it in `__pycache__` beside the source or, where that cannot be written, in the user's
    cache folder (`NUMBA_CACHE_DIR` names another one). Where neither can, a line on stderr says so
    and every process compiles what it uses.
    """
    from numba.core.caching import FunctionCache

    try:
        FunctionCache(keep.__wrapped__)
    except RuntimeError:
        print("  compiled code is not kept: neither the checkout nor the user's cache folder can "
              "be written", file=sys.stderr)
        return False
    return True
