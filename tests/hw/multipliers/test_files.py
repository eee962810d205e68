"""Multiplier files: damage is refused by name."""

import numpy as np
import pytest

from hw.multipliers import files, get
from hw.multipliers.base import Multiplier, ProductTable
from tests.mutations import check_reader

TABLE = Multiplier(name="t", family="table", citation="", parameters={"a": 1, "b": 0.5, "c": "x"},
                   source=ProductTable.of(np.outer(np.arange(256), np.arange(256))))


@pytest.mark.parametrize("multiplier", [
    get("mul8u_trunc_c6"), get("mul8u_opround_a2w1"), TABLE], ids=lambda one: one.name)
@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_file_is_refused_by_name_or_computes(tmp_path, multiplier, seed):
    def read(path):
        found = files.load(path)
        if not found.has_netlist or found.netlist.act_width == found.netlist.weight_width == 8:
            assert found.table.shape == (256, 256)

    check_reader(read, files.to_dict(multiplier), tmp_path / "m.json", most=200, seed=seed)


def test_rounded_activations_are_kept(tmp_path):
    multiplier = get("mul8u_opround_a3w1")
    files.save(multiplier, tmp_path / "m.json")
    found = files.load(tmp_path / "m.json")
    assert found == multiplier
    assert found.act_rounding == 3
    assert found.digest != found.netlist.digest == get("mul8u_optrunc_a3w1").digest
    assert np.array_equal(found.table, multiplier.table)
