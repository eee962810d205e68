"""The inner loop of evolution, compiled: mutate a circuit, keep it when it is good enough.

Cartesian Genetic Programming (Miller, EuroGP 1999; for multipliers Vasicek and Sekanina, IEEE
Trans. Evolutionary Computation 19(3), 2015) with four changes that make it fast:

- a mutant whose unchanged gates alone cost too much is dropped before anything is simulated;
- only the fan-out of what changed is simulated, on blocks of 1,024 operand pairs in random
  order, and a mutant is dropped in the first block that shows it to be too wrong;
- most mutations are guided: a net is replaced by the most similar one of a few (after
  Venkataramani et al., DATE 2013), or a gate by a new one that resembles it;
- simulated annealing (Kirkpatrick et al., Science 220, 1983) lets it leave local optima.

A mutant may be dropped on a sample, but is never kept on one: what is kept was simulated on
every operand pair.

Nets are numbered as in `hw.netlist`: 0 and 1 are constants, then operand bits, then nodes; node
n computes `op[n]` of nets `a[n]`, `b[n]` < n. Constants and wires are folded before anything is
counted or simulated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep
from hw.multipliers.evolution.lanes import (
    BLOCK_BYTES,
    COEFFICIENTS,
    LANES,
    PRODUCT_BITS,
    differing,
    gate,
    sum_absolute,
    sum_error,
    sum_square,
    sum_wrong,
    transpose,
    worst_absolute,
)

NOT, AND, OR, XOR, NAND, NOR, XNOR, ANDNOT, ORNOT = range(9)
OPS = 9
ALIAS = 255  # a node that folds to another net

# Error terms. All but WORST are sums over lanes; BIAS is signed.
SUM_ABS, SUM_RELATIVE, WORST, WRONG, SUM_SQUARE, BIAS = range(6)
TERMS = 6
UNLIMITED = 2**62

# Outcomes of mutants.
MUTANTS, TOO_COSTLY, TOO_WRONG, KEPT, IMPROVED = range(5)
COUNTERS = 5

# -ln(u) in 1/1024, for 1,024 equally likely u: what annealing tolerates, in temperatures.
TOLERANCE = np.round(-1024 * np.log((np.arange(1024) + 0.5) / 1024)).astype(np.int64)

Ints = npt.NDArray[np.int32]
Sums = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


class Genes(NamedTuple):
    """A circuit: op, a, b int32[nets]; outs int32[16], the net of each product bit."""

    op: Ints
    a: Ints
    b: Ints
    outs: Ints


class Folded(NamedTuple):
    """A circuit without constants and wires.

    op, a, b : int32[nets], the folded gate of each node, op ALIAS where it is another net.
    alias : int32[nets], what each net is.
    outs : int32[16].
    active : uint8[nets], 1 where an output depends on the net.
    level : int32[nets], longest path to the net; XOR and XNOR count twice.
    """

    op: Ints
    a: Ints
    b: Ints
    alias: Ints
    outs: Ints
    active: npt.NDArray[np.uint8]
    level: Ints


class Problem(NamedTuple):
    """The requirements of a circuit.

    inputs : number of nets that are constants or operand bits.
    blocks, pairs : blocks of operand pairs, and of pairs of beats for the energy.
    exact, weight, relative : int32[blocks, LANES], exact product and weight of its absolute and
        of its relative error, in the order of `lanes.transpose`.
    limits : int64[TERMS], UNLIMITED where there is none.
    share : float64[blocks], the most of a limit that may be used after each block.
    zero_mask : uint64[WORDS], lanes of block 0 whose products must be zero.
    signed : products are two's complement.
    area : int64[OPS], cost of a gate.
    switching : int64[OPS], cost of a gate's toggle in one lane.
    output_area, output_switching : of a product bit, for the adder it feeds.
    max_level : longest path allowed.
    """

    inputs: int
    blocks: int
    pairs: int
    exact: Ints
    weight: Ints
    relative: Ints
    limits: Sums
    share: npt.NDArray[np.float64]
    zero_mask: Words
    signed: bool
    area: Sums
    switching: Sums
    output_area: int
    output_switching: int
    max_level: int


class State(NamedTuple):
    """State of a search; all arrays are changed in place.

    genes, best : Genes, the present circuit and the cheapest that was found.
    values : uint64[blocks + 2 pairs, 2 nets, WORDS]. Row n of the first half is net n; rows of
        constants and operands are given, the others are made. The second half is work space.
    toggles : int64[nets], lanes in which a net toggles.
    costs : int64[2], of the present circuit and of the best.
    longest : int64[1], path of the circuit at the start, allowed whatever `max_level` says.
    totals : int64[TERMS], error terms of the present circuit.
    random : uint64[1].
    counters : int64[COUNTERS].
    """

    genes: Genes
    best: Genes
    values: Words
    toggles: Sums
    costs: Sums
    longest: Sums
    totals: Sums
    random: Words
    counters: Sums


@njit(cache=keep(), inline="always")
def _random(state, bound):
    """Return a random integer in [0, bound): xorshift64*, the high bits scaled."""
    word = state[0]
    word ^= word >> np.uint64(12)
    word ^= word << np.uint64(25)
    word ^= word >> np.uint64(27)
    state[0] = word
    high = (word * np.uint64(0x2545F4914F6CDD1D)) >> np.uint64(32)
    return np.int64((high * np.uint64(bound)) >> np.uint64(32))


@njit(cache=keep(), inline="always")
def _address(array):
    return np.uint64(array.ctypes.data)


@njit(cache=keep(), inline="always")
def _at(base, nets, block, row):
    """Return the address of a row of `values`, whose own address is `base`."""
    return base + np.uint64((block * 2 * nets + row) * BLOCK_BYTES)


@njit(cache=keep(), inline="always")
def _compute(base, nets, block, out, op, x, y):
    """Simulate one gate on one block; `out`, `x` and `y` are rows of `values`."""
    gate(_at(base, nets, block, out), _at(base, nets, block, x), _at(base, nets, block, y),
         _address(COEFFICIENTS) + np.uint64(32 * op))


# --- folding --------------------------------------------------------------------------------


@njit(cache=keep())
def _folded(nets, inputs):
    """Return a view that knows the constants and operand bits only."""
    return Folded(np.full(nets, ALIAS, np.int32), np.zeros(nets, np.int32),
                  np.zeros(nets, np.int32), np.arange(nets).astype(np.int32),
                  np.zeros(PRODUCT_BITS, np.int32), np.zeros(nets, np.uint8),
                  np.zeros(nets, np.int32))


@njit(cache=keep())
def _invert(view, x):
    """Fold the inverse of net x; returns (op, a, b)."""
    if x < 2:
        return ALIAS, 1 - x, 0
    if view.op[x] == NOT:
        return ALIAS, view.a[x], 0
    return NOT, x, x


@njit(cache=keep())
def _fold_node(view, op, x, y):
    """Return (op, a, b) of a NOT, or of a gate with a constant or with equal inputs."""
    if op == NOT:
        return _invert(view, x)
    if x == y:
        if op in (AND, OR):
            return ALIAS, x, 0
        if op in (NAND, NOR):
            return _invert(view, x)
        return ALIAS, (0 if op in (XOR, ANDNOT) else 1), 0
    if op == ANDNOT:
        if x == 0 or y == 1:
            return ALIAS, 0, 0
        return (ALIAS, x, 0) if y == 0 else _invert(view, y)
    if op == ORNOT:
        if x == 1 or y == 0:
            return ALIAS, 1, 0
        return (ALIAS, x, 0) if y == 1 else _invert(view, y)
    constant, other = (x, y) if x < 2 else (y, x)
    if op == AND:
        return ALIAS, (other if constant else 0), 0
    if op == OR:
        return ALIAS, (1 if constant else other), 0
    if op == NAND:
        return _invert(view, other) if constant else (ALIAS, 1, 0)
    if op == NOR:
        return (ALIAS, 0, 0) if constant else _invert(view, other)
    if (op == XOR) == (constant == 0):
        return ALIAS, other, 0
    return _invert(view, other)


@njit(cache=keep())
def _fold(genes, inputs, first, view):
    """Fold the nodes from `first` on, mark what outputs depend on; returns the longest path."""
    op, a, b, alias, level, active = view.op, view.a, view.b, view.alias, view.level, view.active
    nets = op.size
    for n in range(first, nets):
        kind, x, y = genes.op[n], alias[genes.a[n]], alias[genes.b[n]]
        if not (x > 1 and y > 1 and x != y and kind != NOT):
            kind, x, y = _fold_node(view, kind, x, y)
        op[n], a[n], b[n] = kind, x, y
        if kind == ALIAS:
            alias[n] = x
        else:
            alias[n] = n
            level[n] = max(level[x], level[y]) + (2 if kind in (XOR, XNOR) else 1)
    active[:] = 0
    longest = 0
    for bit in range(PRODUCT_BITS):
        net = alias[genes.outs[bit]]
        view.outs[bit] = net
        active[net] = 1
        longest = max(longest, level[net])
    for n in range(nets - 1, inputs - 1, -1):
        if active[n]:
            active[a[n]] = 1
            active[b[n]] = 1
    return longest


@njit(cache=keep())
def _copy(source, target, start, stop):
    """Copy nodes [start, stop) of a folded circuit."""
    target.op[start:stop] = source.op[start:stop]
    target.a[start:stop] = source.a[start:stop]
    target.b[start:stop] = source.b[start:stop]
    target.alias[start:stop] = source.alias[start:stop]
    target.level[start:stop] = source.level[start:stop]


# --- error and cost -------------------------------------------------------------------------


@njit(cache=keep())
def _block_errors(problem, values, block, rows, planes, found):
    """Put the error terms of one block into `found` int64[TERMS]."""
    for bit in range(PRODUCT_BITS):
        planes[bit] = values[block, rows[bit]]
    products = _address(planes)
    transpose(products)
    extend = np.int32(0x8000 if problem.signed else 0)
    exact = _address(problem.exact[block])
    weight = _address(problem.weight[block])
    limits = problem.limits
    for term in range(TERMS):
        found[term] = 0
    if limits[SUM_ABS] < UNLIMITED:
        found[SUM_ABS] = sum_absolute(products, exact, weight, extend)
    if limits[SUM_RELATIVE] < UNLIMITED:
        found[SUM_RELATIVE] = sum_absolute(products, exact, _address(problem.relative[block]),
                                           extend)
    if limits[WORST] < UNLIMITED:
        found[WORST] = worst_absolute(products, exact, weight, extend)
    if limits[WRONG] < UNLIMITED:
        found[WRONG] = sum_wrong(products, exact, weight, extend)
    if limits[SUM_SQUARE] < UNLIMITED:
        found[SUM_SQUARE] = sum_square(products, exact, weight, extend)
    if limits[BIAS] < UNLIMITED:
        found[BIAS] = sum_error(products, exact, weight, extend)


@njit(cache=keep())
def _zero_is_lost(values, rows, zero_mask):
    """Return whether the product of some masked lane of block 0 is not zero."""
    wrong = np.uint64(0)
    for bit in range(PRODUCT_BITS):
        plane = values[0, rows[bit]]
        for word in range(zero_mask.size):
            wrong |= plane[word] & zero_mask[word]
    return wrong != 0


@njit(cache=keep())
def _add(totals, found):
    for term in range(TERMS):
        totals[term] = max(totals[term], found[term]) if term == WORST \
            else totals[term] + found[term]


@njit(cache=keep())
def _too_wrong(totals, problem, done):
    """Return whether limits are broken, or will be as far as the blocks done can tell.

    A limit counts as lost when the sum so far exceeds the share of it that these blocks may use by
    more than chance explains; after the last block there is no forecast left.
    """
    limits = problem.limits
    allowance = problem.share[done - 1]
    for term in range(BIAS):
        if totals[term] > limits[term]:
            return True
        if term != WORST and limits[term] < UNLIMITED \
                and totals[term] > limits[term] * allowance:
            return True
    return done == problem.blocks and abs(totals[BIAS]) > limits[BIAS]


@njit(cache=keep())
def _use_of_limits(totals, limits):
    """Return how much of the tightest limit on a mean error is used, 0 to 1.

    Where only the worst case is limited, of that.
    """
    use = 0.0
    means = False
    for term in (SUM_ABS, SUM_RELATIVE, WRONG, SUM_SQUARE):
        if 0 < limits[term] < UNLIMITED:
            part = totals[term] / limits[term]
            use = max(use, np.sqrt(part) if term == SUM_SQUARE else part)
            means = True
    if not means and limits[WORST]:
        use = totals[WORST] / limits[WORST]
    return use


@njit(cache=keep())
def _toggles(problem, base, nets, row):
    """Return the number of lanes in which a net toggles between two beats."""
    total = np.int64(0)
    for pair in range(problem.pairs):
        block = problem.blocks + 2 * pair
        total += differing(_at(base, nets, block, row), _at(base, nets, block + 1, row))
    return total


@njit(cache=keep())
def _cost(problem, view, toggles):
    """Return the cost of a folded circuit."""
    total = np.int64(0)
    for n in range(problem.inputs, view.op.size):
        if view.active[n]:
            total += problem.area[view.op[n]] + problem.switching[view.op[n]] * toggles[n]
    for bit in range(PRODUCT_BITS):
        if view.outs[bit] > 1:
            total += problem.output_area + problem.output_switching * toggles[view.outs[bit]]
    return total


# --- mutation -------------------------------------------------------------------------------

OP, A, B, OUT = range(4)  # genes, as the undo list names them


@njit(cache=keep(), inline="always")
def _set(genes, undo, changes, gene, place, value):
    """Change one gene and note its old value; returns the new length of the list."""
    if gene == OP:
        old, genes.op[place] = genes.op[place], value
    elif gene == A:
        old, genes.a[place] = genes.a[place], value
    elif gene == B:
        old, genes.b[place] = genes.b[place], value
    else:
        old, genes.outs[place] = genes.outs[place], value
    undo[changes, 0], undo[changes, 1], undo[changes, 2] = gene, place, old
    return changes + 1


@njit(cache=keep())
def _undo(genes, undo, changes):
    for change in range(changes - 1, -1, -1):
        gene, place, old = undo[change]
        if gene == OP:
            genes.op[place] = old
        elif gene == A:
            genes.a[place] = old
        elif gene == B:
            genes.b[place] = old
        else:
            genes.outs[place] = old


@njit(cache=keep())
def _pick(view, inputs, random, below):
    """Return a random net below `below` whose values are known: no dead gate."""
    for _attempt in range(16):
        net = _random(random, below)
        if net < inputs or view.active[net]:
            return net
    return _random(random, min(inputs, below))


@njit(cache=keep())
def _similar(view, inputs, base, random, net, below, tries):
    """Return the net most like `net` of a few random ones below `below` and of the constants.

    The constants, the way to drop a partial product, compete in every other case only.
    """
    nets = view.op.size
    best, nearest = 0, LANES + 1
    constants = 2 if _random(random, 2) else 0
    for attempt in range(tries + constants):
        other = attempt - tries if attempt >= tries else _pick(view, inputs, random, below)
        if other != net:
            distance = differing(_at(base, nets, 0, net), _at(base, nets, 0, other))
            if distance < nearest:
                best, nearest = other, distance
    return best


@njit(cache=keep())
def _mutate(genes, view, inputs, base, random, gates, undo):
    """Change some genes.

    gates : int32[nets], work space. Returns (changes, first node that changed).
    """
    nets = view.op.size
    count = 0
    for n in range(inputs, nets):
        if view.active[n]:
            gates[count] = n
            count += 1
    kind = _random(random, 100)
    if count == 0 or kind < 6:  # a product bit is another net
        bit = _random(random, PRODUCT_BITS)
        net = view.alias[genes.outs[bit]]
        other = _similar(view, inputs, base, random, net, nets, 6) if net > 1 and kind \
            else _pick(view, inputs, random, nets)
        return _set(genes, undo, 0, OUT, bit, other), nets
    n = gates[_random(random, count)]
    if kind < 30:  # plain CGP: any gene becomes anything, in a dead node too
        if kind < 12:
            n = inputs + _random(random, nets - inputs)
        gene = _random(random, 3)
        return _set(genes, undo, 0, gene, n, _random(random, OPS if gene == OP else n)), n
    if kind < 60:  # one input of a gate is a similar net
        gene = A + _random(random, 2)
        net = view.alias[genes.a[n] if gene == A else genes.b[n]]
        return _set(genes, undo, 0, gene, n,
                    _similar(view, inputs, base, random, net, n, 6)), n
    if kind < 80:  # all that read a gate read a similar net instead
        other = _similar(view, inputs, base, random, n, n, 10)
        changes, first = 0, nets
        for m in range(n + 1, nets):
            for gene in (A, B):
                if view.alias[genes.a[m] if gene == A else genes.b[m]] == n:
                    changes = _set(genes, undo, changes, gene, m, other)
                    first = min(first, m)
        for bit in range(PRODUCT_BITS):
            if view.alias[genes.outs[bit]] == n:
                changes = _set(genes, undo, changes, OUT, bit, other)
        return changes, first
    # A gate is the new one most like it of a few; half the time it keeps an input.
    scratch = 2 * nets - 1
    best_op, best_x, best_y, nearest = AND, 0, 0, LANES + 1
    for _try in range(8):
        x = _pick(view, inputs, random, n)
        y = _pick(view, inputs, random, n)
        if kind < 90:
            if _random(random, 2):
                x = np.int64(view.a[n])
            else:
                y = np.int64(view.b[n])
        op = 1 + _random(random, OPS - 1)
        if op == view.op[n] and x == view.a[n] and y == view.b[n]:
            continue
        _compute(base, nets, 0, scratch, op, x, y)
        distance = differing(_at(base, nets, 0, n), _at(base, nets, 0, scratch))
        if distance < nearest:
            best_op, best_x, best_y, nearest = op, x, y, distance
    changes = _set(genes, undo, 0, OP, n, best_op)
    changes = _set(genes, undo, changes, A, n, best_x)
    return _set(genes, undo, changes, B, n, best_y), n


# --- the search -----------------------------------------------------------------------------


@njit(cache=keep())
def _remember(genes, best):
    best.op[:], best.a[:], best.b[:], best.outs[:] = genes.op, genes.a, genes.b, genes.outs


@njit(cache=keep())
def start(problem, state):
    """Simulate the present circuit, which becomes the best."""
    nets = state.genes.op.size
    base = _address(state.values)
    view = _folded(nets, problem.inputs)
    state.longest[0] = _fold(state.genes, problem.inputs, problem.inputs, view)
    found = np.zeros(TERMS, np.int64)
    state.totals[:] = 0
    planes = np.zeros((PRODUCT_BITS, LANES // 64), np.uint64)
    for block in range(problem.blocks + 2 * problem.pairs):
        for n in range(problem.inputs, nets):
            if view.active[n]:
                _compute(base, nets, block, n, view.op[n], view.a[n], view.b[n])
        if block < problem.blocks:
            _block_errors(problem, state.values, block, view.outs, planes, found)
            _add(state.totals, found)
    for n in range(nets):
        known = n < problem.inputs or view.active[n]
        state.toggles[n] = _toggles(problem, base, nets, n) if known else 0
    state.costs[0] = state.costs[1] = _cost(problem, view, state.toggles)
    _remember(state.genes, state.best)


@njit(cache=keep())
def evolve(problem, state, temperature, price, steps):
    """Try `steps` mutants of a started search.

    A mutant is kept when its cost and `price` times its use of the error limits exceed those of
    the present circuit by at most `temperature` times -ln(u), u random in (0, 1). The price keeps
    the search from spending the error on the first savings that come along.
    """
    genes, values, random = state.genes, state.values, state.random
    toggles, counters = state.toggles, state.counters
    inputs, blocks, limits = problem.inputs, problem.blocks, problem.limits
    nets = genes.op.size
    max_level = max(problem.max_level, state.longest[0])
    all_blocks = blocks + 2 * problem.pairs
    base = _address(values)
    parent, child = _folded(nets, inputs), _folded(nets, inputs)
    _fold(genes, inputs, inputs, parent)
    row = np.arange(nets)  # of values: where the child's net is
    rows = np.zeros(PRODUCT_BITS, np.int64)
    cone = np.zeros(nets, np.int32)
    gates = np.zeros(nets, np.int32)
    planes = np.zeros((PRODUCT_BITS, LANES // 64), np.uint64)
    found = np.zeros(TERMS, np.int64)
    used = _use_of_limits(state.totals, limits)
    child_toggles = toggles.copy()
    totals = np.zeros(TERMS, np.int64)
    undo = np.zeros((2 * nets + PRODUCT_BITS, 3), np.int32)

    for _step in range(steps):
        counters[MUTANTS] += 1
        changes, first = _mutate(genes, parent, inputs, base, random, gates, undo)
        allowed = state.costs[0] + np.int64(price * used) \
            + (temperature * TOLERANCE[_random(random, 1024)] >> 10)
        _copy(parent, child, inputs, first)
        longest = _fold(genes, inputs, first, child)

        # The cone: gates that are new or read one of it. The others keep their values.
        size = 0
        least = np.int64(0)
        for n in range(inputs, nets):
            row[n] = n
            if child.active[n]:
                op, x, y = child.op[n], child.a[n], child.b[n]
                least += problem.area[op]
                if parent.active[n] and op == parent.op[n] and x == parent.a[n] \
                        and y == parent.b[n] and row[x] == x and row[y] == y:
                    least += problem.switching[op] * toggles[n]
                else:
                    cone[size] = n
                    row[n] = nets + size
                    size += 1
        same_outputs = True
        for bit in range(PRODUCT_BITS):
            net = child.outs[bit]
            rows[bit] = row[net]
            same_outputs = same_outputs and rows[bit] == parent.outs[bit]
            least += problem.output_area if net > 1 else 0
        if least > allowed or longest > max_level:
            counters[TOO_COSTLY] += 1
            _undo(genes, undo, changes)
            continue

        for k in range(size):
            n = cone[k]
            _compute(base, nets, 0, nets + k, child.op[n], row[child.a[n]], row[child.b[n]])
        good = True
        child_used = used
        if not same_outputs:
            good = not _zero_is_lost(values, rows, problem.zero_mask)
            if good:
                totals[:] = 0
                _block_errors(problem, values, 0, rows, planes, found)
                _add(totals, found)
                good = not _too_wrong(totals, problem, 1)
        if not good:
            counters[TOO_WRONG] += 1
            _undo(genes, undo, changes)
            continue

        for block in range(blocks, all_blocks):
            for k in range(size):
                n = cone[k]
                _compute(base, nets, block, nets + k, child.op[n], row[child.a[n]],
                         row[child.b[n]])
        for k in range(size):
            child_toggles[cone[k]] = _toggles(problem, base, nets, nets + k)
        cost = _cost(problem, child, child_toggles)
        if cost > allowed:
            counters[TOO_COSTLY] += 1
            good = False
        block = 1
        while good and block < blocks:
            for k in range(size):
                n = cone[k]
                _compute(base, nets, block, nets + k, child.op[n], row[child.a[n]],
                         row[child.b[n]])
            if not same_outputs:
                _block_errors(problem, values, block, rows, planes, found)
                _add(totals, found)
                if _too_wrong(totals, problem, block + 1):
                    counters[TOO_WRONG] += 1
                    good = False
            block += 1
        if good:
            if same_outputs:
                totals[:] = state.totals
            child_used = _use_of_limits(totals, limits)
            if cost + np.int64(price * child_used) > allowed:
                counters[TOO_COSTLY] += 1
                good = False
        if not good:
            for k in range(size):
                child_toggles[cone[k]] = toggles[cone[k]]
            _undo(genes, undo, changes)
            continue

        counters[KEPT] += 1
        for block in range(all_blocks):
            for k in range(size):
                values[block, cone[k]] = values[block, nets + k]
        for k in range(size):
            toggles[cone[k]] = child_toggles[cone[k]]
        state.totals[:] = totals
        used = child_used
        _copy(child, parent, first, nets)
        parent.active[:] = child.active
        parent.outs[:] = child.outs
        state.costs[0] = cost
        if cost < state.costs[1]:
            counters[IMPROVED] += 1
            state.costs[1] = cost
            _remember(genes, state.best)
