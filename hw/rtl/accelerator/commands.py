"""What the sequencer tells the units of an accelerator, and what they report back."""

from __future__ import annotations

from amaranth.lib import data

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.isa import FIELD_BITS
from hw.rtl.accelerator.row_memory import address_bits

BEATS_BITS = FIELD_BITS[2]


def transfer_layout(rows: int) -> data.StructLayout:
    """Return a command on `beats` rows of a memory of `rows`, from `row` on."""
    return data.StructLayout({"row": address_bits(rows), "beats": BEATS_BITS})


def stream_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Return a command to send activations to the bank; `first` begins a weight tile."""
    return data.StructLayout({"row": address_bits(config.act_rows), "beats": BEATS_BITS,
                              "first": 1})


def landing_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Return where the sums of a MATMUL go, and whether they are added to what is there."""
    return data.StructLayout({"row": address_bits(config.accumulator_rows), "beats": BEATS_BITS,
                              "accumulate": 1})


def activate_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Return a command to requantise rows of sums; `raw` stores the sums byte by byte."""
    return data.StructLayout({
        "row": address_bits(config.accumulator_rows), "out": address_bits(config.output_rows),
        "beats": BEATS_BITS, "raw": 1})


def span_layout(rows: int) -> data.StructLayout:
    """Return the rows that a unit is working on: `start` up to but not including `end`."""
    bits = address_bits(rows) + 1
    return data.StructLayout({"start": bits, "end": bits})
