"""Part 4 of the bench: compares a bank with the model, cycle by cycle.

Part 3, the model, is `sim.machine.array_model.BankModel`; it is fed with what the monitor saw on
the inputs, not with what the driver meant to send.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np

from sim.machine.array_model import BankModel, BankOutputs
from tests.hw.rtl.bank_monitor import Cycle

PORTS = tuple(field.name for field in fields(BankOutputs))


def same(shown, wanted) -> bool:
    """Whether two values of a port are equal; absent results equal absent results only."""
    if isinstance(shown, np.ndarray) and isinstance(wanted, np.ndarray):
        return bool((shown == wanted).all())
    return shown is wanted or (shown == wanted) is True


class BankChecker:
    """Collects differences in `mismatches`, and when what happened in `events`."""

    def __init__(self, model: BankModel) -> None:
        self.model = model
        self.mismatches: list[str] = []
        self.events: dict[str, list[int]] = {
            name: [] for name in ("reset", "route", "weights", "acts", "first", "results")}
        self.seen: Counter[str] = Counter()
        self.cycle = -1

    def check(self, cycle: Cycle) -> None:
        """Take one cycle from the monitor."""
        self.cycle += 1
        if cycle.reset:
            self.model.reset()
            self.events["reset"].append(self.cycle)
            return
        expected = self.model.outputs(cycle.inputs)
        for name in PORTS:
            shown, wanted = getattr(cycle.outputs, name), getattr(expected, name)
            if not same(shown, wanted):
                self.mismatches.append(f"cycle {self.cycle}: {name} must be {wanted}, not {shown}")
        self.mismatches += [f"cycle {self.cycle}: {port}" for port in cycle.unknown
                            if self.events["reset"]]
        self._note(cycle, expected)
        self.model.clock(cycle.inputs)

    def _note(self, cycle: Cycle, expected: BankOutputs) -> None:
        inputs = cycle.inputs
        for name, happened in (
                ("route", inputs.route is not None and expected.route_ready),
                ("weights", inputs.weights is not None and expected.weights_ready),
                ("acts", inputs.acts is not None and expected.acts_ready),
                ("first", inputs.acts is not None and expected.acts_ready and inputs.first),
                ("results", expected.results is not None and inputs.results_ready)):
            if happened:
                self.events[name].append(self.cycle)
        self.seen["stalled"] += expected.results is not None and not inputs.results_ready
        self.seen["load while streaming"] += (
            self.events["weights"][-1:] == [self.cycle] == self.events["acts"][-1:])
