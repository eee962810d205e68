"""The kernel of simulation with inertial delays: gates in order, 64 lanes of a gate at a time.

What whole words tell costs nothing for each lane: gates whose inputs are quiet are passed over, and
where one input switches once the output follows it or stays. Only where edges may meet are they
gone through in the order of their times. The energies of a lane are added up at the end, lane by
lane and gate by gate, so that sums do not depend on this order of work.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hw.common.compiled import keep
from hw.ppa.energy.activity import LANES_PER_WORD, MAX_CELL_INPUTS, Words
from hw.ppa.energy.switching_energy import ones

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SETTLED, FULL = -1, -2


def simulate_python(states: tuple[Words, Words], gates: tuple[Any, Any, Any, Any],
                    delays: tuple[Ints, Floats, Floats], costs: tuple[Floats, Floats, Floats],
                    room: tuple[Floats, Floats], results: tuple[Floats, Ints]) -> int:
    """Simulate every lane; return SETTLED, FULL (there is too little room), or a net that differs.

    states : before, after. gates : inputs, arity, truth, outputs. delays : nets that registers
    and ports drive, when they switch (fall last), delay of gates. costs : of gates, of nets, of
    data pins. room : for the times of all transitions of a word, float64[times]; for the energies
    of each of its lanes, float64[lanes, energies]. results : energy, transitions; added to.
    """
    before, after = states
    inputs, arity, truth, outputs = gates
    sources, launch, delay = delays
    gate_fj, net_fj, pin_fj = costs
    times, spent = room
    energy, transitions = results
    nets = before.shape[0]
    one = np.uint64(1)
    moved = np.zeros(nets, np.uint64)  # lanes in which a net switches
    again = np.zeros(nets, np.uint64)  # more than once
    first = np.zeros((nets, LANES_PER_WORD), np.uint32)  # of a net's transitions, in `times`
    end = np.zeros((nets, LANES_PER_WORD), np.uint32)
    count = np.zeros(LANES_PER_WORD, np.int64)  # of the energies of a lane
    # Of the inputs of a gate that switch: which, the next transition of each, where they end.
    active = np.zeros(MAX_CELL_INPUTS, np.int64)
    following = np.zeros(MAX_CELL_INPUTS, np.int64)
    last = np.zeros(MAX_CELL_INPUTS, np.int64)
    for word in range(before.shape[1]):
        used = longest = 0  # of `times`; of the energies of any lane, at most
        count[:] = 0
        again[:] = 0
        for source in sources:
            lanes = before[source, word] ^ after[source, word]
            moved[source] = lanes
            if used + LANES_PER_WORD > times.size:
                return FULL
            while lanes:
                lane, lanes = lowest(lanes)
                risen = np.int64((after[source, word] >> np.uint64(lane)) & one)
                times[used] = launch[source, 1 - risen]
                first[source, lane] = used
                used += 1
                end[source, lane] = used
                transitions[source] += 1
        for gate in range(outputs.size):
            width, output, table = arity[gate], outputs[gate], np.int64(truth[gate])
            some = several = np.uint64(0)  # lanes with any edge at an input, with more than one
            for position in range(width):
                net = inputs[gate, position]
                several |= (some & moved[net]) | again[net]
                some |= moved[net]
            settled_word = after[output, word]
            change = before[output, word] ^ settled_word
            if change & ~some:
                return int(output)
            if used + LANES_PER_WORD > times.size or longest + 2 > spent.shape[1]:
                return FULL
            longest += 2
            single = some & ~several
            rise_fj = net_fj[output] + pin_fj[output, 0]
            fall_fj = net_fj[output] + pin_fj[output, 1]
            for position in range(width):
                net = inputs[gate, position]
                lanes = single & moved[net] & ~change
                while lanes:
                    lane, lanes = lowest(lanes)
                    edge = np.int64((after[net, word] >> np.uint64(lane)) & one)
                    spent[lane, count[lane]] = gate_fj[gate, position, 3 - edge]
                    count[lane] += 1
                lanes = single & moved[net] & change
                while lanes:
                    lane, lanes = lowest(lanes)
                    edge = np.int64((after[net, word] >> np.uint64(lane)) & one)
                    now: Any = np.int64((settled_word >> np.uint64(lane)) & one)
                    spent[lane, count[lane]] = gate_fj[gate, position, 1 - now]
                    spent[lane, count[lane] + 1] = rise_fj if now else fall_fj
                    count[lane] += 2
                    times[used] = times[first[net, lane]] + delay[gate, position, edge, now]
                    first[output, lane] = used
                    used += 1
                    end[output, lane] = used
                    transitions[output] += 1
            moved[output] = single & change
            lanes = several
            while lanes:
                lane, lanes = lowest(lanes)
                bit = np.uint64(lane)
                case: Any = 0
                waiting = pins = 0
                for position in range(width):
                    net = inputs[gate, position]
                    case |= np.int64((before[net, word] >> bit) & one) << position
                    if (moved[net] >> bit) & one:
                        active[pins] = position
                        following[pins], last[pins] = first[net, lane], end[net, lane]
                        waiting += last[pins] - following[pins]
                        pins += 1
                spends = count[lane]
                # An edge that arrives has an energy, and may end or swallow one that waits.
                if used + waiting > times.size or spends + 2 * waiting + 2 > spent.shape[1]:
                    return FULL
                now = np.int64((before[output, word] >> bit) & one)
                start = used
                due, cause = np.inf, 0  # the output's next edge and the input that makes it
                cause_edge = 0
                while waiting > 0:
                    time = np.inf
                    for index in range(pins):
                        if following[index] < last[index]:
                            time = min(time, times[following[index]])
                    if due <= time:
                        now = 1 - now
                        spent[lane, spends] = gate_fj[gate, cause, 1 - now]
                        spends += 1
                        times[used] = due
                        used += 1
                        due = np.inf
                    arriving = 0
                    for index in range(pins):
                        if following[index] < last[index] and times[following[index]] == time:
                            following[index] += 1
                            waiting -= 1
                            case ^= 1 << active[index]
                            arriving |= 1 << active[index]
                    if (table >> case) & 1 == now:
                        if due < np.inf:  # switched back in time: the output stays
                            spent[lane, spends] = gate_fj[gate, cause, 3 - cause_edge]
                            spends += 1
                            due = np.inf
                        for position in range(width):
                            if (arriving >> position) & 1:
                                spent[lane, spends] = gate_fj[gate, position,
                                                              3 - ((case >> position) & 1)]
                                spends += 1
                        continue
                    pending = due < np.inf
                    for position in range(width):
                        if (arriving >> position) & 1:
                            edge = (case >> position) & 1
                            reached = time + delay[gate, position, edge, 1 - now]
                            if reached < due:
                                due, cause, cause_edge = reached, position, edge
                    if pending:
                        for position in range(width):
                            if (arriving >> position) & 1 and position != cause:
                                spent[lane, spends] = gate_fj[gate, position,
                                                              3 - ((case >> position) & 1)]
                                spends += 1
                if due < np.inf:
                    now = 1 - now
                    spent[lane, spends] = gate_fj[gate, cause, 1 - now]
                    spends += 1
                    times[used] = due
                    used += 1
                if now != np.int64((settled_word >> bit) & one):
                    return int(output)
                switched = used - start
                if switched:
                    first[output, lane], end[output, lane] = start, used
                    moved[output] |= one << bit
                    if switched > 1:
                        again[output] |= one << bit
                    transitions[output] += switched
                    rises = (switched + now) // 2
                    spent[lane, spends] = (switched * net_fj[output] + rises * pin_fj[output, 0]
                                           + (switched - rises) * pin_fj[output, 1])
                    spends += 1
                count[lane] = spends
                longest = max(longest, spends)
        total = 0.0
        for lane in range(LANES_PER_WORD):
            for index in range(count[lane]):
                total += spent[lane, index]
        energy[word] += total
    return SETTLED


def lowest_python(lanes: Any) -> Any:
    """Return the place of the lowest one of a word, and the word without it."""
    rest = lanes & (lanes - np.uint64(1))
    return np.int64(ones((lanes ^ rest) - np.uint64(1))), rest


lowest = numba.njit(cache=keep(), nogil=True)(lowest_python)
simulate = numba.njit(cache=keep(), nogil=True)(simulate_python)
