"""The registers of the bus: what software starts, sees and clears."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from hw.machine.bus import (
    ADDRESS_BITS,
    IDENTIFICATION,
    REGISTER_BITS,
    SELECTED_SHIFT,
    VERSION,
    WRITABLE,
    Address,
    Control,
    Error,
    Interrupt,
)
from hw.machine.design import BankConfig
from hw.machine.isa import FIELD_BITS
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.bus.lite_port import STROBES
from hw.rtl.hierarchy import Ports, Unit

ERRORS, INTERRUPTS = len(Error), len(Interrupt)


class Registers(Unit):
    """Starts the accelerator, keeps what happened, and raises the interrupt.

    START resets the accelerator for a cycle and then opens its streams; HALT, a fault and RESET
    close them. A START while busy does nothing. All that can be written is in the low byte.

    Members
    -------
    write, write_address, write_data, write_strobe, write_known, read_address, read_data,
    read_known :
        See `LitePort`.
    clear : Out(1)
        Reset of the accelerator.
    running : Out(1)
        Streams are open.
    halted, fault, route_error, selected, layer :
        Of the accelerator.
    misaligned : In(1)
        A `last` passed inside a row.
    sending : In(1)
        Results are still on their way out.
    irq : Out(1)
        High while a flag of INTERRUPTS and its enable are.
    """

    bank: BankConfig
    stream_bits: int
    module = "registers"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        return {"write": In(1), "write_address": In(ADDRESS_BITS), "write_data": In(REGISTER_BITS),
                "write_strobe": In(STROBES), "write_known": Out(1),
                "read_address": In(ADDRESS_BITS), "read_data": Out(REGISTER_BITS),
                "read_known": Out(1), "clear": Out(1), "running": Out(1), "halted": In(1),
                "fault": In(1), "route_error": In(1), "selected": In(ROUTE_BITS),
                "layer": In(FIELD_BITS[0]), "misaligned": In(1), "sending": In(1),
                "irq": Out(1)}

    def elaborate(self, platform: object) -> Module:
        """Return the state of a run, the flags and the choice of what is read."""
        m = Module()
        start, stop, starting, finished, done = (
            Signal(name=name) for name in ("start", "stop", "starting", "finished", "done"))
        errors, new_errors = (Signal(ERRORS, name=name) for name in ("errors", "new_errors"))
        enable, interrupts = (Signal(INTERRUPTS, name=name) for name in ("enable", "interrupts"))
        known_route = Signal()
        cycles = Signal(REGISTER_BITS)

        low_byte = self.write_data[:8]
        writes = Signal()
        m.d.comb += writes.eq(self.write & self.write_strobe[0])

        def written(address: Address) -> Value:
            """Return whether the low byte of a register is being written."""
            return writes & (self.write_address[2:] == address >> 2)

        # --- a run ---
        control = written(Address.CONTROL)
        busy = self.running | starting
        m.d.comb += [
            stop.eq(control & (low_byte & Control.RESET).any()),
            start.eq(control & (low_byte & Control.START).any() & ~stop & ~busy),
            finished.eq(self.running & (self.fault | (self.halted & ~self.sending))),
        ]
        m.d.sync += [self.clear.eq(start | stop), starting.eq(start)]
        with m.If(self.running & ~cycles.all()):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(starting):
            m.d.sync += [self.running.eq(1), cycles.eq(0)]
        with m.If(finished):
            m.d.sync += [self.running.eq(0), done.eq(~self.fault)]
        with m.If(start | stop):
            m.d.sync += done.eq(0)
        with m.If(stop):
            m.d.sync += [self.running.eq(0), starting.eq(0)]

        # --- flags: what happens wins over what is cleared ---
        m.d.sync += known_route.eq(self.route_error)
        m.d.comb += new_errors.eq(Cat(self.running & self.fault,
                                      self.running & self.route_error & ~known_route,
                                      self.misaligned))
        happened = Cat(finished & ~self.fault, new_errors.any())
        for address, flags, new in ((Address.ERRORS, errors, new_errors),
                                    (Address.INTERRUPTS, interrupts, happened)):
            cleared = Mux(written(address), low_byte[:len(flags)], 0)
            m.d.sync += flags.eq(flags & ~cleared | new)
        with m.If(written(Address.INTERRUPT_ENABLE)):
            m.d.sync += enable.eq(low_byte)
        m.d.sync += self.irq.eq((interrupts & enable).any())

        # --- reading ---
        status = Cat(busy, done, Const(0, SELECTED_SHIFT - 2), self.selected)
        values = {
            Address.IDENTIFICATION: IDENTIFICATION, Address.VERSION: VERSION,
            Address.SHAPE: self.bank.rows | self.bank.cols << 16,
            Address.STREAMS: self.stream_bits | len(self.bank.arrays) << 16,
            Address.CONTROL: 0, Address.STATUS: status, Address.ERRORS: errors,
            Address.INTERRUPT_ENABLE: enable, Address.INTERRUPTS: interrupts,
            Address.CYCLES: cycles, Address.LAYER: self.layer,
        }
        with m.Switch(self.read_address[2:]):
            for address, value in values.items():
                with m.Case(address >> 2):
                    m.d.comb += [self.read_data.eq(value), self.read_known.eq(1)]
        m.d.comb += self.write_known.eq(
            Cat(self.write_address[2:] == address >> 2 for address in WRITABLE).any())
        return m
