"""Digests of inputs: another one for whatever differs."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest

from hw.common.code import code_digest
from hw.common.content import digest


@dataclass(frozen=True)
class Figures:
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Others:
    name: str
    values: tuple[float, ...]


def test_every_input_counts():
    different = [
        None, True, 1, 1.0, -1, "1", "", b"", b"1", [], [1], [[1]], [1, 2], [2, 1], {"a": 1},
        {"a": 2}, {"b": 1}, [["a", 1]], Figures("a", ()), Figures("a", (1.0,)), Others("a", ()),
        np.zeros(2), np.zeros(2, np.float32), np.zeros((2, 1)), np.zeros((1, 2)), np.zeros((0, 2)),
        np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.zeros(2, np.int64), np.int64(0), digest,
        code_digest]
    for one, other in combinations(different, 2):
        assert digest(one) != digest(other), (one, other)
    assert digest(1, 2) != digest(12) != digest([1, 2])


def test_how_an_array_lies_in_memory_does_not_count():
    values = np.arange(12).reshape(3, 4)
    assert digest(values.T) == digest(values.T.copy())
    assert digest(values[:, ::2]) == digest(values[:, ::2].copy())


def test_what_has_no_content_is_our_mistake():
    with pytest.raises(TypeError):
        digest(object())
