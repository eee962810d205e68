"""The code that a kept result depends on, found from the code itself.

Of a module and all that it imports of ours, directly or not, syntax trees are hashed: comments,
docstrings and layout are no code. The ground floor is left out: messages, files and progress decide
about no figure. Of packages that are not ours the version counts.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import threading
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import hw

ROOT = Path(hw.__file__).resolve().parents[1]
OURS = ("hw", "models", "search", "sim")
LEFT_OUT = "hw.common"
PARSING = threading.Lock()  # CPython 3.11 counts the depth of a tree for all threads together


@cache
def code_digest(module: str) -> str:
    """Return SHA-256 of the code of a module and of all that it imports, functions included."""
    modules = sorted(closure(module))
    packages = sorted({package for name in modules for package in _read(name)[2]})
    parts = [*((name, _read(name)[0]) for name in modules),
             *((package, version_of(package)) for package in packages)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@cache
def version_of(package: str) -> str:
    """Return the version of a package that is installed under this name, else nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def closure(module: str) -> set[str]:
    """Return the names of a module and of all of our modules that it imports or starts."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        if not f"{name}.".startswith(f"{LEFT_OUT}."):
            found.add(name)
            waiting |= _read(name)[1] - found
    return found


@cache
def _read(module: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """Return SHA-256 of the syntax tree of a module, the modules of ours and the packages of others
    that it imports.
    """
    path = _file(module)
    assert path is not None, module
    with PARSING:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) \
                and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.List):  # a process that is started: `python -m module`
            words = [getattr(item, "value", None) for item in node.elts]
            imported.update(f"{module}.__main__" for flag, module in pairwise(words)
                            if flag == "-m" and isinstance(module, str))
    # A package runs before what is in it; what is imported from a module may be no module.
    ours = frozenset(filter(_file, (
        ".".join(parts[:end]) for name in imported if (parts := name.split("."))[0] in OURS
        for end in range(1, len(parts) + 1))))
    others = frozenset(name.split(".")[0] for name in imported).difference(
        OURS, sys.stdlib_module_names)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours, others


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py")
                 if path.is_file()), None)
