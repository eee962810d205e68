"""Bases of integer lattices: Hermite normal form, and reduction to short vectors.

The rows of an integer matrix span a lattice. Its Hermite normal form is a basis in which every
row of the matrix has integer coordinates (Cohen, A Course in Computational Algebraic Number
Theory, 1993, section 2.4.2, working modulo a multiple of the determinant); reduction
(Lenstra, Lenstra and Lovász, Math. Ann. 261, 1982) makes the basis short. Determinants are
Python integers of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

LOVASZ = 0.99
HALF = 0.501  # size reduction stops here, so that rounding cannot make it loop

Integers = npt.NDArray[np.int64]
Big = npt.NDArray[Any]  # of Python integers


def adjugate(square: npt.NDArray[Any]) -> tuple[Big, int]:
    """Return (A, d) of Python integers with `square @ A = d I`, d the determinant up to sign.

    Fraction-free Gauss-Jordan elimination (Bareiss). Raises ZeroDivisionError where there is no
    inverse.
    """
    size = len(square)
    work = np.concatenate([square.astype(object), np.eye(size, dtype=np.int64).astype(object)],
                          axis=1)
    divisor = 1
    for step in range(size):
        swap = next((row for row in range(step, size) if work[row, step]), None)
        if swap is None:
            raise ZeroDivisionError("Matrix must be invertible")
        if swap != step:
            work[[step, swap]] = work[[swap, step]]
        pivot = work[step, step]
        others = np.arange(size) != step
        work[others] = (pivot * work[others]
                        - np.multiply.outer(work[others, step], work[step])) // divisor
        divisor = pivot
    return work[:, size:], int(divisor)


def _extended_gcd(a: int, b: int) -> tuple[int, int, int]:
    """Return (g, s, t) with g = s a + t b the greatest common divisor, g > 0."""
    s, next_s, t, next_t = 1, 0, 0, 1
    while b:
        quotient, rest = divmod(a, b)
        a, b = b, rest
        s, next_s = next_s, s - quotient * next_s
        t, next_t = next_t, t - quotient * next_t
    return (a, s, t) if a > 0 else (-a, -s, -t)


def hermite_basis(rows: Big, modulus: int) -> Big:
    """Return the Hermite normal form of the lattice of `rows` and `modulus` times the unit rows.

    rows : Python integers [count, r]. Returns Python integers [r, r]: upper triangular, positive
    on the diagonal, what stands above a diagonal entry smaller than it and not negative.
    """
    size = rows.shape[1]
    basis = np.zeros((size, size), object)
    for index in range(size):
        basis[index, index] = modulus
    for row in rows:
        vector = row % modulus
        for index in range(size):
            if not vector[index]:
                continue
            diagonal, entry = basis[index, index], vector[index]
            divisor, s, t = _extended_gcd(diagonal, entry)
            combined = (s * basis[index] + t * vector) % modulus
            vector = ((diagonal // divisor) * vector
                      - (entry // divisor) * basis[index]) % modulus
            combined[index] = divisor  # it divides the modulus: never reduced to zero
            basis[index] = combined
    for index in range(size):
        for above in range(index):
            basis[above] -= (basis[above, index] // basis[index, index]) * basis[index]
    return basis


def row_lattice_basis(matrix: Integers, rows: Sequence[int] | Integers,
                      columns: Sequence[int] | Integers) -> Integers | None:
    """Return a basis int64[r, n] of the lattice that the rows of `matrix` span.

    rows, columns : r independent rows and columns of `matrix`. The basis is that of a lattice
    whose rank is r; None where the other rows are outside their span.
    """
    chosen = reduce(matrix[rows])
    inverse, determinant = adjugate(chosen[:, columns])
    distinct = matrix[:, columns].astype(object)
    coordinates = (distinct @ inverse) % determinant  # times the determinant
    divisor = gcd(determinant, *coordinates.ravel())
    modulus = abs(determinant // divisor)
    if modulus == 1:
        return chosen
    finer = hermite_basis(coordinates // divisor, modulus) @ chosen.astype(object)
    if (finer % modulus).any():
        return None
    return reduce((finer // modulus).astype(np.int64))


def coordinates_in(matrix: Integers, basis: Integers,
                   columns: Sequence[int] | Integers) -> Integers | None:
    """Return the integer U with `matrix = U @ basis`, int64[m, r]; None where there is none."""
    inverse, determinant = adjugate(basis[:, columns])
    scaled = matrix[:, columns].astype(object) @ inverse
    if (scaled % determinant).any():
        return None
    found = scaled // determinant
    if max(map(abs, found.ravel()), default=0) >= 2**31:
        return None
    result = found.astype(np.int64)
    return result if np.array_equal(result @ basis, matrix) else None


def reduce(basis: Integers) -> Integers:
    """Return a basis of the same lattice whose vectors are short and nearly orthogonal.

    basis : int64[r, n], independent rows. The row operations are integer and exact; only their
    choice is made in float64, so rounding can cost shortness, never correctness.
    """
    vectors = basis.astype(np.int64).copy()
    size = len(vectors)
    gram = (vectors @ vectors.T).astype(np.float64)
    mu = np.zeros((size, size))
    norms = np.zeros(size)

    def orthogonalise(row: int) -> None:
        products = np.zeros(row)
        for column in range(row):
            products[column] = gram[row, column] - mu[column, :column] @ products[:column]
            mu[row, column] = products[column] / norms[column]
        norms[row] = gram[row, row] - mu[row, :row] @ products

    orthogonalise(0)
    row = 1
    while row < size:
        orthogonalise(row)
        for other in range(row - 1, -1, -1):
            if abs(mu[row, other]) > HALF:
                times = np.rint(mu[row, other])
                vectors[row] -= np.int64(times) * vectors[other]
                mu[row, :other] -= times * mu[other, :other]
                mu[row, other] -= times
        gram[row] = gram[:, row] = vectors @ vectors[row]
        orthogonalise(row)
        if norms[row] < (LOVASZ - mu[row, row - 1] ** 2) * norms[row - 1]:
            vectors[[row - 1, row]] = vectors[[row, row - 1]]
            gram[[row - 1, row]] = gram[[row, row - 1]]
            gram[:, [row - 1, row]] = gram[:, [row, row - 1]]
            row = max(row - 1, 1)
            if row == 1:
                orthogonalise(0)
        else:
            row += 1
    return vectors
