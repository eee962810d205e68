"""Mutants of one Verilog expression, as Yosys writes them: mostly one operator each.

The operators are those of the mutation-testing literature (DeMillo, Lipton and Sayward, Computer
11(4), 1978) for hardware: another operator, a constant off by one, a dropped operand, a condition
inverted, a wire stuck, operands swapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

OTHERS = {"&": "|", "|": "&", "^": "|", "+": "-", "-": "+", "==": "!=", "!=": "==", "<": "<=",
          "<=": "<", ">": ">=", ">=": ">", ">>": "<<", "<<": ">>", ">>>": ">>", "*": "+"}
DROPPABLE = ("&", "|", "^", "+", "-")
SWAPPABLE = ("-", "<", "<=", ">", ">=", ">>", "<<", ">>>")
BINARY = re.compile(r"^(\S+|\$signed\(.*?\)|{.*}) (&|\||\^|\+|-|==|!=|<=|<|>=|>|>>>|>>|<<|\*) "
                    r"(\S+|\$signed\(.*\)|{.*})$")
UNARY = re.compile(r"^(~|!|&|\|) (.*)$")
MUX = re.compile(r"^(\S+) *\? (.*) : (.*)$")
CONSTANT = re.compile(r"(\d+)'(h|d)([0-9a-f]+)")


def mutants_of(expression: str) -> Iterator[tuple[str, str]]:
    """Yield (what is done, expression) for every mutant of `expression`.

    `expression` is the right-hand side of an assignment, or a condition.
    """
    text = re.sub(r"(\\\S+) ", r"\1\0", expression).strip()  # escaped names end in a space
    for how, mutant in _mutants(text):
        restored = mutant.replace("\0", " ")
        # One unsigned choice would make a signed expression beside it unsigned.
        yield how, f"$signed({restored})" if "$signed" in text else restored


def _mutants(text: str) -> Iterator[tuple[str, str]]:
    if match := BINARY.match(text):
        left, operator, right = match.groups()
        yield f"{operator} becomes {OTHERS[operator]}", f"{left} {OTHERS[operator]} {right}"
        if operator in DROPPABLE:
            yield f"right of {operator} dropped", left
            if operator != "-":
                yield f"left of {operator} dropped", right
        if operator in SWAPPABLE:
            yield f"operands of {operator} swapped", f"{right} {operator} {left}"
    elif match := MUX.match(text):
        select, then, other = match.groups()
        yield "arms swapped", f"{select} ? {other} : {then}"
        yield "first arm always", then
        yield "second arm always", other
    elif match := UNARY.match(text):
        operator, operand = match.groups()
        if operator == "~":
            yield "~ dropped", operand
        elif operator == "!":
            yield "! dropped", f"| {operand}"
        else:
            yield f"{operator} becomes {OTHERS[operator]}", f"{OTHERS[operator]} {operand}"
            parts = operand.strip("{ }").split(", ")
            for index, part in enumerate(parts if operand.startswith("{") else ()):
                rest = ", ".join(parts[:index] + parts[index + 1:])
                yield f"{part} dropped", f"{operator} {{ {rest} }}"
    for constant in CONSTANT.finditer(text):
        width, base, digits = constant.groups()
        size = 1 << int(width)
        value = int(digits, 16 if base == "h" else 10)
        for changed in sorted({(value + 1) % size, (value - 1) % size}):
            yield (f"{constant[0]} becomes {changed}",
                   f"{text[:constant.start()]}{width}'d{changed}{text[constant.end():]}")
    yield "stuck at 0", "0"
    yield "stuck at 1", "~0"
