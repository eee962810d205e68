"""Edits of emitted Verilog that several tests need."""

from __future__ import annotations

import re
from collections.abc import Mapping

PORTS = re.compile(r"^(module \w+\()([^;]*;\n)", re.MULTILINE)
INSTANCE = re.compile(r"^(  (\w+) \w+ \(\n)", re.MULTILINE)


def with_input(modules: Mapping[str, str], name: str, width: int) -> dict[str, str]:
    """Return a hierarchy, by module name, in which every module has one more input.

    It reaches them from the top.
    """
    def connected(match: re.Match[str]) -> str:
        return match[1] + (f"    .{name}({name}),\n" if match[2] in modules else "")

    return {module: PORTS.sub(rf"\g<1>{name}, \g<2>  input [{width - 1}:0] {name};\n",
                              INSTANCE.sub(connected, text)) for module, text in modules.items()}
