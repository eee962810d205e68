"""The accelerator: a bank of arrays with its memories, requantiser and sequencer."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CODE_BITS, AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.isa import FIELD_BITS, INSTRUCTION_BITS
from hw.machine.pe.kind import Pe
from hw.machine.pe.operand_format import STREAM
from hw.rtl.accelerator.accumulators import Accumulators
from hw.rtl.accelerator.act_converter import ActConverter
from hw.rtl.accelerator.requantiser import Requantiser
from hw.rtl.accelerator.row_memory import RowMemory
from hw.rtl.accelerator.row_reader import RowReader
from hw.rtl.accelerator.row_writer import RowWriter
from hw.rtl.accelerator.sequencer import Sequencer
from hw.rtl.accelerator.weight_fifo import WeightFifo
from hw.rtl.accelerator.weight_loader import WeightLoader
from hw.rtl.array.bank import MxuBank
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.hierarchy import Ports, Unit, place


class Accelerator(Unit):
    """Executes programs of `hw.machine.isa` on a bank of systolic arrays.

    Dataflow::

        host_in ─► activation buffer ─► sign, magnitude ─► bank ─► accumulators
                                          weights ─► queue ──┘          │
        host_out ◄──── output buffer ◄──── requantiser ◄────────────────┘

    The sequencer reads `instructions` and starts the units; `hw.machine.cycles` tells when each one
    runs. The host sends rows, weights and constants in the order in which the program asks for
    them, and takes results in that order; a stream that waits delays the program, nothing else.

    Members
    -------
    instructions : In(stream of 64 bits)
    weights : In(stream of cols operands)
        Per LOAD_WEIGHTS `bank.rows` beats, bottom row first; with the flag CONSTANT_BEATS beats
        of `Constants`, the low bits first.
    host_in : In(stream of rows bytes)
    host_out : Out(stream of cols bytes)
    selected : Out(ROUTE_BITS), route_error : Out(1)
        See `MxuBank`.
    layer : Out(24)
        Operand of the last SYNC.
    halted, fault : Out(1)
        See `Sequencer`.

    Reset is synchronous; memories and constants keep what they held.
    """

    bank: BankConfig
    config: AcceleratorConfig
    pes: tuple[Pe, ...]  # of each array, in ROUTE order
    suffixes: tuple[str, ...] = ()  # of the module names of each array
    module = "accelerator"
    reset = True

    def ports(self) -> Ports:
        """Return the ports."""
        bank = self.bank
        return {
            "instructions": In(stream.Signature(INSTRUCTION_BITS)),
            "weights": In(stream.Signature(bank.cols * STREAM.width)),
            "host_in": In(stream.Signature(bank.rows * CODE_BITS)),
            "host_out": Out(stream.Signature(bank.cols * CODE_BITS)),
            "selected": Out(ROUTE_BITS), "route_error": Out(1), "layer": Out(FIELD_BITS[0]),
            "halted": Out(1), "fault": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        """Return the units and what connects them."""
        m = Module()
        bank, config = self.bank, self.config
        act = {"width": bank.rows * CODE_BITS, "depth": config.act_rows}
        out = {"width": bank.cols * CODE_BITS, "depth": config.output_rows}

        def put(name: str, unit: Unit) -> Any:
            return place(m, name, unit, platform)

        control = put("sequencer", Sequencer(config=config))
        arrays = put("bank", MxuBank(config=bank, pes=self.pes, suffixes=self.suffixes))
        queue = put("weight_fifo", WeightFifo(width=bank.cols * STREAM.width,
                                              depth=config.weight_fifo_rows))
        loader = put("weight_loader", WeightLoader(bank=bank))
        dma_in = put("dma_in", RowWriter(module="dma_in", **act))
        acts = put("act_buffer", RowMemory(**act))
        reader = put("act_reader", RowReader(module="act_reader", **act))
        converter = put("act_converter", ActConverter(lanes=bank.rows))
        accumulators = put("accumulators", Accumulators(bank=bank, config=config))
        requantiser = put("requantiser", Requantiser(bank=bank, config=config))
        outputs = put("output_buffer", RowMemory(**out))
        dma_out = put("dma_out", RowReader(module="dma_out", **out))

        for sender, receiver in (
                (self.instructions, control.instructions), (control.route, arrays.route),
                (self.weights, queue.rows_in), (queue.rows_out, loader.rows),
                (control.load, loader.command), (loader.weights, arrays.weights),
                (loader.constants, requantiser.constants),
                (control.dma_in, dma_in.command), (self.host_in, dma_in.rows),
                (arrays.results, accumulators.results), (control.landing, accumulators.landing),
                (control.activate, requantiser.command)):
            m.d.comb += [receiver.valid.eq(sender.valid), sender.ready.eq(receiver.ready),
                         receiver.payload.eq(sender.payload)]

        # Activations: host, buffer, reader, converter, bank.
        rows = reader.rows
        m.d.comb += [
            acts.write_enable.eq(dma_in.write_enable), acts.write_row.eq(dma_in.write_row),
            acts.write_data.eq(dma_in.write_data),
            acts.read_enable.eq(reader.read_enable), acts.read_row.eq(reader.read_row),
            reader.read_data.eq(acts.read_data),
            reader.command.valid.eq(control.stream.valid),
            reader.command.payload.eq(control.stream.payload),
            control.stream.ready.eq(reader.command.ready),
            converter.codes.eq(rows.payload.data),
            converter.zero_point.eq(control.act_zero_point),
            converter.code_signed.eq(control.act_signed),
            arrays.acts.payload.eq(Cat(converter.acts, rows.payload.mark)),
            arrays.acts.valid.eq(rows.valid), rows.ready.eq(arrays.acts.ready),
        ]

        # Results: accumulators, requantiser, buffer, host.
        m.d.comb += [
            accumulators.read_enable.eq(requantiser.read_enable),
            accumulators.read_row.eq(requantiser.read_row),
            requantiser.sums.eq(accumulators.sums),
            requantiser.zero_point.eq(control.out_zero_point),
            requantiser.low.eq(control.out_low), requantiser.high.eq(control.out_high),
            outputs.write_enable.eq(requantiser.write_enable),
            outputs.write_row.eq(requantiser.write_row),
            outputs.write_data.eq(requantiser.write_data),
            outputs.read_enable.eq(dma_out.read_enable), outputs.read_row.eq(dma_out.read_row),
            dma_out.read_data.eq(outputs.read_data),
            dma_out.command.valid.eq(control.dma_out.valid),
            dma_out.command.payload.eq(control.dma_out.payload),
            control.dma_out.ready.eq(dma_out.command.ready),
            self.host_out.valid.eq(dma_out.rows.valid), dma_out.rows.ready.eq(self.host_out.ready),
            self.host_out.payload.eq(dma_out.rows.payload.data),
        ]

        # What the sequencer must know.
        m.d.comb += [
            control.loading.eq(loader.busy), control.loading_constants.eq(
                loader.loading_constants),
            control.streaming.eq(reader.busy), control.stream_reading.eq(reader.reading),
            control.stream_span.eq(reader.span), control.sums_pending.eq(accumulators.pending),
            control.activating.eq(requantiser.busy),
            control.activate_bank.eq(requantiser.sums_bank),
            control.activate_span.eq(requantiser.span),
            control.dma_in_busy.eq(dma_in.busy), control.dma_in_span.eq(dma_in.span),
            control.dma_out_busy.eq(dma_out.busy), control.dma_out_reading.eq(dma_out.reading),
            control.dma_out_span.eq(dma_out.span), control.bank_busy.eq(arrays.busy),
            self.selected.eq(arrays.selected), self.route_error.eq(arrays.route_error),
            self.layer.eq(control.layer), self.halted.eq(control.halted),
            self.fault.eq(control.fault),
        ]
        return m
