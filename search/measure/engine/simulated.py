"""A simulated cluster: how long a search takes on how many cores, and what it then waits for.

One driver asks for evaluations, one after the other, as methods do that learn from each. Tasks of
an evaluation pass through one scheduler, are done by workers of one thread, and their logits come
back to the driver; what is sent to many workers passes from one to the next.

    python -c "from search.measure.engine.simulated import *; print(table(RESNET50))"
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.measure.engine.base import IN_FLIGHT


@dataclass(frozen=True, kw_only=True)
class Load:
    """A search: what is computed and sent.

    images : of the search split. evaluations : designs, each measured after the last. image_s : a
    mapping on an image, processor seconds of a core. image_bytes, logits_bytes : sent for an image.
    network_bytes, constants_bytes : sent to every worker once, and for each evaluation. read_s :
    reading an image, in the driver. think_s : between evaluations, in the driver.
    """

    images: int
    evaluations: int
    image_s: float
    image_bytes: float
    logits_bytes: float
    network_bytes: float
    constants_bytes: float
    read_s: float
    think_s: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A cluster.

    task_s : of the scheduler for a task, and of a worker to begin and end it, each. spread :
    standard deviation of the logarithm of what equal tasks take. bytes_per_s : of one connection.
    readers : cores of the driver.
    """

    task_s: float = 0.002
    spread: float = 0.1
    bytes_per_s: float = 1e9
    readers: int = 8


# A Zen 5 core does 17 images a second; weights chosen one by one are a byte each (docs/scale.md).
RESNET50 = Load(images=50_000, evaluations=100, image_s=1 / 17, image_bytes=4 * 3 * 224 ** 2,
                logits_bytes=4000, network_bytes=25.6e6, constants_bytes=25.6e6, read_s=0.008,
                think_s=0.5)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Seconds of a whole search, by what they are spent on.

    computing : were every core busy all the time. uneven : some cores have nothing left to do, or
    never had. scheduling, logits : the scheduler, or the driver's connection, is behind. sending :
    images, network and constants. thinking : of the driver.
    """

    computing: float
    uneven: float
    scheduling: float
    logits: float
    sending: float
    thinking: float

    @property
    def seconds(self) -> float:
        """The whole search."""
        return (self.computing + self.uneven + self.scheduling + self.logits + self.sending
                + self.thinking)

    @property
    def efficiency(self) -> float:
        """The part of the cores' time that is spent computing."""
        return self.computing / self.seconds

    @property
    def waits_for(self) -> str:
        """What most of the other time is lost to."""
        lost = {name: value for name, value in vars(self).items() if name != "computing"}
        return max(lost, key=lost.__getitem__)


def simulate(load: Load, cores: int, chunk: int, machine: Machine = Machine(), *,
             seed: int = 0) -> Outcome:
    """Return what a search takes on so many cores, in chunks of so many images."""
    sizes = np.minimum(chunk, load.images - np.arange(0, load.images, chunk))
    random = np.random.default_rng(seed)
    work = sizes * load.image_s * np.exp(machine.spread * random.standard_normal(len(sizes)))
    free, plain, without = (_evaluation(work, cores, task_s, logits_s) for task_s, logits_s in (
        (machine.task_s, chunk * load.logits_bytes / machine.bytes_per_s),
        (0.0, 0.0), (machine.task_s, 0.0)))
    computing = float(work.sum()) / cores
    hops = math.ceil(math.log2(cores + 1))
    times = load.evaluations
    return Outcome(
        computing=times * computing, uneven=times * (plain - computing),
        scheduling=times * (without - plain), logits=times * (free - without),
        sending=load.images * max(load.read_s / machine.readers,
                                  load.image_bytes / machine.bytes_per_s)
        + hops * (load.network_bytes + times * load.constants_bytes) / machine.bytes_per_s,
        thinking=times * load.think_s)


def _evaluation(work: np.ndarray[tuple[int], np.dtype[np.float64]], cores: int, task_s: float,
                logits_s: float) -> float:
    """Return when the last logits of an evaluation are there.

    work : float64[chunks], seconds of each task. The scheduler hands out one task at a time, as
    long as no more than `IN_FLIGHT` for each core are under way.
    """
    idle, ends = [0.0] * min(cores, len(work)), list[float]()
    scheduler = driver = 0.0
    for index, seconds in enumerate(work):
        if index >= IN_FLIGHT * cores:
            scheduler = max(scheduler, ends[index - IN_FLIGHT * cores])
        scheduler += task_s
        end = max(heapq.heappop(idle), scheduler) + float(seconds) + task_s
        heapq.heappush(idle, end)
        ends.append(end)
    for end in sorted(ends):
        driver = max(driver, end) + logits_s
    return driver


def best_chunk(load: Load, cores: int, machine: Machine = Machine(), *,
               chunks: Sequence[int] = (4, 8, 16, 32, 64, 128, 256, 512)) -> int:
    """Return the images in a chunk of which a search takes least time."""
    return min(chunks, key=lambda chunk: simulate(load, cores, chunk, machine).seconds)


def table(load: Load, cores: Sequence[int] = (100, 300, 1000, 3000, 10_000)) -> str:
    """Return a table in Markdown: time, efficiency and what is waited for, by cores."""
    lines = ["| cores | chunk | hours | cores busy | most is lost to |", "|---|---|---|---|---|"]
    for count in cores:
        chunk = best_chunk(load, count)
        found = simulate(load, count, chunk)
        lines.append(f"| {count:,} | {chunk} | {found.seconds / 3600:.2f} | "
                     f"{100 * found.efficiency:.0f} % | {found.waits_for} |")
    return "\n".join(lines)
