"""Table products as the paper emulates them: an exact product plus a few of floating point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError
from sim.lowrank.svd import Reals, Shares, truncated_svd
from sim.network.layer import MappedLayer
from sim.network.quant_network import Prepare
from sim.tables import ApproximateSums, Product, SignedTable, Table, is_exact

BLOCK_BYTES = 2**26  # of float32 operands held at a time
INT32 = np.iinfo(np.int32)


class LowRankProduct:
    """`out[m, n] ~ sum over k of a w + sum over r of u[a, r] v[r, w]`, in float32, rounded.

    An approximation of what the array computes, not the array's result: use
    `sim.kernels.TableProduct` for that, which is faster on a CPU as well.

    Parameters
    ----------
    act_values, weight_values : int16[256]
        Value of each stored byte.
    u : float64[256, rank], v : float64[rank, 256]
        Factors of the error, of magnitudes; see `truncated_svd`. The sign of a product is that
        of the values, as in `sim.tables.code_table`.
    """

    def __init__(self, act_values: npt.NDArray[np.int16], weight_values: npt.NDArray[np.int16],
                 u: Reals, v: Reals) -> None:
        act_sign, weight_sign = (np.where(values < 0, -1.0, 1.0)
                                 for values in (act_values, weight_values))
        self._u = np.column_stack([act_values, act_sign[:, None] * u[np.abs(act_values)]])
        self._v = np.vstack([weight_values, weight_sign * v[:, np.abs(weight_values)]])
        self._u, self._v = self._u.T.astype(np.float32), self._v.astype(np.float32)

    def matmul(self, acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8], *,
               threads: int = 1) -> npt.NDArray[np.int32]:
        """Return int32[m, n] for acts uint8[m, k] and weights uint8[k, n].

        threads : taken for the sake of `TableProduct`'s interface; NumPy has its own.
        """
        out = np.empty((acts.shape[0], weights.shape[1]), np.int32)
        recoded = [values.take(weights) for values in self._v]
        step = max(1, BLOCK_BYTES // (4 * max(acts.shape[1], 1)))
        for first in range(0, len(acts), step):
            codes = acts[first:first + step]
            total = np.zeros((len(codes), out.shape[1]), np.float32)
            for values, columns in zip(self._u, recoded, strict=True):
                total += values.take(codes) @ columns
            out[first:first + step] = np.rint(total.astype(np.float64)).clip(INT32.min, INT32.max)
        return out


def low_rank_products(rank: int, shares: Mapping[str, Shares] | None = None) -> Prepare:
    """Return what `QuantNetwork.with_products` needs to emulate tables with `rank` terms.

    shares : of each layer's operands, for a weighted SVD; None weighs all operands alike. Layers
    with an exact table have no error to emulate and stay exact. Preparing a layer raises
    InputError where its multiplier is signed: the emulation is of magnitudes, as in the paper.
    """
    kept: dict[tuple[bytes, str], tuple[Reals, Reals]] = {}

    def prepare(layer: MappedLayer, table: Table) -> Product:
        if is_exact(table):
            return layer.product(table)
        if isinstance(table, SignedTable):
            raise InputError(f"Layer {layer.name!r} must run on an unsigned multiplier to be "
                             "emulated by low rank, not on a signed one")
        if isinstance(table, ApproximateSums):
            raise InputError(f"Layer {layer.name!r} must have an exact adder to be emulated by low "
                             f"rank, not {table.adder}")
        key = table.tobytes(), layer.name if shares else ""
        if key not in kept:
            kept[key] = truncated_svd(table, rank, shares[layer.name] if shares else None)
        return LowRankProduct(layer.act_values, layer.weight_values, *kept[key])

    return prepare
