"""The accelerator: a bank of arrays with its memories, requantiser and sequencer."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.machine.accelerator import CODE_BITS, AcceleratorConfig
from hw.machine.design import BankConfig
from hw.machine.isa import FIELD_BITS, INSTRUCTION_BITS
from hw.netlist import Netlist
from hw.rtl.accelerator.accumulators import accumulators_kind
from hw.rtl.accelerator.requantiser import requantiser_kind
from hw.rtl.accelerator.row_memory import memory_kind
from hw.rtl.accelerator.row_reader import reader_kind
from hw.rtl.accelerator.row_writer import writer_kind
from hw.rtl.accelerator.sequencer import sequencer_kind
from hw.rtl.array.act_converter import converter_kind
from hw.rtl.array.bank import bank_kind
from hw.rtl.array.operand import OPERAND_WIDTH
from hw.rtl.array.router import ROUTE_BITS
from hw.rtl.array.weight_fifo import fifo_kind
from hw.rtl.array.weight_loader import loader_kind
from hw.rtl.hierarchy import ModuleKind, Place, inline


class Accelerator(wiring.Component):
    """Executes programs of `hw.machine.isa` on a bank of systolic arrays.

    Dataflow::

        host_in ─► activation buffer ─► sign, magnitude ─► bank ─► accumulators
                                          weights ─► queue ──┘          │
        host_out ◄──── output buffer ◄──── requantiser ◄────────────────┘

    The sequencer reads `instructions` and starts the units; `hw.machine.cycles` tells when each one
    runs. The host sends rows, weights and constants in the order in which the program asks for
    them, and takes results in that order; a stream that waits delays the program, nothing else.

    Parameters
    ----------
    bank : BankConfig
    config : AcceleratorConfig
    netlists : sequence of Netlist
        Multiplier of each array, in ROUTE order.
    suffixes : sequence of str, optional
        Ending of the module names of each array.
    place : Place
        How to include the parts.

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

    def __init__(self, *, bank: BankConfig, config: AcceleratorConfig,
                 netlists: Sequence[Netlist], suffixes: Sequence[str] | None = None,
                 place: Place = inline) -> None:
        self._bank, self._config, self._place = bank, config, place
        self._bank_kind = bank_kind(bank, netlists, suffixes)
        super().__init__(accelerator_signature(bank))

    def elaborate(self, platform: object) -> Module:
        """Return the units and what connects them."""
        m = Module()
        bank, config = self._bank, self._config
        act_bits, out_bits = bank.rows * CODE_BITS, bank.cols * CODE_BITS
        weight_bits = bank.cols * OPERAND_WIDTH

        control = self._place(m, "sequencer", sequencer_kind(config))
        arrays = self._place(m, "bank", self._bank_kind)
        queue = self._place(m, "weight_fifo", fifo_kind(weight_bits, config.weight_fifo_rows))
        loader = self._place(m, "weight_loader", loader_kind(bank))
        dma_in = self._place(m, "dma_in", writer_kind("dma_in", act_bits, config.act_rows))
        acts = self._place(m, "act_buffer", memory_kind("act_buffer", act_bits, config.act_rows))
        reader = self._place(m, "act_reader", reader_kind("act_reader", act_bits, config.act_rows))
        converter = self._place(m, "act_converter", converter_kind(bank.rows))
        accumulators = self._place(m, "accumulators", accumulators_kind(bank, config))
        requantiser = self._place(m, "requantiser", requantiser_kind(bank, config))
        outputs = self._place(
            m, "output_buffer", memory_kind("output_buffer", out_bits, config.output_rows))
        dma_out = self._place(m, "dma_out", reader_kind("dma_out", out_bits, config.output_rows))

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


def accelerator_signature(bank: BankConfig) -> wiring.Signature:
    """Return the ports of an accelerator; see `Accelerator`."""
    return wiring.Signature({
        "instructions": In(stream.Signature(INSTRUCTION_BITS)),
        "weights": In(stream.Signature(bank.cols * OPERAND_WIDTH)),
        "host_in": In(stream.Signature(bank.rows * CODE_BITS)),
        "host_out": Out(stream.Signature(bank.cols * CODE_BITS)),
        "selected": Out(ROUTE_BITS), "route_error": Out(1), "layer": Out(FIELD_BITS[0]),
        "halted": Out(1), "fault": Out(1),
    })


def accelerator_kind(bank: BankConfig, config: AcceleratorConfig, netlists: Sequence[Netlist],
                     suffixes: Sequence[str] | None = None) -> ModuleKind:
    """Return the module `accelerator`."""
    def build(place: Place) -> Accelerator:
        return Accelerator(bank=bank, config=config, netlists=netlists, suffixes=suffixes,
                           place=place)

    return ModuleKind(name="accelerator", signature=accelerator_signature(bank), build=build,
                      reset=True)
