"""Products of weights that few rows meet: packing them or building tables would not pay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.kernels.jit.arena import this_arena
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.handle import Handle
from sim.kernels.loops.depthwise import slide
from sim.kernels.loops.lookup import LANES, can_hold
from sim.kernels.loops.scalar import add_lookups
from sim.kernels.table_product import TableProduct


def look_up(acts: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
            product: TableProduct) -> npt.NDArray[np.int32]:
    """Return what `product.matmul` does of acts uint8[m, k] and weights uint8[k, n].

    A weight is a tap of a depthwise convolution over the columns of `acts`: its products are looked
    up in registers, where the CPU can hold them.

    Raises ValueError when the sums may not fit in int32.
    """
    product.check_sums(weights.shape[0])
    (m, k), n = acts.shape, weights.shape[1]
    narrow = product.narrow_by_weight if can_hold(this_cpu()) else None
    if narrow is None:
        found = np.zeros((m, n), np.int32)
        add_lookups(np.ascontiguousarray(acts), np.ascontiguousarray(weights), product.table, found)
        return found
    tables, centres = narrow
    length = -(-m // LANES) * LANES
    with this_arena() as arena:
        columns = arena.take((k * m + LANES,), np.uint8)  # more may be read
        columns[:k * m].reshape(k, m)[:] = acts.T
        sums = arena.take((n, length), np.int32)
        slide(this_cpu())(
            planes=Handle.of(columns), plane_bytes=0, weights=Handle.of(
                np.ascontiguousarray(weights.T)), tables=Handle.of(tables),
            shifts=Handle.of(np.arange(k) * m), taps=k,
            starts=Handle.of(centres[weights].sum(axis=0, dtype=np.int32)), out=Handle.of(sums),
            length=length, count=n)
        return np.ascontiguousarray(sums[:, :m].T)
