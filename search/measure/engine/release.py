"""What must be the same wherever tasks of one run are done."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata

from hw.common.code import OURS, ROOT

PACKAGES = ("numpy", "numba", "onnx", "onnxruntime", "scipy")


@cache
def release() -> Mapping[str, str]:
    """Return the versions of Python and of packages that results depend on, and of our code."""
    code = hashlib.sha256()
    for path in sorted(path for package in OURS for path in (ROOT / package).rglob("*.py")):
        code.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return {"Python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
            "code": code.hexdigest()[:12]}


def difference(wanted: Mapping[str, str]) -> str:
    """Return in words what is not the same here, empty where all is."""
    here = release()
    return ", ".join(f"{name} {here.get(name, 'missing')} instead of {version}"
                     for name, version in wanted.items() if here.get(name) != version)
