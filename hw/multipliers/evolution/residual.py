"""The error of a multiplier that remains after a layer was compensated.

`sim.compensation` gives every output channel a scale and a constant, and every weight the code that
serves it best. A channel's constant holds the mean error of each of its weights, so what counts is
how products deviate from a line over the activations, under the best code of each weight:

    mean over w of  min over c of  Var over a of (t * P[a, c] - a * w)

t, the scale, and the codes c are found in turn from the network's own weights, as fits find them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.multipliers.base import exact_products

Floats = npt.NDArray[np.float64]
ROUNDS = 20  # of codes and scale in turn, at most; two or three are usual


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual:
    """What remains of a table's errors, and the products that would leave least.

    Parameters
    ----------
    mean_square : float
        In squared units of the exact product.
    target : float64[256, 256]
        Products `[a, c]` for which only `spread` would remain.
    weight : float64[256, 256]
        Probability of each operand pair once weights have their codes.
    scale : float
        t above: products times it are exact ones.
    spread : float
        Part of `mean_square` that no products change: weights of different value share a code.
    """

    mean_square: float
    target: Floats
    weight: Floats
    scale: float
    spread: float


def residual(table: npt.NDArray[np.int32], probability: Floats, *,
             signed: bool = False) -> Residual:
    """Return what remains of the errors of a table.

    table : int32[256, 256], `[act, weight]`. probability : float64[256, 256], summing to 1;
    activations and weights are taken as independent.
    """
    values = exact_products(signed=signed)[1].astype(np.float64)
    of_act, of_weight = _seen(probability.sum(axis=1)), _seen(probability.sum(axis=0))
    centred = values - of_act @ values
    variance = float(of_act @ centred**2)
    products = table.astype(np.float64)
    mean = of_act @ products
    spreads = of_act @ (products - mean) ** 2
    along = (of_act * centred) @ products
    size = np.abs(values)
    far = 1e-9 * np.abs(values[:, None] - values)  # of equal codes the nearest
    far[:, size > size[of_weight > 0].max()] = np.inf  # a layer's weights keep their range

    codes = np.arange(values.size)
    for _round in range(ROUNDS):
        scale = float(of_weight @ (values * along[codes]) / (of_weight @ spreads[codes] or 1.0))
        error = scale**2 * spreads - 2 * scale * np.outer(values, along) + far  # [w, c]
        before, codes = codes, np.argmin(error, axis=1)
        if (codes == before).all():
            break
    share = np.bincount(codes, of_weight, minlength=values.size)
    valued = np.bincount(codes, of_weight * values, minlength=values.size)
    stands_for: Floats = valued / np.where(share > 0, share, 1)
    spread = variance * float(of_weight @ (values - stands_for[codes]) ** 2)
    line = np.outer(centred, stands_for) / (scale or 1.0) + mean
    weight = np.outer(of_act, share)
    left = scale**2 * float((weight * (products - line) ** 2).sum())
    return Residual(mean_square=left + spread, target=line, weight=weight, scale=scale,
                    spread=spread)


def _seen(marginal: Floats) -> Floats:
    """Return a distribution without what `OperandStream.probability` gives operands never seen."""
    seen = marginal - marginal.min()
    total = seen.sum()
    return seen / total if total > 1e-9 else marginal
