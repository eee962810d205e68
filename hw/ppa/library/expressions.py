"""Boolean expressions of Liberty: `function`, `when`, `next_state`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

MAX_DEPTH = 100  # of parentheses; a cell's function nests a few deep
TOKEN = re.compile(r"\s*([A-Za-z_][\w.\[\]]*|[01]|[!~'*&+|^()])")


def evaluate(expression: str, values: Mapping[str, int], ones: int) -> int:
    """Return the value of a Liberty expression.

    Parameters
    ----------
    expression : str
        With `!` `~` or postfix `'` (not), `*` `&` or juxtaposition (and), `^` (exclusive or),
        `+` `|` (or), from the tightest to the loosest.
    values : mapping of str to int
        Each name as a bit vector: any number of cases at once.
    ones : int
        The constant 1 as a bit vector, `2**cases - 1`.

    Raises
    ------
    ValueError
        The expression is malformed, nests too deep or uses a name that `values` lacks.
    """
    return _Expression(expression, values, ones).value()


def names(expression: str) -> set[str]:
    """Return the names that an expression uses."""
    return {token for token in TOKEN.findall(expression) if token[0].isalpha() or token[0] == "_"}


def truth_table(expression: str, inputs: Sequence[str]) -> int:
    """Return the function as an integer: bit i is its value when the inputs spell i.

    `inputs[0]` is the least significant bit of i.
    """
    return evaluate(expression, *spelled(inputs))


def spelled(inputs: Sequence[str]) -> tuple[dict[str, int], int]:
    """Return `values` and `ones` for all cases of some inputs, case i spelling i as above."""
    cases = 1 << len(inputs)
    return {name: sum(1 << case for case in range(cases) if case >> position & 1)
            for position, name in enumerate(inputs)}, (1 << cases) - 1


class _Expression:
    def __init__(self, text: str, values: Mapping[str, int], ones: int) -> None:
        self._shown = repr(text if len(text) <= 60 else text[:60] + "...")
        self._values, self._ones = values, ones
        self._depth = 0
        self._tokens: list[str] = []
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = TOKEN.match(stripped, position)
            if match is None:
                mark = stripped[position:].strip()[0]
                raise ValueError(f"{self._shown} has an unexpected {mark!r}")
            self._tokens.append(match[1])
            position = match.end()
        self._tokens.reverse()

    def value(self) -> int:
        result = self._or()
        if self._tokens:
            raise ValueError(f"{self._shown} has an unexpected {self._tokens[-1]!r}")
        return result

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _or(self) -> int:
        result = self._xor()
        while self._peek() in ("+", "|"):
            self._tokens.pop()
            result |= self._xor()
        return result

    def _xor(self) -> int:
        result = self._and()
        while self._peek() == "^":
            self._tokens.pop()
            result ^= self._and()
        return result

    def _and(self) -> int:
        result = self._not()
        while self._peek() not in ("", "+", "|", "^", ")"):
            if self._peek() in ("*", "&"):
                self._tokens.pop()
            result &= self._not()
        return result

    def _not(self) -> int:
        inverted = self._run_of("!", "~")
        result = self._atom()
        inverted += self._run_of("'")
        return self._ones & ~result if inverted % 2 else result

    def _run_of(self, *marks: str) -> int:
        """Pass a run of some marks; return how many there were."""
        count = 0
        while self._peek() in marks:
            self._tokens.pop()
            count += 1
        return count

    def _atom(self) -> int:
        word = self._tokens.pop() if self._tokens else "its end"
        if word == "(":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ValueError(f"{self._shown} must nest at most {MAX_DEPTH} deep")
            result = self._or()
            self._depth -= 1
            if self._peek() != ")":
                raise ValueError(f"{self._shown} has an unclosed '('")
            self._tokens.pop()
            return result
        if word in ("0", "1"):
            return self._ones if word == "1" else 0
        if word not in self._values:
            raise ValueError(f"{self._shown} has an unexpected {word!r}")
        return self._values[word]
