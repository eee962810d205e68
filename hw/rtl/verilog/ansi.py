"""Ports declared once, in the header of their module, as Verilog-2001 has them (ANSI style).

Yosys lists the names of ports in the header and declares each twice behind it. PEs that are mapped
keep that text, as their stored figures name it.
"""

from __future__ import annotations

import re

MODULE = re.compile(r"^module (\w+)\([^;]*?\);\n(.*?)^endmodule$", re.MULTILINE | re.DOTALL)
# A port, and behind it the wire or register of that name.
PORT = re.compile(r"^  (input|output) (\[\d+:\d+\] )?(\w+);\n"
                  r"(?:  (?:wire|(reg)) (?:\[\d+:\d+\] )?\3( = [^;]*)?;\n)?", re.MULTILINE)
FIRST = ("clk", "rst")


def with_ansi_ports(text: str) -> str:
    """Return Verilog whose modules have ANSI headers: clock, reset, the others by name.

    Modules that have one already stay as they are.
    """
    return MODULE.sub(_module, text)


def _module(match: re.Match[str]) -> str:
    name, body = match.groups()
    ports = sorted(PORT.finditer(body), key=lambda port: (port[3] not in FIRST, port[3]))
    if not ports:
        return match[0]
    declared = ",\n".join(f"  {flow} {register or 'wire'} {width or ''}{port}{initial or ''}"
                          for flow, width, port, register, initial in (
                              one.groups() for one in ports))
    return f"module {name} (\n{declared}\n);\n{PORT.sub('', body)}endmodule"
