"""The instruction-level machine: a program computes the layers, routed as mapped."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.compiler import compile_program
from hw.machine.design import BankConfig, Design
from hw.machine.isa import Instruction, Opcode
from hw.multipliers import get
from sim.machine.array_model import tile_products
from sim.machine.instructions import execute, multiply_by_tables
from sim.tables import code_values, pe_table
from tests.circuits import small_design
from tests.programs import random_layer

SHAPES = {"first": (9, 7, 5, 1), "second": (4, 3, 2, 2), "third": (6, 2, 11, 1)}
MAPPING = {"first": 1, "second": 0, "third": 2}


@pytest.fixture(scope="module")
def workload():
    generator = np.random.default_rng(5)
    layers = [random_layer(generator, name, k=k, n=n, positions=positions, groups=groups,
                           raw=name == "second")
              for name, (k, n, positions, groups) in SHAPES.items()]
    design = small_design(mapping=MAPPING)
    return SimpleNamespace(program=compile_program(layers, design),
                           layers={layer.name: layer.host for layer in layers},
                           tables=[m.table for m in design.arrays])


def run(workload, code=None):
    """Execute the program, or other instructions in its place."""
    program = workload.program
    if code is not None:
        program = replace(program, instructions=tuple(code))
    return execute(program, multiply_by_tables(workload.tables), workload.layers)


def expected(workload, name, table):
    layer = workload.layers[name]
    acts = code_values(layer.act_zero_point, signed=layer.act_signed)[layer.codes]
    return np.concatenate([tile_products(a, w, table) for a, w in
                           zip(acts, layer.weights, strict=True)], axis=1)


def test_layers_run_on_arrays_of_both_kinds():
    names = ("mul8u_bam_h2v6", "mul8s_bam_h2v6")
    generator = np.random.default_rng(6)
    layers = [random_layer(generator, name, k=9, n=7, positions=5, symmetric=name != "any")
              for name in ("any", "first", "second")]
    mapping = {"any": 0, "first": 1, "second": 0}
    design = Design(name="mixed", multipliers={name: get(name) for name in names},
                    bank=BankConfig(rows=4, cols=3, arrays=names), mapping=mapping)
    mixed = SimpleNamespace(program=compile_program(layers, design),
                            layers={layer.name: layer.host for layer in layers},
                            tables=[pe_table(multiplier) for multiplier in design.arrays])
    found = run(mixed)
    for name, array in mapping.items():
        assert (found[name].sums == expected(mixed, name, mixed.tables[array])).all()
    assert (found["first"].sums != expected(mixed, "first", mixed.tables[0])).any()


def test_exact_rows_are_the_matrix_product(workload):
    for name in SHAPES:
        layer = workload.layers[name]
        acts = code_values(layer.act_zero_point, signed=layer.act_signed)[layer.codes].astype(int)
        products = np.concatenate([a @ w for a, w in zip(acts, layer.weights, strict=True)], 1)
        assert (expected(workload, name, workload.tables[0]) == products).all()


@pytest.mark.parametrize("name", SHAPES)
def test_each_layer_runs_on_the_array_it_is_mapped_to(workload, name):
    sums = run(workload)[name].sums
    assert (sums == expected(workload, name, workload.tables[MAPPING[name]])).all()


@pytest.mark.parametrize("name", SHAPES)
def test_outputs_are_requantised_sums_or_the_sums_with_bias(workload, name):
    found, layer = run(workload)[name], workload.layers[name]
    total = found.sums + layer.bias
    wanted = total if layer.requantizer is None else layer.requantizer.apply(total).view(np.uint8)
    assert found.output.dtype == wanted.dtype
    np.testing.assert_array_equal(found.output, wanted)


@pytest.mark.parametrize("dropped", range(3))
def test_a_dropped_route_changes_the_sums(workload, dropped):
    route = [i for i, instruction in enumerate(workload.program.instructions)
             if instruction.opcode == Opcode.ROUTE][dropped]
    code = list(workload.program.instructions)
    del code[route]
    broken = run(workload, code)
    name = list(SHAPES)[dropped]
    assert (broken[name].sums != expected(workload, name, workload.tables[MAPPING[name]])).any()


def test_operands_are_not_interchangeable(workload):
    table = workload.tables[2]
    assert (expected(workload, "third", table) != expected(workload, "third", table.T)).any()


@pytest.mark.parametrize(("code", "message"), [
    ((), "^Program must end in HALT$"),
    ((Instruction(Opcode.ROUTE, 7),), "^ROUTE must name an array below 3, not 7$"),
    ((Instruction(Opcode.MATMUL, 0, 0, 1),), "^MATMUL must follow LOAD_WEIGHTS$"),
    ((Instruction(Opcode.LOAD_WEIGHTS, 0), Instruction(Opcode.MATMUL, 9, 0, 1)),
     "^MATMUL must read loaded rows, not row 9$"),
])
def test_programs_that_cannot_run_are_refused(workload, code, message):
    with pytest.raises(InputError, match=message):
        run(workload, code)
