"""Driver, monitor and checker of a unit: every port in every cycle against its model."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from tests.hw.rtl.accelerator.units.duts import ports, units

SEED = 2022
Ports = dict[str, int | None]  # by name; None is "any value, X included"


class Model(Protocol):
    """What a unit does, cycle by cycle, and what its neighbours may do to it."""

    def reset(self) -> None:
        """Forget everything in flight."""

    def neighbours(self, rng: np.random.Generator) -> dict[str, int]:
        """Return inputs other than those of streams, for the next cycle."""

    def offer(self, stream: str, rng: np.random.Generator) -> int | None:
        """Return the next beat of an input stream, or None while there may be none."""

    def outputs(self, inputs: Ports) -> Ports:
        """Return what the unit shows in a cycle with these inputs."""

    def clock(self, inputs: Ports) -> None:
        """Go on to the next cycle."""


class Bench:
    """One unit; streams wait with probability `gap`, and then show noise.

    A beat that was offered stays until it is taken. The model is fed with what was seen at the
    ports. A stream's payload is compared while it is valid.
    """

    def __init__(self, dut: Any, name: str, model: Model, *, gap: float, seed: int = SEED) -> None:
        self.dut, self.name, self.model, self.gap = dut, name, model, gap
        self.rng = np.random.default_rng(seed)
        self.ports = ports(units()[name])
        self.handles = {port: getattr(dut, f"{name}_{port}") for port in self.ports}
        self.sources, self.sinks = (
            [port.removesuffix("__valid") for port, (flow, _) in self.ports.items()
             if port.endswith("__valid") and flow == wanted] for wanted in ("input", "output"))
        self.offered: dict[str, int] = {}
        self.passed: Counter[str] = Counter()
        self.mismatches: list[str] = []
        self.cycle = 0

    async def start(self) -> None:
        """Start the clock and leave reset; whatever was in the registers."""
        for name in units():  # no input of any unit floats
            for port, (flow, _) in ports(units()[name]).items():
                if flow == "input":
                    getattr(self.dut, f"{name}_{port}").value = 0
        self.clock = Clock(self.dut.clk, 2, unit="ns")
        self.clock.start()
        await self.reset()

    async def reset(self) -> None:
        """Reset for a cycle, with nothing offered."""
        self.offered.clear()
        for port, (flow, _) in self.ports.items():
            if flow == "input":
                self.handles[port].value = 0
        self.dut.rst.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.model.reset()

    async def run(self, cycles: int) -> None:
        """Drive, watch and check so many cycles."""
        for _ in range(cycles):
            self._drive()
            await ReadOnly()
            self._check()
            await RisingEdge(self.dut.clk)
            self.cycle += 1

    def _drive(self) -> None:
        values = self.model.neighbours(self.rng)
        for stream in self.sources:
            if stream not in self.offered and self.rng.random() >= self.gap:
                beat = self.model.offer(stream, self.rng)
                if beat is not None:
                    self.offered[stream] = beat
            width = self.ports[f"{stream}__payload"][1]
            noise = int.from_bytes(self.rng.bytes(64), "little") % (1 << width)
            values[f"{stream}__valid"] = stream in self.offered
            values[f"{stream}__payload"] = self.offered.get(stream, noise)
        for stream in self.sinks:
            values[f"{stream}__ready"] = self.rng.random() >= self.gap
        for port, value in values.items():
            self.handles[port].value = int(value)

    def _read(self, port: str) -> int | None:
        try:
            return int(self.handles[port].value)
        except ValueError:  # an X or Z
            return None

    def _check(self) -> None:
        inputs = {port: self._read(port) for port, (flow, _) in self.ports.items()
                  if flow == "input"}
        expected = self.model.outputs(inputs)
        shown = {port: self._read(port) for port in expected}
        for port, wanted in expected.items():
            if wanted is not None and shown[port] != wanted:
                self.mismatches.append(f"cycle {self.cycle}: {port} must be {wanted:#x}, not "
                                       + ("unknown" if shown[port] is None
                                          else f"{shown[port]:#x}"))
        both = {**inputs, **shown}
        for stream in self.sources + self.sinks:
            if both[f"{stream}__valid"] and both[f"{stream}__ready"]:
                self.passed[stream] += 1
                self.offered.pop(stream, None)
        self.model.clock(inputs)

    def verify(self, **least: int) -> None:
        """AssertionError at a mismatch, or when fewer beats passed than `least` says."""
        self.clock.stop()
        assert not self.mismatches, "\n".join(self.mismatches[:20])
        for stream, count in least.items():
            assert self.passed[stream] >= count, f"{stream}: {self.passed[stream]} beats"
