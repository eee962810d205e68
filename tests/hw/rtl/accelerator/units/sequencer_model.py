"""The sequencer as its docstring has it: what an instruction waits for, and what is a fault."""

from __future__ import annotations

from hw.machine.accelerator import SUM_BYTES
from hw.machine.isa import FIELD_BITS, VALUE_BITS, Opcode, Register
from hw.rtl.accelerator.commands import (
    activate_layout,
    landing_layout,
    span_layout,
    stream_layout,
    transfer_layout,
)
from hw.rtl.accelerator.sequencer import TILES_AHEAD, Word
from hw.rtl.array.router import ROUTE_BITS
from tests.hw.rtl.accelerator.units.duts import CONFIG, pack, unpack

ACTS, SUMS, OUTPUTS = CONFIG.act_rows, CONFIG.accumulator_rows, CONFIG.output_rows
STATUS = ("loading", "loading_constants", "streaming", "stream_reading", "activating",
          "activate_bank", "dma_in_busy", "dma_out_busy", "dma_out_reading", "bank_busy")
SPANS = {"stream_span": ACTS, "dma_in_span": ACTS, "dma_out_span": OUTPUTS,
         "activate_span": OUTPUTS}
COMMANDS = ("load", "stream", "landing", "activate", "dma_in", "dma_out")
# Every fault, and everything that an instruction may wait for: a bench must have seen them all.
FAULTS = {"opcode", "no rows", "register", "route with a tile", "too many tiles", "no tile",
          "beyond the activations", "beyond the outputs", "beyond the activations, in",
          "beyond the outputs, out", "beyond the sums", "across banks"}
WAITS = {
    Opcode.MATMUL: ("stream", "landing", "activate", "dma_in"), Opcode.DMA_IN: ("unit", "matmul"),
    Opcode.ACTIVATE: ("unit", "constants", "sums", "dma_out"),
    Opcode.DMA_OUT: ("unit", "activate"), Opcode.LOAD_WEIGHTS: ("unit", "activate"),
    Opcode.ROUTE: ("load", "stream", "route"),
    Opcode.SYNC: ("route", "sums", "bank_busy", "loading", "streaming", "activating",
                  "dma_in_busy", "dma_out_busy"),
}
# What an instruction may pass by: a unit at work on other rows, or on the other bank.
BESIDE = {Opcode.MATMUL: ("activating", "dma_in_busy"), Opcode.DMA_IN: ("stream_reading",),
          Opcode.ACTIVATE: ("sums_pending", "dma_out_reading"), Opcode.DMA_OUT: ("activating",)}



def encode(opcode: int, a: int = 0, b: int = 0, c: int = 0, flag: int = 0) -> int:
    """Return a word, legal or not."""
    return pack(Word, opcode=opcode, a=a, b=b, c=c, flag=flag)


class SequencerModel:
    """One word at a time."""

    def __init__(self):
        self.issued, self.waited, self.beside, self.faults = set(), set(), set(), set()
        self.activity, self.until = 0.0, 0
        self.reset()

    def reset(self):
        self.word = None
        self.routing, self.array = False, 0
        self.ahead, self.tile_open = 0, False
        self.registers = dict.fromkeys(Register, 0)
        self.layer = 0
        self.halted = self.fault = False

    @property
    def stopped(self):
        return self.halted or self.fault

    # --- what the neighbours do ---

    def neighbours(self, rng):
        if self.until <= 0:
            self.activity, self.until = float(rng.choice([0.0, 0.02, 0.2, 0.5])), 40
        self.until -= 1
        values = {name: int(rng.random() < self.activity) for name in STATUS}
        values["sums_pending"] = sum((rng.random() < self.activity) << bank for bank in range(2))
        for name, rows in SPANS.items():
            start = int(rng.integers(rows))  # a unit at work has a row left
            end = int(rng.integers(start + 1, rows, endpoint=True))
            values[name] = pack(span_layout(rows), start=start, end=end)
        return values

    def offer(self, stream, rng):
        opcode = int(rng.choice([*Opcode, 3, 3, 1, 1, 4, 5, 6, 2] * 4 + [9, 12, 15]))
        a, b, c, flag = (int(rng.integers(1 << bits)) for bits in FIELD_BITS)  # noise
        if opcode == Opcode.HALT and rng.random() < 0.8:
            opcode = Opcode.SYNC
        beats = int(rng.integers(1, 6)) if rng.random() < 0.95 else int(rng.choice([0, c]))

        def row(rows):
            beyond = rng.random() < 0.12
            return int(rng.integers(rows) if beyond else rng.integers(max(rows - beats, 0) + 1))

        def sums():
            return int(rng.integers(2)) * SUMS // 2 + row(SUMS // 2)

        match opcode:
            case Opcode.MATMUL:
                a, b, c = row(ACTS), sums(), beats
            case Opcode.ACTIVATE:
                a, b, c = sums(), row(OUTPUTS), beats
            case Opcode.DMA_IN:
                b, c = row(ACTS), beats
            case Opcode.DMA_OUT:
                b, c = row(OUTPUTS), beats
            case Opcode.CONFIGURE:
                a = int(rng.choice([*Register] * 2 + [5, 1 << 20]))
            case Opcode.ROUTE:
                a = int(rng.integers(1 << ROUTE_BITS)) if rng.random() < 0.8 else a
        return encode(opcode, a, b, c, flag)

    # --- what it does ---

    def _wrong(self, opcode, a, b, c, flag):
        """Return what is wrong with the word, or None."""
        def sums_at(row):
            if row + c > SUMS:
                return "beyond the sums"
            return "across banks" if row * 2 // SUMS != (row + c - 1) * 2 // SUMS else None

        if opcode not in set(Opcode):
            return "opcode"
        if opcode in {Opcode.MATMUL, Opcode.ACTIVATE, Opcode.DMA_IN, Opcode.DMA_OUT} and not c:
            return "no rows"
        match opcode:
            case Opcode.CONFIGURE if a not in set(Register):
                return "register"
            case Opcode.ROUTE if self.ahead:
                return "route with a tile"
            case Opcode.LOAD_WEIGHTS if not flag and self.ahead == TILES_AHEAD:
                return "too many tiles"
            case Opcode.MATMUL:
                if not self.ahead and not self.tile_open:
                    return "no tile"
                return "beyond the activations" if a + c > ACTS else sums_at(b)
            case Opcode.ACTIVATE:
                return ("beyond the outputs" if b + c * (SUM_BYTES if flag else 1) > OUTPUTS
                        else sums_at(a))
            case Opcode.DMA_IN if b + c > ACTS:
                return "beyond the activations, in"
            case Opcode.DMA_OUT if b + c > OUTPUTS:
                return "beyond the outputs, out"
        return None

    def _waits(self, inputs, opcode, a, b, c, flag):
        """Return what the instruction waits for, or None."""
        def meet(name, start, end):
            span = unpack(span_layout(SPANS[name]), inputs[name])
            return bool(set(range(start, end)) & set(range(span["start"], span["end"])))

        def first(**conditions):
            return next((name for name, holds in conditions.items() if holds), None)

        i = inputs
        match opcode:
            case Opcode.MATMUL:
                return first(
                    stream=not i["stream__ready"], landing=not i["landing__ready"],
                    activate=i["activating"] and i["activate_bank"] == b * 2 // SUMS,
                    dma_in=i["dma_in_busy"] and meet("dma_in_span", a, a + c))
            case Opcode.DMA_IN:
                return first(unit=not i["dma_in__ready"],
                             matmul=i["stream_reading"] and meet("stream_span", b, b + c))
            case Opcode.ACTIVATE:
                out_rows = c * (SUM_BYTES if flag else 1)
                return first(
                    unit=not i["activate__ready"], constants=i["loading_constants"],
                    sums=i["sums_pending"] >> a * 2 // SUMS & 1,
                    dma_out=i["dma_out_reading"] and meet("dma_out_span", b, b + out_rows))
            case Opcode.DMA_OUT:
                return first(unit=not i["dma_out__ready"],
                             activate=i["activating"] and meet("activate_span", b, b + c))
            case Opcode.LOAD_WEIGHTS:
                return first(unit=not i["load__ready"], activate=flag and i["activating"])
            case Opcode.ROUTE:
                return first(load=i["loading"], stream=i["streaming"], route=self.routing)
        # SYNC, CONFIGURE, HALT.
        return first(route=self.routing, sums=i["sums_pending"], **{name: i[name] for name in (
            "bank_busy", "loading", "streaming", "activating", "dma_in_busy", "dma_out_busy")})

    def _step(self, inputs):
        """Return the fields of the word if it is issued now."""
        if self.word is None or self.stopped or self._wrong(**self.word) is not None:
            return None
        return self.word if self._waits(inputs, **self.word) is None else None

    def outputs(self, inputs):
        issued = self._step(inputs)
        shown = {
            "instructions__ready": not self.stopped and (self.word is None or issued is not None),
            "route__valid": self.routing, "route__payload": self.array if self.routing else None,
            "layer": self.layer, "halted": self.halted, "fault": self.fault,
            **{register.name.lower(): value for register, value in self.registers.items()}}
        for name in COMMANDS:
            shown |= {f"{name}__valid": False, f"{name}__payload": None}
        if issued is not None:
            for name, payload in self._commands(**issued).items():
                shown |= {f"{name}__valid": True, f"{name}__payload": payload}
        return shown

    def _commands(self, opcode, a, b, c, flag):
        match opcode:
            case Opcode.LOAD_WEIGHTS:
                return {"load": flag}
            case Opcode.MATMUL:
                return {"stream": pack(stream_layout(CONFIG), row=a, beats=c, first=self.ahead),
                        "landing": pack(landing_layout(CONFIG), row=b, beats=c, accumulate=flag)}
            case Opcode.ACTIVATE:
                return {"activate": pack(activate_layout(CONFIG), row=a, out=b, beats=c, raw=flag)}
            case Opcode.DMA_IN:
                return {"dma_in": pack(transfer_layout(ACTS), row=b, beats=c)}
            case Opcode.DMA_OUT:
                return {"dma_out": pack(transfer_layout(OUTPUTS), row=b, beats=c)}
        return {}

    def clock(self, inputs):
        issued = self._step(inputs)
        ready = not self.stopped and (self.word is None or issued is not None)
        if self.word is not None and not self.stopped:
            if (problem := self._wrong(**self.word)) is not None:
                self.fault = True
                self.faults.add(problem)
            elif issued is None:
                self.waited.add((self.word["opcode"], self._waits(inputs, **self.word)))
        if self.routing and inputs["route__ready"]:
            self.routing = False
        if issued is not None:
            opcode = issued["opcode"]
            self.beside |= {(opcode, name) for name in BESIDE.get(opcode, ()) if inputs[name]}
            self._issue(**issued)
            self.word = None
        if inputs["instructions__valid"] and ready:
            self.word = unpack(Word, inputs["instructions__payload"])

    def _issue(self, opcode, a, b, c, flag):
        self.issued.add(opcode)
        match opcode:
            case Opcode.HALT:
                self.halted = True
            case Opcode.SYNC:
                self.layer = a
            case Opcode.CONFIGURE:
                bits = 1 if a == Register.ACT_SIGNED else VALUE_BITS
                self.registers[Register(a)] = b % (1 << bits)
            case Opcode.ROUTE:
                # What the port cannot say is all ones: no array has that number.
                self.array = a if a < 1 << ROUTE_BITS else (1 << ROUTE_BITS) - 1
                self.routing, self.tile_open = True, False
            case Opcode.LOAD_WEIGHTS if not flag:
                self.ahead += 1
            case Opcode.MATMUL:
                self.ahead, self.tile_open = 0, True

    def unseen(self):
        """Return what has not happened yet, of all that should."""
        def pairs(table):
            return {(opcode, name) for opcode, names in table.items() for name in names}

        return (set(Opcode) - self.issued) | (FAULTS - self.faults) | (
            pairs(WAITS) - self.waited) | (pairs(BESIDE) - self.beside)
