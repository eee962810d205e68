"""Rounding in order, against its definition and against optimal brain quantisation."""

import numpy as np
import pytest

from sim.compensation.nearest_plane import factorise, round_weights


def covariance(seed, k):
    values = np.random.default_rng(seed).standard_normal((k, 3 * k))
    values += values[:1]
    return values @ values.T / (3 * k) + 0.01 * np.eye(k)


@pytest.mark.parametrize("k", [1, 7, 32, 33, 100])
def test_the_factor_gives_the_matrix_back(k):
    matrix = covariance(k, k)
    found = matrix.copy()
    factorise(found)
    upper = np.triu(found)
    np.testing.assert_array_equal(np.diag(upper), 1)
    left = np.linalg.solve(upper.T, matrix)
    pivots = np.linalg.solve(upper.T, left.T)
    np.testing.assert_allclose(pivots, np.diag(np.diag(pivots)), atol=1e-9)
    assert (np.diag(pivots) > 0).all()


@pytest.mark.parametrize(("k", "n"), [(6, 4), (150, 21)])
def test_weights_are_those_of_optimal_brain_quantisation_in_the_opposite_order(k, n):
    """Frantar et al., "OPTQ": after each term the others move to where the error is least."""
    generator = np.random.default_rng(k)
    matrix, codes = covariance(2, k), 9
    gain = generator.standard_normal((k, codes)).astype(np.float32)
    noise = (0.01 * generator.standard_normal((k, codes)) ** 2).astype(np.float32)
    weights = generator.standard_normal((k, n)).astype(np.float32)
    expected, left = np.empty((k, n), np.uint8), weights.astype(float)
    for term in range(k - 1, -1, -1):
        cost = (left[term] - gain[term][:, None]) ** 2 + noise[term][:, None]
        expected[term] = cost.argmin(axis=0)
        missed = left[term] - gain[term][expected[term]]
        if term:
            free = matrix[:term, :term]
            left[:term] += np.linalg.solve(free, matrix[:term, term])[:, None] * missed
    factorise(matrix)
    found = np.empty((k, n), np.uint8)
    round_weights(weights, matrix.astype(np.float32), gain, noise, found)
    assert (found == expected).mean() > 0.99  # single precision decides ties otherwise
