"""The kernel of the energy between two settled states."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hw.common.compiled import keep
from hw.ppa.energy.activity import Words

Floats = npt.NDArray[np.float64]


def count_python(word: Any) -> Any:
    """Return the number of ones in a 64-bit word (compiled to one instruction)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = ((word & np.uint64(0x3333333333333333))
            + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333)))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


ones = numba.njit(cache=keep(), nogil=True)(count_python)


def gate_energy_python(states: tuple[Words, Words], gates: tuple[Any, Any, Any],
                       coefficients: tuple[Floats, Floats], total: Floats) -> None:
    """Add to `total` the energy of all gates, summed over the lanes of each word.

    states : before, after. gates : inputs, arity, outputs. coefficients : of gates, of nets.
    """
    before, after = states
    inputs, arity, outputs = gates
    energy, half_cv2 = coefficients
    for gate in range(outputs.size):
        net = outputs[gate]
        for word in range(before.shape[1]):
            old, new = before[net, word], after[net, word]
            rise, fall = new & ~old, old & ~new
            quiet = ~(rise | fall)
            shares_rise = shares_fall = 0.0
            internal_rise = internal_fall = 0.0
            spent = 0.0
            for position in range(arity[gate]):
                source = inputs[gate, position]
                pin_old, pin_new = before[source, word], after[source, word]
                toggled = pin_old ^ pin_new
                if toggled == np.uint64(0):
                    continue
                share = float(ones(toggled & rise))
                shares_rise += share
                internal_rise += share * energy[gate, position, 0]
                share = float(ones(toggled & fall))
                shares_fall += share
                internal_fall += share * energy[gate, position, 1]
                stayed = toggled & quiet
                spent += (float(ones(stayed & pin_new)) * energy[gate, position, 2]
                          + float(ones(stayed & pin_old)) * energy[gate, position, 3])
            if shares_rise > 0.0:
                spent += float(ones(rise)) * (internal_rise / shares_rise + half_cv2[net])
            if shares_fall > 0.0:
                spent += float(ones(fall)) * (internal_fall / shares_fall + half_cv2[net])
            total[word] += spent


gate_energy = numba.njit(cache=keep(), nogil=True)(gate_energy_python)
