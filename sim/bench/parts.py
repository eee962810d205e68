"""Where the time of a layer goes: its windows, its plan, its tables, its sums, its codes.

One thread's CPU time, which others on the machine do not add to: compiled calls are run one by one,
each taken at its best of several runs. Row-add is split by running it on no rows, which builds its
tables and nothing else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sim.bench.contenders.ours import mapped_layer
from sim.bench.end_to_end import random_images, random_network
from sim.bench.problem import Problem
from sim.bench.shapes import LayerShape
from sim.kernels.jit.cpu import this_cpu
from sim.kernels.jit.function import Compiled, Function, int64
from sim.kernels.jit.handle import Handle
from sim.kernels.jit.script import watched
from sim.kernels.loops.rowadd import UNIT
from sim.network.compute import gather, layer_output
from sim.network.layer import MappedLayer
from sim.network.quant_network import QuantNetwork
from sim.tables import Table

# By function, in the order of the columns.
CALLS = {"rows_to_panels": "gather", "rows_to_blocks": "gather", "look_up": "gather",
         "tables": "tables", "rowadd": "row-add", "gemm": "GEMM", "requantize": "requantise"}
PARTS = ("windows", "plan", *dict.fromkeys(CALLS.values()), "look-up")
SHAPES = "shapes"  # those that contenders compute
NETWORKS = {"resnet20": 64, "mobilenetv2": 16}  # images; small and depthwise layers
LOADS_PER_CYCLE = 2  # of vectors, on every x86 CPU with AVX2
REPEATS = 7
CLOCK_STEPS = 200_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A layer, the stored bytes that it reads, and how often a network has such a layer."""

    name: str
    layer: MappedLayer
    codes: npt.NDArray[np.generic] = field(repr=False)
    count: int = 1


def measure(name: str, shapes: Iterable[LayerShape], table: Table,
            threads: int) -> list[dict[str, object]]:
    """Return a record per layer of `cases`: what it is, and ns per multiplication by part.

    `all` : the whole call on one thread. `limit` : of row-add, by the load ports. `waiting` : with
    `threads` threads, how much longer all of them together take than one, in wall time.
    """
    cycle_ns = cycle_time_ns()
    return [{"of": name} | record_of(case, table, threads, cycle_ns)
            for case in cases(name, shapes)]


def cycle_time_ns() -> float:
    """Return how long a cycle takes: an addition that waits for the one before."""
    function = Function("chain", out=np.int64, count=int)
    build, given = function.build, function.arguments
    [total] = function.loop(given.count, lambda index, total: [
        build.xor(build.add(total, index), total)], [int64(1)])
    function.store(total, given.out, 0, 8)
    chain, out = function.compile(this_cpu()), Handle.of(np.zeros(1, np.int64))
    best = _best(lambda: chain(out=out, count=CLOCK_STEPS), time.thread_time)
    return best / CLOCK_STEPS / 2 * 1e9  # two operations a step, each a cycle


def record_of(case: Case, table: Table, threads: int, cycle_ns: float) -> dict[str, object]:
    """Return what `measure` does of one layer."""
    layer, product = case.layer, case.layer.product(table)

    def run(count: int) -> None:
        layer_output(layer, case.codes, product, threads=count)

    run(threads)  # compiles and packs
    whole = _best(lambda: run(1), time.thread_time)
    walls = _best(lambda: run(1)), _best(lambda: run(threads))
    calls = _Calls()
    with watched(calls.watch):
        for _ in range(REPEATS):
            calls.place = 0
            run(1)
    seconds = calls.by_part()
    if layer.is_depthwise:
        seconds["look-up"] = whole
    else:
        seconds["windows"] = _best(lambda: gather(layer, case.codes.view(np.uint8), threads=1),
                                   time.thread_time)
        seconds["plan"] = max(0.0, whole - sum(seconds.values()))
    seconds |= {"limit": calls.loads / LOADS_PER_CYCLE * cycle_ns * 1e-9, "all": whole,
                "waiting": threads * walls[1] - walls[0]}
    macs = layer.macs * len(case.codes)
    return {"layer": case.name, "count": case.count, "groups": layer.groups, "k": layer.k,
            "n": layer.n, "m": macs // (layer.groups * layer.k * layer.n),
            "ns": {part: float(f"{1e9 * seconds.get(part, 0.0) / macs:.4g}")
                   for part in (*PARTS, "limit", "all", "waiting")}}


class _Calls:
    """The compiled calls of a layer in their order, each with the part and its best time.

    loads : of row-add; for eight terms of a row eight rows of tables, the codes, and half of what
    the sums take.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, float]] = []
        self.place = 0
        self.loads = 0

    def watch(self, function: Compiled, words: list[int]) -> None:
        """Run a call and note its time."""
        name = function.signature.function
        seconds = _seconds(lambda: function.run(words), time.thread_time)
        if name == "rowadd":
            given = dict(zip(function.signature.parameters, words, strict=True))
            if self.place == len(self.found):
                self.loads += given["rows"] * given["units"] * (UNIT + 2)
            built = _seconds(lambda: function.run([*(given | {"rows": 0}).values()]),
                             time.thread_time)
            self._note("tables", built)
            seconds -= built
        self._note(CALLS.get(name, "plan"), seconds)

    def by_part(self) -> dict[str, float]:
        """Return seconds by part."""
        total = dict.fromkeys(CALLS.values(), 0.0)
        for part, seconds in self.found:
            total[part] = total.get(part, 0.0) + seconds
        return total

    def _note(self, part: str, seconds: float) -> None:
        if self.place == len(self.found):
            self.found.append((part, seconds))
        self.found[self.place] = part, min(seconds, self.found[self.place][1])
        self.place += 1


def cases(name: str, shapes: Iterable[LayerShape]) -> Iterator[Case]:
    """Yield the layers of SHAPES, or of a network of NETWORKS with random weights."""
    if name == SHAPES:
        return of_shapes(shapes)
    model = random_network(name)
    return of_network(QuantNetwork(model, source=name), random_images(model, NETWORKS[name]))


def of_shapes(shapes: Iterable[LayerShape]) -> Iterator[Case]:
    """Yield a case per shape, with the operands that contenders get."""
    for seed, shape in enumerate(shapes):
        problem = Problem.random(shape, seed=seed)
        yield Case(name=shape.name, layer=mapped_layer(problem), count=shape.count,
                   codes=problem.rows if shape.linear else problem.codes)


def of_network(network: QuantNetwork, images: npt.NDArray[np.float32]) -> Iterator[Case]:
    """Yield a case for each kind of layer of a network, with what its first one reads."""
    counts = Counter(_kind(layer) for layer in network.layers)
    state = network.start(images)
    for step in range(network.step_count):
        layer = network.layer_at(step)
        if layer is not None and counts[_kind(layer)]:
            yield Case(name=layer.name, layer=layer, codes=state[layer.input],
                       count=counts.pop(_kind(layer)))
        state = network.advance(state, step, step + 1, {})


def _kind(layer: MappedLayer) -> tuple[object, ...]:
    return layer.groups, layer.k, layer.n, layer.positions, layer.window


def _seconds(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    run()
    return clock() - started


def _best(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    return min(_seconds(run, clock) for _ in range(REPEATS))
