"""Exponentials and logarithms that do not depend on the CPU, against those of the C library."""

import math

import numpy as np
import pytest

from sim.compensation.divergence import exponential, logarithm, logit_divergence


def test_exponentials_are_right_to_the_last_bits():
    values = -np.concatenate([np.arange(0, 40, 0.01), np.arange(40, 690, 0.5)])
    expected = [math.exp(value) for value in values]
    np.testing.assert_allclose(exponential(values.reshape(-1, 2)).ravel(), expected, rtol=4.5e-16)
    np.testing.assert_array_equal(exponential(np.array([0.0, -701.0, -np.inf])), [1, 0, 0])


def test_logarithms_are_right_to_the_last_bits():
    values = np.exp(np.arange(-5, 8, 0.01))
    np.testing.assert_allclose(logarithm(values), [math.log(value) for value in values],
                               rtol=5e-16, atol=2e-16)
    assert logarithm(np.ones(1)) == 0


def test_divergence_is_that_of_plain_arithmetic():
    first, second = np.random.default_rng(1).standard_normal((2, 30, 7)).astype(np.float32)
    p, q = (np.exp(one / 2.0) / np.exp(one / 2.0).sum(axis=1, keepdims=True)
            for one in (first.astype(float), second.astype(float)))
    assert logit_divergence(first, second, 2.0) == pytest.approx(
        (p * np.log(p / q)).sum(axis=1).mean(), rel=1e-12)
    assert logit_divergence(first, first + 3) == pytest.approx(0, abs=1e-6)
