"""Which row is the last one of its DMA_OUT."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hw.machine.isa import FIELD_BITS, FIELD_SHIFTS, INSTRUCTION_BITS, OPCODE_SHIFT, Opcode
from hw.rtl.hierarchy import Ports, Unit

# DMA_OUTs accepted whose rows have not all left: one is sent, one is read, one waits for its issue.
DEPTH = 3


class PacketEnds(Unit):
    """Counts the rows of each DMA_OUT that passes on the way to the sequencer.

    Members
    -------
    word : In(64), passes : In(1)
        An instruction, in the cycle in which the sequencer accepts it; only while `ready`.
    ready : Out(1)
    row : In(1)
        A row is taken.
    last : Out(1)
        The row that is taken next is the last one of its DMA_OUT.
    """

    module = "packet_ends"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"word": In(INSTRUCTION_BITS), "passes": In(1), "ready": Out(1), "row": In(1),
                "last": Out(1)}

    def elaborate(self, platform: object) -> Module:
        """Return a queue of numbers of rows, and the rows that have left of the first one."""
        m = Module()
        bits = FIELD_BITS[2]
        lengths = [Signal(bits, name=f"length{place}", reset_less=True) for place in range(DEPTH)]
        count = Signal(range(DEPTH + 1))
        sent = Signal(bits)
        push, pop = Signal(name="push"), Signal(name="pop")
        m.d.comb += [
            self.ready.eq(count != DEPTH),
            push.eq(self.passes & (self.word[OPCODE_SHIFT:] == Opcode.DMA_OUT)),
            self.last.eq(sent + 1 == lengths[0]), pop.eq(self.row & self.last),
        ]
        with m.If(self.row):
            m.d.sync += sent.eq(sent + 1)
        with m.If(pop):
            m.d.sync += [sent.eq(0), *(here.eq(behind) for here, behind
                                       in pairwise(lengths))]
        with m.If(push):
            for place, length in enumerate(lengths):
                with m.If(count - pop == place):
                    m.d.sync += length.eq(self.word[FIELD_SHIFTS[2]:][:bits])
        m.d.sync += count.eq(count + push - pop)
        return m
