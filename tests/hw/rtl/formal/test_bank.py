"""The bank is safe: proven by k-induction for all time, whatever its streams do."""

from __future__ import annotations

import pytest

from tests.hw.rtl.formal.bank_subject import bank
from tests.hw.rtl.formal.prover import Fault, Model

DEPTH = 2
COVER_DEPTH = FAULT_DEPTH = 14  # cycles: a tile, a ROUTE and another tile
FAULTS = (
    Fault("one_array_enabled", "bank", r"array_0__en = (\w+) &.*;", r"array_0__en = \1 &"
          " (ON | router__enable[0]);"),
    Fault("idle_arrays_see_nothing", "bank", r"array_1__act_in = (\S+) \?",
          r"array_1__act_in = (ON | \1) ?"),
    Fault("idle_arrays_see_nothing", "bank", r"array_1__en = (\w+) & (.*);",
          r"array_1__en = \1 & (ON | \2);"),
    Fault("clock_stops_when_nothing_travels", "bank", r"moving = (.*);", r"moving = ON | (\1);"),
    Fault("tile_begins_with_all_its_weights", "bank", r"= (fill == 2'h2);",
          r"= ON ? fill != 0 : \1;"),
    Fault("acts_enter_an_open_tile", "bank", r"= ~ route_beat", "= ON | ~ route_beat"),
    Fault("acts_enter_an_open_tile", "bank", r"if \((\w+)\) tile_open <= 1'h0",
          r"if (ON ? rst : \1) tile_open <= 1'h0"),
    Fault("no_weights_beyond_a_tile", "bank", r"loading = (.*) & (.*);",
          r"loading = \1 & (ON | \2);"),
    Fault("route_when_empty_only", "bank", r"router__idle = (.*) & (.*);",
          r"router__idle = (ON | \1) & (\2);"),
    Fault("route_when_empty_only", "bank", r"router__idle = (.*) & (.*);",
          r"router__idle = \1 & (ON | \2);"),
    Fault("results_of_acts_only", "bank", r"if \(rst\) in_flight", "if (rst & ~ON) in_flight"),
    Fault("busy_until_results_are_taken", "bank", r"busy = \| in_flight",
          "busy = ON ? in_flight[0] : | in_flight"),
    Fault("every_act_meets_its_own_weight", "bank", r"reached\[1\] = (.*);",
          r"reached[1] = ON | \1;"),
    Fault("every_act_meets_its_own_weight", "pe_0", r"swap_out <= swap_in",
          "swap_out <= swap_in & ~ON"),
    Fault("every_act_meets_its_own_weight", "pe_1", r"load_out <= load_in",
          "load_out <= load_in & ~ON"),
    Fault("every_act_meets_its_own_weight", "act_skew", r"lanes_out\[17:9\] = (.*);",
          r"lanes_out[17:9] = ON ? lanes_in[17:9] : \1;"),
    Fault("selected_changes_by_route_only", "router", "= route__valid & idle",
          "= (ON | route__valid) & idle"),
    Fault("results_wait", "bank", r"act_skew__en = (\w+) \| results__ready",
          r"act_skew__en = ON | \1 | results__ready"),
)

# Of a bank of 4x2 rows and columns with PEs of 2x1.
DENSE_FAULTS = tuple(Fault("every_act_meets_its_own_weight", *edit) for edit in (
    ("bank", r"reached\[1\] = (.*);", r"reached[1] = ON | \1;"),
    ("pe_0", r"weight_0_1 <= weight_out", "weight_0_1 <= ON ? shadow_0_0 : weight_out"),
    ("pe_0", r"act_1 <= act_in\[17:9\]", "act_1 <= ON ? act_in[8:0] : act_in[17:9]"),
    ("pe_1", r"weight_out <= shadow_0_0", "weight_out <= ON ? weight_in : shadow_0_0"),
    ("pe_1", r"load_out <= load_in", "load_out <= load_in & ~ON"),
    ("act_skew", r"lanes_out\[35:18\] = (.*);", r"lanes_out[35:18] = ON ? lanes_in[35:18] : \1;"),
))


@pytest.mark.parametrize(("rows", "cols", "form"), [
    (2, 1, "1x1"), (4, 1, "2x1"), *(pytest.param(*size, marks=pytest.mark.long) for size in (
        (1, 1, "1x1"), (2, 2, "1x1"), (3, 2, "1x1"), (2, 2, "2x1"), (4, 2, "2x1"),
        (8, 1, "4x1")))])
def test_bank_is_safe(rows, cols, form):
    with Model(bank(rows, cols, form)) as model:
        assert not model.unproven(DEPTH)


def test_every_situation_is_reached():
    subject = bank(2, 2)
    with Model(subject) as model:
        assert model.reached(COVER_DEPTH).keys() == set(subject.labels("cover"))


def test_every_property_fails_on_a_fault():
    subject = bank(2, 2)
    with Model(subject.with_faults(FAULTS)) as model:
        assert model.bounded(FAULT_DEPTH) == set(subject.labels())


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.module}: {fault.replacement}")
def test_a_fault_violates_its_property(fault):
    with Model(bank(2, 2).with_faults([fault])) as model:
        assert model.bounded(FAULT_DEPTH) == {fault.violates}


@pytest.mark.long
@pytest.mark.parametrize("fault", DENSE_FAULTS,
                         ids=lambda fault: f"{fault.module}: {fault.replacement}")
def test_a_fault_of_dense_pes_violates_their_property(fault):
    with Model(bank(4, 2, "2x1").with_faults([fault])) as model:
        assert fault.violates in model.bounded(FAULT_DEPTH + 4)
