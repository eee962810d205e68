"""Error figures of a multiplier, over all operand pairs.

Percentages follow EvoApproxLib: MAE and WCE relative to the largest 16-bit product 2**16 - 1,
MRE over the pairs whose exact product is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import exact_products

FULL_SCALE = 2**16 - 1


@dataclass(frozen=True, kw_only=True)
class ErrorMetrics:
    """Errors of a product table against the exact product.

    Parameters
    ----------
    mae : float
        Mean absolute error.
    wce : int
        Worst-case absolute error.
    ep : float
        Error probability: fraction of pairs with a wrong product.
    mre : float
        Mean relative error over pairs with a non-zero exact product.
    mse : float
        Mean squared error.
    bias : float
        Mean error, negative when products are too small.
    commutative : bool
        f(a, w) = f(w, a) for all pairs.
    keeps_zero : bool
        f(a, 0) = f(0, w) = 0 for all operands.
    """

    mae: float
    wce: int
    ep: float
    mre: float
    mse: float
    bias: float
    commutative: bool
    keeps_zero: bool

    @property
    def mae_percent(self) -> float:
        """MAE in percent of the full scale."""
        return 100 * self.mae / FULL_SCALE

    @property
    def wce_percent(self) -> float:
        """WCE in percent of the full scale."""
        return 100 * self.wce / FULL_SCALE

    @property
    def ep_percent(self) -> float:
        """Error probability in percent."""
        return 100 * self.ep

    @property
    def mre_percent(self) -> float:
        """MRE in percent of the exact product."""
        return 100 * self.mre

    @property
    def bias_percent(self) -> float:
        """Bias in percent of the full scale."""
        return 100 * self.bias / FULL_SCALE


def error_metrics(table: npt.NDArray[np.int32], *, signed: bool = False) -> ErrorMetrics:
    """Return the error figures of a product table int32[256, 256], `[act, weight]` by pattern."""
    if table.shape != (256, 256):
        raise ValueError(f"Product table must have shape (256, 256), not {table.shape}")
    exact = exact_products(signed=signed)
    error = table.astype(np.int64) - exact
    nonzero = exact != 0
    return ErrorMetrics(
        mae=float(np.abs(error).mean()), wce=int(np.abs(error).max()),
        ep=float((error != 0).mean()),
        mre=float((np.abs(error[nonzero]) / np.abs(exact[nonzero])).mean()),
        mse=float((error.astype(np.float64) ** 2).mean()), bias=float(error.mean()),
        commutative=bool((table == table.T).all()),
        keeps_zero=bool((table[0] == 0).all() and (table[:, 0] == 0).all()))
