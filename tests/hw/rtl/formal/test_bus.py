"""The bus is safe: proven by k-induction for all time, whatever its streams and managers do."""

from __future__ import annotations

import pytest

from hw.machine.design import BankConfig
from hw.machine.isa import Opcode
from hw.rtl.bus.lite_port import LitePort
from hw.rtl.bus.packet_ends import DEPTH as PACKETS
from hw.rtl.bus.packet_ends import PacketEnds
from hw.rtl.bus.registers import Registers
from hw.rtl.bus.row_gatherer import RowGatherer
from hw.rtl.bus.row_sender import RowSender
from hw.rtl.bus.stream_buffer import StreamBuffer
from hw.rtl.emit import modules_of
from tests.hw.rtl.formal.prover import Fault, Model, Subject

DEPTH = 3
COVER_DEPTH = 9
ROW_BITS, BEAT_BITS = 12, 4
UNITS = {unit.module: unit for unit in (
    LitePort(), PacketEnds(),
    Registers(bank=BankConfig(rows=4, cols=4, arrays=("one",)), stream_bits=32),
    RowGatherer(module="row_gatherer", width=ROW_BITS, bits=BEAT_BITS),
    RowSender(width=ROW_BITS, bits=BEAT_BITS),
    StreamBuffer(module="stream_buffer", width=4),
)}

# Names like _034_ are those of the emitted text.
FAULTS = {
    "lite_port": (
        ("nothing_accepted_is_lost", "awready = ~", "awready = ON | ~"),
        ("requests_wait", r"if \(_12_\) addressed", "if (_12_ & ~ON) addressed"),
        ("write_once_per_request", "addressed & supplied", "addressed & (ON | supplied)"),
        ("write_is_what_was_asked", "write_address <= awaddr", "write_address <= awaddr ^ ON"),
        ("write_waits_for_the_last_response_only", "= _00_ & _01_", "= _00_ & (ON | _01_)"),
        ("reads_one_at_a_time", "arready = ~", "arready = ON | ~"),
        ("read_is_what_is_asked", "= araddr", "= ON ^ araddr"),
        ("write_has_its_response", "bresp <= _04_", "bresp <= ON ^ _04_"),
        ("no_response_without_a_write", r"\(write\) bvalid", "(ON | write) bvalid"),
        ("write_response_until_taken", "= bvalid & bready", "= bvalid & (ON | bready)"),
        ("one_response_per_write", r"\(_10_\) bvalid", "(_10_ & ~(ON & bready)) bvalid"),
        ("read_has_its_response", "rdata <= read_data", "rdata <= ON ^ read_data"),
        ("no_response_without_a_read", r"\(_06_\) rvalid", "(ON | _06_) rvalid"),
        ("read_response_until_taken", "= rvalid & rready", "= rvalid & (ON | rready)"),
        ("one_response_per_read", r"\(_09_\) rvalid", "(_09_ & ~(ON & rready)) rvalid"),
        ("reset_is_idle", "_11_ = (.*), rst", r"_11_ = \1, rst & ~ON"),
    ),
    "packet_ends": (
        ("last_row_of_its_words", "last = _05_", "last = (ON ^ _05_)"),
        ("waits_while_full", "ready = count", "ready = ON | count"),
        ("rows_are_counted", r"\(row\) sent", "(row & ~ON) sent"),
        ("order_is_kept", r"pop \? length1", "pop & ~ON ? length1"),
        ("one_word_one_end", r"count \+ push", "count + (ON | push)"),
    ),
    "registers": (
        ("write_known_where_it_is", "write_known = (.*);", r"write_known = ON ^ (\1);"),
        ("read_known_up_to_layer", "read_known = (.*);", r"read_known = ON ^ (\1);"),
        ("status_says", "6'h00, done", "6'h00, ON ^ done"),
        ("errors_say", "29'h00000000, errors", "29'h00000000, ON ^ errors"),
        ("interrupts_say", "interrupts, cycles", "ON ^ interrupts, cycles"),
        ("clears_once_per_start_or_reset", "clear <= _016_", "clear <= ON | _016_"),
        ("opens_after_a_start", r"\(starting\) running", "(ON | starting) running"),
        ("closed_while_it_clears", r"if \(_046_\) running <= 1'h0",
         "if (_046_ | ON & start) running <= ON & start"),
        ("reset_closes", "rst, finished, stop", "rst, finished, stop & ~ON"),
        ("end_closes", "finished = running", "finished = ~ON & running"),
        ("open_until_it_ends", "= halted & _005_", "= halted & (ON | _005_)"),
        ("done_without_a_fault", "done <= _021_", "done <= ON | _021_"),
        ("errors_stay_until_cleared", "errors & _026_", "errors & _026_ & {3{~ON}}"),
        ("fault_is_seen", "= running & fault", "= running & fault & ~ON"),
        ("route_error_is_seen", "= ~ known_route", "= ~ (ON | known_route)"),
        ("misalignment_is_seen", r"_036_ = \| { misaligned", "_036_ = | { misaligned & ~ON"),
        ("errors_of_events_only", "_028_ = _027_", "_028_ = ON | _027_"),
        ("interrupts_stay_until_cleared", "interrupts & _032_", "interrupts & _032_ & {2{~ON}}"),
        ("end_is_seen", "finished & _034_", "finished & _034_ & ~ON"),
        ("interrupt_of_enabled_flags", "interrupts & enable", "interrupts & (ON | enable)"),
        ("counts_cycles", r"cycles \+", "cycles + ON +"),
        ("count_stands_still", "_019_ = running", "_019_ = (ON | running)"),
        ("reset_is_idle", r"if \(rst\) interrupts", "if (rst & ~ON) interrupts"),
        ("start_lasts_a_cycle", "starting <= start", "starting <= ON | start"),
    ),
    "row_gatherer": (
        ("row_is_its_beats", r"\[3:0\], held }", "[3:0], ON ^ held }"),
        ("rows_of_three_beats", "= beats__valid & complete", "= beats__valid & (ON | complete)"),
        ("last_inside_a_row_is_misaligned", "= _01_ & _02_", "= _01_ & (ON | _02_)"),
        ("waits_for_the_reader_only", r"_00_ \| rows__ready", "_00_ & ~ON | rows__ready"),
        ("counts", r"complete \| beats", "complete | ~ON & beats"),
        ("holds", r"\[3:0\], held\[7:4\]", "[3:0], ON ^ held[7:4]"),
        ("row_offered_until_taken", r"if \(rst\) count", "if (rst | ON & rows__valid) count"),
    ),
    "row_sender": (
        ("beats_are_the_row", r"rest\[3:0\]", "ON ^ rest[3:0]"),
        ("last_ends_a_row_that_ends_a_packet", "= ends & _00_", "= ends & (ON | _00_)"),
        ("no_beat_without_a_row", r"beats__valid = \| left", "beats__valid = ON | (| left)"),
        ("row_taken_when_the_last_has_gone", "= _03_ & beats", "= (ON | _03_) & beats"),
        ("counts", r"\? 2'h3", "? 2'h3 - ON"),
        ("keeps", r"\(_07_\) ends", "(ON | _07_) ends"),
        ("offered_until_taken", "= beats__valid & beats__ready",
         "= beats__valid & (ON | beats__ready)"),
    ),
    "stream_buffer": (
        ("beats_leave_in_order", r"spared \? spare", "spared & ~ON ? spare"),
        ("nothing_without_a_beat", r"= spared \| arrives", "= ON | spared | arrives"),
        ("holds_two_beats", "source__ready = ~", "source__ready = ON | ~"),
        ("spare_is_the_second", "spare <= source", "spare <= ON ^ source"),
        ("offered_until_taken", r"= sink__ready \|", "= ON | sink__ready |"),
    ),
}


def subject(name: str) -> Subject:
    modules, = modules_of([UNITS[name]])
    return Subject(top=name, modules=modules, properties=(f"{name}.sv",),
                   constants={"DMA_OUT": Opcode.DMA_OUT.value, "DEPTH": PACKETS})


@pytest.mark.parametrize("name", UNITS)
def test_bus_is_safe(name):
    proven = subject(name)
    with Model(proven) as model:
        assert not model.unproven(DEPTH)
        assert model.reached(COVER_DEPTH).keys() == set(proven.labels("cover"))


@pytest.mark.parametrize("name", UNITS)
def test_every_property_fails_on_a_fault(name):
    faults = [Fault(violates, name, *change) for violates, *change in FAULTS[name]]
    with Model(subject(name).with_faults(faults)) as model:
        assert model.bounded(COVER_DEPTH) == set(subject(name).labels())
