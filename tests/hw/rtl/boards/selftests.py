"""Self-tests small enough to simulate."""

from __future__ import annotations

from hw.machine.design import BankConfig, Design
from hw.multipliers.base import Multiplier
from hw.rtl.boards.self_test import SelfTest
from hw.rtl.boards.stored_tiles import Plan
from tests.hw.rtl.circuits import NIBBLE, SKEWED

DIVISOR = 1


def design(*multipliers: Multiplier, rows: int = 2, cols: int = 3) -> Design:
    return Design(name="small", multipliers={m.name: m for m in multipliers},
                  bank=BankConfig(rows=rows, cols=cols, psum_width=20,
                                  arrays=tuple(m.name for m in multipliers)))


def small_plan(*multipliers: Multiplier, rows: int = 2, cols: int = 3, tiles: int = 2,
               beats: int = 4) -> Plan:
    return Plan.random(design(*(multipliers or (NIBBLE, SKEWED)), rows=rows, cols=cols),
                       tiles=tiles, beats=beats)


def self_test(plan: Plan) -> SelfTest:
    return SelfTest(plan=plan, uart_divisor=DIVISOR, pause_cycles=20)
