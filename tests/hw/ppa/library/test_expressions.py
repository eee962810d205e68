"""Boolean expressions of Liberty."""

from itertools import product

import pytest

from hw.ppa.library.expressions import names, truth_table

CASES = [
    ("A", lambda a, b, c: a),
    ("!A", lambda a, b, c: not a),
    ("A'", lambda a, b, c: not a),
    ("~(A * B)", lambda a, b, c: not (a and b)),
    ("A B + C", lambda a, b, c: (a and b) or c),
    ("A & B | C", lambda a, b, c: (a and b) or c),
    ("A ^ B * C", lambda a, b, c: a != (b and c)),
    ("A + B ^ C", lambda a, b, c: a or (b != c)),
    ("(A + B)' C", lambda a, b, c: not (a or b) and c),
    ("!A !B", lambda a, b, c: not a and not b),
    ("(!A * !B) + (!A * !C) + (!B * !C)", lambda a, b, c: a + b + c < 2),
    ("1 * A + 0", lambda a, b, c: a),
]


@pytest.mark.parametrize(("text", "meaning"), CASES, ids=[text for text, _ in CASES])
def test_truth_table_is_that_of_the_expression(text, meaning):
    table = truth_table(text, ["A", "B", "C"])
    for c, b, a in product((False, True), repeat=3):
        assert table >> (a + 2 * b + 4 * c) & 1 == bool(meaning(a, b, c))


@pytest.mark.parametrize("text", ["", "A +", "(A", "A)", "A @ B", "X", "!", "A * * B"])
def test_malformed_expression_is_rejected(text):
    with pytest.raises(ValueError, match="has an un"):
        truth_table(text, ["A", "B"])


@pytest.mark.parametrize("text", ["(" * 50_000 + "A" + ")" * 50_000, "(!" * 50_000, "(" * 101])
def test_deep_expression_is_rejected_in_a_short_line(text):
    with pytest.raises(ValueError, match=r"must nest at most 100 deep$") as refused:
        truth_table(text, ["A"])
    assert len(str(refused.value)) < 120


def test_any_number_of_inversions_is_evaluated():
    assert truth_table("!" * 50_001 + "A" + "'" * 50_000, ["A"]) == truth_table("!A", ["A"])


def test_names_are_those_used():
    assert names("(A1 * !B_2) + A1'") == {"A1", "B_2"}
