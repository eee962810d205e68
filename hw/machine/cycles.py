"""When every instruction runs: the cycle model of the accelerator.

Instruction-exact: with a host that always offers rows and weights and always takes results, the
RTL of `hw.rtl.accelerator.top` issues every instruction in the cycle that this model says, and a
bench checks it. The rules are those of `hw.rtl.accelerator.sequencer`; how long a unit works on an
instruction follows from its docstring. Cycle 0 is the one in which the first word is accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hw.machine.accelerator import (
    ACCUMULATOR_BANKS,
    CONSTANT_BEATS,
    DRAIN_CYCLES,
    LANDING_QUEUE,
    SUM_BYTES,
)
from hw.machine.compiler import Program
from hw.machine.design import OUTPUT_CYCLES
from hw.machine.isa import Instruction, Opcode

NEVER = -1


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a program ran.

    issues : cycle in which each instruction was issued. multiplying : cycles in which an
    activation entered the bank. clocked : intervals, end excluded, in which the clock of the
    selected array runs; apart, in order of time.
    """

    issues: tuple[int, ...]
    multiplying: int
    clocked: tuple[tuple[int, int], ...]

    @property
    def cycles(self) -> int:
        """Cycles from the first word to HALT, both included."""
        return self.issues[-1] + 1

    @property
    def utilisation(self) -> float:
        """Share of the cycles in which an activation entered the bank."""
        return self.multiplying / self.cycles

    def clocked_cycles(self, start: int, end: int) -> int:
        """Return in how many of the cycles from `start` to `end`, excluded, that clock runs."""
        return sum(max(0, min(end, last) - max(start, first)) for first, last in self.clocked)


def accelerator_cycles(program: Program) -> Timing:
    """Return when the instructions of `program` run if the host never waits."""
    timeline = _Timeline(program)
    for instruction in program.instructions:
        timeline.run(instruction)
    return Timing(issues=tuple(timeline.issues), multiplying=timeline.multiplying,
                  clocked=tuple(_merged(timeline.clocked)))


def _merged(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the union of intervals in order of time, touching ones as one."""
    start = end = 0
    for first, last in sorted(intervals):
        if first > end:
            yield start, end
            start = first
        end = max(end, last)
    yield start, end


@dataclass(kw_only=True)
class _Rows:
    """Rows `start` to `end` of a memory that a unit works on until cycle `last`.

    done(k) : cycle in which the unit is finished with row start + k.
    """

    start: int = 0
    end: int = 0
    last: int = NEVER
    done: Callable[[int], int] = field(default=lambda _row: NEVER)

    def clear_of(self, start: int, end: int) -> int:
        """Return the first cycle in which no row of `start` to `end` is left to work on."""
        if start >= self.end or end <= self.start:
            return 0
        return self.done(min(end, self.end) - self.start - 1) + 1


class _Timeline:
    """The state of all units, as cycles in which they become free."""

    def __init__(self, program: Program) -> None:
        self.bank = program.bank
        self.steps = program.config.requantise_steps(program.bank)
        self.bank_rows = program.config.bank_rows
        self.issues: list[int] = []
        self.multiplying = 0
        self.clocked = [(0, self.bank.travel_cycles)]  # after reset too
        self.routed = NEVER  # ROUTE accepted by the bank
        self.loaded = NEVER  # last beat that the weight loader passes on
        self.constants = NEVER  # last beat of constants
        self.tile_ready = NEVER  # shadow registers complete, no MATMUL has taken them
        self.ahead = False
        self.tile_start = NEVER  # first beat of the last tile
        self.entered = NEVER  # last activation accepted by the bank
        self.reader = _Rows()
        self.landed = [NEVER] * ACCUMULATOR_BANKS  # last write of sums
        self.landing: deque[int] = deque(maxlen=LANDING_QUEUE)  # last results of MATMULs
        self.activate = _Rows()
        self.activate_bank = 0
        self.dma_in = _Rows()
        self.dma_out = _Rows()
        self.sent = NEVER  # last row accepted by the host

    def run(self, instruction: Instruction) -> None:
        """Issue one instruction."""
        ready = self.issues[-1] + 1 if self.issues else 1
        match instruction.opcode:
            case Opcode.ROUTE:
                issue = max(ready, self.loaded + 1, self.entered + 1, self.routed + 1)
                # The bank takes it once the last results have left.
                self.routed = max(issue + 1, self._drained())
                self._clock(self.routed, self.routed, self.bank.travel_cycles)
            case Opcode.LOAD_WEIGHTS:
                issue = self._load(ready, constants=bool(instruction.flag))
            case Opcode.MATMUL:
                issue = self._matmul(ready, instruction)
            case Opcode.ACTIVATE:
                issue = self._activate(ready, instruction)
            case Opcode.DMA_IN:
                issue = self._dma_in(ready, instruction)
            case Opcode.DMA_OUT:
                issue = self._dma_out(ready, instruction)
            case _:
                issue = max(ready, self._everything_done())
        self.issues.append(issue)

    def _clock(self, first: int, last: int, steps: int) -> None:
        """Beats that enter the bank from `first` to `last` keep the array busy for `steps`."""
        self.clocked.append((first + 1, last + steps + 1))

    def _drained(self) -> int:
        """Return the first cycle with nothing in flight in the bank."""
        return 0 if self.entered == NEVER else self.entered + self.bank.latency_cycles + 1

    def _everything_done(self) -> int:
        return max(self._drained(), self.loaded + 1, self.activate.last + 1, self.dma_in.last + 1,
                   self.sent + 1, max(self.landed) + 1, self.routed + 1)

    def _load(self, ready: int, *, constants: bool) -> int:
        if constants:
            issue = max(ready, self.loaded, self.activate.last + 1)
            self.loaded = self.constants = issue + CONSTANT_BEATS
            return issue
        issue = max(ready, self.loaded)
        # The first row may enter with the activation that takes over the tile before.
        first = max(issue + 1, self.routed + 1, self.tile_start)
        self.loaded = first + self.bank.rows - 1
        self.tile_ready, self.ahead = self.loaded + 1, True
        self._clock(first, self.loaded, self.bank.travel_cycles)
        return issue

    def _matmul(self, ready: int, instruction: Instruction) -> int:
        row, sums, beats = instruction.a, instruction.b, instruction.c
        bank = sums // self.bank_rows
        queue_free = self.landing[0] + 1 if len(self.landing) == LANDING_QUEUE else 0
        issue = max(ready, self.reader.last, queue_free,
                    self.activate.last + 1 if self.activate_bank == bank else 0,
                    self.dma_in.clear_of(row, row + beats))
        read = max(issue + 1, self.entered)  # of the first row
        first = read + 1
        if self.ahead:
            first = max(first, self.tile_ready)
            self.tile_start, self.ahead = first, False
        last_read = read if beats == 1 else first + beats - 2
        self.reader = _Rows(start=row, end=row + beats, last=last_read,
                            done=lambda k: first + k - 1 if k else read)
        self.entered = first + beats - 1
        results = self.entered + self.bank.latency_cycles
        self._clock(first, self.entered, self.bank.latency_cycles - OUTPUT_CYCLES)
        self.landing.append(results)
        self.landed[bank] = results + 1
        self.multiplying += beats
        return issue

    def _activate(self, ready: int, instruction: Instruction) -> int:
        bank = instruction.a // self.bank_rows
        rows = instruction.c * (SUM_BYTES if instruction.flag else 1)
        out = instruction.b
        issue = max(ready, self.activate.last + 1, self.constants + 1, self.landed[bank] + 1,
                    self.dma_out.clear_of(out, out + rows))

        def written(k: int) -> int:
            return issue + (k + 1) * self.steps + DRAIN_CYCLES

        self.activate = _Rows(start=out, end=out + rows, last=written(rows - 1), done=written)
        self.activate_bank = bank
        return issue

    def _dma_in(self, ready: int, instruction: Instruction) -> int:
        row, beats = instruction.b, instruction.c
        issue = max(ready, self.dma_in.last, self.reader.clear_of(row, row + beats))
        self.dma_in = _Rows(start=row, end=row + beats, last=issue + beats,
                            done=lambda k: issue + 1 + k)
        return issue

    def _dma_out(self, ready: int, instruction: Instruction) -> int:
        row, beats = instruction.b, instruction.c
        issue = max(ready, self.dma_out.last, self.activate.clear_of(row, row + beats))
        read = max(issue + 1, self.sent)
        self.dma_out = _Rows(start=row, end=row + beats, last=read + beats - 1,
                             done=lambda k: read + k)
        self.sent = read + beats
        return issue
