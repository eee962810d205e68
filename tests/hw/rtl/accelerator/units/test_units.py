"""The units around the bank, on the emitted Verilog: every port in every cycle.

Icarus is preferred where it is installed: there a register that was not reset is unknown, and an
output that depends on it does not compare equal to anything. In Verilator such registers start at
random.
"""

from __future__ import annotations

import os
import shutil
from functools import cache

import pytest

from tests.hw.rtl.accelerator.units.duts import TOP, unit_sources, units
from tests.hw.rtl.simulator import ENVIRONMENT_VARIABLE, build

SIMULATOR = os.environ.get(ENVIRONMENT_VARIABLE) or (
    "icarus" if shutil.which("iverilog") else "verilator")


@pytest.fixture(scope="session")
def outcome_of(shared_folder):
    """Return what all scenarios gave in one simulation by a simulator."""
    @cache
    def run(name):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ENVIRONMENT_VARIABLE, name)
            built = build(unit_sources(), top=TOP, public_modules=[TOP])
            return built.run("tests.hw.rtl.accelerator.units.bench_units",
                             folder=shared_folder / f"units-{name}",
                             plusargs=["+verilator+rand+reset+2", "+verilator+seed+7"])

    return run


@pytest.mark.parametrize("unit", units())
def test_unit_is_its_model_in_every_cycle(outcome_of, unit):
    outcome_of(SIMULATOR).verify(unit)


@pytest.mark.long
@pytest.mark.parametrize("unit", units())
def test_unit_is_its_model_under_verilator_too(outcome_of, unit):
    outcome_of("verilator").verify(unit)
