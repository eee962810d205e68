"""Every mutant of a design in one Verilog text, selected by two inputs.

A site is an expression: `site` says which one is mutated, `variant` how. One simulator build
therefore serves all mutants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.hw.rtl.mutation.operators import CONSTANT, mutants_of
from tests.hw.rtl.verilog_text import with_input

SITE, SITE_BITS = "mutant_site", 16
VARIANT, VARIANT_BITS = "mutant_variant", 8
NONE = 0  # no site has this number
INITIAL_VALUE = re.compile(r"^(  reg .*?) = \d+'h\w+;", re.MULTILINE)
ASSIGN = re.compile(r"^(  assign (.*?) = )(.*)(;)$")
REGISTER = re.compile(r"^( +(?:if \((?P<if>.*)\) |else if \((?P<elif>.*)\) |else )?)"
                      r"(?P<lhs>\S+ ?(?:\[\S+\] ?)?) <= (?P<rhs>.*);$")
CONDITION = re.compile(r"^( +(?:else )?if \()(.*)(\))$")
CONNECTION = re.compile(r"^(    \.(\w+)\()(.*)(\),?)$")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one expression. line : as emitted. how : what is done to it."""

    site: int
    variant: int
    module: str
    line: str
    how: str

    def __str__(self) -> str:
        return f"{self.module}: {self.line.strip()}  [{self.how}]"


def with_mutants(modules: Mapping[str, str], chosen: Sequence[str]
                 ) -> tuple[dict[str, str], list[Mutant]]:
    """Return the hierarchy with mutants in the modules `chosen`, and the list of them.

    Registers lose the initial values that emission writes: reset must do its work.
    """
    texts = {name: INITIAL_VALUE.sub(r"\1;", text) for name, text in modules.items()}
    mutants: list[Mutant] = []
    site = NONE
    inputs = _inputs(modules)
    for module in chosen:
        lines = texts[module].splitlines()
        child = ""
        for index, line in enumerate(lines):
            if instance := re.match(r"^  (\w+) (?:\w+ \(|#\()$", line):
                child = instance[1]
            if _unread(line, texts[module]):
                continue
            for part in _expressions(line, inputs.get(child, frozenset())):
                variants = part.mutants()
                if not variants:
                    continue
                site += 1
                mutants += [Mutant(site=site, variant=variant, module=module, line=line, how=how)
                            for variant, (how, _) in enumerate(variants)]
                lines[index] = part.put(lines[index], _selected(site, part.text, variants))
        texts[module] = "\n".join(lines) + "\n"
    return with_input(with_input(texts, SITE, SITE_BITS), VARIANT, VARIANT_BITS), mutants


@dataclass(frozen=True, kw_only=True)
class _Expression:
    """An expression of a line. put(line, text) : the line with `text` in its place."""

    text: str
    put: Callable[[str, str], str]
    condition: bool = False
    holds: str = ""  # the register that is assigned

    def mutants(self) -> list[tuple[str, str]]:
        if self.condition and self.text == "rst":
            return [("reset dropped", "1'b0")]
        if self.condition:
            return [("condition inverted", f"!({self.text})"), ("always", "1'b1"),
                    ("never", "1'b0")]
        found = list(mutants_of(self.text))
        if match := CONSTANT.fullmatch(self.text):  # stuck at this value, or the one beside it
            found = [(how, mutant) for how, mutant in found if how.startswith(match[0])][:1]
        if self.holds and not CONSTANT.fullmatch(self.text):
            found.append(("never changes", self.holds))
        different = {mutant: how for how, mutant in reversed(found) if mutant != self.text}
        return [(how, mutant) for mutant, how in reversed(different.items())]


def _expressions(line: str, inputs: frozenset[str]) -> list[_Expression]:
    """Return the mutable expressions of a line, the last one first."""
    def between(start: int, end: int) -> Callable[[str, str], str]:
        return lambda text, new: text[:start] + new + text[end:]

    if match := ASSIGN.match(line):
        # An alias of bits, and a call: nothing to mutate but the whole.
        return [_Expression(text=match[3], put=between(match.start(3), match.end(3)))]
    if match := CONDITION.match(line):
        return [_Expression(text=match[2], put=between(*match.span(2)), condition=True)]
    if match := REGISTER.match(line):
        name = "if" if match["if"] else "elif" if match["elif"] else ""
        found = [_Expression(text=match["rhs"], put=between(*match.span("rhs")),
                             holds=match["lhs"])]
        if name:
            found.append(_Expression(text=match[name], put=between(*match.span(name)),
                                     condition=True))
        return found
    if (match := CONNECTION.match(line)) and match[2] in inputs - {"clk"}:
        return [_Expression(text=match[3], put=between(*match.span(3)))]
    return []


def _unread(line: str, module: str) -> bool:
    """Return whether a line assigns a wire that nothing reads: there is no circuit behind it."""
    match = ASSIGN.match(line)
    if match is None:
        return False
    wires = re.findall(r"\\\S+|[a-z_]\w*(?![\w']*')", match[2])
    return all(re.search(rf"^  wire (?:\[\S+\] )?{re.escape(wire)} ?;", module, re.MULTILINE)
               and not re.search(rf"^  (?:in|out)put (?:\[\S+\] )?{re.escape(wire)} ?;", module,
                                 re.MULTILINE)
               and not _read(wire, module) for wire in wires)


def _read(wire: str, module: str) -> bool:
    """Return whether `wire` stands anywhere but in its declaration and left of an assignment."""
    name = re.compile(rf"(?<![\w$\\]){re.escape(wire)}(?![\w$])")
    for line in module.splitlines():
        if line.startswith("  wire "):
            continue
        match = ASSIGN.match(line)
        if name.search(match[3] if match else line):
            return True
    return False


def _selected(site: int, text: str, variants: Sequence[tuple[str, str]]) -> str:
    """Return the expression that is `text`, or a variant when the inputs say so."""
    *others, last = [mutant for _, mutant in variants]
    chain = "".join(f"{VARIANT} == {number} ? ({mutant}) : " for number, mutant
                    in enumerate(others))
    return f"({SITE} == {site} ? ({chain}({last})) : ({text}))"


def _inputs(modules: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the inputs of every module."""
    return {name: frozenset(re.findall(r"^  input (?:wire )?(?:\[\S+\] )?(\w+)[;,]?$", text,
                                       re.MULTILINE))
            for name, text in modules.items()}
