"""The ROUTE register: which array of the bank runs."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.machine.design import MAX_ARRAYS
from hw.rtl.hierarchy import Ports, Unit

ROUTE_BITS = MAX_ARRAYS.bit_length()  # one number more than arrays: all ones is never one of them


class Router(Unit):
    """Holds the array that ROUTE chose; changes it only while nothing is in flight.

    A ROUTE to an array that the bank does not have selects `fallback`, the exact array where
    there is one, and sets `route_error` until reset.

    Latency: `selected` and `enable` follow one cycle after a ROUTE is accepted.

    Members
    -------
    route : In(stream of ROUTE_BITS)
        Array to use from now on.
    idle : In(1)
        Nothing is in flight and no weights wait: a ROUTE may be accepted.
    selected : Out(ROUTE_BITS)
    enable : Out(arrays)
        One-hot `selected`.
    route_error : Out(1)
        Sticky: a ROUTE named an array that does not exist.
    """

    arrays: int  # in the bank, 1 to MAX_ARRAYS
    fallback: int = 0  # array that an unknown ROUTE selects
    module = "router"
    reset = True

    def ports(self) -> Ports:
        """Return the ports; ValueError for arrays that there cannot be."""
        if not 1 <= self.arrays <= MAX_ARRAYS:
            raise ValueError(f"Router arrays must be 1 to {MAX_ARRAYS}, not {self.arrays}")
        if not 0 <= self.fallback < self.arrays:
            raise ValueError(f"Router fallback must be an array below {self.arrays}, "
                             f"not {self.fallback}")
        return {"route": In(stream.Signature(ROUTE_BITS)), "idle": In(1),
                "selected": Out(ROUTE_BITS), "enable": Out(self.arrays), "route_error": Out(1)}

    def elaborate(self, platform: object) -> Module:
        """Return the register and its decoder."""
        m = Module()
        selected = Signal(ROUTE_BITS)
        route_error = Signal()
        m.d.comb += self.route.ready.eq(self.idle)
        with m.If(self.route.valid & self.route.ready):
            with m.If(self.route.payload < self.arrays):
                m.d.sync += selected.eq(self.route.payload)
            with m.Else():
                m.d.sync += [selected.eq(self.fallback), route_error.eq(1)]
        m.d.comb += [self.selected.eq(selected), self.route_error.eq(route_error)]
        for array in range(self.arrays):
            m.d.comb += self.enable[array].eq(selected == array)
        return m
