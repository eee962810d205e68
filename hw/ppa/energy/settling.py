"""The kernel of zero-delay simulation."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from hw.common.compiled import keep


def settle_python(nets: Any, inputs: Any, arity: Any, truth: Any, outputs: Any) -> None:
    """Evaluate all gates in order by folding their truth tables, lowest input first.

    nets : uint64[nets, words], in place. The others are those of `GateArrays`. All words of a
    case are folded together: the compiler makes vectors of them.
    """
    words = nets.shape[1]
    fold = np.zeros((1 << inputs.shape[1] - 1, words), np.uint64)
    ones, zero = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
    for gate in range(outputs.size):
        count, table = arity[gate], truth[gate]
        bits = nets[inputs[gate, 0]]
        for case in range(1 << count - 1):
            low = ones if (table >> np.uint32(2 * case)) & np.uint32(1) else zero
            high = ones if (table >> np.uint32(2 * case + 1)) & np.uint32(1) else zero
            for word in range(words):
                fold[case, word] = low ^ (bits[word] & (high ^ low))
        for position in range(1, count):
            bits = nets[inputs[gate, position]]
            for case in range(1 << count - 1 - position):
                for word in range(words):
                    low = fold[2 * case, word]
                    fold[case, word] = low ^ (bits[word] & (fold[2 * case + 1, word] ^ low))
        nets[outputs[gate]] = fold[0]


settle = numba.njit(cache=keep(), nogil=True)(settle_python)
