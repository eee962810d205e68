"""Functions whose combinations are nearly the products."""

import numpy as np
import pytest

from hw.multipliers import get
from sim.compensation.product_basis import REST, product_basis

VALUES = np.arange(256.0)
COUNTS = np.exp(-VALUES / 40).round(6)


@pytest.mark.parametrize("name", ["mul8u_truncvc_c9", "mul8u_bam_h4v10", "mul8u_evo_umae8500"])
def test_little_is_left_of_what_products_differ_by_from_multiples(name):
    products = get(name).table.astype(float)
    basis, shares = product_basis(products, VALUES, COUNTS, 25)
    np.testing.assert_allclose((basis * COUNTS) @ basis.T, np.eye(len(basis)), atol=1e-9)
    left = [COUNTS @ np.square(products - basis[:rank].T @ shares[:rank]).sum(axis=1)
            for rank in (1, len(basis) - 1, len(basis))]
    assert left[2] <= REST * left[0] < left[1]
    np.testing.assert_allclose(basis[0] / VALUES.clip(1), basis[0][1] * (VALUES > 0))


def test_exact_products_take_one_function():
    basis, shares = product_basis(np.outer(VALUES, VALUES), VALUES, COUNTS, 7)
    assert len(basis) == 1
    np.testing.assert_allclose(basis.T @ shares, np.outer(VALUES, VALUES), rtol=1e-12)


def test_there_are_no_more_functions_than_allowed():
    products = np.random.default_rng(1).standard_normal((256, 40))
    basis, shares = product_basis(products, VALUES, COUNTS, 5)
    assert basis.shape == (5, 256)
    assert shares.shape == (5, 40)


def test_activations_that_are_all_zero_have_none():
    basis, _shares = product_basis(np.ones((1, 3)), np.zeros(1), np.ones(1), 7)
    assert basis.shape == (0, 1)
