"""The digest of what a result is made from: the content of inputs, the code of functions."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from hw.common.code import code_digest


def digest(*inputs: Any) -> str:
    """Return SHA-256 of the content of inputs, 64 hexadecimal digits.

    Inputs are text, numbers, bytes, arrays, dataclasses (by their fields), sequences and mappings
    of them, and functions, which stand for the code of all that their module imports. Order counts.
    """
    text = json.dumps(inputs, default=_described, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _described(value: Any) -> Any:
    """Return a value that JSON does not know as values that it knows."""
    kind = type(value).__name__
    if is_dataclass(value) and not isinstance(value, type):
        return {kind: {item.name: getattr(value, item.name) for item in fields(value)}}
    if isinstance(value, Mapping):
        return dict(value)
    if callable(value):
        return {kind: [value.__qualname__, code_digest(_module_of(value))]}
    view = memoryview(value)  # TypeError for what has no content
    content = view if view.c_contiguous else view.tobytes()
    return {kind: [view.format, view.shape, hashlib.sha256(content).hexdigest()]}


def _module_of(function: Callable[..., object]) -> str:
    module = function.__module__
    specification = sys.modules[module].__spec__ if module == "__main__" else None
    return module if specification is None else specification.name
