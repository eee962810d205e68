"""How much a checked Verilog text asks of Yosys, estimated before Yosys is started.

A few lines can stand for billions of gates: modules that contain one another twice, generate
loops in loops, vectors and replications as wide as a number can say. pyslang elaborates lazily, so
that every module is looked at once for each set of parameters and counted as often as it is used.

It runs in the process of `syntax`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Bits of everything that is declared and of every step of every expression, products counted by
# their partial products. A 16x16 multiplier of gates takes about 10,000, one of library cells with
# their models 50,000; Yosys takes about ten seconds for what is just allowed.
MAX_WORK = 300_000
MAX_DEPTH = 50  # of modules and of generate blocks, together
TOO_WIDE = ("ValueExceedsMaxBitWidth", "PackedTypeTooLarge", "ReplicationTooLarge",
            "MaxGenerateStepsExceeded", "MaxInstanceArrayExceeded", "MaxInstanceDepthExceeded",
            "UnpackedTypeTooLarge", "ObjectTooLarge", "PackedDimsTooLarge")
# Expressions that are no operation, and operators that take a gate for every two bits.
FREE = frozenset(("NamedValue", "IntegerLiteral", "UnbasedUnsizedIntegerLiteral", "Conversion",
                  "Assignment"))
QUADRATIC = ("Multiply", "Power", "Divide", "Mod")


class TooLarge(Exception):  # noqa: N818 - an answer to the user, not a failure
    """A circuit asks for more than `MAX_WORK`; the message says so."""


def check(text: str, top: str) -> None:
    """Raise TooLarge unless module `top` of checked Verilog is small enough for Yosys."""
    from pyslang import Bag
    from pyslang.ast import Compilation, CompilationOptions
    from pyslang.syntax import SyntaxTree

    options = CompilationOptions()
    options.topModules = {top}
    compilation = Compilation(Bag([options]))
    compilation.addSyntaxTree(SyntaxTree.fromText(text, "circuit.v"))
    for instance in compilation.getRoot().topInstances:
        _Counter().work_of(instance.body, 0)
    # Now it is known that there is an end to elaborating all of it.
    for found in compilation.getAllDiagnostics():
        if str(found.code).removeprefix("DiagCode(").removesuffix(")") in TOO_WIDE:
            raise TooLarge("vectors, replications and loops must be smaller: a width or a count is "
                           "beyond any multiplier's")


class _Counter:
    """Counts the work of modules, each once for every set of parameters."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}

    def work_of(self, body: Any, depth: int) -> int:
        """Return the work of one instance of a module."""
        key = (str(body.definition.name), *(str(getattr(one, "value", one.name))
                                            for one in body.parameters))
        if key not in self._known:
            self._known[key] = self._of_members(body, depth)
        return self._known[key]

    def _of_members(self, scope: Any, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise TooLarge(f"modules and generate blocks must be at most {MAX_DEPTH} deep")
        total = 0
        for member in scope:
            total += self._of_member(member, depth)
            if total > MAX_WORK:
                raise TooLarge(f"circuit must take at most {MAX_WORK:,} bits of signals and "
                               f"operations, not {total:,} or more")
        return total

    def _of_member(self, member: Any, depth: int) -> int:
        match _kind(member):
            case "Instance":
                return 1 + sum(_of_expressions(connection.expression)
                               for connection in member.portConnections
                               if connection.expression is not None) \
                    + self.work_of(member.body, depth + 1)
            case "InstanceArray":
                elements = list(member.elements)
                return len(elements) * self._of_member(elements[0], depth + 1) if elements else 0
            case "GenerateBlockArray":
                return 1 + self._of_members(member.entries, depth + 1)
            case "GenerateBlock":
                return 0 if member.isUninstantiated else 1 + self._of_members(member, depth + 1)
            case "Net" | "Variable":
                return _bits(member.type) + _of_expressions(member.initializer)
            case "Parameter":
                return 1
            case "ContinuousAssign":
                return _of_expressions(member.assignment)
            case "ProceduralBlock" | "PrimitiveInstance":
                return _of_expressions(member)
        return 0


def _kind(node: Any) -> str:
    return str(node.kind).rpartition(".")[2]


def _bits(type_: Any) -> int:
    """Return the bits of a type; a memory counts whole, and what is no type not at all."""
    return int(type_.bitstreamWidth)


def _of_expressions(node: Any) -> int:
    """Return the work of all expressions at and below a node."""
    return 0 if node is None else sum(_widths(node))


def _widths(node: Any) -> Iterator[int]:
    """Yield the work of every expression at and below a node."""
    from pyslang.ast import Expression

    found: list[int] = []

    def visit(item: Any) -> None:
        if isinstance(item, Expression) and _kind(item) not in FREE:
            width = int(item.type.bitWidth)
            if _kind(item) == "BinaryOp" and str(getattr(item, "op", "")).endswith(QUADRATIC):
                width *= width
            found.append(width)

    node.visit(visit)
    yield from found
