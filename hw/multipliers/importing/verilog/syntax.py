"""The Verilog that may be imported: parsed by pyslang, written anew from an allow-list.

Every node of the syntax tree must be of an allowed kind and every keyword allowed; the rest is
refused with its line. What passes is written token by token, each on its line, every name
replaced by one of ours (`v0`, `v1`, ...), attributes left out.

`main`, which also has the size estimated (`size`), runs in a process of its own, because
a parser may crash on what it was never meant to read.
"""

from __future__ import annotations

import json
import re
import runpy
import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

KINDS = frozenset((
    # Modules, ports, parameters, wires.
    "CompilationUnit", "ModuleDeclaration", "ModuleHeader", "AnsiPortList", "NonAnsiPortList",
    "ImplicitAnsiPort", "ImplicitNonAnsiPort", "PortReference", "PortDeclaration",
    "VariablePortHeader", "NetPortHeader", "ParameterPortList", "ParameterDeclaration",
    "ParameterDeclarationStatement", "NetDeclaration", "DataDeclaration", "Declarator",
    "EqualsValueClause", "ImplicitType", "LogicType", "RegType", "VariableDimension",
    "RangeDimensionSpecifier", "EmptyMember",
    # Instances and primitives.
    "HierarchyInstantiation", "HierarchicalInstance", "InstanceName", "PrimitiveInstantiation",
    "ParameterValueAssignment", "NamedParamAssignment", "OrderedParamAssignment",
    "NamedPortConnection", "OrderedPortConnection", "EmptyPortConnection",
    "SimplePropertyExpr", "SimpleSequenceExpr",
    # Assignments and combinational processes.
    "ContinuousAssign", "AssignmentExpression", "AlwaysBlock", "AlwaysCombBlock",
    "TimingControlStatement", "ImplicitEventControl", "SequentialBlockStatement",
    "NamedBlockClause", "ExpressionStatement", "EmptyStatement", "ConditionalStatement",
    "ConditionalPredicate", "ConditionalPattern", "ElseClause", "CaseStatement",
    "StandardCaseItem", "DefaultCaseItem",
    # Generate loops and conditions.
    "GenerateRegion", "LoopGenerate", "IfGenerate", "GenerateBlock", "GenvarDeclaration",
    "PostincrementExpression",
    # Names, numbers, operators without side effects.
    "IdentifierName", "IdentifierSelectName", "ElementSelect", "ElementSelectExpression",
    "BitSelect", "SimpleRangeSelect", "AscendingRangeSelect", "DescendingRangeSelect",
    "IntegerLiteralExpression", "IntegerVectorExpression", "UnbasedUnsizedLiteralExpression",
    "ParenthesizedExpression", "ConditionalExpression", "ConcatenationExpression",
    "MultipleConcatenationExpression", "InvocationExpression", "SystemName", "ArgumentList",
    "OrderedArgument",
    "UnaryPlusExpression", "UnaryMinusExpression", "UnaryBitwiseNotExpression",
    "UnaryBitwiseAndExpression", "UnaryBitwiseNandExpression", "UnaryBitwiseOrExpression",
    "UnaryBitwiseNorExpression", "UnaryBitwiseXorExpression", "UnaryBitwiseXnorExpression",
    "UnaryLogicalNotExpression", "AddExpression", "SubtractExpression", "MultiplyExpression",
    "DivideExpression", "ModExpression", "PowerExpression", "BinaryAndExpression",
    "BinaryOrExpression", "BinaryXorExpression", "BinaryXnorExpression", "LogicalAndExpression",
    "LogicalOrExpression", "LogicalShiftLeftExpression", "LogicalShiftRightExpression",
    "ArithmeticShiftLeftExpression", "ArithmeticShiftRightExpression", "EqualityExpression",
    "InequalityExpression", "CaseEqualityExpression", "CaseInequalityExpression",
    "LessThanExpression", "LessThanEqualExpression", "GreaterThanExpression",
    "GreaterThanEqualExpression"))
KEYWORDS = frozenset((
    "module", "endmodule", "input", "output", "wire", "reg", "logic", "signed", "unsigned",
    "parameter", "localparam", "assign", "always", "always_comb", "begin", "end", "if", "else",
    "case", "casez", "endcase", "default", "generate", "endgenerate", "genvar", "for",
    "and", "nand", "or", "nor", "xor", "xnor", "not", "buf"))
SYSTEM_FUNCTIONS = ("$signed", "$unsigned")
# What a user would call a refused kind; the others are called by their name, `initial block`.
WORDS = {
    "DPIImport": "DPI import", "DPIExport": "DPI export", "ScopedName": "hierarchical reference",
    "MemberAccessExpression": "hierarchical reference", "BindDirective": "bind",
    "AlwaysFFBlock": "always_ff (sequential logic)", "AlwaysLatchBlock": "always_latch",
    "EventControlWithExpression": "sensitivity list other than @*, or sequential logic",
    "NonblockingAssignmentExpression": "nonblocking assignment (sequential logic)",
    "ElabSystemTask": "system task", "StringLiteralExpression": "string",
    "Delay3": "delay", "DelayControl": "delay", "IntegerType": "integer variable",
    "NamedType": "module or type that is not in this file",
}
# Attributes that change the logic; others are left out.
FORBIDDEN_ATTRIBUTES = frozenset(("full_case", "parallel_case"))
INITIALISED = frozenset(("NetDeclaration", "ParameterDeclaration"))
ASSIGNING = frozenset(("ContinuousAssign", "ExpressionStatement", "LoopGenerate"))
DIGITS = re.compile(r"[0-9a-fA-F_]+")
MAX_NUMBER, MAX_WIDTH = 65_535, 1024
MAX_DEPTH = 10_000  # of the tree: terms of a sum nest, and elaboration takes the square of them
# Before a text that is no SystemVerilog: words that only that reserves, as `cross`, may be names.
VERILOG = '`begin_keywords "1364-2005" '
TOO_DEEP = "must be less deeply nested"


class Refused(Exception):  # noqa: N818 - an answer to the user, not a failure
    """A construct is not allowed; `offset` is its place in the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class _Place(NamedTuple):
    """Where a node stands: the kinds above it, nearest first, and what it is inside of."""

    parent: str = ""
    grandparent: str = ""
    wildcard: bool = False  # in an item of casez
    module: str = ""
    depth: int = 0


@dataclass
class _Writer:
    """The text written so far."""

    line_starts: list[int]
    modules: set[str]
    parts: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    contains: dict[str, set[str]] = field(default_factory=dict)
    line: int = 1

    def word(self, text: str, offset: int) -> None:
        """Write a token on its line."""
        line = bisect_right(self.line_starts, offset)
        self.parts.append("\n" * (line - self.line) + " " + text)
        self.line = max(line, self.line)

    def name(self, original: str) -> str:
        """Return our name for the user's."""
        return self.names.setdefault(original, f"v{len(self.names)}")


def rewritten(text: str, top: str | None = None) -> dict[str, Any]:
    """Return `verilog`, `top` and `names` (user's name by ours) of cleaned Verilog text.

    Raises
    ------
    Refused
        A construct is not allowed.
    """
    if "`" in text:
        raise Refused("directives must not be used", text.index("`"))
    root, shift = _parsed(text)
    try:
        return _rewritten(root, text, shift, top)
    except Refused as refused:
        raise Refused(str(refused), max(refused.offset - shift, 0)) from None


def _parsed(text: str) -> tuple[Any, int]:
    """Return the root of the syntax tree, and how much larger its offsets are than the text's."""
    from pyslang import DiagnosticEngine
    from pyslang.syntax import SyntaxTree

    refusals = []
    for keywords in ("", VERILOG):
        try:
            tree = SyntaxTree.fromText(keywords + text, "circuit.v")
        except RuntimeError:
            raise Refused(TOO_DEEP, 0) from None
        wrong = next((found for found in tree.diagnostics if found.isError()), None)
        if wrong is None:
            return tree.root, len(keywords)
        message = DiagnosticEngine(tree.sourceManager).formatMessage(wrong)
        refusals.append(Refused(f"not valid Verilog, {message}",
                                wrong.location.offset - len(keywords)))
    raise max(refusals, key=lambda refused: refused.offset)


def _rewritten(root: Any, text: str, shift: int, top: str | None) -> dict[str, Any]:
    """Return the answer for the tree of a text; shift : of the tree's offsets."""
    members = [root] if _kind(root) == "ModuleDeclaration" else list(root)
    modules = [str(member.header.name.valueText) for member in members
               if _kind(member) == "ModuleDeclaration"]
    for number, name in enumerate(modules):
        if name in modules[:number]:
            raise Refused(f"module {name[:40]} must be described once", 0)
    writer = _Writer(line_starts=[0, *(shift + match.end() for match in re.finditer("\n", text))],
                     modules=set(modules), contains={name: set() for name in modules})
    _write(writer, root)
    chosen = _top(writer.contains, top)
    return {"verilog": "".join(writer.parts) + "\n", "top": writer.name(chosen),
            "names": {ours: original for original, ours in writer.names.items()}}


def _kind(node: Any) -> str:
    return str(node.kind).rpartition(".")[2]


def _write(writer: _Writer, root: Any) -> None:
    """Write a syntax tree; a stack, because expressions may be thousands deep."""
    stack: list[tuple[Any, _Place]] = [(root, _Place())]
    while stack:
        item, place = stack.pop()
        if hasattr(item, "rawText"):
            _write_token(writer, item, place)
            continue
        if place.depth > MAX_DEPTH:
            raise Refused(TOO_DEEP, item.getFirstToken().location.offset)
        kind = _kind(item)
        if kind == "AttributeInstance":
            _check_attribute(item)
            continue
        _check_node(writer, item, kind, place)
        below = _Place(parent=kind, grandparent=place.parent, wildcard=place.wildcard or (
            kind == "StandardCaseItem" and place.wildcard), module=place.module,
            depth=place.depth + 1)
        if kind == "CaseStatement":
            below = below._replace(wildcard=item.caseKeyword.valueText == "casez")
        if kind == "ModuleDeclaration":
            below = below._replace(module=str(item.header.name.valueText))
        stack.extend((child, below) for child in reversed(list(item)) if child is not None)


def _check_node(writer: _Writer, node: Any, kind: str, place: _Place) -> None:
    """Raise Refused unless a node is allowed where it stands."""
    def refuse(what: str) -> Refused:
        return Refused(f"{what} must not be used", node.getFirstToken().location.offset)

    if kind not in KINDS:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
        raise refuse(WORDS.get(kind, words))
    if place.parent == "CompilationUnit" and kind != "ModuleDeclaration":
        raise refuse("text outside a module")
    if kind == "ModuleDeclaration" and place.parent not in ("", "CompilationUnit"):
        raise refuse("module inside a module")
    if kind == "EqualsValueClause" and place.grandparent not in INITIALISED:
        raise refuse("initial value")
    if kind == "AssignmentExpression" and place.parent not in ASSIGNING:
        raise refuse("assignment inside an expression")
    if kind == "PostincrementExpression" and place.parent != "LoopGenerate":
        raise refuse("increment")
    if kind == "LoopGenerate" and not _counts_up(node):
        raise Refused("generate loop must count up, as for (i = 0; i < N; i = i + 1) does",
                      node.getFirstToken().location.offset)
    if kind == "InvocationExpression" and _kind(node.left) != "SystemName":
        raise refuse("function call")
    if kind == "HierarchyInstantiation":
        name = str(node.type.valueText)
        if name not in writer.modules:
            raise Refused(f"module {name[:40]} must be in this file",
                          node.getFirstToken().location.offset)
        writer.contains[place.module].add(name)


def _counts_up(loop: Any) -> bool:
    """Whether a generate loop adds a positive number until a bound: it ends."""
    step = loop.iterationExpr
    if _kind(loop.stopExpr) not in ("LessThanExpression", "LessThanEqualExpression"):
        return False
    if _kind(step) == "AssignmentExpression" and _kind(step.right) == "AddExpression":
        name, addend = str(step.left).strip(), step.right.right
        counts = str(step.right.left).strip() == name \
            and _kind(addend) == "IntegerLiteralExpression" and bool(str(addend).strip(" \n\t0_"))
    else:
        counts = _kind(step) == "PostincrementExpression"
        name = str(step.operand).strip() if counts else ""
    return counts and name == str(loop.identifier.valueText) \
        and str(loop.stopExpr.left).strip() == name


def _check_attribute(node: Any) -> None:
    for spec in node.specs:
        if hasattr(spec, "name") and str(spec.name.valueText) in FORBIDDEN_ATTRIBUTES:
            raise Refused(f"attribute {spec.name.valueText} must not be used",
                          spec.name.location.offset)


def _write_token(writer: _Writer, token: Any, place: _Place) -> None:
    """Write one token, or refuse it."""
    kind, text, offset = _kind(token), str(token.rawText), token.location.offset
    if kind in ("EndOfFile", "Placeholder") or (not text and kind != "Identifier"):
        return
    if kind == "Identifier":
        writer.word(writer.name(str(token.valueText)), offset)
        return
    if kind == "SystemIdentifier":
        if text not in SYSTEM_FUNCTIONS:
            raise Refused(f"system task or function {text[:40]} must not be used", offset)
    elif kind in ("IntegerLiteral", "UnbasedUnsizedLiteral"):
        _check_number(kind, text, offset, place)
    elif kind == "IntegerBase":
        text = text.replace(" ", "")
    elif kind.endswith("Keyword"):
        if text not in KEYWORDS:
            raise Refused(f"{text[:40]} must not be used", offset)
    elif re.search(r"[\w\"`\\]", text):  # neither punctuation nor an operator
        raise Refused(f"{text[:40]} must not be used", offset)
    writer.word(text, offset)


def _check_number(kind: str, text: str, offset: int, place: _Place) -> None:
    """Raise Refused for digits without a value and for unsized numbers out of range."""
    if kind == "UnbasedUnsizedLiteral":
        if text not in ("'0", "'1"):
            raise Refused(f"{text} must not be used: x and z have no value", offset)
        return
    digits = text.replace("?", "0") if place.wildcard else text
    if not DIGITS.fullmatch(digits):
        raise Refused(f"{text[:40]} must not be used: x and z have no value", offset)
    if place.parent != "IntegerVectorExpression" and int(text.replace("_", "") or "0") > MAX_NUMBER:
        raise Refused(f"number without a width must be at most {MAX_NUMBER}, not {text[:40]}",
                      offset)
    if len(text) > MAX_WIDTH:
        raise Refused(f"number must have at most {MAX_WIDTH} digits", offset)


def _top(contains: dict[str, set[str]], top: str | None) -> str:
    """Return the top module: `top`, or the only one that no other contains."""
    if not contains:
        raise Refused("must have a module", 0)
    _check_loops(contains)
    if top is not None:
        if top not in contains:
            raise Refused(f"top must be a module of the file, not {top[:40]}", 0)
        return top
    used = set().union(*contains.values())
    roots = [name for name in contains if name not in used]
    if len(roots) > 1:  # leave out cell models that nothing uses
        roots = [name for name in roots if contains[name]]
    if len(roots) != 1:
        raise Refused("must have one top module, or --top must name it", 0)
    return roots[0]


def _check_loops(contains: dict[str, set[str]]) -> None:
    """Raise Refused when a module contains itself, directly or not."""
    left = {name: set(below) for name, below in contains.items()}
    while left:
        leaves = {name for name, below in left.items() if not below & left.keys()}
        if not leaves:
            raise Refused(f"module {next(iter(left))[:40]} must not contain itself", 0)
        for name in leaves:
            del left[name]


def main() -> int:
    """Read {"text", "top"} from stdin and write `rewritten`, or {"error", "line"}."""
    request = json.load(sys.stdin)
    size = runpy.run_path(str(Path(__file__).with_name("size.py")))
    try:
        answer = rewritten(request["text"], request["top"])
        size["check"](answer["verilog"], answer["top"])
    except size["TooLarge"] as too_large:
        answer = {"error": str(too_large), "line": None}
    except Refused as refused:
        line = request["text"].count("\n", 0, refused.offset) + 1
        answer = {"error": str(refused), "line": line if refused.offset else None}
    json.dump(answer, sys.stdout)
    return 0
