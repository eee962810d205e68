"""The kernel of zero-delay simulation."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from hw.common.compiled import keep


def settle_python(nets: Any, inputs: Any, arity: Any, truth: Any, outputs: Any) -> None:
    """Evaluate all gates in order by folding their truth tables, highest input first.

    nets : uint64[nets, words], in place. The others are those of `GateArrays`.
    """
    fold = np.zeros(1 << inputs.shape[1], np.uint64)
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    zero = np.uint64(0)
    for gate in range(outputs.size):
        count = arity[gate]
        table = truth[gate]
        for word in range(nets.shape[1]):
            for case in range(1 << count):
                fold[case] = ones if (table >> np.uint32(case)) & np.uint32(1) else zero
            for position in range(count - 1, -1, -1):
                bits = nets[inputs[gate, position], word]
                half = 1 << position
                for case in range(half):
                    fold[case] = (fold[case + half] & bits) | (fold[case] & ~bits)
            nets[outputs[gate], word] = fold[0]


settle = numba.njit(cache=keep(), nogil=True)(settle_python)
