"""Catalogue circuits, written in each format, come back with the same 65,536 products."""

import numpy as np
import pytest

from hw.multipliers import get
from hw.multipliers.importing import import_file
from hw.netlist import Gate, Op
from tests.hw.multipliers.importing import writers

CIRCUITS = ("mul8u_exact", "mul8u_optrunc_a2w1", "mul8u_drum_k4", "mul8u_bam_h2v6")
TEXTS = {
    "blif.blif": writers.blif,
    "letters.blif": lambda netlist: writers.blif(netlist, bit="{port}{index}"),
    "numbered.cgp": lambda netlist: writers.cgp(netlist, numbered=True),
    "plain.cgp": lambda netlist: writers.cgp(netlist, numbered=False),
    "from_zero.chr": lambda netlist: writers.cgp(netlist, numbered=False, constants=False),
    "cells.json": writers.yosys_json,
}


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("file", TEXTS)
def test_text_formats_round_trip(tmp_path, file, name):
    multiplier = get(name)
    path = tmp_path / file
    path.write_text(TEXTS[file](multiplier.netlist))
    imported = import_file(path, name="mul8u_again")
    np.testing.assert_array_equal(imported.multiplier.table, multiplier.table)
    assert imported.commutative == bool((multiplier.table == multiplier.table.T).all())
    assert len(imported.multiplier.netlist.gates) <= 1.3 * len(multiplier.netlist.gates)


@pytest.mark.parametrize("file", TEXTS)
def test_the_order_of_the_operands_is_obeyed(tmp_path, file):
    multiplier = get("mul8u_optrunc_a2w1")
    path = tmp_path / file
    path.write_text(TEXTS[file](multiplier.netlist))
    swapped = import_file(path, name="x", order="weight,act").multiplier
    np.testing.assert_array_equal(swapped.table, multiplier.table.T)
    assert not np.array_equal(swapped.table, multiplier.table)
    names = ("A", "B") if file.endswith(".json") else ("a", "b")
    for operands, table in ((names, multiplier.table), (names[::-1], multiplier.table.T)):
        imported = import_file(path, name="x", operands=operands)
        np.testing.assert_array_equal(imported.multiplier.table, table)
        assert (imported.act, imported.weight) == operands


@pytest.mark.parametrize("file", TEXTS)
@pytest.mark.parametrize("op", list(Op))
def test_every_gate_keeps_its_function(tmp_path, file, op):
    exact = get("mul8u_exact").netlist
    index = exact.outputs[7] - exact.first_gate_net
    changed = exact.with_gate(index, Gate(op, exact.gates[index].a, exact.gates[index].b))
    path = tmp_path / file
    path.write_text(TEXTS[file](changed))
    imported = import_file(path, name="x", signed=False).multiplier
    np.testing.assert_array_equal(imported.table, changed.table())


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".csv", "_wide.npy", "_fortran.npy",
                                    "_flat.npy", "_triples.csv"])
@pytest.mark.parametrize("name", ["mul8u_optrunc_a2w1", "mul8s_truncated"])
def test_tables_round_trip(tmp_path, suffix, name):
    signed = name.startswith("mul8s")
    if signed:
        values = np.arange(256) - 256 * (np.arange(256) > 127)
        table = (np.multiply.outer(values & ~3, values) >> 1 << 1).astype(np.int32)
    else:
        table = get(name).table
    path = tmp_path / f"table{suffix}"
    write_table(path, suffix, table, signed)
    imported = import_file(path, name=name)
    np.testing.assert_array_equal(imported.multiplier.table, table)
    assert imported.multiplier.signed == signed
    assert not imported.multiplier.has_netlist
    swapped = import_file(path, name=name, order="weight,act").multiplier.table
    np.testing.assert_array_equal(swapped, table.T)


def write_table(path, suffix, table, signed):
    words = table.astype(np.int16 if signed else np.uint16)
    match suffix:
        case ".bin":
            words.tofile(path)
        case ".npy":
            np.save(path, words)
        case "_wide.npy":
            np.save(path, table.astype(">i8"))
        case "_fortran.npy":
            np.save(path, np.asfortranarray(words))
        case "_flat.npy":
            np.save(path, words.reshape(-1))
        case ".csv":
            np.savetxt(path, table, fmt="%d", delimiter=",")
        case "_triples.csv":
            operands = np.arange(256) - 256 * (signed & (np.arange(256) > 127))
            a, b = np.meshgrid(operands, operands, indexing="ij")
            rows = np.stack([a, b, table], axis=-1).reshape(-1, 3)
            rows = np.random.default_rng(20220314).permutation(rows)
            np.savetxt(path, rows, fmt="%d", delimiter=",", header="a,b,product", comments="")
