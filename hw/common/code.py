"""The code that a kept result depends on, found from the code itself.

Of a module and all that it imports of ours, directly or not, syntax trees are hashed: comments,
docstrings and layout are no code. The ground floor is left out: messages, files and progress decide
about no figure.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hw

ROOT = Path(hw.__file__).resolve().parents[1]
OURS = ("hw", "models", "search", "sim")
LEFT_OUT = "hw.common"


@cache
def code_digest(module: str) -> str:
    """Return SHA-256 of the code of a module and of all that it imports, functions included."""
    content = hashlib.sha256()
    for name in sorted(closure(module)):
        content.update(f"{name}\n{ast.dump(_tree(name))}\n".encode())
    return content.hexdigest()


def closure(module: str) -> set[str]:
    """Return the names of a module and of all of our modules that it imports."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or f"{name}.".startswith(f"{LEFT_OUT}."):
            continue
        found.add(name)
        waiting += _imported(name)
    return found


def _imported(module: str) -> Iterator[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] in OURS:  # a package runs before what is in it
                on_the_way = (".".join(parts[:end + 1]) for end in range(len(parts)))
                yield from filter(_file, on_the_way)


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py")
                 if path.is_file()), None)


@cache
def _tree(module: str) -> ast.Module:
    path = _file(module)
    assert path is not None, module
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) \
                and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree
