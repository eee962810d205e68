"""Which multipliers a search chooses from: names, groups and files; one line for the others."""

from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.multipliers import EXACT, catalogue, default_bank, files, get
from hw.multipliers.base import Multiplier, ProductTable
from hw.multipliers.precision import lower_precision, operand_bits
from hw.netlist import CONST1, NetlistBuilder
from search.problem.multipliers import choose_multipliers

BANK = BankConfig(rows=16, cols=16)


def choose(*wanted):
    return choose_multipliers([str(choice) for choice in wanted], BANK)


def saved(path, multiplier):
    files.save(multiplier, path)
    return path


@pytest.fixture
def own(tmp_path):
    """A multiplier of one's own, which the catalogue does not know, and its file."""
    source = get("mul8u_trunc_c9").netlist
    assert source.outputs[15] != source.outputs[14]
    multiplier = Multiplier(name="mul8u_own", family="own", source=replace(
        source, outputs=(*source.outputs[:14], source.outputs[15], source.outputs[14])))
    return multiplier, saved(tmp_path / "own.json", multiplier)


def test_the_exact_one_is_first_and_the_order_is_kept():
    assert list(choose("mul8u_trunc_c9", EXACT, "mul8u_bam_h2v6", "mul8u_trunc_c9")) == [
        EXACT, "mul8u_trunc_c9", "mul8u_bam_h2v6"]


def test_default_is_the_default_bank():
    chosen = choose("default")
    assert set(chosen) == {EXACT, *default_bank()}
    assert all(chosen[name] is get(name) for name in chosen)


def test_precision_is_the_exact_multiplier_and_those_of_fewer_bits():
    chosen = choose("precision")
    assert len(chosen) == 1 + 25
    assert next(iter(chosen)) == EXACT
    assert {multiplier.family for multiplier in chosen.values()} == {"exact", "operand_truncated"}
    assert {operand_bits(multiplier.table) for multiplier in chosen.values()} == {
        (8 - act, 8 - weight) for act in range(5) for weight in range(5)} | {(3, 4)}
    # Rounding a single bit away gains nothing.
    assert {name for name, one in chosen.items() if one.act_rounding} == {
        name for name, one in chosen.items() if operand_bits(one.table)[0] < 7}


def test_rounded_ones_are_chosen_by_name():
    assert choose("mul8u_opround_a2w3")["mul8u_opround_a2w3"].act_rounding == 2
    with pytest.raises(InputError, match=r"did you mean 'mul8u_opround_a2w3'\?$"):
        choose("mul8u_oprond_a2w3")


def test_adders_are_chosen_by_name_and_by_file(own):
    _, path = own
    plain = BankConfig(rows=16, cols=16, form="1x1")
    chosen = choose_multipliers(["mul8u_exact+loa8", f"{path}+seg11w1"], plain)
    assert list(chosen) == [EXACT, "mul8u_exact+loa8", "mul8u_own+seg11w1"]
    assert not lower_precision(chosen["mul8u_exact+loa8"])
    with pytest.raises(InputError, match=r"in 1x1 PEs to have the adder loa8, not in 4x4r ones$"):
        choose_multipliers(["mul8u_exact+loa8"], replace(plain, form="4x4r"))
    with pytest.raises(InputError, match=r"must be followed by one adder, .*, not \+lao8$"):
        choose("mul8u_exact+lao8")


def test_all_is_what_a_pe_takes():
    chosen = choose("all")
    assert chosen.keys() == {name for name, entry in catalogue().items()
                             if not entry.signed and entry.table[0, 0] == 0}
    assert next(iter(chosen)) == EXACT


def test_groups_names_and_files_combine(own):
    multiplier, path = own
    chosen = choose("mul8u_bam_h2v6", path, "default")
    assert list(chosen)[:3] == [EXACT, "mul8u_bam_h2v6", "mul8u_own"]
    assert chosen.keys() == {"mul8u_bam_h2v6", "mul8u_own", EXACT, *default_bank()}
    assert chosen["mul8u_own"] == multiplier
    assert np.array_equal(chosen["mul8u_own"].table, multiplier.table)


def test_a_file_of_a_catalogue_circuit_is_that_circuit(tmp_path):
    path = saved(tmp_path / "m.json", get("mul8u_trunc_c9"))
    assert list(choose("mul8u_trunc_c9", path)) == [EXACT, "mul8u_trunc_c9"]


@pytest.mark.parametrize("taken", [EXACT, "mul8u_bam_h2v6"])
def test_a_file_may_not_carry_another_circuits_name(tmp_path, own, taken):
    path = saved(tmp_path / "m.json", replace(own[0], name=taken))
    with pytest.raises(InputError, match=rf"^\S+m\.json: multiplier must have a name of its own, "
                                         rf"not '{taken}', which is another circuit$"):
        choose("mul8u_bam_h2v6", path)


def _narrow():
    builder = NetlistBuilder(act_width=4, weight_width=4)
    return builder.build([builder.and_(builder.act[0], builder.weight[0])])


@pytest.mark.parametrize("name", ["", "../x", "a b", "a,b", "9lives", "a\n", "ä", "a" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, own, name):
    path = saved(tmp_path / "m.json", replace(own[0], name=name))
    with pytest.raises(InputError, match=r"^\S+m\.json: (Multiplier )?name must be "):
        choose(path)


REFUSED = {
    "table_only": (lambda exact: ProductTable.of(exact.table()), r"must have a netlist"),
    "narrow": (lambda _exact: _narrow(), r"must be 8x8 to sit in a PE, not 4x4$"),
    "one_for_nothing": (lambda exact: replace(exact, outputs=(CONST1, *exact.outputs[1:])),
                        r"must give 0 for 0 x 0, not 1: "),
    "too_wide": (lambda exact: replace(exact, outputs=(*exact.outputs, *exact.outputs[-8:])),
                 r"reach \d+ over 16 rows, which must fit in 24 bits"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_hardware_refuses_is_refused_by_file(tmp_path, kind):
    build, message = REFUSED[kind]
    path = saved(tmp_path / "m.json", Multiplier(
        name="mul8x_odd", family="odd", source=build(get(EXACT).netlist)))
    with pytest.raises(InputError, match=rf"^\S+m\.json: [^\n]*'mul8x_odd' [^\n]*{message}"):
        choose(path)


@pytest.mark.parametrize(("choice", "message"), [
    ("mul8u_exat", r"^Unknown multiplier 'mul8u_exat'; did you mean 'mul8u_exact'\?$"),
    ("defaul", r"^Unknown multiplier 'defaul'; did you mean 'default'\?$"),
    ("al", r"^Unknown multiplier 'al'; did you mean 'all'\?$"),
])
def test_an_unknown_name_suggests_the_nearest(choice, message):
    with pytest.raises(InputError, match=message):
        choose(choice)


@pytest.mark.parametrize("content", ["nonsense", "{}", '{"format": "autoapprox-multiplier/1"}'])
def test_a_malformed_file_is_named(tmp_path, content):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(InputError, match=r"^\S+m\.json: "):
        choose(tmp_path / "m.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        choose(tmp_path / "absent.json")
    assert str(caught.value.filename) == str(tmp_path / "absent.json")
