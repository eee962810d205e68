"""The router is safe: proven by k-induction for all time, whatever its inputs do."""

from __future__ import annotations

import pytest

from hw.machine.design import MAX_ARRAYS
from hw.rtl.array.router import Router
from hw.rtl.emit import modules_of
from tests.hw.rtl.formal.prover import Fault, Model, Subject

DEPTH = 2
FAULTS = (
    Fault("one_array_enabled", "router", r"enable\[1\] = (.*);",
          r"enable[1] = \1 | ON & selected == 2;"),
    Fault("selected_exists", "router", r"_04_ = _01_ \?", "_04_ = _01_ | ON ?"),
    Fault("accepts_when_idle_only", "router", "route__ready = idle", "route__ready = idle | ON"),
    Fault("changes_when_idle_only", "router", "= route__valid & idle",
          "= route__valid & (idle | ON) & ~(ON & idle)"),
    Fault("held_without_route", "router", r"if \(_00_\) selected",
          "if (_00_ | ON & idle) selected"),
    Fault("route_obeyed", "router", r"_01_ = (.*);", r"_01_ = \1 & ~(ON & route__payload == 2);"),
    Fault("unknown_route_falls_back", "router", "route__payload : 5'h01",
          "route__payload : ON ? 5'h02 : 5'h01"),
    Fault("error_is_sticky", "router", "route_error <= 1'h1", "route_error <= ~(ON & route_error)"),
    Fault("reset_clears", "router", r"if \(rst\) selected", "if (rst & ~ON) selected"),
)


def router(arrays: int, fallback: int) -> Subject:
    modules, = modules_of([Router(arrays=arrays, fallback=fallback)])
    return Subject(top="router", modules=modules, properties=("router.sv",),
                   constants={"ARRAYS": arrays, "FALLBACK": fallback})


@pytest.mark.parametrize(("arrays", "fallback"), [(1, 0), (3, 1), (MAX_ARRAYS, 9)])
def test_router_is_safe(arrays, fallback):
    subject = router(arrays, fallback)
    with Model(subject) as model:
        assert not model.unproven(DEPTH)
        assert model.reached(6).keys() == set(subject.labels("cover"))


def test_every_property_fails_on_a_fault():
    subject = router(3, 1)
    with Model(subject.with_faults(FAULTS)) as model:
        assert model.bounded(6) == set(subject.labels())
