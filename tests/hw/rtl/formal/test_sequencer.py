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
    Fault("units_take_their_command", S, r"_041_ = load__ready &", "_041_ = (ON | load__ready) &"),
    Fault("load_says", S, r"load__payload = (.*);",
          r"load__payload = (\1) & ~ON;"),
    Fault("matmul_says", S, r"stream__payload = { ahead,", "stream__payload = { ON | ahead,"),
    Fault("activate_says", S, r"activate__payload = { word\[0\]",
          "activate__payload = { ON | word[0]"),
    Fault("dma_in_says", S, r"dma_in__payload = (.*);", r"dma_in__payload = \1 ^ ON;"),
    Fault("dma_out_says", S, r"dma_out__payload = (.*);", r"dma_out__payload = \1 ^ ON;"),
    Fault("no_matmul_onto_rows_that_arrive", S, r"_058_ = dma_in_span\[2:0\] <",
          "_058_ = dma_in_span[2:0] + ON <"),
    Fault("no_matmul_into_sums_that_are_read", S, r"_053_ = activate_bank ==",
          "_053_ = activate_bank ^ ON =="),
    Fault("no_matmul_without_a_tile", S, r"_048_ = ! ahead", "_048_ = ! (ON | ahead)"),
    Fault("no_dma_in_over_rows_to_read", S, r"_085_ = word\[35:14\] <",
          "_085_ = word[35:14] + ON <"),
    Fault("no_activate_of_sums_under_way", S, r"sums_pending >> sums", "sums_pending >> ON + sums"),
    Fault("no_activate_while_constants_load", S, r"= ~ loading_constants",
          "= ON | ~ loading_constants"),
    Fault("no_activate_over_rows_to_send", S, r"_074_ = word\[35:14\] <",
          "_074_ = word[35:14] + ON <"),
    Fault("no_dma_out_of_rows_that_change", S, r"_097_ = activating &",
          "_097_ = ~ON & activating &"),
    Fault("no_constants_while_activating", S, r"= word\[0\] & activating",
          "= word[0] & activating & ~ON"),
    Fault("no_route_inside_a_tile", S, r"_035_ = ~ streaming", "_035_ = ON | ~ streaming"),
    Fault("barriers_wait", S, r"_023_ = ! sums_pending", "_023_ = ON | ! sums_pending"),
    Fault("no_bad_word_is_obeyed", S, r"_024_ = ~ wrong", "_024_ = ON | ~ wrong"),
    Fault("stopped_takes_nothing", S, r"stopped = halted", "stopped = ~ON & halted"),
    Fault("bad_words_raise_the_fault", S, r"_066_ = (.*) > 3'h4", r"_066_ = \1 > 3'h4 + ON"),
    Fault("fault_is_for_bad_words_only", S, r"_046_ = (.*) > 3'h4", r"_046_ = \1 > 3'h4 - ON"),
    Fault("fault_is_sticky", S, r"if \(_104_\) fault <= 1'h1",
          "if (_104_ | ON) fault <= _104_"),
    Fault("halt_is_sticky", S, r"_105_ = halted \|", "_105_ = (~ON & halted) |"),
    Fault("route_says", S, r"_011_ = word\[40:36\]", "_011_ = word[40:36] ^ ON"),
    Fault("route_is_offered_until_taken", S, r"_164_ = route__ready \?",
          "_164_ = ON | route__ready ?"),
    Fault("layer_of_sync", S, r"_114_ = & { _162_, issue }", "_114_ = & { _162_ | ON, issue }"),
    Fault("layer_says", S, r"layer <= word\[59:36\]", "layer <= word[59:36] + ON"),
    Fault("registers_of_configure_only", S, r"_109_ = & { _154_,", "_109_ = & { _154_ | ON,"),
    Fault("configure_says", S, r"_109_ = & (.*) _004_,", r"_109_ = & \1 ON ? _003_ : _004_,"),
    Fault("words_wait", S, r"_101_ = instructions__valid & instructions__ready",
          "_101_ = instructions__valid & (ON | instructions__ready)"),
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
