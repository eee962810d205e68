"""Which multipliers are taken: names, files, all; and which are refused."""

import re

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import EXACT, catalogue, files, get
from hw.multipliers.base import Multiplier, ProductTable
from hw.multipliers.families.exact import exact
from hw.netlist import NetlistBuilder
from hw.ppa.mapping.selection import for_comparison, for_mapping, for_pes
from tests.circuits import shift_and_add
from tests.hw.ppa.circuits import signed_multiplier

TABLE_ONLY = Multiplier(name="products", family="test",
                        source=ProductTable.of(np.zeros((256, 256), int)))
NARROW = Multiplier(name="narrow", family="test",
                    source=NetlistBuilder(act_width=4, weight_width=8).build([2]))
SIGNED = r"unfit\.json: multiplier 'test_signed' must be unsigned, as those that it is "
PRODUCTS = r"unfit\.json: multiplier 'products' must have a netlist"
WIDTH = r"unfit\.json: multiplier 'narrow' must have operands of 8 bits, not 4 and 8$"


def test_names_and_files_in_the_order_given(tmp_path):
    own = shift_and_add(2)
    files.save(own, tmp_path / "own.json")
    found = for_pes([str(tmp_path / "own.json"), EXACT])
    assert [multiplier.digest for multiplier in found] == [own.digest, get(EXACT).digest]


@pytest.mark.parametrize(("select", "multiplier", "problem"), [
    (for_pes, TABLE_ONLY, PRODUCTS), (for_pes, NARROW, WIDTH),
    (for_mapping, TABLE_ONLY, PRODUCTS), (for_mapping, NARROW, WIDTH),
    (lambda names: for_comparison(names, everything=False), signed_multiplier(), SIGNED),
])
def test_unfit_file_is_refused(select, multiplier, problem, tmp_path):
    files.save(multiplier, tmp_path / "unfit.json")
    with pytest.raises(InputError, match=problem):
        select([str(tmp_path / "unfit.json")])


@pytest.mark.parametrize("select", [for_mapping, for_pes])
def test_signed_file_is_taken_where_it_is_named(tmp_path, select):
    files.save(signed_multiplier(), tmp_path / "signed.json")
    assert select([str(tmp_path / "signed.json")])[0].signed


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match=re.escape("did you mean 'mul8u_exact'?")):
        for_pes(["mul8u_exakt"])


@pytest.mark.parametrize(("select", "signed_too"), [(for_pes, False), (for_mapping, True)])
def test_all_leaves_out_what_does_not_fit(monkeypatch, select, signed_too):
    everything = {multiplier.name: multiplier for multiplier in (
        get(EXACT), signed_multiplier(), TABLE_ONLY, NARROW)}
    monkeypatch.setattr("hw.ppa.mapping.selection.catalogue", lambda: everything)
    expected = [EXACT, "test_signed"] if signed_too else [EXACT]
    assert [multiplier.name for multiplier in select([])] == expected


def test_comparison_begins_with_the_exact_one_and_drops_twins_and_constants(tmp_path):
    constant = Multiplier(name="constant", family="test",
                          source=NetlistBuilder().build([0, 1, 1, *[0] * 13]))
    twin = Multiplier(name="twin", family="test", source=exact(structure="dadda"))
    for multiplier in (constant, twin):
        files.save(multiplier, tmp_path / f"{multiplier.name}.json")
    found = for_comparison([str(tmp_path / "constant.json"), "mul8u_trunc_c4",
                            str(tmp_path / "twin.json")], everything=False)
    assert [multiplier.name for multiplier in found] == [EXACT, "mul8u_trunc_c4"]


def test_comparison_of_everything_has_all_unsigned_of_the_catalogue():
    found = for_comparison([], everything=True)
    expected = {multiplier.digest for multiplier in catalogue().values()
                if not multiplier.signed and multiplier.has_netlist}
    assert {multiplier.digest for multiplier in found} == expected


def test_comparison_of_nothing_is_refused():
    with pytest.raises(InputError, match=(
            r"^Multipliers must be named, or all be asked for with --all$")):
        for_comparison([], everything=False)
