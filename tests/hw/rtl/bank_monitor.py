"""Part 2 of the bench: reads every port of a bank in every cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from hw.machine.design import BankConfig
from sim.machine.array_model import BankInputs, BankOutputs
from tests.hw.rtl.bank_driver import SIGN

PORTS = ("rst", "selected", "route_error",
         *(f"{stream}__{part}" for stream in ("route", "weights", "acts", "results")
           for part in ("valid", "ready", "payload")))


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """One cycle as seen at the ports; an output that holds an X or Z is in `unknown`."""

    reset: bool
    inputs: BankInputs
    outputs: BankOutputs
    unknown: tuple[str, ...] = ()


class BankMonitor:
    """Samples the ports of bank `name` after they have settled."""

    def __init__(self, dut, name: str, config: BankConfig) -> None:
        self.config = config
        self.clk = getattr(dut, f"{name}_clk")
        self.ports = {port: getattr(dut, f"{name}_{port}") for port in PORTS}

    async def watch(self, report) -> None:
        """Call `report(cycle)` in every cycle, for ever."""
        while True:
            await RisingEdge(self.clk)
            await ReadOnly()
            report(self.sample())

    def sample(self) -> Cycle:
        """Return what the ports show now."""
        unknown: list[str] = []

        def read(port: str) -> int:
            value = self.ports[port].value
            try:
                return int(value)
            except ValueError:
                unknown.append(f"{port}={value}")
                return 0

        def stream(name: str) -> int | None:
            return read(f"{name}__payload") if read(f"{name}__valid") else None

        weights, acts, results = stream("weights"), stream("acts"), stream("results")
        config = self.config
        return Cycle(
            reset=bool(read("rst")),
            inputs=BankInputs(
                route=stream("route"),
                weights=None if weights is None else decode(weights, config.cols),
                acts=None if acts is None else decode(acts, config.rows),
                first=bool(read("acts__payload") >> 9 * config.rows),  # steers ready, valid or not
                results_ready=bool(read("results__ready"))),
            outputs=BankOutputs(
                route_ready=bool(read("route__ready")), acts_ready=bool(read("acts__ready")),
                weights_ready=bool(read("weights__ready")),
                results=None if results is None
                else decode_psums(results, config.cols, config.psum_width),
                selected=read("selected"), route_error=bool(read("route_error"))),
            unknown=tuple(unknown))


def decode(word: int, count: int) -> np.ndarray:
    """Return `count` sign-magnitude operands as int16."""
    fields = [word >> 9 * index & 0x1FF for index in range(count)]
    return np.array([-(field & 0xFF) if field & SIGN else field & 0xFF for field in fields],
                    np.int16)


def decode_psums(word: int, count: int, width: int) -> np.ndarray:
    """Return `count` two's complement partial sums as int32."""
    fields = [word >> width * index & (1 << width) - 1 for index in range(count)]
    return np.array([field - (1 << width) if field >> width - 1 else field for field in fields],
                    np.int32)
