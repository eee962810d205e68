"""What computes on sums: accumulators, requantiser and its lane, in NumPy integers."""

from __future__ import annotations

from collections import deque

import numpy as np

from hw.machine.accelerator import (
    CONSTANT_BEATS,
    DRAIN_CYCLES,
    LANDING_QUEUE,
    LANE_CYCLES,
    SUM_BYTES,
)
from hw.machine.isa import VALUE_BITS
from hw.rtl.accelerator.accumulators import LANDING_CYCLES
from hw.rtl.accelerator.commands import activate_layout, landing_layout, span_layout
from hw.rtl.accelerator.requantise_lane import Constants
from sim.network.requantize import Requantizer
from tests.hw.rtl.accelerator.units.duts import BANK, CONFIG, pack, unpack

BANK_ROWS, COLS = CONFIG.bank_rows, BANK.cols


def bits_of(values, width):
    """Return two's complement values side by side, the first in the low bits."""
    return sum((int(value) % (1 << width)) << width * index for index, value in enumerate(values))


def values_of(word, width):
    """Return the inverse of `bits_of`, COLS values."""
    half = 1 << width - 1
    return np.array([((word >> width * col) + half) % (2 * half) - half for col in range(COLS)])


def rows_in_a_bank(rng, longest):
    """Return first row and number of rows within one bank of accumulators."""
    beats = int(rng.integers(1, longest, endpoint=True))
    return int(rng.integers(2)) * BANK_ROWS + int(rng.integers(BANK_ROWS - beats + 1)), beats


def wrapped(sums):
    return np.asarray(sums, np.int64).astype(np.int32)


def requantised(totals, constants, formats):
    """Return the stored bytes of totals by `Requantizer.apply`."""
    by = Requantizer(multiplier=np.array([c["multiplier"] for c in constants]),
                     shift=np.array([c["shift"] for c in constants]), signed=formats["low"] < 0,
                     **formats)
    return by.apply(np.asarray(totals, np.int32)).view(np.uint8)


def random_formats(rng):
    """Return zero point and clamps; now and then they stand in the way of everything."""
    start = -128 if rng.integers(2) else 0
    low, high = np.sort(rng.integers(start, start + 256, 2)) if rng.random() < 0.5 else (
        start, start + 255)
    return {"zero_point": int(rng.integers(start, start + 256)), "low": int(low),
            "high": int(high)}


def random_constants(rng):
    """Return constants of a column; a third of the numbers are as large or small as may be."""
    def one_of(extremes, low, high):
        return int(rng.choice(extremes) if rng.random() < 0.3 else rng.integers(low, high))

    return {"bias": one_of([-2**31, 2**31 - 1, 0, 1], -2**22, 2**22),
            "multiplier": one_of([2**31 - 1, 0, 1, 2**30], 2**30, 2**31),
            "shift": one_of([1, 2, 62, 61], 31, 56)}


def random_sum(rng):
    """Return a sum of random magnitude; some are at the ends of 32 bits."""
    if rng.random() < 0.2:
        return int(rng.choice([-2**31, 2**31 - 1, 0, -1, 1, -2**31 + 1]))
    return int(rng.integers(-2**31, 2**31) >> rng.integers(0, 31))


class AccumulatorsModel:
    """Sums by row; MATMULs in the order in which they were announced."""

    LAYOUT = landing_layout(CONFIG)

    def __init__(self):
        self.sums = {}
        self.queued = 0
        self.adding = False  # a row was added to in the cycle after it was written
        self.reset()

    def reset(self):
        self.landings = deque()  # [row, beats, accumulate]
        self.writes = deque()  # (cycle, row)
        self.announced_rows = set()
        self.shown, self.shown_bank = None, None
        self.now = 0

    def _pending(self):
        busy = {row // BANK_ROWS for row, beats, _ in self.landings if beats}
        return busy | {row // BANK_ROWS for _, row in self.writes}

    def neighbours(self, rng):
        # The requantiser reads the bank that no MATMUL uses; which changes as they finish.
        free = [row for row in self.sums if row // BANK_ROWS not in self._pending()]
        reads = bool(free) and rng.random() < 0.5
        return {"read_enable": reads,
                "read_row": int(rng.choice(free)) if reads else int(rng.integers(2 * BANK_ROWS))}

    def offer(self, stream, rng):
        if stream == "results":
            # Taken in the cycle in which it is shown.
            return bits_of(rng.integers(-2**19, 2**19, COLS), 20) if self.landings else None
        quiet = self.now % 120 > 100  # so that every bank becomes free
        row, beats = rows_in_a_bank(rng, 6)
        known = self.sums.keys() | self.announced_rows
        accumulate = set(range(row, row + beats)) <= known and rng.random() < 0.7
        return None if quiet else pack(self.LAYOUT, row=row, beats=beats,
                                       accumulate=int(accumulate))

    def outputs(self, inputs):
        pending = self._pending()
        readable = self.shown is not None and self.shown_bank not in pending
        return {"landing__ready": len(self.landings) < LANDING_QUEUE, "results__ready": True,
                "pending": sum(1 << bank for bank in pending),
                "sums": bits_of(self.shown, 32) if readable else None}

    def clock(self, inputs):
        ready = len(self.landings) < LANDING_QUEUE
        self.queued = max(self.queued, len(self.landings))
        written_now = [row for _, row in self.writes]
        self.writes.clear()
        if inputs["read_enable"]:
            row = inputs["read_row"]
            self.shown, self.shown_bank = self.sums[row], row // BANK_ROWS
        if inputs["results__valid"]:
            head = self.landings[0]
            row, _, accumulate = head
            fresh = values_of(inputs["results__payload"], 20)
            self.adding |= bool(accumulate and row in written_now)
            self.sums[row] = wrapped(fresh + (self.sums[row] if accumulate else 0))
            self.writes.append((self.now + LANDING_CYCLES, row))
            head[0], head[1] = head[0] + 1, head[1] - 1
            if not head[1]:
                self.landings.popleft()
        if inputs["landing__valid"] and ready:
            landing = unpack(self.LAYOUT, inputs["landing__payload"])
            self.landings.append([landing["row"], landing["beats"], landing["accumulate"]])
            self.announced_rows |= set(range(landing["row"], landing["row"] + landing["beats"]))
        self.now += 1
        assert all(cycle == self.now for cycle, _ in self.writes)
        if self.shown_bank in self._pending():
            self.shown = None  # sums are held until something is added in their bank


class LaneModel:
    """A list of what will come out, LANE_CYCLES later."""

    def __init__(self):
        self.codes = deque([None] * LANE_CYCLES)
        self.formats, self.left = {}, 0

    def reset(self):
        """Forget what is in flight: the registers have no reset, but that cycle is not seen."""
        self.left = 0

    def neighbours(self, rng):
        if not self.left:  # zero point and clamps stand still while sums are in flight
            self.formats, self.left = random_formats(rng), 200
            self.codes = deque([None] * LANE_CYCLES)
        self.left -= 1
        return {"sum": random_sum(rng) % 2**32, "raw": rng.random() < 0.2,
                "constants": pack(Constants, **random_constants(rng)),
                "plane": int(rng.integers(SUM_BYTES)),
                **{name: value % (1 << VALUE_BITS) for name, value in self.formats.items()}}

    def outputs(self, inputs):
        return {"code": self.codes[0]}

    def clock(self, inputs):
        constants = unpack(Constants, inputs["constants"])
        total = wrapped([inputs["sum"] + constants["bias"]])
        stored = total.view(np.uint8)[inputs["plane"]] if inputs["raw"] else requantised(
            total, [constants], self.formats)[0]
        self.codes.popleft()
        self.codes.append(int(stored))


class RequantiserModel:
    """Everything a command will do, listed by cycle when it is accepted."""

    LAYOUT = activate_layout(CONFIG)
    STEPS = CONFIG.requantise_steps(BANK)

    def __init__(self):
        self.commands = {0: 0, 1: 0}
        self.beats = deque(maxlen=CONSTANT_BEATS)
        self.reset()

    def reset(self):
        self.now = 0
        self.reads, self.writes = {}, {}  # cycle -> row; cycle -> (row, codes)
        self.busy_until, self.end, self.bank = -1, 0, 0
        self.memory, self.commanded = None, -1
        self.sending = deque()
        self.sums, self.formats = {}, {}
        self.constants_known = len(self.beats) == CONSTANT_BEATS

    def _busy(self):
        return self.now <= self.busy_until

    def neighbours(self, rng):
        if not self._busy():  # nothing changes under way
            self.formats = random_formats(rng)
            self.sums = {row: np.array([random_sum(rng) for _ in range(COLS)])
                         for row in range(2 * BANK_ROWS)}
        return {"sums": 0 if self.memory is None else bits_of(self.memory, 32),
                **{name: value % (1 << VALUE_BITS) for name, value in self.formats.items()}}

    def offer(self, stream, rng):
        if stream == "constants":
            # Taken in the cycle in which it is shown, and only while nothing runs.
            if not self.sending and not self._busy() and self.commanded != self.now and (
                    not self.constants_known or rng.random() < 0.1):
                self.columns = [random_constants(rng) for _ in range(COLS)]
                packed = [pack(Constants, **column) for column in self.columns]
                self.sending.extend(bits_of([column >> 9 * beat for column in packed], 9)
                                    for beat in range(CONSTANT_BEATS))
                self.constants_known = True
            return self.sending.popleft() if self.sending else None
        # The sequencer issues no ACTIVATE while constants are under way, and the reverse.
        if self._busy() or self.sending or not self.constants_known:
            return None
        row, beats = rows_in_a_bank(rng, 4)
        raw = int(rng.integers(2))
        size = SUM_BYTES if raw else 1
        self.commanded = self.now
        return pack(self.LAYOUT, row=row, beats=beats, raw=raw,
                    out=int(rng.integers(CONFIG.output_rows - size * beats + 1)))

    def outputs(self, inputs):
        busy = self._busy()
        out, codes = self.writes.get(self.now, (None, None))
        start = min((row for row, _ in self.writes.values()), default=None)
        return {
            "busy": busy, "command__ready": not busy, "constants__ready": True,
            "sums_bank": self.bank if busy else None,
            "span": pack(span_layout(CONFIG.output_rows), start=start, end=self.end)
            if busy else None,
            "read_enable": self.now in self.reads, "read_row": self.reads.get(self.now),
            "write_enable": codes is not None, "write_row": out, "write_data": codes}

    def clock(self, inputs):
        if self.now in self.reads:
            self.memory = self.sums[self.reads[self.now]]
        self.writes.pop(self.now, None)
        if inputs["constants__valid"]:
            self.beats.append(inputs["constants__payload"])
        if inputs["command__valid"] and not self._busy():
            self._accept(unpack(self.LAYOUT, inputs["command__payload"]))
        self.now += 1

    def _accept(self, command):
        raw = command["raw"]
        self.commands[raw] += 1
        constants = [unpack(Constants, sum((beat >> 9 * col & 511) << 9 * index
                                           for index, beat in enumerate(self.beats)))
                     for col in range(COLS)]
        planes = range(SUM_BYTES if raw else 1)
        step, out = self.now + 1, command["out"]
        for row in range(command["row"], command["row"] + command["beats"]):
            totals = wrapped(self.sums[row] + np.array([c["bias"] for c in constants]))
            stored = totals.view(np.uint8).reshape(COLS, SUM_BYTES).T if raw else [
                requantised(totals, constants, self.formats)]
            for plane in planes:
                self.reads[step] = row
                last = step + self.STEPS - 1
                self.writes[last + DRAIN_CYCLES] = out, bits_of(stored[plane], 8)
                step, out = last + 1, out + 1
        self.busy_until, self.end = max(self.writes), out
        self.bank = command["row"] // BANK_ROWS
