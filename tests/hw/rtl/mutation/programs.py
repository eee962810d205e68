"""Random programs at full speed: hazards on few rows, unknown routes, words to refuse, resets."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hw.machine.accelerator import SUM_BYTES
from hw.machine.compiler import Program
from hw.machine.cycles import accelerator_cycles
from hw.machine.isa import Instruction, Opcode, Register
from tests.hw.rtl.mutation.machine import BANK, CONFIG, MULTIPLIERS, Golden, Streams


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One run from reset.

    accepted : cycle in which each word is accepted, empty if streams wait. stall : chance of 256
    that a stream waits in a cycle. cut : cycles after which reset ends the run, 0 to finish.
    refused : the last word raises the fault; otherwise the program halts. late : the words after
    the last one are offered only then.
    """

    streams: Streams = field(repr=False)
    accepted: tuple[int, ...]
    stall: int
    cut: int
    refused: bool
    late: bool
    selected: int
    route_error: bool
    layer: int


def scenarios(seed: int, count: int) -> list[Scenario]:
    """Return the suite: reproducible, short programs first, every kind of refused word."""
    rng = np.random.default_rng(seed)
    suite = [_scenario(rng, length=30, number=0), *_refusals(rng)]
    for index in range(count):
        # A reset in the middle of a short program; what it left must not show in the next.
        suite += [_scenario(rng, length=24, number=index, cut=True) for _ in range(2)]
        suite.append(_scenario(rng, length=20 + 2 * index, number=index,
                               stall=(0, 60, 0, 0, 150)[index % 5]))
    return suite


def _scenario(rng: np.random.Generator, *, length: int, number: int, stall: int = 0,
              cut: bool = False) -> Scenario:
    """Return a program of `length` instructions that halts. number : which variation."""
    golden = Golden(rng)
    if number % 2:  # waits for whatever reset has left running
        golden.run(Instruction(Opcode.SYNC, int(rng.integers(1 << 24))))
    if number % 3:
        _usual_registers(golden)
    while len(golden.instructions) < length:
        for code in _next(golden, rng):
            golden.run(code)
    golden.run(_all_out(golden))
    golden.run(Instruction(Opcode.HALT))
    # While HALT is obeyed the next word is accepted, as always; nothing may come of it.
    after = (Instruction(Opcode.SYNC, 1).encode(), UNKNOWN, Instruction(Opcode.HALT).encode())
    return _finished(golden, rng, after=after[number % 3], stall=stall, cut=cut,
                     late=number % 4 == 1)


def _refusals(rng: np.random.Generator) -> list[Scenario]:
    """Return a short program for every kind of word that must raise the fault."""
    found = []
    for number, (before, word) in enumerate(REFUSED):
        golden = Golden(rng)
        for _ in range(0 if before or word == _MATMUL.encode() else number % 4):
            for code in _next(golden, rng):
                golden.run(code)
        for code in before:
            golden.run(code)
        found.append(_finished(golden, rng, after=word, refused=True, late=number % 2 == 1))
    return found


def _finished(golden: Golden, rng: np.random.Generator, *, after: int, stall: int = 0,
              cut: bool = False, refused: bool = False, late: bool = False) -> Scenario:
    golden.streams.words += [after, Instruction(Opcode.SYNC, 2).encode()]  # never accepted
    issues = accelerator_cycles(Program(
        bank=BANK, config=CONFIG, batch=1, layers=(), tiles=(), constants=(),
        instructions=tuple(golden.instructions))).issues if golden.instructions else ()
    return Scenario(
        streams=golden.streams, accepted=() if stall else (0, *issues), stall=stall,
        cut=int(rng.integers(5, issues[-1])) if cut else 0, refused=refused, late=late,
        selected=golden.array, route_error=golden.route_error, layer=golden.layer)


def _usual_registers(golden: Golden) -> None:
    for register, value in ((Register.OUT_LOW, -100), (Register.OUT_HIGH, 255),
                            (Register.OUT_ZERO_POINT, 60)):
        golden.run(Instruction.configure(register, value))


def _next(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return random instructions that are right at this point."""
    if rng.random() < 0.3 and (burst := _BURSTS[int(rng.integers(len(_BURSTS)))](golden, rng)):
        return burst
    while True:
        found = _CHOICES[int(rng.choice(len(_CHOICES), p=_WEIGHTS))](golden, rng)
        if found is not None:
            return [found]


# --- bursts: instructions that meet in the machine -------------------------------------


def _queue(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return MATMULs of a row each, more than may be under way, and what reads their sums."""
    first = _matmul(golden, rng)
    if first is None or not golden.constants:
        return []
    bank, size = int(rng.integers(2)), int(rng.choice([2, 3, 4, 4, 4, 5, 7]))
    rows = bank * CONFIG.bank_rows + rng.integers(CONFIG.bank_rows, size=size)
    read = int(rng.integers(size))
    if rng.random() < 0.6:
        rows[read] = CONFIG.bank_rows - bank * CONFIG.bank_rows
    other = [row for row in golden.sums if row // CONFIG.bank_rows != bank]
    seen = int(rng.choice(other)) if other and rng.random() < 0.4 else int(rows[read])
    codes, known = [], set(golden.sums)
    for row in map(int, rows):
        codes.append(Instruction(Opcode.MATMUL, first.a, row, 1,
                                 int(row in known and rng.random() < 0.6)))
        known.add(row)
    activate = Instruction(Opcode.ACTIVATE, seen, 0, 1, int(rng.integers(2)))
    # Once all sums have landed, the rows of both banks are read again.
    later = _activate(golden, rng)
    return [*codes, activate, *([Instruction(Opcode.SYNC, 3), later] if later else [])]


def _both_banks(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return an ACTIVATE of one bank of sums, and MATMULs into the other or the same."""
    read, added = _activate(golden, rng), _matmul(golden, rng)
    if read is None or added is None:
        return []
    rows = range(added.b, added.b + added.c)
    added = Instruction(Opcode.MATMUL, added.a, added.b, added.c,
                        int(golden.sums.keys() >= set(rows)))
    later = Instruction(Opcode.MATMUL, added.a, added.b, added.c, 1)
    return [added, read, later, read] if rng.random() < 0.5 else [read, added, later, read]


def _send(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return a DMA_OUT, and an ACTIVATE over or beside the rows that it sends."""
    sent, done = _dma_out(golden, rng), _activate(golden, rng)
    if sent is None or done is None:
        return []
    rows = done.c * (SUM_BYTES if done.flag else 1)
    out = sent.b + int(rng.choice([-rows, 1 - rows, 0, sent.c - 1, sent.c]))
    if not 0 <= out <= CONFIG.output_rows - rows:
        return []
    return [sent, Instruction(Opcode.ACTIVATE, done.a, out, done.c, done.flag)]


def _fetch(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return an ACTIVATE, and a DMA_OUT of or beside the rows that it writes."""
    done = _activate(golden, rng)
    if done is None:
        return []
    rows = done.c * (SUM_BYTES if done.flag else 1)
    first = done.b + int(rng.choice([rows - 1, rows, rows - 2, -1]))
    known = golden.outputs.keys() | set(range(done.b, done.b + rows))
    return [done, Instruction(Opcode.DMA_OUT, 0, first, 1)] if first in known else []


def _reroute(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return a MATMUL, a ROUTE that has to wait for it, and what comes while it waits."""
    first = _matmul(golden, rng)
    if first is None:
        return []
    known = Instruction(Opcode.ROUTE, int(rng.integers(len(MULTIPLIERS))))
    if rng.random() < 0.5:  # two in a row, the first to nowhere
        return [first, Instruction(Opcode.ROUTE, int(rng.choice([3, 33]))), known]
    return [first, known, Instruction(Opcode.LOAD_WEIGHTS, int(rng.integers(1 << 24)))]


def _reconfigure(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return a MATMUL or ACTIVATE, and a CONFIGURE that must wait for it."""
    codes = [code for code in (_matmul(golden, rng), _activate(golden, rng)) if code]
    return [*codes, _configure(golden, rng)] if codes else []


def _scaled(golden: Golden, rng: np.random.Generator) -> list[Instruction]:
    """Return constants and an ACTIVATE of all sums there are in a bank."""
    if not golden.sums:
        return []
    bank = min(golden.sums) // CONFIG.bank_rows * CONFIG.bank_rows
    rows = [row for row in range(bank, bank + CONFIG.bank_rows) if row in golden.sums]
    count = next((index for index, row in enumerate(rows) if row != rows[0] + index), len(rows))
    return [_constants(golden, rng), Instruction(
        Opcode.ACTIVATE, rows[0], int(rng.integers(CONFIG.output_rows - count + 1)), count)]


_BURSTS = (_queue, _queue, _queue, _both_banks, _send, _fetch, _reroute, _reconfigure,
           _reconfigure, _scaled)


# --- single instructions --------------------------------------------------------------


def _span(rng: np.random.Generator, known: set[int], size: int,
          longest: int = 5) -> tuple[int, int] | None:
    """Return (first, rows) of rows that are all known, or None."""
    for _ in range(8):
        first, rows = int(rng.integers(size)), int(rng.integers(1, longest + 1))
        if known >= set(range(first, first + rows)):
            return first, rows
    return None


def _configure(golden: Golden, rng: np.random.Generator) -> Instruction:
    register = Register(int(rng.choice(len(Register), p=(.2, .15, .2, .2, .25))))
    if register == Register.ACT_SIGNED:
        # The zero point must stay a code.
        low, high = (0, 127)
        point = golden.registers[Register.ACT_ZERO_POINT]
        return Instruction.configure(register, int(rng.integers(2)) if low <= point <= high
                                     else int(point < 0))
    low, high = (-128, 128) if golden.registers[Register.ACT_SIGNED] else (0, 256)
    if register == Register.OUT_LOW:
        low, high = -128, min(golden.registers[Register.OUT_HIGH], 40) + 1
    elif register == Register.OUT_HIGH:
        low, high = max(golden.registers[Register.OUT_LOW], 0), 256
    elif register == Register.OUT_ZERO_POINT:
        low, high = -300, 300
    return Instruction.configure(register, int(rng.integers(low, max(high, low + 1))))


def _route(golden: Golden, rng: np.random.Generator) -> Instruction | None:
    if golden.loaded:
        return None
    unknown = [3, 4, 15, 31, 32, 33, 1 << 23]
    return Instruction(Opcode.ROUTE, int(rng.choice(unknown)) if rng.random() < 0.15
                       else int(rng.integers(len(MULTIPLIERS))))


def _load(golden: Golden, rng: np.random.Generator) -> Instruction | None:
    return None if golden.loaded else Instruction(Opcode.LOAD_WEIGHTS, int(rng.integers(1 << 24)))


def _constants(golden: Golden, rng: np.random.Generator) -> Instruction:
    return Instruction(Opcode.LOAD_WEIGHTS, int(rng.integers(1 << 24)), flag=1)


def _matmul(golden: Golden, rng: np.random.Generator) -> Instruction | None:
    acts = _span(rng, set(golden.acts), CONFIG.act_rows)
    if acts is None or not (golden.loaded or golden.tile is not None):
        return None
    rows = min(acts[1], CONFIG.bank_rows)
    first = int(rng.integers(2)) * CONFIG.bank_rows + int(
        rng.integers(CONFIG.bank_rows - rows + 1))
    known = golden.sums.keys() >= set(range(first, first + rows))
    return Instruction(Opcode.MATMUL, acts[0], first, rows, int(known and rng.random() < 0.6))


def _activate(golden: Golden, rng: np.random.Generator) -> Instruction | None:
    sums = _span(rng, set(golden.sums), CONFIG.accumulator_rows, longest=4)
    if sums is None or not golden.constants or (
            sums[0] // CONFIG.bank_rows != (sums[0] + sums[1] - 1) // CONFIG.bank_rows):
        return None
    raw = rng.random() < 0.3
    rows = sums[1] * (SUM_BYTES if raw else 1)
    return Instruction(Opcode.ACTIVATE, sums[0], int(rng.integers(CONFIG.output_rows - rows + 1)),
                       sums[1], int(raw))


def _dma_in(golden: Golden, rng: np.random.Generator) -> Instruction:
    rows = int(rng.integers(1, CONFIG.act_rows + 1))
    return Instruction(Opcode.DMA_IN, 0, int(rng.integers(CONFIG.act_rows - rows + 1)), rows)


def _dma_out(golden: Golden, rng: np.random.Generator) -> Instruction | None:
    span = _span(rng, set(golden.outputs), CONFIG.output_rows, longest=8)
    return None if span is None else Instruction(Opcode.DMA_OUT, 0, *span)


def _sync(golden: Golden, rng: np.random.Generator) -> Instruction:
    return Instruction(Opcode.SYNC, int(rng.integers(1 << 24)))


_CHOICES = (_configure, _route, _load, _constants, _matmul, _activate, _dma_in, _dma_out, _sync)
_WEIGHTS = (.09, .08, .14, .05, .22, .17, .1, .14, .01)


def _all_out(golden: Golden) -> Instruction:
    rows = sorted(golden.outputs)
    if not rows:
        return Instruction(Opcode.SYNC, 0)
    last = next((row for row in rows if row + 1 not in golden.outputs), rows[-1])
    return Instruction(Opcode.DMA_OUT, 0, rows[0], last - rows[0] + 1)


UNKNOWN = 9 << 60
_LOAD, _DMA = Instruction(Opcode.LOAD_WEIGHTS), Instruction(Opcode.DMA_IN, 0, 0, 8)
_ROUTE, _MATMUL = Instruction(Opcode.ROUTE, 2), Instruction(Opcode.MATMUL, 0, 0, 1)
_LOAD_AFTER = ((_LOAD, _DMA, _MATMUL, _LOAD), (_DMA, _ROUTE, _LOAD))
# What goes before, and a word that then cannot be obeyed.
REFUSED: tuple[tuple[tuple[Instruction, ...], int], ...] = (
    ((), _MATMUL.encode()),
    ((_LOAD, _DMA, _MATMUL, _ROUTE), _MATMUL.encode()),
    ((_DMA, _ROUTE), _MATMUL.encode()),
    ((), UNKNOWN), ((), 15 << 60),
    ((_LOAD,), _LOAD.encode()), ((_LOAD,), _ROUTE.encode()),
    *((before, word.encode()) for before in _LOAD_AFTER for word in (_LOAD, _ROUTE)),
    *(((_LOAD, _DMA), word.encode()) for word in (
        Instruction(Opcode.DMA_IN, 0, CONFIG.act_rows - 1, 2),
        Instruction(Opcode.DMA_IN, 0, CONFIG.act_rows, 1),
        Instruction(Opcode.DMA_IN, 0, 0, 0),
        Instruction(Opcode.DMA_IN, 0, 1 << 20, 1),
        Instruction(Opcode.DMA_OUT, 0, CONFIG.output_rows, 1),
        Instruction(Opcode.DMA_OUT, 0, CONFIG.output_rows - 4, 5),
        Instruction(Opcode.DMA_OUT, 0, 0, 0),
        Instruction(Opcode.ACTIVATE, CONFIG.bank_rows - 1, 0, 2),
        Instruction(Opcode.ACTIVATE, CONFIG.accumulator_rows - 1, 0, 2),
        Instruction(Opcode.ACTIVATE, 0, CONFIG.output_rows - 3, 1, 1),
        Instruction(Opcode.ACTIVATE, 0, CONFIG.output_rows - 3, 4, 0),
        Instruction(Opcode.ACTIVATE, 0, CONFIG.output_rows - 6, 2, 1),
        Instruction(Opcode.ACTIVATE, 0, 0, 0),
        Instruction(Opcode.ACTIVATE, 1, 0, 0),
        Instruction(Opcode.MATMUL, 0, 1, 0),
        Instruction(Opcode.MATMUL, 0, CONFIG.bank_rows - 1, 2),
        Instruction(Opcode.MATMUL, CONFIG.act_rows, 0, 1),
        Instruction(Opcode.MATMUL, CONFIG.act_rows - 1, 0, 2),
        Instruction(Opcode.MATMUL, 0, CONFIG.accumulator_rows, 1),
        Instruction(Opcode.MATMUL, 0, 0, 0))),
    ((), Opcode.CONFIGURE << 60 | len(Register) << 36),
    ((), Opcode.CONFIGURE << 60 | 1 << 59),
)
