"""Tests mirror the code: a test file names what it tests, and no module is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
# Files and folders of tests that are of no single module, by name, and why.
CROSS_CUTTING = {
    "conformance": "networks as other programs write them",
    "formal": "proofs about the emitted Verilog",
    "mutation": "mutants of the emitted Verilog, which the benches must notice",
    "units": "every unit of the accelerator, as emitted",
    "test_absurd_options.py": "options of eight commands",
    "test_adders.py": "approximate adders, from end to end",
    "test_api_page.py": "the blocks of a page",
    "test_bank_bench.py": "the whole bank, as emitted",
    "test_bombs.py": "small files that stand for much, in every format",
    "test_browser.py": "the page of a run in a browser, where there is one",
    "test_cosim.py": "compiler, cycle model and emitted accelerator",
    "test_dashboard.py": "optuna-dashboard on the store of a run",
    "test_docs.py": "the pages",
    "test_cluster_run.py": "runs on clusters, killed and resumed",
    "test_scale.py": "the recipes of a page",
    "test_faults.py": "mutants, which formulas or benches must notice",
    "test_idle_arrays.py": "toggles of a whole bank",
    "test_interrupt.py": "runs that are interrupted or killed",
    "test_joint.py": "costs, methods and certificates of several networks",
    "test_joint_run.py": "a run of several networks",
    "test_layers.py": "imports of all packages",
    "test_mirror.py": "the tests",
    "test_new_kind.py": "a kind of PE, from descriptor to Verilog",
    "test_notebooks.py": "the notebooks",
    "test_partitions.py": "certificates on random partitions of the images",
    "test_pe_sweep.py": "every kind of PE as emitted, against the tables",
    "test_program_bench.py": "compiler and emitted bank on a network",
    "test_programs.py": "random programs on the emitted accelerator",
    "test_random_banks.py": "random banks as emitted",
    "test_refusals.py": "files that are no multiplier, in every format",
    "test_shared_nets.py": "trained networks from outside the checkout",
    "test_signed.py": "signed multipliers, from end to end",
    "test_simulator.py": "the simulator that the benches choose",
    "test_spoilt.py": "files with words exchanged, in every format",
    "test_stranger.py": "a bench from the documents alone",
    "test_tutorial.py": "the commands of a page",
}
# Modules and packages that only tests elsewhere can reach, and which.
REACHED_FROM = {
    "hw.multipliers.evolution.options": "test_command.py",
    "hw.ppa.reports.command": "test_main.py",
    "hw.rtl.accelerator": "test_units.py",
    "hw.rtl.array": "test_bank_bench.py",
    "hw.rtl.boards.serial.reporter": "test_self_test.py",
    "hw.rtl.bus": "test_bus.py",
    "search.certify.expected": "test_plan.py",
    "search.problem.splits": "test_read.py",
    "sim.bench.network": "test_end_to_end.py",
    "sim.machine.verilator": "test_verilated.py",
}
PACKAGES = ("hw", "models", "search", "sim")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
                 if path.name != "__init__.py"
                 and re.search(r"^(def|class) ", path.read_text(), re.MULTILINE))


def mirror(module):
    """Path of the test file that names a module; `__main__` is `test_main.py`."""
    return TESTS / module.parent.relative_to(ROOT) / f"test_{module.stem.strip('_')}.py"


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path):
    """Modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def reached(folder):
    """Modules of a package that the tests in its folder import, directly or through each other."""
    package = dotted(folder).removeprefix("tests.")
    graph = {dotted(path): path for path in (ROOT / package.replace(".", "/")).rglob("*.py")}
    todo = [name for path in folder.rglob("*.py") for name in imports(path)]
    found = set()
    while todo:
        name = todo.pop()
        if name in graph and name not in found:
            found.add(name)
            todo += imports(graph[name])
    return found


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")),
                         ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_file_names_what_it_tests(path):
    local = path.relative_to(TESTS)
    name = local.stem.removeprefix("test_")
    code = ROOT / local.parent
    named = local.parts[0] in PACKAGES and any(
        place.exists() for place in (code / f"{name}.py", code / name, code / f"__{name}__.py"))
    assert named or CROSS_CUTTING.keys() & {*local.parts}, (
        f"{local} names no module: rename it, or list it with a reason")


@pytest.mark.parametrize("module", MODULES, ids=dotted)
def test_every_module_has_a_test_of_its_name_or_of_its_package(module):
    packages = module.relative_to(ROOT).parents[:-2]  # those below hw, models, search and sim
    if mirror(module).exists() or any(mirror(ROOT / package).exists() for package in packages):
        return
    if {dotted(module), dotted(module.parent)} & REACHED_FROM.keys():
        return
    folder = mirror(module).parent
    while not folder.exists():
        folder = folder.parent
    assert dotted(module) in reached(folder), (
        f"no test in {folder.relative_to(ROOT)} is named after {module.name} or imports it")


@pytest.mark.parametrize("name", sorted({*CROSS_CUTTING, *REACHED_FROM.values()}))
def test_every_exception_exists(name):
    assert any(TESTS.rglob(name))
