"""Fetches instructions and hands them to the units, in order, once nothing stands in the way."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import ACCUMULATOR_BANKS, SUM_BYTES, AcceleratorConfig
from hw.machine.isa import (
    FIELD_BITS,
    INSTRUCTION_BITS,
    OPCODE_BITS,
    VALUE_BITS,
    Opcode,
    Register,
)
from hw.rtl.accelerator.commands import (
    activate_layout,
    landing_layout,
    span_layout,
    stream_layout,
    transfer_layout,
)
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.hierarchy import Ports, Unit

TILES_AHEAD = 1  # loaded tiles that no MATMUL has taken; a second one could wait for ever

# As `hw.machine.isa` lays a word out, the low bits first.
Word = data.StructLayout({"flag": FIELD_BITS[3], "c": FIELD_BITS[2], "b": FIELD_BITS[1],
                          "a": FIELD_BITS[0], "opcode": OPCODE_BITS})
END_BITS = FIELD_BITS[2] + SUM_BYTES.bit_length()  # rows of a memory, and as many once more
REGISTERS = {
    Register.ACT_ZERO_POINT: signed(VALUE_BITS), Register.ACT_SIGNED: 1,
    Register.OUT_ZERO_POINT: signed(VALUE_BITS), Register.OUT_LOW: signed(VALUE_BITS),
    Register.OUT_HIGH: signed(VALUE_BITS),
}


class Sequencer(Unit):
    """Issues at most one instruction per cycle, in program order.

    Units work side by side; an instruction waits for its own unit, and while

    - MATMUL: DMA_IN still writes rows it reads, or ACTIVATE reads the accumulator bank it sums
      into;
    - DMA_IN: MATMUL has still to read rows it would write;
    - ACTIVATE: a MATMUL still sums into its accumulator bank, constants are being loaded, or
      DMA_OUT has still to read output rows it would write;
    - DMA_OUT: ACTIVATE still writes output rows it reads;
    - LOAD_WEIGHTS of constants: ACTIVATE runs;
    - ROUTE: weights are being loaded or activations have still to enter the bank. The bank
      itself then waits until it is empty;
    - SYNC, CONFIGURE, HALT: anything runs.

    So a program computes what it would computed one instruction after the other, in whatever
    order it is written.

    A word that cannot be obeyed stops the sequencer for good: `fault` rises and nothing is
    issued until reset. Such are an unknown opcode or register, a transfer of no rows or beyond
    a memory, a MATMUL across accumulator banks or without a tile since ROUTE, more than
    TILES_AHEAD tiles that no MATMUL takes, a ROUTE with such a tile. Fields that must be zero
    are not looked at.

    A MATMUL takes the tile that was loaded before it; without one it goes on with the last.

    Latency: one cycle from an accepted word to its command, if nothing stands in the way.

    Members
    -------
    instructions : In(stream of 64 bits)
    route : Out(stream of ROUTE_BITS)
    load : Out(stream of 1), loading, loading_constants : In(1)
        To the weight loader; 1 is constants.
    stream, landing : Out(streams of `stream_layout`, `landing_layout`)
        A MATMUL, to the activation reader and the accumulators.
    activate, dma_in, dma_out : Out(streams of `activate_layout`, `transfer_layout`)
    streaming, stream_reading, stream_span : activations that have still to enter the bank, rows
        that have still to be read
    sums_pending : In(ACCUMULATOR_BANKS)
    activating, activate_bank, activate_span : what ACTIVATE works on
    dma_in_busy, dma_in_span, dma_out_busy, dma_out_reading, dma_out_span
    bank_busy : In(1)
        Activations are in flight in the bank.
    act_zero_point, act_signed, out_zero_point, out_low, out_high : Out
        The registers of CONFIGURE.
    layer : Out(24)
        Operand of the last SYNC.
    halted, fault : Out(1)
    """

    config: AcceleratorConfig
    module = "sequencer"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        config = self.config
        acts, outputs = span_layout(config.act_rows), span_layout(config.output_rows)
        return {
            "instructions": In(stream.Signature(INSTRUCTION_BITS)),
            "route": Out(stream.Signature(ROUTE_BITS)),
            "load": Out(stream.Signature(1)), "loading": In(1),
            "loading_constants": In(1),
            "stream": Out(stream.Signature(stream_layout(config))),
            "landing": Out(stream.Signature(landing_layout(config))),
            "activate": Out(stream.Signature(activate_layout(config))),
            "dma_in": Out(stream.Signature(transfer_layout(config.act_rows))),
            "dma_out": Out(stream.Signature(transfer_layout(config.output_rows))),
            "streaming": In(1), "stream_reading": In(1), "stream_span": In(acts),
            "sums_pending": In(ACCUMULATOR_BANKS),
            "activating": In(1), "activate_bank": In(1), "activate_span": In(outputs),
            "dma_in_busy": In(1), "dma_in_span": In(acts),
            "dma_out_busy": In(1), "dma_out_reading": In(1), "dma_out_span": In(outputs),
            "bank_busy": In(1),
            **{register.name.lower(): Out(shape) for register, shape in REGISTERS.items()},
            "layer": Out(FIELD_BITS[0]), "halted": Out(1), "fault": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the instruction register, the conditions and the issue."""
        m = Module()
        config = self.config

        word = Signal(Word, reset_less=True)
        present, issue, permitted, misplaced, wrong, stopped = (
            Signal(name=name)
            for name in ("present", "issue", "permitted", "misplaced", "wrong", "stopped"))
        m.d.comb += [
            stopped.eq(self.halted | self.fault),
            issue.eq(present & permitted & ~wrong & ~stopped),
            self.instructions.ready.eq((~present | issue) & ~stopped),
        ]
        with m.If(issue):
            m.d.sync += present.eq(0)
        with m.If(self.instructions.valid & self.instructions.ready):
            m.d.sync += [word.eq(self.instructions.payload), present.eq(1)]
        with m.If(present & wrong & ~stopped):
            m.d.sync += self.fault.eq(1)

        everything_done = Signal()
        m.d.comb += everything_done.eq(
            ~self.bank_busy & ~self.loading & ~self.streaming & ~self.activating
            & ~self.dma_in_busy & ~self.dma_out_busy & (self.sums_pending == 0)
            & ~self.route.valid)

        # Loaded tiles that no MATMUL has taken, and whether one has been taken since ROUTE.
        ahead = Signal(range(TILES_AHEAD + 1))
        tile_open = Signal()
        route = Signal(ROUTE_BITS)
        routing = Signal()
        m.d.comb += [self.route.payload.eq(route), self.route.valid.eq(routing)]
        with m.If(self.route.ready):
            m.d.sync += routing.eq(0)

        # What a word asks of the memories is looked at while it arrives.
        end = Signal(END_BITS, name="rows_end", reset_less=True)  # of activations or outputs
        unfit = Signal(reset_less=True)  # beyond a memory, whatever the machine does
        arriving = Word(self.instructions.payload)
        with m.If(self.instructions.valid & self.instructions.ready):
            m.d.sync += [end.eq(_end(arriving)), unfit.eq(_unfit(arriving, config))]
        beats = word.c
        act_row, out_row = word.b[:address_bits(config.act_rows)], word.b[
            :address_bits(config.output_rows)]
        bank_bit = address_bits(config.bank_rows)
        m.d.comb += wrong.eq(unfit | misplaced)

        with m.Switch(word.opcode):
            with m.Case(Opcode.HALT):
                m.d.comb += permitted.eq(everything_done)
                m.d.sync += self.halted.eq(self.halted | issue)
            with m.Case(Opcode.SYNC):
                m.d.comb += permitted.eq(everything_done)
                with m.If(issue):
                    m.d.sync += self.layer.eq(word.a)
            with m.Case(Opcode.CONFIGURE):
                m.d.comb += permitted.eq(everything_done)
                with m.If(issue):
                    for register in Register:
                        with m.If(word.a == register):
                            m.d.sync += getattr(self, register.name.lower()).eq(word.b)
            with m.Case(Opcode.ROUTE):
                m.d.comb += [permitted.eq(~self.loading & ~self.streaming & ~routing),
                             misplaced.eq(ahead != 0)]
                with m.If(issue):
                    # A number too long for the bank's port becomes all ones: no array has that.
                    too_long = (word.a >> ROUTE_BITS).any()
                    m.d.sync += [routing.eq(1), tile_open.eq(0),
                                 route.eq(word.a[:ROUTE_BITS] | too_long.replicate(ROUTE_BITS))]
            with m.Case(Opcode.LOAD_WEIGHTS):
                m.d.comb += [
                    permitted.eq(self.load.ready & ~(word.flag & self.activating)),
                    misplaced.eq(~word.flag & (ahead == TILES_AHEAD)),
                    self.load.payload.eq(word.flag), self.load.valid.eq(issue),
                ]
                with m.If(issue & ~word.flag):
                    m.d.sync += ahead.eq(ahead + 1)
            with m.Case(Opcode.MATMUL):
                m.d.comb += [
                    misplaced.eq((ahead == 0) & ~tile_open),
                    permitted.eq(
                        self.stream.ready & self.landing.ready
                        & ~(self.activating & (self.activate_bank == word.b[bank_bit]))
                        & ~(self.dma_in_busy
                            & _meet(self.dma_in_span, word.a[:len(act_row)], end))),
                    self.stream.valid.eq(issue), self.landing.valid.eq(issue),
                ]
                with m.If(issue):
                    m.d.sync += tile_open.eq(1)
                    with m.If(ahead != 0):
                        m.d.sync += ahead.eq(ahead - 1)
            with m.Case(Opcode.ACTIVATE):
                m.d.comb += [
                    permitted.eq(
                        self.activate.ready & ~self.loading_constants
                        & ~self.sums_pending.bit_select(word.a[bank_bit], 1)
                        & ~(self.dma_out_reading & _meet(self.dma_out_span, out_row, end))),
                    self.activate.valid.eq(issue),
                ]
            with m.Case(Opcode.DMA_IN):
                m.d.comb += [
                    permitted.eq(
                        self.dma_in.ready
                        & ~(self.stream_reading & _meet(self.stream_span, act_row, end))),
                    self.dma_in.valid.eq(issue),
                ]
            with m.Case(Opcode.DMA_OUT):
                m.d.comb += [
                    permitted.eq(
                        self.dma_out.ready
                        & ~(self.activating & _meet(self.activate_span, out_row, end))),
                    self.dma_out.valid.eq(issue),
                ]

        m.d.comb += [
            self.stream.payload.row.eq(word.a), self.stream.payload.beats.eq(beats),
            self.stream.payload.first.eq(ahead != 0),
            self.landing.payload.row.eq(word.b), self.landing.payload.beats.eq(beats),
            self.landing.payload.accumulate.eq(word.flag),
            self.activate.payload.row.eq(word.a), self.activate.payload.out.eq(word.b),
            self.activate.payload.beats.eq(beats), self.activate.payload.raw.eq(word.flag),
            self.dma_in.payload.row.eq(word.b), self.dma_in.payload.beats.eq(beats),
            self.dma_out.payload.row.eq(word.b), self.dma_out.payload.beats.eq(beats),
        ]
        return m


def _end(word: data.View[data.StructLayout]) -> Value:
    """Return the row after the last one of activations or outputs that a word names."""
    beats = Mux((word.opcode == Opcode.ACTIVATE) & word.flag, word.c * SUM_BYTES, word.c)
    return (_first(word)[:END_BITS - 1] + beats)[:END_BITS]


def _first(word: data.View[data.StructLayout]) -> Value:
    return Mux(word.opcode == Opcode.MATMUL, word.a, word.b)


def _unfit(word: data.View[data.StructLayout], config: AcceleratorConfig) -> Value:
    """Return whether a word can never be obeyed.

    Memories are powers of two: what is above an address must be 0, the rest fits short adders.
    """
    first, sums = _first(word), Mux(word.opcode == Opcode.ACTIVATE, word.a, word.b)
    bank_bits = address_bits(config.bank_rows)

    def is_one_of(*opcodes: Opcode) -> Value:
        return Cat(word.opcode == opcode for opcode in opcodes).any()

    def beyond(rows: int) -> Value:
        return first[address_bits(rows):].any() | (_end(word) > rows)

    crosses = (sums[address_bits(config.accumulator_rows):].any()
               | (sums[:bank_bits] + word.c > config.bank_rows))
    return ((is_one_of(Opcode.MATMUL, Opcode.ACTIVATE) & (crosses | (word.c == 0)))
            | (is_one_of(Opcode.MATMUL, Opcode.DMA_IN) & (beyond(config.act_rows) | (word.c == 0)))
            | (is_one_of(Opcode.ACTIVATE, Opcode.DMA_OUT)
               & (beyond(config.output_rows) | (word.c == 0)))
            | ((word.opcode == Opcode.CONFIGURE) & (word.a > max(Register)))
            | (word.opcode > max(Opcode)))


def _meet(span: data.View[data.StructLayout], start: Value, end: Value) -> Value:
    """Return whether two ranges of rows have one in common."""
    return (span.start < end) & (start < span.end)
