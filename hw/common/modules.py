"""The text of modules, as part of what a kept result depends on."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources


@cache
def modules_digest(package: str, names: tuple[str, ...]) -> str:
    """Return SHA-256 of the text of some modules of a package."""
    folder = resources.files(package)
    text = "\0".join((folder / f"{name}.py").read_text() for name in names)
    return hashlib.sha256(text.encode()).hexdigest()
