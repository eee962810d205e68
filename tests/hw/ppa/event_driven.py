"""A slow simulator with gate delays: one lane, one event queue, nothing shared with ours.

Inertial: a new value cancels an output edge that is still to come. Transport: it does not.
"""

import heapq
from collections import Counter


def delay_of(cell, position, rises, output_rises, slews, load):
    """Return the delay in ps of the slowest arc from an input edge to an output edge, or None."""
    senses = ("positive", "both") if rises == output_rises else ("negative", "both")
    slew = slews.rise if rises else slews.fall
    found = [(arc.delay_rise if output_rises else arc.delay_fall).at(slew, load)
             for arc in cell.arcs[position] if arc.sense in senses]
    return max(*found, 0.0) if found else None


def transitions(netlist, technology, timing, before, after, *, inertial=True):
    """Return net -> number of transitions, and net -> final value.

    before, after : list of int by net; of `after` only ports and registers are read.
    """
    value, count, numbers = list(before), Counter(), iter(range(10**9))
    queue, due = [], {}
    sources = [net for nets in netlist.inputs.values() for net in nets]
    for net in [*sources, *(flop.output for flop in netlist.flops)]:
        if before[net] != after[net]:
            edges = timing.arrivals_ps[net]
            heapq.heappush(queue, (edges.rise if after[net] else edges.fall, next(numbers),
                                   net, after[net]))
    cancelled = set()
    while queue:
        time, changed = queue[0][0], {}
        while queue and queue[0][0] == time:
            _, number, net, new = heapq.heappop(queue)
            if number in cancelled:
                continue
            if due.get(net, (None, None))[1] == number:
                del due[net]
            if value[net] != new:
                value[net], changed[net] = new, new
                count[net] += 1
        touched = {}
        for net in changed:
            for gate, position in netlist.sinks[net]:
                touched.setdefault(gate, []).append(position)
        for index in sorted(touched):
            gate = netlist.gates[index]
            cell, output = technology.cells[gate.cell], gate.output
            case = sum(value[net] << bit for bit, net in enumerate(gate.inputs))
            new = cell.truth >> case & 1
            pending = due.get(output)
            if inertial and new == value[output]:
                if pending:
                    cancelled.add(pending[1])
                    del due[output]
                continue
            delays = [delay_of(cell, position, value[gate.inputs[position]], new,
                               timing.slews_ps[gate.inputs[position]], timing.loads_ff[output])
                      for position in touched[index]]
            delays = [delay for delay in delays if delay is not None]
            if not delays:
                continue
            end = time + min(delays)
            if inertial and pending:
                if pending[0] <= end:
                    continue
                cancelled.add(pending[1])
            number = next(numbers)
            due[output] = (end, number)
            heapq.heappush(queue, (end, number, output, new))
    return count, value
