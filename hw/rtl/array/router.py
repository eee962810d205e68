"""The ROUTE register: which array of the bank runs."""

from __future__ import annotations

from functools import cache

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.machine.design import MAX_ARRAYS
from hw.rtl.hierarchy import ModuleKind, Place

ROUTE_BITS = MAX_ARRAYS.bit_length()  # one number more than arrays: all ones is never one of them


class Router(wiring.Component):
    """Holds the array that ROUTE chose; changes it only while nothing is in flight.

    A ROUTE to an array that the bank does not have selects `fallback`, the exact array where
    there is one, and sets `route_error` until reset.

    Latency: `selected` and `enable` follow one cycle after a ROUTE is accepted.

    Parameters
    ----------
    arrays : int
        Arrays in the bank, 1 to MAX_ARRAYS.
    fallback : int
        Array that an unknown ROUTE selects.

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

    def __init__(self, *, arrays: int, fallback: int = 0) -> None:
        if not 1 <= arrays <= MAX_ARRAYS:
            raise ValueError(f"Router arrays must be 1 to {MAX_ARRAYS}, not {arrays}")
        if not 0 <= fallback < arrays:
            raise ValueError(f"Router fallback must be an array below {arrays}, not {fallback}")
        self.arrays, self.fallback = arrays, fallback
        super().__init__(router_signature(arrays))

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


def router_signature(arrays: int) -> wiring.Signature:
    """Return the ports of a router; see `Router`."""
    return wiring.Signature({
        "route": In(stream.Signature(ROUTE_BITS)), "idle": In(1),
        "selected": Out(ROUTE_BITS), "enable": Out(arrays), "route_error": Out(1),
    })


@cache
def router_kind(arrays: int, fallback: int = 0) -> ModuleKind:
    """Return the module `router` for `arrays` arrays."""
    def build(place: Place) -> Router:
        return Router(arrays=arrays, fallback=fallback)

    return ModuleKind(name="router", signature=router_signature(arrays), build=build, reset=True)
