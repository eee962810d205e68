"""Rank of an integer matrix: found modulo a prime, then proved over the integers.

Elimination modulo a prime gives a rank that is never too high: a minor that is not zero modulo
the prime is not zero. That it is not too low is proved by p-adic lifting (Dixon, Numer. Math. 40,
1982): the remaining rows are expressed in the pivot rows digit by digit until a minor that
the prime still hid would have to exceed Hadamard's bound. All arithmetic is float64 on integers
below 2**53, so matrix products run at the speed of BLAS and nothing is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt

# The largest primes below 2**22: 256 products of two residues stay below 2**53.
PRIMES = (4194301, 4194287, 4194277, 4194271)
MAX_SIDE = 256
MAX_ENTRY = 2**23  # 256 products of half a prime and an entry stay below 2**53

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pivots:
    """Where elimination found independent rows and columns.

    Parameters
    ----------
    rows, columns : int64[rank]
        The minor of these rows and columns is not zero.
    exhausted : bool
        Elimination reached the end, rather than the limit that it was given.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    exhausted: bool

    @property
    def rank(self) -> int:
        """Number of pivots."""
        return len(self.rows)


def check_matrix(matrix: npt.NDArray[np.integer]) -> None:
    """Raise ValueError unless `matrix` has at most 256 rows and columns, and entries to 2**23."""
    if matrix.ndim != 2 or max(matrix.shape) > MAX_SIDE or not matrix.size:
        raise ValueError(f"Matrix must have 1 to {MAX_SIDE} rows and columns, not {matrix.shape}")
    if not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(f"Matrix must hold integers, not {matrix.dtype}")
    if max(-int(matrix.min()), int(matrix.max())) > MAX_ENTRY:
        raise ValueError(f"Matrix entries must be at most {MAX_ENTRY} in size, "
                         f"not {matrix.min()} to {matrix.max()}")


def modulo(values: Reals, prime: int) -> Reals:
    """Return `values` modulo `prime`, in [0, prime); they are integers below 2**53 in size."""
    # Half a unit keeps multiples of the prime clear of the rounding of the reciprocal.
    return np.asarray(values - prime * np.floor((values + 0.5) / prime))


def find_pivots(matrix: npt.NDArray[np.integer], prime: int, *, limit: int = MAX_SIDE) -> Pivots:
    """Return pivots of `matrix` modulo `prime`; stop at the first pivot beyond `limit`."""
    left = modulo(matrix.astype(np.float64), prime)
    rows: list[int] = []
    columns: list[int] = []
    for index in range(len(left)):
        row = left[index]
        nonzero = np.flatnonzero(row)
        if not len(nonzero):
            continue
        rows.append(index)
        columns.append(int(nonzero[0]))
        if len(rows) > limit:
            break
        scaled = modulo(row * pow(int(row[columns[-1]]), -1, prime), prime)
        below = left[index + 1:]
        touched = np.flatnonzero(below[:, columns[-1]])
        if len(touched):
            factors = below[touched, columns[-1]]
            below[touched] = modulo(below[touched] - np.multiply.outer(factors, scaled), prime)
    return Pivots(rows=np.array(rows, np.int64), columns=np.array(columns, np.int64),
                  exhausted=len(rows) <= limit)


def _inverse(square: Reals, prime: int) -> Reals:
    """Return the inverse modulo `prime` of a matrix that has one."""
    size = len(square)
    work = np.concatenate([modulo(square, prime), np.eye(size)], axis=1)
    for step in range(size):
        swap = step + int(np.flatnonzero(work[step:, step])[0])
        if swap != step:
            work[[step, swap]] = work[[swap, step]]
        work[step] = modulo(work[step] * pow(int(work[step, step]), -1, prime), prime)
        factors = work[:, step].copy()
        factors[step] = 0
        touched = np.flatnonzero(factors)
        work[touched] = modulo(work[touched] - np.multiply.outer(factors[touched], work[step]),
                               prime)
    return work[:, size:]


def pivots_are_complete(matrix: npt.NDArray[np.integer], pivots: Pivots, prime: int) -> bool:
    """Return whether every row is a rational combination of the pivot rows: the proof."""
    others = np.setdiff1d(np.arange(len(matrix)), pivots.rows)
    rank = pivots.rank
    if not len(others) or rank == matrix.shape[1]:
        return True
    values = matrix.astype(np.float64)
    if not rank:
        return not values.any()
    base = values[pivots.rows]
    inverse = _inverse(base[:, pivots.columns], prime)
    left = values[others]
    for _step in range(_lifting_steps(values, rank, prime)):
        digits = modulo(modulo(left[:, pivots.columns], prime) @ inverse, prime)
        digits -= prime * (digits > prime // 2)
        left = left - digits @ base
        quotient = np.rint(left / prime)
        if (quotient * prime != left).any():
            return False
        left = quotient
    return True


def _lifting_steps(values: Reals, rank: int, prime: int) -> int:
    """Return the digits after which a hidden minor of size rank + 1 would break its bound."""
    bounds = []
    for axis in (0, 1):
        norms = np.sort(np.sqrt((values * values).sum(axis=axis)))[::-1]
        bounds.append(np.log2(np.maximum(norms[:rank + 1], 1)).sum())
    return int(min(bounds) / log2(prime)) + 2  # one for the rounding of the logarithms


def exact_rank(matrix: npt.NDArray[np.integer]) -> int:
    """Return the rank over the rationals of an integer matrix of up to 256 x 256, proved.

    Entries are at most 2**23 in size; raises ValueError otherwise.
    """
    check_matrix(matrix)
    distinct = np.unique(np.unique(matrix, axis=0), axis=1)
    for prime in PRIMES:
        pivots = find_pivots(distinct, prime)
        if pivots_are_complete(distinct, pivots, prime):
            return pivots.rank
    raise ArithmeticError("Rank must be found with one of four primes")
