"""Integer factors of a table: matrix = u @ v + alpha + beta, equal in every entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim.kernels.factor.lattice import coordinates_in, row_lattice_basis
from sim.kernels.factor.modular import PRIMES, Pivots, check_matrix, find_pivots

RANK_LIMIT = 24  # beyond it factors cost more than they save, on every machine we know

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """`u @ v + alpha[:, None] + beta[None, :]`, integers equal to the matrix that was factorised.

    Parameters
    ----------
    u : int64[m, rank]
    v : int64[rank, n]
    alpha : int64[m]
    beta : int64[n]
        Offsets of the rows and columns; zero unless they were asked for.
    """

    u: Integers = field(repr=False)
    v: Integers = field(repr=False)
    alpha: Integers = field(repr=False)
    beta: Integers = field(repr=False)

    @property
    def rank(self) -> int:
        """Inner dimension of the product."""
        return int(self.u.shape[1])

    @property
    def max_u(self) -> int:
        """Largest entry of u in size."""
        return int(np.abs(self.u).max(initial=0))

    @property
    def max_v(self) -> int:
        """Largest entry of v in size."""
        return int(np.abs(self.v).max(initial=0))

    @cached_property
    def max_sum(self) -> int:
        """Largest sum over r of |u[i, r]| |v[r, j]|.

        A matrix product of inner dimension K whose operands are replaced by factors has partial
        sums of at most K times this, in any order of addition.
        """
        return int((np.abs(self.u) @ np.abs(self.v)).max(initial=0))

    def matrix(self) -> Integers:
        """Return what was factorised, int64[m, n]."""
        return np.asarray(self.u @ self.v + self.alpha[:, None] + self.beta)


def factorise(matrix: npt.NDArray[np.integer], *, limit: int = RANK_LIMIT,
              offsets: bool = False) -> Factors | None:
    """Return integer factors of a matrix whose rank is at most `limit`, None for a higher rank.

    The rank of the factors is the exact rank of the matrix. v (or u, whichever gives the smaller
    `max_sum`) is a reduced basis of the lattice that the rows (columns) of the matrix span.

    Parameters
    ----------
    matrix : integers [m, n]
        At most 256 x 256, entries at most 2**23 in size.
    limit : int
        Highest rank to factorise.
    offsets : bool
        Subtract the first row and the first column before. That gives the lowest rank that any
        row and column offsets leave; it is no lower where the first row and column are zero,
        as they are for a multiplier that keeps zero.

    Raises
    ------
    ValueError
        The matrix is no such matrix.
    """
    check_matrix(matrix)
    values = matrix.astype(np.int64)
    alpha, beta = np.zeros(len(values), np.int64), np.zeros(values.shape[1], np.int64)
    if offsets:
        alpha, beta = values[:, 0], values[0] - values[0, 0]
        values = values - alpha[:, None] - beta
    # A table repeats few distinct rows and columns many times.
    row_of, column_of = _classes(values), _classes(values.T)
    small = values[np.ix_(row_of.first, column_of.first)]
    for prime in PRIMES:
        pivots = find_pivots(small, prime, limit=limit)
        if not pivots.exhausted:
            return None  # the rank modulo a prime is never too high
        found = _shorter(small, pivots)
        if found is not None:
            u, v = found
            result = Factors(u=u[row_of.index], v=v[:, column_of.index], alpha=alpha, beta=beta)
            assert np.array_equal(result.matrix(), matrix)
            return result
    raise ArithmeticError("Matrix must have its rank modulo one of four primes")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Classes:
    first: Integers  # one row of each kind
    index: Integers  # kind of each row


def _classes(values: Integers) -> _Classes:
    kinds: dict[bytes, int] = {}
    index = np.array([kinds.setdefault(row.tobytes(), len(kinds)) for row in values], np.int64)
    return _Classes(first=np.unique(index, return_index=True)[1], index=index)


def _shorter(matrix: Integers, pivots: Pivots) -> tuple[Integers, Integers] | None:
    """Return the better (u, v) of the row and the column lattice; None if the rank is too low."""
    if not pivots.rank:
        empty = np.zeros((len(matrix), 0), np.int64), np.zeros((0, matrix.shape[1]), np.int64)
        return None if matrix.any() else empty
    by_rows = _factor(matrix, pivots.rows, pivots.columns)
    by_columns = _factor(matrix.T, pivots.columns, pivots.rows)
    found = [by_rows] if by_rows else []
    found += [(by_columns[1].T, by_columns[0].T)] if by_columns else []
    return min(found, key=lambda uv: int((np.abs(uv[0]) @ np.abs(uv[1])).max()), default=None)


def _factor(matrix: Integers, rows: Integers,
            columns: Integers) -> tuple[Integers, Integers] | None:
    basis = row_lattice_basis(matrix, rows, columns)
    if basis is None:
        return None
    coordinates = coordinates_in(matrix, basis, columns)
    return None if coordinates is None else (coordinates, basis)


def rank_one(table: npt.NDArray[np.integer]) -> tuple[Integers, Integers] | None:
    """Return integers u int64[m], v int64[n] with `table = outer(u, v)`, or None.

    Where it exists, a table product is one integer matrix product of recoded operands: u of the
    activations times v of the weights. A common divisor of the table is shared between u and v
    so that the longer of them needs as few bits as possible; of the two signs, the one whose
    vectors fit in fewer bits of two's complement is taken, then that with more of u positive.
    A table of zeros gives zeros.
    """
    check_matrix(table)
    values = table.astype(np.int64)
    row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
    if not values[row, column]:
        return np.zeros(len(values), np.int64), np.zeros(values.shape[1], np.int64)
    v = values[row] // int(np.gcd.reduce(values[row]))
    u, rest = np.divmod(values[:, column], v[column])
    if rest.any() or not np.array_equal(np.multiply.outer(u, v), values):
        return None
    content = int(np.gcd.reduce(u))
    u //= content
    splits = [sign * part for part in _divisors(content) for sign in (1, -1)]
    best = min(splits, key=lambda part: _width(u * part, v * (content // part)))
    return u * best, v * (content // best)


def _divisors(number: int) -> list[int]:
    small = [part for part in range(1, int(number ** 0.5) + 1) if number % part == 0]
    return sorted({*small, *(number // part for part in small)})


def _width(u: Integers, v: Integers) -> tuple[int, int, int]:
    bits = [max(int(part.max()), -1 - int(part.min())).bit_length() for part in (u, v)]
    return max(bits), sum(bits), -int(u.sum())
