"""A product table as matrix products of recoded operands, in int8 or in floating point.

    table[a, w] = sum over i of scale[i] u[a, i] v[i, w] + alpha[a] + beta[w]

Recoding every activation a as the row u[a] and every weight w as the column v[:, w] turns a
table product into one ordinary matrix product whose inner dimension is that many times longer,
and two sums that belong to a row or a column alone. All of it is integer and exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim.kernels.factor import RANK_LIMIT, Factors, factorise

Integers = npt.NDArray[np.int64]
INT32_MAX = 2**31 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Terms:
    """A table as int8 products, grouped by scale.

    Parameters
    ----------
    groups : tuple of (int, int8[256, t], int8[t, 256])
        scale, u and v.
    alpha, beta : int64[256]
        Offsets of activations and weights.
    """

    groups: tuple[tuple[int, npt.NDArray[np.int8], npt.NDArray[np.int8]], ...] = field(repr=False)
    alpha: Integers = field(repr=False)
    beta: Integers = field(repr=False)

    @property
    def count(self) -> int:
        """Int8 multiplications per table product."""
        return sum(u.shape[1] for _scale, u, _v in self.groups)

    @cached_property
    def bound(self) -> int:
        """Largest that one product adds to any partial sum, in size."""
        sums = sum(scale * int((np.abs(u.astype(np.int64)) @ np.abs(v.astype(np.int64))).max())
                   for scale, u, v in self.groups)
        return sums + int(np.abs(self.alpha).max()) + int(np.abs(self.beta).max())

    @property
    def slice(self) -> int:
        """Products that can be summed before a partial sum might leave int32; 0: not even one."""
        return INT32_MAX // max(self.bound, 1)


def candidates(table: npt.NDArray[np.int32], act_values: npt.NDArray[np.int16],
               weight_values: npt.NDArray[np.int16]) -> list[Factors]:
    """Return factors of the whole table: its own, and act * weight beside those of its error."""
    exact_u, exact_v = act_values.astype(np.int64)[:, None], weight_values.astype(np.int64)[None]
    found = []
    whole = factorise(table, limit=RANK_LIMIT + 1, offsets=True)
    if whole is not None:
        found.append(whole)
    error = factorise(table - exact_u @ exact_v, limit=RANK_LIMIT, offsets=True)
    if error is not None:
        found.append(Factors(u=np.concatenate([exact_u, error.u], axis=1),
                             v=np.concatenate([exact_v, error.v]),
                             alpha=error.alpha, beta=error.beta))
    return found


def int8_terms(factors: Factors) -> Int8Terms:
    """Split integer factors into int8: entries beyond it become digits of base 256."""
    alpha, beta = factors.alpha.copy(), factors.beta.copy()
    pieces: dict[int, list[tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]]] = {}
    for full_u, full_v in zip(factors.u.T, factors.v, strict=True):
        scale_u, u, centre_u = _centred(full_u)
        scale_v, v, centre_v = _centred(full_v)
        scale = scale_u * scale_v
        # (u + cu) (v + cv) = u v + cv u + cu (v + cv)
        alpha += scale * centre_v * u
        beta += scale * centre_u * (v + centre_v)
        for weight_u, digit_u in _digits(u):
            for weight_v, digit_v in _digits(v):
                pieces.setdefault(scale * weight_u * weight_v, []).append((digit_u, digit_v))
    groups = tuple((scale, np.stack([u for u, _v in pairs], axis=1),
                    np.stack([v for _u, v in pairs])) for scale, pairs in sorted(pieces.items()))
    return Int8Terms(groups=groups, alpha=alpha, beta=beta)


def _centred(values: Integers) -> tuple[int, Integers, int]:
    """Return (s, x, c) with `values = s (x + c)`, c zero where the entries of x fit in int8."""
    scale = max(int(np.gcd.reduce(values)), 1)
    values = values // scale
    low, high = int(values.min()), int(values.max())
    centre = 0 if low >= -128 and high <= 127 else (low + high + 1) // 2
    return scale, values - centre, centre


def _digits(values: Integers) -> list[tuple[int, npt.NDArray[np.int8]]]:
    """Return digits of base 256 in [-128, 127], as (weight, digits); zero digits are left out."""
    found, weight = [], 1
    while values.any():
        digit = (values + 128) % 256 - 128
        if digit.any():
            found.append((weight, digit.astype(np.int8)))
        values, weight = (values - digit) // 256, weight * 256
    return found
