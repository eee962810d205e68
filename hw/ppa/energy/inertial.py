"""The kernel of simulation with inertial delays: one lane after the other, gates in order."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hw.common.compiled import keep
from hw.ppa.energy.activity import LANES_PER_WORD, MAX_CELL_INPUTS, Words

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SETTLED, FULL = -1, -2


def simulate_python(states: tuple[Words, Words], gates: tuple[Any, Any, Any, Any],
                    delays: tuple[Ints, Floats, Floats], costs: tuple[Floats, Floats, Floats],
                    times: Floats, results: tuple[Floats, Ints]) -> int:
    """Simulate every lane; return SETTLED, FULL (`times` is too short), or a net that differs.

    states : before, after. gates : inputs, arity, truth, outputs. delays : nets that registers
    and ports drive, when they switch (fall last), delay of gates. costs : of gates, of nets, of
    data pins. times : room for the waveforms of one lane. results : energy, transitions; added to.
    """
    before, after = states
    inputs, arity, truth, outputs = gates
    sources, launch, delay = delays
    gate_fj, net_fj, pin_fj = costs
    energy, transitions = results
    nets = before.shape[0]
    first = np.zeros(nets, np.int64)  # of a net's transitions, in `times`
    count = np.zeros(nets, np.int64)
    value = np.zeros(nets, np.uint8)  # before the clock edge
    following = np.zeros(MAX_CELL_INPUTS, np.int64)  # next transition of each input
    last = np.zeros(MAX_CELL_INPUTS, np.int64)
    one = np.uint64(1)
    for word in range(before.shape[1]):
        spent = 0.0
        for lane in range(LANES_PER_WORD):
            shift = np.uint64(lane)
            for net in range(nets):
                value[net] = np.uint8((before[net, word] >> shift) & one)
                count[net] = 0
            used = 0
            for source in sources:
                settled = np.uint8((after[source, word] >> shift) & one)
                if settled != value[source]:
                    first[source], count[source] = used, 1
                    times[used] = launch[source, 1 - settled]
                    transitions[source] += 1
                    used += 1
            for gate in range(outputs.size):
                width = arity[gate]
                waiting = 0
                for position in range(width):
                    waiting += count[inputs[gate, position]]
                output = outputs[gate]
                settled = np.uint8((after[output, word] >> shift) & one)
                if waiting == 0:
                    if settled != value[output]:
                        return int(output)
                    continue
                case, table = 0, int(truth[gate])
                for position in range(width):
                    net = inputs[gate, position]
                    following[position] = first[net]
                    last[position] = first[net] + count[net]
                    case |= int(value[net]) << position
                if used + waiting > times.size:
                    return FULL
                now = int(value[output])
                start = used
                due, cause = np.inf, -1  # the output's next edge and the input that makes it
                cause_edge = 0
                while waiting > 0:
                    time = np.inf
                    for position in range(width):
                        if following[position] < last[position]:
                            time = min(time, times[following[position]])
                    if due <= time:
                        now = 1 - now
                        spent += gate_fj[gate, cause, 1 - now]
                        times[used] = due
                        used += 1
                        due = np.inf
                    arriving = 0
                    for position in range(width):
                        if following[position] < last[position] \
                                and times[following[position]] == time:
                            following[position] += 1
                            waiting -= 1
                            case ^= 1 << position
                            arriving |= 1 << position
                    if (table >> case) & 1 == now:
                        if due < np.inf:  # switched back in time: the output stays
                            spent += gate_fj[gate, cause, 3 - cause_edge]
                            due = np.inf
                        for position in range(width):
                            if (arriving >> position) & 1:
                                spent += gate_fj[gate, position, 3 - ((case >> position) & 1)]
                        continue
                    pending = due < np.inf
                    for position in range(width):
                        if (arriving >> position) & 1:
                            edge = (case >> position) & 1
                            end = time + delay[gate, position, edge, 1 - now]
                            if end < due:
                                due, cause, cause_edge = end, position, edge
                    if pending:
                        for position in range(width):
                            if (arriving >> position) & 1 and position != cause:
                                spent += gate_fj[gate, position, 3 - ((case >> position) & 1)]
                if due < np.inf:
                    now = 1 - now
                    spent += gate_fj[gate, cause, 1 - now]
                    times[used] = due
                    used += 1
                if now != settled:
                    return int(output)
                switched = used - start
                first[output], count[output] = start, switched
                transitions[output] += switched
                rises = (switched + now) // 2
                spent += (switched * net_fj[output] + rises * pin_fj[output, 0]
                          + (switched - rises) * pin_fj[output, 1])
        energy[word] += spent
    return SETTLED


simulate = numba.njit(cache=keep(), nogil=True)(simulate_python)
