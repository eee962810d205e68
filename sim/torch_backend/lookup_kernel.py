"""Table look-ups on a GPU, in Triton. Import it only where Triton is known to be there.

Lanes run along the rows m: the 32 look-ups of a warp share their weight, so they fall into one
row of the transposed table (512 bytes of int16: four cache lines, fewer where activations
crowd near zero), and the whole table of 128 KiB stays in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

BLOCK_M, BLOCK_N, WARPS = 128, 32, 4


@triton.jit
def add_lookups(acts, weights, table, out, m, n, k,
                BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """out[i, j] += sum over k of table[weights[k, j], acts[k, i]].

    acts : uint8[k, m], transposed, so that lanes read neighbours. weights : uint8[k, n]. table :
    int16 or int32 [256, 256] `[weight, act]`. out : int32[m, n].
    """
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    in_rows, in_columns = rows < m, columns < n
    act_at, weight_at = acts + rows, weights + columns
    total = tl.zeros((BLOCK_N, BLOCK_M), tl.int32)
    for _ in range(k):
        act = tl.load(act_at, mask=in_rows, other=0).to(tl.int32)
        weight = tl.load(weight_at, mask=in_columns, other=0).to(tl.int32)
        total += tl.load(table + weight[:, None] * 256 + act[None, :]).to(tl.int32)
        act_at += m
        weight_at += n
    at = out + rows[None, :].to(tl.int64) * n + columns[:, None]
    inside = in_rows[None, :] & in_columns[:, None]
    tl.store(at, tl.load(at, mask=inside, other=0) + total, mask=inside)


def launch(acts: Any, weights: Any, table: Any, out: Any) -> None:
    """Add the look-ups of CUDA tensors, laid out as `add_lookups` says, to `out`."""
    (k, m), n = acts.shape, weights.shape[1]
    grid = (triton.cdiv(m, BLOCK_M), triton.cdiv(n, BLOCK_N))
    add_lookups[grid](acts, weights, table, out, m, n, k, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N,
                      num_warps=WARPS)
