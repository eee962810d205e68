"""Singular values of error tables, and their best approximation of a given rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sim.network.quant_network import Images, QuantNetwork
from sim.tables import Products, exact_table

Reals = npt.NDArray[np.float64]
OPERANDS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """How often each operand magnitude occurs; positive, the sum is 1.

    Parameters
    ----------
    act, weight : float64[256]
    """

    act: Reals = field(repr=False)
    weight: Reals = field(repr=False)

    @classmethod
    def counted(cls, act: npt.NDArray[np.int64], weight: npt.NDArray[np.int64]) -> Shares:
        """Return the shares of counts int64[256].

        One observation is added to each, so that an operand that did not occur still has a
        product near the right one.
        """
        act_share, weight_share = ((counts + 1.0) / (counts + 1.0).sum()
                                   for counts in (act, weight))
        return cls(act=act_share, weight=weight_share)


def singular_values(table: Products) -> Reals:
    """Return the singular values of a table's error, float64[256], falling: the paper's Figure 6.

    table : int32[256, 256] of magnitudes.
    """
    return np.linalg.svd((table - exact_table()).astype(np.float64), compute_uv=False)


def truncated_svd(table: Products, rank: int,
                  shares: Shares | None = None) -> tuple[Reals, Reals]:
    """Return u float64[256, rank], v float64[rank, 256] with `u @ v` close to the error.

    Of all matrices of that rank, `u @ v` has the smallest mean squared distance from
    `table - act * weight` over operands with the given shares (Eckart and Young, 1936, on the
    error scaled by the roots of the shares).

    Parameters
    ----------
    table : int32[256, 256]
        Of magnitudes, `[act, weight]`.
    rank : int
        1 to 256.
    shares : Shares or None
        None weighs all operands alike, as the paper does.
    """
    if not 1 <= rank <= OPERANDS:
        raise ValueError(f"Rank must be 1 to {OPERANDS}, not {rank}")
    error = (table - exact_table()).astype(np.float64)
    act, weight = ((np.ones(OPERANDS), np.ones(OPERANDS)) if shares is None
                   else (np.sqrt(shares.act), np.sqrt(shares.weight)))
    left, values, right = np.linalg.svd(act[:, None] * error * weight, full_matrices=False)
    root = np.sqrt(values[:rank])  # shared, so that both factors have the same size
    return left[:, :rank] * root / act[:, None], root[:, None] * right[:rank] / weight


def measured_shares(network: QuantNetwork, images: Images) -> Mapping[str, Shares]:
    """Return the shares of operand magnitudes in each layer of the exact network.

    Activations are counted over `images` float32[n, c, h, w], padding included, since the array
    multiplies it too.
    """
    acts, weights = ({layer.name: np.zeros(OPERANDS, np.int64) for layer in network.layers}
                     for _operand in range(2))
    for layer, rows in network.layer_rows(images):
        by_code = np.bincount(rows.ravel(), minlength=OPERANDS)
        np.add.at(acts[layer.name], np.abs(layer.act_values), by_code)
        weights[layer.name] += np.bincount(np.abs(layer.weights).ravel(), minlength=OPERANDS)
    return {name: Shares.counted(acts[name], weights[name]) for name in acts}
