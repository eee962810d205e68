"""The units of the bus, cycle by cycle, as docs/integration.md has them.

Each keeps what waits in it, and goes on by a clock edge; `whole_model` puts them together.
"""

from __future__ import annotations

from collections import deque

from hw.machine import bus
from hw.machine.bus import Address, Control, Error, Interrupt, Status
from hw.machine.isa import Opcode

Ports = dict[str, int | None]  # by name; None is any value
OKAY, SLVERR = 0, 2


class BufferModel:
    """Up to two beats."""

    def __init__(self) -> None:
        self.beats: deque[int] = deque()

    @property
    def ready(self) -> bool:
        return len(self.beats) < 2

    def clock(self, beat: int | None, *, taken: bool) -> None:
        """Go on. beat : that arrives, if any. taken : the first one leaves."""
        arrives = beat is not None and self.ready
        if taken and self.beats:
            self.beats.popleft()
        if arrives:
            self.beats.append(beat)


class GathererModel:
    """Beats of a row; (data, last) at a time."""

    def __init__(self, width: int, bits: int) -> None:
        self.width, self.bits = width, bits
        self.needed = -(-width // bits)
        self.held: list[int] = []

    def row(self, beat: int) -> int | None:
        """Return the row that a beat ends, if it does."""
        if len(self.held) + 1 < self.needed:
            return None
        parts = [*self.held, beat]
        return sum(part << self.bits * place for place, part in enumerate(parts)) % (
            1 << self.width)

    def clock(self, beat: int, *, last: bool) -> bool:
        """Take a beat; return whether `last` came inside a row."""
        complete = self.row(beat) is not None
        self.held = [] if complete or last else [*self.held, beat]
        return last and not complete


class SenderModel:
    """Beats of a row that have not been taken: (data, last)."""

    def __init__(self, width: int, bits: int) -> None:
        self.width, self.bits = width, bits
        self.beats: deque[tuple[int, bool]] = deque()

    def ready(self, *, taken: bool) -> bool:
        """Whether a row may come in a cycle in which the beat that is offered may be taken."""
        return not self.beats or (len(self.beats) == 1 and taken)

    def clock(self, row: int | None, *, last: bool, taken: bool) -> None:
        if taken and self.beats:
            self.beats.popleft()
        if row is not None:
            count = self.width // self.bits
            self.beats += [(row >> self.bits * place & (1 << self.bits) - 1,
                            last and place == count - 1) for place in range(count)]


class EndsModel:
    """Rows of each DMA_OUT that have not left; at most three of them."""

    def __init__(self) -> None:
        self.left: deque[int] = deque()

    @property
    def ready(self) -> bool:
        return len(self.left) < 3

    def clock(self, word: int | None, *, row: bool) -> None:
        if row:
            self.left[0] -= 1
            if not self.left[0]:
                self.left.popleft()
        if word is not None and word >> 60 == Opcode.DMA_OUT:
            self.left.append(word >> 1 & 0x1FFF)


class RegistersModel:
    """What software sees."""

    def __init__(self, rows: int, cols: int, arrays: int, bits: int) -> None:
        self.constants = {Address.IDENTIFICATION: bus.IDENTIFICATION,
                          Address.VERSION: bus.VERSION, Address.SHAPE: rows | cols << 16,
                          Address.STREAMS: bits | arrays << 16, Address.CONTROL: 0}
        self.reset()

    def reset(self) -> None:
        self.running = self.starting = self.clear = self.done = self.irq = self.known_route = False
        self.errors = self.enable = self.interrupts = self.cycles = 0

    def value(self, address: int, core: Ports) -> int | None:
        """Return what a register shows; None for an address that is none."""
        changing = {
            Address.STATUS: Status.BUSY * (self.running or self.starting)
            | Status.DONE * self.done | core["selected"] << 8,
            Address.ERRORS: self.errors, Address.INTERRUPT_ENABLE: self.enable,
            Address.INTERRUPTS: self.interrupts, Address.CYCLES: self.cycles,
            Address.LAYER: core["layer"]}
        return (self.constants | changing).get(address & ~3)

    def clock(self, core: Ports, write: tuple[int, int, int] | None, *, misaligned: bool,
              sending: bool) -> None:
        """Go on. write : address, data and strobes, if there is one."""
        address, data, strobes = write or (0, 0, 0)
        written = {Address(address & ~3): data & 255} if strobes & 1 and (
            address & ~3 in bus.WRITABLE) else {}
        control = written.get(Address.CONTROL, 0)
        stop = bool(control & Control.RESET)
        start = bool(control & Control.START) and not stop and not (self.running or self.starting)
        ends = self.running and (core["fault"] or (core["halted"] and not sending))
        new = (Error.FAULT * bool(self.running and core["fault"])
               | Error.ROUTE * bool(self.running and core["route_error"] and not self.known_route)
               | Error.MISALIGNED * misaligned)
        self.irq = bool(self.interrupts & self.enable)
        self.errors = self.errors & ~written.get(Address.ERRORS, 0) | new
        self.interrupts = (self.interrupts & ~written.get(Address.INTERRUPTS, 0)
                           | Interrupt.ERROR * bool(new)
                           | Interrupt.DONE * bool(ends and not core["fault"]))
        self.enable = written.get(Address.INTERRUPT_ENABLE, self.enable) & 3
        self.known_route = bool(core["route_error"])
        self.cycles = 0 if self.starting else self.cycles + self.running
        self.done = not (start or stop) and (not core["fault"] if ends else self.done)
        self.running = not stop and (self.starting or (self.running and not ends))
        self.clear, self.starting = start or stop, start


class LiteModel:
    """A write and a read under way."""

    def __init__(self) -> None:
        self.address: int | None = None
        self.data: tuple[int, int] | None = None
        self.response: int | None = None
        self.read: tuple[int, int] | None = None

    @property
    def write(self) -> tuple[int, int, int] | None:
        """The write that happens: address, data, strobes."""
        if self.address is None or self.data is None or self.response is not None:
            return None
        return self.address, *self.data

    def outputs(self) -> Ports:
        data, response = self.read or (None, None)
        return {"awready": self.address is None, "wready": self.data is None,
                "bvalid": self.response is not None, "bresp": self.response,
                "arready": self.read is None, "rvalid": self.read is not None, "rdata": data,
                "rresp": response}

    def clock(self, inputs: Ports, shown: int | None) -> None:
        """Go on. shown : by the register that is addressed."""
        write = self.write
        if self.read is not None:
            self.read = None if inputs["rready"] else self.read
        elif inputs["arvalid"]:
            self.read = (0, SLVERR) if shown is None else (shown, OKAY)
        if self.response is not None and inputs["bready"]:
            self.response = None
        if self.address is None and inputs["awvalid"]:
            self.address = inputs["awaddr"]
        if self.data is None and inputs["wvalid"]:
            self.data = inputs["wdata"], inputs["wstrb"]
        if write is not None:
            self.address = self.data = None
            self.response = OKAY if write[0] & ~3 in bus.WRITABLE else SLVERR
