"""A few functions of the activation whose combinations are nearly the products with every code.

    products[a, c] = sum over j of basis[j, a] * shares[j, c] + a small rest

The first is the activation itself, so that its share is the weight that a code counts as. Each
further one is what is left of the products with the code of which most is left (Gram-Schmidt with
column pivoting). Sums are in one order, so that all CPUs give the same bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep

Reals = npt.NDArray[np.float64]

REST = 0.002  # of what products differ by from multiples of the activation
ROUNDING = 1e-20  # of the squares of products: what is smaller was left by rounding


def product_basis(products: Reals, values: Reals, counts: Reals, limit: int
                  ) -> tuple[Reals, Reals]:
    """Return basis float64[rank, acts] and shares float64[rank, codes].

    products : float64[acts, codes]. values : of each activation, float64[acts]. counts : how
    often it occurs, float64[acts]; the basis is orthonormal under them.
    """
    basis, shares = np.zeros((limit, len(products))), np.zeros((limit, products.shape[1]))
    rank = orthonormalise(np.array(products), np.array(values), counts, basis, shares, REST)
    return basis[:rank], shares[:rank]


@njit("int64(float64[:,::1], float64[::1], float64[::1], float64[:,::1], float64[:,::1], float64)",
      nogil=True, cache=keep())
def orthonormalise(left: Reals, column: Reals, counts: Reals, basis: Reals, shares: Reals,
                   rest: float) -> int:
    """Fill basis and shares, taking them off the products `left`; return the rank."""
    acts, codes = left.shape
    whole = tolerated = 0.0
    for rank in range(basis.shape[0] + 1):
        squares = np.zeros(codes)
        for act in range(acts):
            for code in range(codes):
                squares[code] += counts[act] * left[act, code] * left[act, code]
        total, pivot = 0.0, 0
        for code in range(codes):
            total += squares[code]
            if squares[code] > squares[pivot]:
                pivot = code
        if rank == 0:
            whole = total
        elif rank == 1:
            tolerated = max(rest * total, ROUNDING * whole)
        if rank == basis.shape[0] or (rank and total <= tolerated):
            return rank
        if rank:
            column = left[:, pivot].copy()
        norm = 0.0
        for act in range(acts):
            norm += counts[act] * column[act] * column[act]
        if norm == 0.0:
            return rank
        for act in range(acts):
            basis[rank, act] = column[act] / np.sqrt(norm)
            for code in range(codes):
                shares[rank, code] += counts[act] * basis[rank, act] * left[act, code]
        for act in range(acts):
            for code in range(codes):
                left[act, code] -= basis[rank, act] * shares[rank, code]
    return len(basis)
