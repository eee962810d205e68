"""A serial transmitter, 8 data bits, no parity, one stop bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

BAUD = 115_200
FRAME_BITS = 10  # start, eight data bits, stop
# A receiver samples the stop bit 9.5 bits after the start; half a bit of drift is the limit.
MAX_BAUD_ERROR = 0.02


def baud_divisor(clock_hz: float, baud: int = BAUD) -> int:
    """Return the clock cycles per bit.

    Raises
    ------
    ValueError
        No whole number of cycles comes within 2 % of the rate.
    """
    divisor = max(1, round(clock_hz / baud))
    error = abs(clock_hz / divisor / baud - 1)
    if error > MAX_BAUD_ERROR:
        raise ValueError(f"Clock must give {baud} baud within {MAX_BAUD_ERROR:.0%}, "
                         f"not {clock_hz:g} Hz ({error:.1%} off)")
    return divisor


class UartTransmitter(wiring.Component):
    """Sends each byte of `bytes` as a start bit (0), the data, low bit first, and a stop bit (1).

    Latency: the start bit appears one cycle after the byte is accepted; the next byte is
    accepted FRAME_BITS * divisor cycles after that one.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit.

    Members
    -------
    bytes : In(stream of 8 bits)
    tx : Out(1)
        The line; 1 while idle.
    """

    def __init__(self, *, divisor: int) -> None:
        if divisor < 1:
            raise ValueError(f"UART divisor must be at least 1, not {divisor}")
        self.divisor = divisor
        super().__init__({"bytes": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Return the shift register and its two counters."""
        m = Module()
        frame = Signal(FRAME_BITS, init=-1)  # the bit on the line is the lowest; ones follow
        bits_left = Signal(range(FRAME_BITS + 1))
        cycle = Signal(range(self.divisor))
        bit_ends = Signal()
        m.d.comb += [
            self.tx.eq(frame[0]),
            bit_ends.eq(cycle == self.divisor - 1),
            self.bytes.ready.eq((bits_left == 0) | ((bits_left == 1) & bit_ends)),
        ]
        with m.If(self.bytes.ready & self.bytes.valid):
            m.d.sync += [frame.eq(Cat(Const(0, 1), self.bytes.payload, Const(1, 1))),
                         bits_left.eq(FRAME_BITS), cycle.eq(0)]
        with m.Elif(bits_left != 0):
            m.d.sync += cycle.eq(cycle + 1)
            with m.If(bit_ends):
                m.d.sync += [cycle.eq(0), bits_left.eq(bits_left - 1),
                             frame.eq(Cat(frame[1:], Const(1, 1)))]
        return m
