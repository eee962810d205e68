"""Mutants of single expressions and statements."""

from __future__ import annotations

import pytest

from tests.hw.rtl.mutation.mutants import NONE, SITE, with_mutants
from tests.hw.rtl.mutation.operators import mutants_of


@pytest.mark.parametrize(("expression", "mutants"), [
    ("a & b", {"a | b", "a", "b", "0", "~0"}),
    ("a - b", {"a + b", "a", "b - a", "0", "~0"}),
    ("a < b", {"a <= b", "b < a", "0", "~0"}),
    ("c ? a : b", {"c ? b : a", "a", "b", "0", "~0"}),
    ("~ a", {"a", "0", "~0"}),
    ("& { a, b }", {"| { a, b }", "& { b }", "& { a }", "0", "~0"}),
    ("a == 3'h7", {"a != 3'h7", "a == 3'd0", "a == 3'd6", "0", "~0"}),
    (r"\x$1  | b", {r"\x$1  & b", r"\x$1 ", "b", "0", "~0"}),
    ("$signed(a) + $signed(b)", {
        "$signed($signed(a) - $signed(b))", "$signed($signed(a))", "$signed($signed(b))",
        "$signed(0)", "$signed(~0)"}),
])
def test_an_expression_has_these_mutants(expression, mutants):
    assert {mutant for _, mutant in mutants_of(expression)} == mutants


MODULE = """module top(a, b, clk);
  input clk;
  wire clk;
  input a;
  wire a;
  output b;
  reg b = 1'h0;
  wire unread;
  assign unread = a;
  always @(posedge clk)
    if (a) b <= 1'h1;
endmodule
"""


def test_mutants_are_chosen_by_the_inputs_and_nothing_else_changes():
    texts, mutants = with_mutants({"top": MODULE}, ["top"])
    text = texts["top"]
    assert [mutant.how for mutant in mutants] == [
        "1'h1 becomes 0", "condition inverted", "always", "never"]
    assert NONE not in {mutant.site for mutant in mutants}
    assert f"input [15:0] {SITE};" in text
    assert "  assign unread = a;\n" in text
    assert ": (1'h1));" in text
    assert "reg b;" in text
