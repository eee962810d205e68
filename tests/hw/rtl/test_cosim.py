"""Compiled layers on the emitted accelerator: the machine's results in the predicted cycles."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from hw.machine.compiler import compile_program
from sim.cosim.accelerator import SimulatedAccelerator
from sim.cosim.network import BatchRun, NetworkOnRtl
from sim.network.quant_network import QuantNetwork
from tests.hw.rtl.cosim_machines import MACHINES, Workload, check
from tests.programs import random_layer
from tests.sim.nets import NETS

POWER_UP_STATES = (1, 2, 3)  # seeds of registers and memories that are not reset


def compiled(machine, seed, layers=3):
    """Return random layers, ragged in every direction, each on a random array."""
    rng = np.random.default_rng(seed)
    symmetric = any(multiplier.signed for multiplier in machine.multipliers)
    shapes = [random_layer(
        rng, f"layer{index}", k=int(rng.integers(1, 4 * machine.rows)),
        n=int(rng.integers(1, 4 * machine.cols)), positions=int(rng.integers(1, 24)),
        groups=int(rng.choice([1, 1, 2, 3])), raw=rng.random() < 0.3, symmetric=symmetric)
        for index in range(layers)]
    design = machine.design(
        {layer.name: int(rng.integers(len(machine.multipliers))) for layer in shapes})
    return Workload(program=compile_program(shapes, design, config=machine.config), design=design,
                    layers={layer.name: layer.host for layer in shapes})


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", MACHINES)
def test_layers_give_the_models_outputs_in_the_predicted_cycles(rtl_of, name, seed):
    check(compiled(MACHINES[name], seed), rtl_of(name))


@pytest.mark.parametrize("stall", [0.0, 0.3])
@pytest.mark.parametrize("name", MACHINES)
def test_attention_runs_with_weights_that_each_image_brings(rtl_of, name, stall, tmp_path):
    """Scores and mix of two heads, three images: codes, logits and cycles of the whole network."""
    machine = MACHINES[name]
    onnx.save(NETS["attention"]().model(), tmp_path / "net.onnx")
    images = np.random.default_rng(4).standard_normal((3, 5, 6)).astype(np.float32)
    network = QuantNetwork.load(tmp_path / "net.onnx", images, symmetric=True)
    arrays = len(machine.multipliers)
    for first in range(arrays):  # both products on every array
        design = machine.design({layer.name: (first + index) % arrays
                                 for index, layer in enumerate(network.layers)})
        on_rtl = NetworkOnRtl(network, design, machine.config)
        with SimulatedAccelerator(rtl_of(name)) as rtl:
            rtl.stall(stall)
            *runs, batch = on_rtl.run(images, rtl, check_cycles=not stall)
        assert isinstance(batch, BatchRun)
        assert [(run.name, run.differing, run.late) for run in runs] == [
            (name, 0, 0) for name in ("qkv", "scores", "mix", "project")]
        np.testing.assert_array_equal(batch.logits, network.run(images, on_rtl.tables))


@pytest.mark.parametrize("stall", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", MACHINES)
def test_a_host_that_waits_delays_and_changes_nothing(rtl_of, name, stall):
    check(compiled(MACHINES[name], seed=100), rtl_of(name), stalls=[stall])


@pytest.mark.parametrize("name", MACHINES)
def test_the_power_up_state_changes_nothing(rtl_of, name):
    check(compiled(MACHINES[name], seed=101), rtl_of(name), stalls=[0.0, 0.3],
          seeds=POWER_UP_STATES)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1000, 1300))
@pytest.mark.parametrize("name", MACHINES)
def test_many_layers_give_the_models_outputs_in_the_predicted_cycles(rtl_of, name, seed):
    check(compiled(MACHINES[name], seed), rtl_of(name), stalls=[0.0, 0.3])
