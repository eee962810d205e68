"""Coordinate descent, against trying every code."""

import numpy as np
import pytest

from sim.compensation.descent import FUNCTIONS, descend, find_moments
from sim.compensation.lanes import LANES, SUMS
from sim.compensation.nearest_plane import add_rows, factorise, round_weights

SINGLE = np.float32
K, M, SEEN, CODES = 5, 40, FUNCTIONS, 6


def test_moments_are_those_of_the_rows():
    generator = np.random.default_rng(5)
    acts = generator.integers(0, 11, (3, 60))
    basis = generator.standard_normal((11, SUMS)).astype(SINGLE)
    counts = np.stack([np.bincount(term, minlength=11) for term in acts]).astype(SINGLE)
    means, moments = np.empty((3, SUMS), SINGLE), np.empty((3, SUMS, SUMS), SINGLE)
    find_moments(counts, basis, means, moments)
    for term, own in enumerate(acts):
        np.testing.assert_allclose(means[term], basis[own].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(moments[term] / 60, np.cov(basis[own].T, bias=True), atol=1e-5)


@pytest.mark.parametrize("seed", [7, 8])
def test_each_term_takes_the_code_of_least_error(seed):
    generator = np.random.default_rng(seed)
    acts = generator.integers(0, SEEN, (K, M)).astype(np.uint8)
    table = generator.integers(-50, 50, (SEEN, CODES)).astype(SINGLE)
    counts = np.stack([np.bincount(term, minlength=SEEN) for term in acts]).astype(SINGLE)
    spread = counts @ table ** 2 - (counts @ table) ** 2 / M
    gain, noise, weights = (generator.standard_normal(shape).astype(SINGLE) ** 2
                            for shape in ((K, CODES), (K, CODES), (K, LANES)))
    pull = np.full(K, 300, SINGLE)
    start = generator.integers(0, CODES, (K, LANES)).astype(np.uint8)
    target = generator.integers(-200, 200, (M, LANES)).astype(SINGLE)
    order = generator.permutation(K)
    basis, shares = np.zeros((SEEN, SUMS), SINGLE), np.zeros((CODES, SUMS), SINGLE)
    basis[:, :SEEN], basis[:, FUNCTIONS] = np.eye(SEEN), 1  # any products are combinations
    shares[:, :SEEN] = table.T
    means, moments = np.empty((K, SUMS), SINGLE), np.empty((K, SUMS, SUMS), SINGLE)
    find_moments(counts, basis, means, moments)

    def left(codes):
        return target - table[acts.T[:, :, None], codes].sum(axis=1)

    rest, found = np.ascontiguousarray(left(start)), start.copy()
    by_act = np.argsort(acts, axis=1, kind="stable").astype(np.int32)
    ends = np.cumsum(counts, axis=1).astype(np.int64)
    descend(acts, by_act, ends, np.ascontiguousarray(table.T), basis, shares, means, moments,
            spread + pull[:, None] * (noise + gain ** 2), spread, gain, pull, order, weights, rest,
            found)

    expected = start.copy()
    for term in order:
        costs = []
        for code in range(CODES):
            tried = expected.copy()
            tried[term] = code
            missed = (weights[term] - gain[term, code]) ** 2 + noise[term, code]
            costs.append(left(tried).var(axis=0) * M + pull[term] * missed)
        expected[term] = np.argmin(costs, axis=0)
    np.testing.assert_array_equal(found, expected)
    assert (start != expected).any()
    np.testing.assert_allclose(rest, left(found), atol=1e-2)


@pytest.mark.parametrize("loop", [descend, find_moments, factorise, round_weights, add_rows])
def test_nothing_is_fused(loop):
    for signature in loop.signatures:
        fresh = type(loop)(loop.py_func, targetoptions={"nogil": True, "nopython": True})
        fresh.compile(signature)
        text = "".join(fresh.inspect_asm().values())
        assert "mulp" in text or "muls" in text
        assert "fmadd" not in text
        assert "fnmadd" not in text
