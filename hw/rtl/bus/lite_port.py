"""AXI4-Lite, as a write or a read of one register at a time."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from hw.machine.bus import ADDRESS_BITS, REGISTER_BITS
from hw.rtl.hierarchy import Ports, Unit

STROBES = REGISTER_BITS // 8
OKAY, SLVERR = 0, 2


def lite_ports() -> Ports:
    """Return the channels of an AXI4-Lite subordinate without their prefix."""
    return {
        "awaddr": In(ADDRESS_BITS), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
        "wdata": In(REGISTER_BITS), "wstrb": In(STROBES), "wvalid": In(1), "wready": Out(1),
        "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
        "araddr": In(ADDRESS_BITS), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
        "rdata": Out(REGISTER_BITS), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
    }


class LitePort(Unit):
    """One write and one read under way at most; every output is a register's.

    A write happens in one cycle once its address and its data are there, whichever came first.
    Its response is offered in the cycle after; the next write waits for that to be taken.

    Members
    -------
    awaddr to rready :
        The bus. Protection is not looked at.
    write : Out(1), write_address : Out(ADDRESS_BITS), write_data : Out(32), write_strobe : Out(4)
    write_known : In(1)
        `write_address` may be written; otherwise the response is SLVERR.
    read_address : Out(ADDRESS_BITS), read_data : In(32), read_known : In(1)
        In the cycle in which the address is accepted.
    """

    module = "lite_port"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {**lite_ports(),
                "write": Out(1), "write_address": Out(ADDRESS_BITS),
                "write_data": Out(REGISTER_BITS), "write_strobe": Out(STROBES),
                "write_known": In(1), "read_address": Out(ADDRESS_BITS),
                "read_data": In(REGISTER_BITS), "read_known": In(1)}

    def elaborate(self, platform: object) -> Module:
        """Return what waits of a write, and the two responses."""
        m = Module()
        addressed, supplied = Signal(name="addressed"), Signal(name="supplied")
        m.d.comb += [
            self.awready.eq(~addressed), self.wready.eq(~supplied),
            self.write.eq(addressed & supplied & ~self.bvalid),
            self.arready.eq(~self.rvalid), self.read_address.eq(self.araddr),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [addressed.eq(1), self.write_address.eq(self.awaddr)]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [supplied.eq(1), self.write_data.eq(self.wdata),
                         self.write_strobe.eq(self.wstrb)]
        with m.If(self.write):
            m.d.sync += [addressed.eq(0), supplied.eq(0), self.bvalid.eq(1),
                         self.bresp.eq(Mux(self.write_known, OKAY, SLVERR))]
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.arvalid & self.arready):
            m.d.sync += [self.rvalid.eq(1), self.rdata.eq(self.read_data),
                         self.rresp.eq(Mux(self.read_known, OKAY, SLVERR))]
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)
        return m
