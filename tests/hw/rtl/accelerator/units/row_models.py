"""What moves rows: memory, reader, writer, queue and weight loader, as lists and dictionaries."""

from __future__ import annotations

from collections import deque

from hw.machine.accelerator import CONSTANT_BEATS
from hw.rtl.accelerator.commands import span_layout, transfer_layout
from hw.rtl.accelerator.row_reader import READ_CYCLES, RowReader, marked_rows
from hw.rtl.accelerator.weight_fifo import FIFO_CYCLES
from tests.hw.rtl.accelerator.units.duts import BANK, CONFIG, pack, unpack

ROWS = CONFIG.act_rows
WIDTH = 8 * BANK.rows
WEIGHT_WIDTH = 9 * BANK.cols
SPAN = span_layout(ROWS)
READ_COMMAND = RowReader(module="reader", width=WIDTH, depth=ROWS).command.payload.shape()


def row_of(rng, width=WIDTH):
    """Return a random row."""
    return int.from_bytes(rng.bytes(16), "little") % (1 << width)


def span(rng):
    """Return first row and number of rows, somewhere in the memory."""
    beats = int(rng.integers(1, 7))
    return int(rng.integers(ROWS - beats, endpoint=True)), beats


class MemoryModel:
    """A dictionary of rows; a row read while it is written is the new one."""

    def __init__(self):
        self.rows = {}
        self.shown = None

    def reset(self):
        self.shown = None

    def neighbours(self, rng):
        return {"write_enable": rng.random() < 0.5, "write_row": int(rng.integers(ROWS)),
                "write_data": row_of(rng), "read_enable": rng.random() < 0.6,
                "read_row": int(rng.integers(ROWS))}

    def outputs(self, inputs):
        return {"read_data": self.shown}

    def clock(self, inputs):
        if inputs["write_enable"]:
            self.rows[inputs["write_row"]] = inputs["write_data"]
        if inputs["read_enable"]:
            self.shown = self.rows.get(inputs["read_row"])


class ReaderModel:
    """Rows to be read, the row that the memory shows, and when each command came."""

    def __init__(self):
        self.contents = {}
        self.first_row_after = set()  # cycles from a command in a quiet unit to its first row
        self.reset()

    def reset(self):
        self.waiting = deque()  # (row, mark)
        self.end = 0
        self.shown = None
        self.memory = 0
        self.now, self.quiet_command = 0, None

    def neighbours(self, rng):
        if not self.contents:
            self.contents = {row: row_of(rng) for row in range(ROWS)}
        return {"read_data": self.memory}

    def offer(self, stream, rng):
        row, beats = span(rng)
        return pack(READ_COMMAND, row=row, beats=beats, mark=int(rng.integers(2)))

    def _reads(self, inputs):
        return bool(self.waiting) and (self.shown is None or bool(inputs["rows__ready"]))

    def outputs(self, inputs):
        reads = self._reads(inputs)
        row = self.waiting[0][0] if self.waiting else None
        data = None
        if self.shown is not None:
            data = pack(marked_rows(WIDTH), data=self.contents[self.shown[0]], mark=self.shown[1])
        return {
            "command__ready": not self.waiting or (reads and len(self.waiting) == 1),
            "reading": bool(self.waiting), "busy": bool(self.waiting) or self.shown is not None,
            "span": pack(SPAN, start=row, end=self.end) if self.waiting else None,
            "read_enable": reads, "read_row": row if reads else None,
            "rows__valid": self.shown is not None, "rows__payload": data}

    def clock(self, inputs):
        accepted = inputs["command__valid"] and self.outputs(inputs)["command__ready"]
        quiet = not self.waiting and self.shown is None
        if self.shown is not None and self.quiet_command is not None:
            self.first_row_after.add(self.now - self.quiet_command)
            self.quiet_command = None
        if self.shown is None or inputs["rows__ready"]:
            self.shown = self.waiting.popleft() if self.waiting else None
            if self.shown is not None:
                self.memory = self.contents[self.shown[0]]
        if accepted:
            command = unpack(READ_COMMAND, inputs["command__payload"])
            rows = range(command["row"], command["row"] + command["beats"])
            self.waiting.extend((row, command["mark"] if row == rows[0] else 0) for row in rows)
            self.end = rows.stop
            self.quiet_command = self.now if quiet else None
        self.now += 1

    def check_latency(self):
        assert self.first_row_after == {READ_CYCLES}


class WriterModel:
    """Rows to be written."""

    COMMAND = transfer_layout(ROWS)

    def __init__(self):
        self.reset()

    def reset(self):
        self.waiting = deque()
        self.end = 0

    def neighbours(self, rng):
        return {}

    def offer(self, stream, rng):
        if stream == "rows":
            return row_of(rng)
        row, beats = span(rng)
        return pack(self.COMMAND, row=row, beats=beats)

    def outputs(self, inputs):
        writes = bool(self.waiting) and bool(inputs["rows__valid"])
        return {"rows__ready": bool(self.waiting), "busy": bool(self.waiting),
                "command__ready": not self.waiting or (writes and len(self.waiting) == 1),
                "span": pack(SPAN, start=self.waiting[0], end=self.end) if self.waiting else None,
                "write_enable": writes, "write_row": self.waiting[0] if writes else None,
                "write_data": inputs["rows__payload"] if writes else None}

    def clock(self, inputs):
        shown = self.outputs(inputs)
        if shown["write_enable"]:
            self.waiting.popleft()
        if inputs["command__valid"] and shown["command__ready"]:
            command = unpack(self.COMMAND, inputs["command__payload"])
            self.end = command["row"] + command["beats"]
            self.waiting.extend(range(command["row"], self.end))


class FifoModel:
    """Rows with the cycle in which they came; `depth` of them and the one at the output."""

    def __init__(self):
        self.latencies = set()
        self.full = self.empty = 0
        self.reset()

    def reset(self):
        self.rows = deque()
        self.shown = None
        self.now = 0

    def neighbours(self, rng):
        return {}

    def offer(self, stream, rng):
        # Phases in which the consumer is slower, and in which the producer is.
        return row_of(rng, WEIGHT_WIDTH) if self.now % 200 < 100 or rng.random() < 0.3 else None

    def outputs(self, inputs):
        return {"rows_in__ready": len(self.rows) < CONFIG.weight_fifo_rows,
                "rows_out__valid": self.shown is not None, "rows_out__payload": self.shown}

    def clock(self, inputs):
        self.full += len(self.rows) == CONFIG.weight_fifo_rows
        self.empty += self.shown is None
        taken = inputs["rows_in__valid"] and len(self.rows) < CONFIG.weight_fifo_rows
        if self.shown is None or inputs["rows_out__ready"]:
            self.shown = None
            if self.rows:
                self.shown, came = self.rows.popleft()
                self.latencies.add(self.now + 1 - came)
        if taken:
            self.rows.append((inputs["rows_in__payload"], self.now))
        self.now += 1

    def check_latency(self):
        assert min(self.latencies) == FIFO_CYCLES
        assert self.full > 20
        assert self.empty > 20


class LoaderModel:
    """Where the next rows go."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.left, self.constants = 0, False

    def neighbours(self, rng):
        return {}

    def offer(self, stream, rng):
        return int(rng.integers(2)) if stream == "command" else row_of(rng, WEIGHT_WIDTH)

    def outputs(self, inputs):
        to = "constants" if self.constants else "weights"
        other = "weights" if self.constants else "constants"
        row = bool(self.left and inputs["rows__valid"])
        passes = row and bool(inputs[f"{to}__ready"])
        return {"busy": self.left > 0, "loading_constants": self.left > 0 and self.constants,
                f"{to}__valid": row, f"{other}__valid": False,
                f"{to}__payload": inputs["rows__payload"] if row else None,
                "rows__ready": self.left > 0 and bool(inputs[f"{to}__ready"]),
                "command__ready": not self.left or (passes and self.left == 1)}

    def clock(self, inputs):
        shown = self.outputs(inputs)
        self.left -= bool(inputs["rows__valid"] and shown["rows__ready"])
        if inputs["command__valid"] and shown["command__ready"]:
            self.constants = bool(inputs["command__payload"])
            self.left = CONSTANT_BEATS if self.constants else BANK.rows
