"""Legal programs in random order on the emitted accelerator: as if one instruction at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hw.machine.compiler import Program
from hw.machine.isa import Instruction, Opcode
from sim.cosim.accelerator import RtlError, SimulatedAccelerator
from sim.machine.host import Host
from tests.hw.rtl.cosim_machines import MACHINES, check, run
from tests.hw.rtl.random_programs import random_workload
from tests.programs import random_layer


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("name", MACHINES)
def test_any_legal_order_computes_what_the_machine_does_in_the_predicted_cycles(
        rtl_of, name, seed):
    check(random_workload(MACHINES[name], seed), rtl_of(name), stalls=[0.0, 0.3], seeds=[seed])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1500))
@pytest.mark.parametrize("name", MACHINES)
def test_many_legal_orders_compute_what_the_machine_does(rtl_of, name, seed):
    check(random_workload(MACHINES[name], seed), rtl_of(name), stalls=[0.0, 0.2, 0.7],
          seeds=[seed])


@pytest.mark.parametrize(("opcode", "change"), [
    (Opcode.ROUTE, {"a": 0}), (Opcode.LOAD_WEIGHTS, {"a": 0}), (Opcode.DMA_IN, {"a": 0}),
    (Opcode.MATMUL, {"flag": 0}), (Opcode.ACTIVATE, {"a": 0})], ids=str)
def test_results_depend_on_every_kind_of_instruction(rtl_of, opcode, change):
    workload = random_workload(MACHINES["square"], seed=50)
    code = tuple(replace(word, **change) if word.opcode == opcode else word
                 for word in workload.program.instructions)
    other = replace(workload, program=replace(workload.program, instructions=code))
    before, after = run(workload, rtl_of("square")), run(other, rtl_of("square"))
    assert any((before.outputs[name] != after.outputs[name]).any() for name in before.outputs)


# --- programs that are at fault ---


@pytest.fixture
def try_(rtl_of):
    """Return a function that runs words on the machine "tight" and returns what it shows."""
    machine = MACHINES["tight"]
    program = Program(bank=machine.design().bank, config=machine.config, batch=1, layers=("a",),
                      tiles=(), constants=(), instructions=())
    layer = random_layer(np.random.default_rng(1), "a", k=2, n=3, positions=4).host

    def attempt(*code):
        with SimulatedAccelerator(rtl_of("tight")) as accelerator:
            accelerator.run(Host(program, layer), code, limit=200)
            return accelerator.selected, accelerator.route_error

    return attempt


def test_an_unknown_route_falls_back_and_raises_its_flag(try_):
    assert try_(Instruction(Opcode.ROUTE, 1), Instruction(Opcode.SYNC)) == (1, False)
    # No array is exact, so array 0 takes over.
    assert try_(Instruction(Opcode.ROUTE, 1), Instruction(Opcode.ROUTE, 2),
                Instruction(Opcode.SYNC)) == (0, True)
    beyond_the_port = Instruction(Opcode.ROUTE, 1 + (1 << 20))
    assert try_(Instruction(Opcode.ROUTE, 1), beyond_the_port,
                Instruction(Opcode.SYNC)) == (0, True)


def test_a_fault_stops_the_accelerator_and_is_reported(try_):
    with pytest.raises(RtlError, match=r"^Sequencer must obey every word, but raised its fault: "
                                       r"1 of 2 instructions"):
        try_(Instruction(Opcode.MATMUL, 0, 0, 1), Instruction(Opcode.HALT))


def test_nothing_is_obeyed_after_halt(try_):
    """One word is fetched in the cycle in which HALT is issued."""
    with pytest.raises(RtlError, match=r"^Accelerator must finish within 200 cycles, .* 2 of 3 "):
        try_(Instruction(Opcode.HALT), Instruction(Opcode.MATMUL, 0, 0, 1),
             Instruction(Opcode.SYNC))
