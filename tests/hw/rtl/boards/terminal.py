"""What is at the other end of the serial line: a model of a receiver, and a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from amaranth.sim import Simulator

FRAME_BITS = 10


class UartModel:
    """Receives 8N1, one level per clock cycle; AssertionError if a frame is malformed."""

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        self.received = bytearray()
        self._frame: list[int] = []

    def sample(self, level: int) -> None:
        """Take the level of the line in the next cycle."""
        if not self._frame and level:
            return  # idle
        self._frame.append(level)
        if len(self._frame) < FRAME_BITS * self.divisor:
            return
        bits = self._frame[::self.divisor]
        # A bit must last exactly `divisor` cycles: between two edges lies a multiple of it.
        edges = [at for at, (before, now) in enumerate(pairwise(self._frame), 1) if before != now]
        assert not any(edge % self.divisor for edge in edges), f"edges at cycles {edges}"
        assert bits[0] == 0
        assert bits[-1] == 1, "no stop bit"
        self.received.append(sum(bit << place for place, bit in enumerate(bits[1:-1])))
        self._frame.clear()

    @property
    def lines(self) -> list[str]:
        """The complete lines so far."""
        return self.received.decode("ascii").split("\r\n")[:-1]


@dataclass(frozen=True, kw_only=True)
class Session:
    """What was seen: the lines of each run, and the lights after the last."""

    runs: list[list[str]]
    all_equal: int
    mismatch: int
    failed_arrays: int


def watch(test, divisor: int, *, runs: int = 1, limit: int = 40_000) -> Session:
    """Simulate a `SelfTest` until it has reported `runs` times."""
    model = UartModel(divisor)
    lights: dict[str, int] = {}

    async def bench(ctx):
        for _ in range(limit):
            await ctx.tick()
            before = len(model.received)
            model.sample(ctx.get(test.tx))
            if len(model.received) > before and len(_finished(model.lines)) == runs:
                break
        for name in ("all_equal", "mismatch", "failed_arrays"):
            lights[name] = ctx.get(getattr(test, name))

    simulator = Simulator(test)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    finished = _finished(model.lines)
    assert len(finished) == runs, f"{len(finished)} runs in {limit} cycles: {model.lines}"
    return Session(runs=finished, **lights)


def _finished(lines: list[str]) -> list[list[str]]:
    """Return the lines of each run that is complete: up to one that ends a report."""
    runs: list[list[str]] = [[]]
    for line in lines:
        runs[-1].append(line)
        if not line.startswith(("autoapprox ", "tile ")):
            runs.append([])
    return runs[:-1]
