"""The accelerator on AXI4-Stream and AXI4-Lite."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CODE_BITS, AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.isa import INSTRUCTION_BITS
from hw.machine.pe.kind import Pe
from hw.machine.pe.operand_format import STREAM
from hw.rtl.accelerator.top import Accelerator
from hw.rtl.bus.lite_port import LitePort, lite_ports
from hw.rtl.bus.packet_ends import PacketEnds
from hw.rtl.bus.registers import Registers
from hw.rtl.bus.row_gatherer import RowGatherer
from hw.rtl.bus.row_sender import RowSender
from hw.rtl.bus.stream_buffer import StreamBuffer
from hw.rtl.hierarchy import Ports, Unit, place

INSTRUCTIONS, WEIGHTS, ROWS_IN, ROWS_OUT, LITE = (
    "s_axis_instructions", "s_axis_weights", "s_axis_in", "m_axis_out", "s_axil")


class AxiAccelerator(Unit):
    """`Accelerator` behind registers on AXI4-Lite, its streams on AXI4-Stream.

    Dataflow::

        s_axis_instructions ─► two beats ────────────────► accelerator
        s_axis_weights, s_axis_in ─► two beats ─► rows ──►     │
        m_axis_out ◄──── beats, tlast ◄──── rows ◄─────────────┘
        s_axil ─► registers ─► start, reset, interrupt

    Every output is a register's, or an AND of two. Streams are open from START until HALT, a
    fault or RESET (`Registers`). What is being sent then goes on to the end of its row.

    Members
    -------
    s_axis_instructions_* : 64 bits
    s_axis_weights_* : beats of stream_bits
        A row of cols operands in as many beats as it takes.
    s_axis_in_*, m_axis_out_* : beats of stream_bits
        Rows of activations and of results; tlast with the last beat of each DMA_OUT.
    s_axil_* : the registers of `hw.machine.bus`
    irq : Out(1)
    """

    bank: BankConfig
    config: AcceleratorConfig
    pes: tuple[Pe, ...]  # of each array, in ROUTE order
    stream_bits: int
    suffixes: tuple[str, ...] = ()  # of the module names of each array
    module = "accelerator_axi"
    reset = True

    def ports(self) -> Ports:
        """Return the ports, named as integrators' tools expect them."""
        bits = self.stream_bits
        return {
            **_stream(INSTRUCTIONS, In, INSTRUCTION_BITS, last=False),
            **_stream(WEIGHTS, In, bits), **_stream(ROWS_IN, In, bits),
            **_stream(ROWS_OUT, Out, bits),
            **{f"{LITE}_{name}": member for name, member in lite_ports().items()},
            "irq": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        """Return accelerator, registers and what changes the width of streams."""
        m = Module()
        bank, bits = self.bank, self.stream_bits
        clear, running = Signal(name="clear"), Signal(name="running")

        def put(name: str, unit: Unit, reset: Value | None = clear) -> Any:
            return place(m, name, unit, platform, reset=reset)

        core = put("accelerator", Accelerator(bank=bank, config=self.config, pes=self.pes,
                                              suffixes=self.suffixes))
        lite = put("lite_port", LitePort(), None)
        registers = put("registers", Registers(bank=bank, stream_bits=bits), None)
        ends = put("packet_ends", PacketEnds())
        sender = put("row_sender", RowSender(width=bank.cols * CODE_BITS, bits=bits), None)
        m.d.comb += [clear.eq(registers.clear), running.eq(registers.running)]

        # --- registers ---
        for name, member in lite_ports().items():
            port, inside = getattr(self, f"{LITE}_{name}"), getattr(lite, name)
            m.d.comb += inside.eq(port) if member.flow == In else port.eq(inside)
        m.d.comb += [
            *(getattr(registers, name).eq(getattr(lite, name)) for name in (
                "write", "write_address", "write_data", "write_strobe", "read_address")),
            *(getattr(lite, name).eq(getattr(registers, name)) for name in (
                "write_known", "read_data", "read_known")),
            *(getattr(registers, name).eq(getattr(core, name)) for name in (
                "halted", "fault", "route_error", "selected", "layer")),
            registers.sending.eq(sender.beats.valid), self.irq.eq(registers.irq),
        ]

        # --- what goes in ---
        def buffered(name: str, unit_name: str, width: int, *last: Value) -> Any:
            """Return a stream of the bus behind two beats of buffer."""
            buffer = put(unit_name, StreamBuffer(module=unit_name, width=width))
            port = {part: getattr(self, f"{name}_{part}") for part in (
                "tdata", "tvalid", "tready")}
            m.d.comb += [
                buffer.source.valid.eq(port["tvalid"] & running),
                port["tready"].eq(buffer.source.ready & running),
                buffer.source.payload.eq(port["tdata"]),
                *(buffer.source.payload[-1].eq(mark) for mark in last),
            ]
            return buffer.sink

        words = buffered(INSTRUCTIONS, "instruction_buffer", INSTRUCTION_BITS)
        m.d.comb += [
            core.instructions.valid.eq(words.valid & ends.ready),
            words.ready.eq(core.instructions.ready & ends.ready),
            core.instructions.payload.eq(words.payload),
            ends.word.eq(words.payload), ends.passes.eq(words.valid & words.ready),
        ]
        misaligned = []
        for name, unit_name, width, rows in (
                (WEIGHTS, "weight", bank.cols * STREAM.width, core.weights),
                (ROWS_IN, "input", bank.rows * CODE_BITS, core.host_in)):
            beats = buffered(name, f"{unit_name}_buffer", bits + 1,
                             getattr(self, f"{name}_tlast"))
            unit = put(f"{unit_name}_rows", RowGatherer(module=f"{unit_name}_rows", width=width,
                                                        bits=bits))
            m.d.comb += [
                unit.beats.valid.eq(beats.valid), beats.ready.eq(unit.beats.ready),
                unit.beats.payload.eq(beats.payload),
                rows.valid.eq(unit.rows.valid), unit.rows.ready.eq(rows.ready),
                rows.payload.eq(unit.rows.payload),
            ]
            misaligned.append(unit.misaligned)
        m.d.comb += registers.misaligned.eq(misaligned[0] | misaligned[1])

        # --- what comes out ---
        beats = sender.beats
        m.d.comb += [
            sender.rows.valid.eq(core.host_out.valid & running),
            core.host_out.ready.eq(sender.rows.ready & running),
            sender.rows.payload.data.eq(core.host_out.payload),
            sender.rows.payload.last.eq(ends.last),
            ends.row.eq(sender.rows.valid & sender.rows.ready),
            getattr(self, f"{ROWS_OUT}_tvalid").eq(beats.valid),
            getattr(self, f"{ROWS_OUT}_tdata").eq(beats.payload.data),
            getattr(self, f"{ROWS_OUT}_tlast").eq(beats.payload.last),
            beats.ready.eq(getattr(self, f"{ROWS_OUT}_tready")),
        ]
        return m


def _stream(name: str, flow: Any, bits: int, *, last: bool = True) -> Ports:
    """Return the ports of an AXI4-Stream; every byte of every beat counts, so there is no tkeep."""
    back = Out if flow == In else In
    return {f"{name}_tdata": flow(bits), f"{name}_tvalid": flow(1), f"{name}_tready": back(1),
            **({f"{name}_tlast": flow(1)} if last else {})}
