"""Two beats between a bus and what reads it: no path leads from one side to the other."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.rtl.hierarchy import Ports, Unit


class StreamBuffer(Unit):
    """Holds up to two beats, so that `source.ready` is a register's.

    AXI asks for that (AMBA AXI, A3.2.1): ready at the bus must not depend on an input in the same
    cycle. Latency: one cycle; one beat per cycle.

    Members
    -------
    source, sink : In, Out(stream of width bits)
    """

    width: int
    module: str
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"source": In(stream.Signature(self.width)),
                "sink": Out(stream.Signature(self.width))}

    def elaborate(self, platform: object) -> Module:
        """Return the beat that is shown, and the one that came while it was."""
        m = Module()
        shown, spare = (Signal(self.width, name=name, reset_less=True)
                        for name in ("shown", "spare"))
        showing, spared, arrives = (Signal(name=name) for name in ("showing", "spared", "arrives"))
        m.d.comb += [
            self.source.ready.eq(~spared), arrives.eq(self.source.valid & ~spared),
            self.sink.valid.eq(showing), self.sink.payload.eq(shown),
        ]
        with m.If(self.sink.ready | ~showing):
            m.d.sync += [showing.eq(spared | arrives), spared.eq(0),
                         shown.eq(Mux(spared, spare, self.source.payload))]
        with m.Elif(arrives):
            m.d.sync += [spared.eq(1), spare.eq(self.source.payload)]
        return m
