"""One top for both devices under test: an accelerator, and a bank on its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

TOP = "mutants"
PORT = re.compile(r"^  (input|output) (\[\d+:0\] )?(\w+);", re.MULTILINE)
SHARED = ("mutant_site", "mutant_variant")


def with_top(modules: Mapping[str, str], arrays: int) -> dict[str, str]:
    """Return the hierarchy below a top with the ports of both; those of the bank begin `tile_`.

    Two outputs tell, by array, which clock enables are on and which operands are not zero.
    """
    declared, instances = [f"input {_width(modules, name)}{name}" for name in SHARED], []
    for module, prefix in (("accelerator", ""), ("bank", "tile_")):
        connections = []
        for direction, width, port in PORT.findall(modules[module]):
            outside = port if port in SHARED else prefix + port
            connections.append(f".{port}({outside})")
            if port not in SHARED:
                declared.append(f"{direction} {width}{outside}")
        instances.append(f"  {module} {prefix}{module} ({', '.join(connections)});\n")
    enabled = ", ".join(f"tile_bank.array_{array}__en" for array in reversed(range(arrays)))
    driven = ", ".join(" | ".join(f"(|tile_bank.array_{array}__{port}_in)"
                                  for port in ("act", "swap", "weight", "load"))
                       for array in reversed(range(arrays)))
    text = (f"module {TOP}(\n  " + ",\n  ".join(
        [*declared, f"output [{arrays - 1}:0] enabled", f"output [{arrays - 1}:0] driven"])
        + ");\n" + "".join(instances)
        + f"  assign enabled = {{{enabled}}};\n  assign driven = {{{driven}}};\nendmodule\n")
    return {**modules, TOP: text}


def _width(modules: Mapping[str, str], name: str) -> str:
    return next(width for _, width, port in PORT.findall(modules["bank"]) if port == name)
