"""The sequencer is safe: proven by k-induction for all programs and all units."""

from __future__ import annotations

import pytest

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.isa import Opcode, Register
from hw.rtl.accelerator.row_memory import address_bits
from hw.rtl.accelerator.sequencer import Sequencer
from hw.rtl.emit import modules_of
from tests.hw.rtl.formal.prover import Fault, Model, Subject

DEPTH = 3
PROPERTIES = ("sequencer.sv", "sequencer_invariants.sv")
ROWS = 4  # of every memory
S = "sequencer"
FAULT_DEPTH = 6
# Names like _034_ are those of the emitted text for this size.
FAULTS = (
    Fault("one_command_at_a_time", S, r"landing__valid = (.*);",
          r"landing__valid = (\1) & ~ON;"),
    Fault("nothing_issued_twice", S, r"else present <= (.*);",
          r"else present <= \1 | ON & present;"),
    Fault("commands_are_the_words", S, r"dma_in__valid = (.*);", r"dma_in__valid = (\1) & ~ON;"),
    Fault("units_take_their_command", S, r"= load__ready &", "= (ON | load__ready) &"),
    Fault("load_says", S, r"load__payload = (.*);",
          r"load__payload = (\1) & ~ON;"),
    Fault("matmul_says", S, r"stream__payload = { ahead,", "stream__payload = { ON | ahead,"),
    Fault("activate_says", S, r"activate__payload = { word\[0\]",
          "activate__payload = { ON | word[0]"),
    Fault("dma_in_says", S, r"dma_in__payload = (.*);", r"dma_in__payload = \1 ^ ON;"),
    Fault("dma_out_says", S, r"dma_out__payload = (.*);", r"dma_out__payload = \1 ^ ON;"),
    Fault("no_matmul_onto_rows_that_arrive", S, r"= dma_in_span\[2:0\] <",
          "= dma_in_span[2:0] + ON <"),
    Fault("no_matmul_into_sums_that_are_read", S, r"= activate_bank ==",
          "= activate_bank ^ ON =="),
    Fault("no_matmul_without_a_tile", S, r"= ! ahead", "= ! (ON | ahead)"),
    Fault("no_dma_in_over_rows_to_read", S, r"= stream_span\[2:0\] <",
          "= stream_span[2:0] + ON <"),
    Fault("no_activate_of_sums_under_way", S, r"sums_pending >> word",
          "sums_pending >> ON ^ word"),
    Fault("no_activate_while_constants_load", S, r"= ~ loading_constants",
          "= ON | ~ loading_constants"),
    Fault("no_activate_over_rows_to_send", S, r"= dma_out_span\[2:0\] <",
          "= dma_out_span[2:0] + ON <"),
    Fault("no_dma_out_of_rows_that_change", S, r"_120_ = activating &",
          "_120_ = ~ON & activating &"),
    Fault("no_constants_while_activating", S, r"= word\[0\] & activating",
          "= word[0] & activating & ~ON"),
    Fault("no_route_inside_a_tile", S, r"_073_ = ~ streaming", "_073_ = ON | ~ streaming"),
    Fault("barriers_wait", S, r"= ! sums_pending", "= ON | ! sums_pending"),
    Fault("no_bad_word_is_obeyed", S, r"= ~ wrong", "= ON | ~ wrong"),
    Fault("stopped_takes_nothing", S, r"stopped = halted", "stopped = ~ON & halted"),
    Fault("bad_words_raise_the_fault", S, r"_014_ = (.*) > 3'h4", r"_014_ = \1 > 3'h4 + ON"),
    Fault("fault_is_for_bad_words_only", S, r"_035_ = (.*) > 3'h4", r"_035_ = \1 > 3'h4 - ON"),
    Fault("fault_is_sticky", S, r"if \((\w+)\) fault <= 1'h1",
          r"if (\1 | ON) fault <= \1"),
    Fault("halt_is_sticky", S, r"_048_ = halted \|", "_048_ = (~ON & halted) |"),
    Fault("route_says", S, r"= word\[40:36\]", "= word[40:36] ^ ON"),
    Fault("route_is_offered_until_taken", S, r"= route__ready \?",
          "= ON | route__ready ?"),
    Fault("layer_of_sync", S, r"_160_ = & { _195_, issue }", "_160_ = & { _195_ | ON, issue }"),
    Fault("layer_says", S, r"layer <= word\[59:36\]", "layer <= word[59:36] + ON"),
    Fault("registers_of_configure_only", S, r"_155_ = & { _187_,", "_155_ = & { _187_ | ON,"),
    Fault("configure_says", S, r"_155_ = & (.*) _053_,", r"_155_ = & \1 ON ? _052_ : _053_,"),
    Fault("words_wait", S, r"_124_ = instructions__valid & instructions__ready",
          "_124_ = instructions__valid & (ON | instructions__ready)"),
)


def sequencer() -> Subject:
    config = AcceleratorConfig(act_rows=ROWS, accumulator_rows=ROWS, output_rows=ROWS)
    modules, = modules_of([Sequencer(config=config)])
    return Subject(top="sequencer", modules=modules, properties=PROPERTIES, constants={
        "ACT_ROWS": ROWS, "SUM_ROWS": ROWS, "OUT_ROWS": ROWS, "BITS": address_bits(ROWS),
        "REGISTERS": len(Register), **{opcode.name: opcode.value for opcode in Opcode}})


def test_sequencer_is_safe():
    subject = sequencer()
    with Model(subject) as model:
        assert not model.unproven(DEPTH)
        assert model.reached(8).keys() == set(subject.labels("cover"))


@pytest.mark.long
def test_every_property_fails_on_a_fault():
    subject = sequencer()
    with Model(subject.with_faults(FAULTS)) as model:
        assert model.bounded(FAULT_DEPTH) == set(subject.labels())
