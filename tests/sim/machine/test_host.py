"""The compiled program of a real network computes the golden model's accumulators."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from hw.machine.compiler import compile_program, routes
from hw.machine.design import BankConfig, Design
from hw.machine.isa import Opcode
from hw.multipliers import get
from models.data import load_digits_split
from sim.machine.instructions import execute, multiply_by_tables
from sim.network.quant_network import QuantNetwork
from tests.programs import layers_with_rows
from tests.sim.nets import NETS

DIGITS = Path(__file__).parents[3] / "models" / "zoo" / "digits.onnx"
ARRAYS = ("mul8u_exact", "mul8u_optrunc_a3w1", "mul8u_bam_h2v6")
IMAGES = 2


def digits(_folder):
    images = load_digits_split("search").images[:IMAGES]
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images), images


def attention(folder):
    onnx.save(NETS["attention"]().model(), folder / "net.onnx")
    images = np.random.default_rng(5).standard_normal((IMAGES, 5, 6)).astype(np.float32)
    return QuantNetwork.load(folder / "net.onnx", images), images


@pytest.fixture(scope="module", params=[digits, attention])
def executed(request, tmp_path_factory):
    """Program, design, operands and what the golden model says, for a mixed mapping."""
    network, images = request.param(tmp_path_factory.mktemp("net"))
    bank = BankConfig(rows=16, cols=16, arrays=ARRAYS)
    mapping = {layer.name: index % 3 for index, layer in enumerate(network.layers)}
    design = Design(name="mixed", bank=bank, mapping=mapping,
                    multipliers={name: get(name) for name in ARRAYS})
    program = compile_program(network.layers, design, batch=IMAGES)
    tables = {layer: design.multiplier_of(layer).table for layer in mapping}
    return (program, [m.table for m in design.arrays], layers_with_rows(network, images, tables),
            network.accumulators(images, tables), mapping)


def test_the_program_computes_every_accumulator(executed):
    program, tables, layers, expected, mapping = executed
    assert routes(program) == mapping
    found = execute(program, multiply_by_tables(tables), layers)
    assert list(found) == list(expected)
    for name, sums in expected.items():
        np.testing.assert_array_equal(found[name].sums, sums, err_msg=name)


def test_a_dropped_route_shows_in_the_accumulators(executed):
    program, tables, layers, expected, _mapping = executed
    first_layers = program.instructions
    dropped = [i for i, code in enumerate(first_layers) if code.opcode == Opcode.ROUTE][1]
    broken = replace(program, instructions=first_layers[:dropped] + first_layers[dropped + 1:])
    found = execute(broken, multiply_by_tables(tables), layers)
    second = program.layers[1]
    assert (found[second].sums != expected[second]).any()
