"""Liberty libraries to a technology."""

import re
from random import Random

import pytest

from hw.common.errors import InputError
from hw.ppa.library.cells import FullAdder
from hw.ppa.library.characterise import characterise
from hw.ppa.library.technology import Technology, load_technology
from tests.hw.ppa.tiny import LIBRARY, pin, timing


def test_smallest_cell_of_each_function_is_kept(tiny):
    assert sorted(tiny.cells) == ["BUF", "INV", "INV_BIG", "NAND", "XOR"]  # 1-input keep two
    assert tiny.flop.name == "DFF"  # DFFR is smaller and has a clear
    assert tiny.clock_gate.name == "GATE"
    assert (tiny.name, tiny.source, tiny.voltage_v) == ("tiny", ("tiny",), 1.0)


def test_excluded_cells_are_left_out(tmp_path):
    path = tmp_path / "tiny.lib"
    path.write_text(LIBRARY)
    cells = characterise([path], name="tiny", exclude=["INV_*", "X*"]).cells
    assert sorted(cells) == ["BUF", "INV", "NAND"]


def test_only_the_power_rail_counts(tiny):
    assert tiny.cells["INV"].switching[0].rise.at(20, 5) == 0.3
    assert tiny.cells["INV"].leakage_nw == 1.0  # 1000 pW; the 77 pW are the ground rail's


def test_energies_under_conditions_are_averaged(tiny):
    nand = tiny.cells["NAND"]
    assert nand.switching[1].rise.at(0, 0) == pytest.approx(0.6)
    assert nand.switching[1].fall.at(0, 0) == pytest.approx(0.2)
    assert nand.inputs[0].quiet.fall.at(0) == 0.07
    assert nand.inputs[1].quiet.fall.at(0) == 0.0


def test_delays_keep_their_sense(tiny):
    assert [[arc.sense for arc in arcs] for arcs in tiny.cells["XOR"].arcs] == [
        ["negative", "positive"]] * 2
    assert tiny.cells["NAND"].arcs[0][0].delay_rise.at(50, 5) == pytest.approx(10 + 10 + 5)


def test_register_keeps_the_states_that_its_energies_mean(tiny):
    flop = tiny.flop
    assert flop.inverted
    assert (flop.clock.quiet.rise.at(20), flop.clock.quiet.fall.at(20)) == (0.2, 0.3)
    assert (flop.data.quiet.rise.at(20), flop.data.quiet.fall.at(20)) == (0.5, 0.7)
    assert (flop.setup_rise.at(10, 10), flop.setup_fall.at(10, 10)) == (7, 9)


def test_register_with_both_outputs_has_the_same_energies(tmp_path, tiny):
    """In nangate45, conditions name Q and QN; they must not be taken for equal."""
    text = LIBRARY
    for condition, both in (('"D * !QN"', '"D * Q * !QN"'), ('"!D * QN"', '"!D * !Q * QN"'),
                            ('"D * QN"', '"D * !Q * QN"')):
        assert text.count(condition) == 1
        text = text.replace(condition, both)
    text = text.replace('pin (QN) {', 'pin (Q) { direction : output; function : "IQ"; } pin (QN) {')
    text = text.replace('pin (Q) {', 'pin (Q) {' + timing(
        "CK", "non_unate", (40,), (50,), (10, 10), "rising_edge"))
    path = tmp_path / "both.lib"
    path.write_text(text)
    flop = characterise([path], name="both").flop
    assert (flop.output, flop.inverted) == ("Q", False)
    assert flop.clock == tiny.flop.clock
    assert flop.data == tiny.flop.data


def test_clock_gate_energies_are_those_of_closed_and_open(tiny):
    gate = tiny.clock_gate
    assert (gate.clock.quiet.rise.at(20), gate.clock.quiet.fall.at(20)) == (0.1, 0.2)
    assert (gate.switching.rise.at(20, 1), gate.switching.fall.at(20, 1)) == (0.6, 0.4)


def test_units_are_converted(tmp_path):
    path = tmp_path / "other.lib"
    path.write_text(LIBRARY.replace('"1ps"', '"1ns"').replace("(1, ff)", "(1, pf)")
                    .replace('"1pW"', '"1nW"'))
    technology = characterise([path], name="other")
    inverter = technology.cells["INV"]
    assert inverter.inputs[0].cap_ff == 1000
    assert inverter.switching[0].rise.at(0, 0) == 300
    assert inverter.leakage_nw == 1000
    assert inverter.arcs[0][0].delay_rise.at(0, 5000) == 20_000  # 10 ns + 2 ns/pF x 5 pF


@pytest.mark.parametrize(("old", "new", "problem"), [
    ('"1ps"', '"1 parsec"', "time_unit must be in s, ms, us, ns, ps, fs, not '1 parsec'"),
    ("(1, ff)", "(1, farad)", "capacitive_load_unit must be in pf or ff, not 'farad'"),
    ("area : 2;", "area : big;", "area must be a number, not 'big'"),
    ("area : 2;", "", "cell 'BUF' must have 'area'"),
    ("area : 2;", "area : 0;", "cell 'BUF' must have an area above 0, not 0"),
    ("area : 2;", "area : nan;", "area must be a number, not 'nan'"),
    ("capacitance : 4;", "capacitance : 0;", "pin 'A' must have a capacitance above 0, not 0"),
    ("(1, ff)", "(none, ff)", "capacitive_load_unit must be above 0, not 'none'"),
    ('"1pW"', '"0pW"', "leakage_power_unit must be above 0, not '0'"),
    ('values ("10, 30"', 'values ("10, inf"', "table 'cell_rise' is malformed"),
    ("cell (INV_BIG)", "cell (INV)", "cell 'INV' must be there once, not also at"),
    ("cell_rise", "cell_up", "timing must have 'cell_rise'"),
    ('values ("10, 30"', 'values ("10, x"', "table 'cell_rise' is malformed"),
    ('values ("10, 30"', 'values ("10"', "table 'cell_rise' is malformed"),
    ('"!(A * B)"', '"!(A * C)"', "function '!(A * C)' has an unexpected 'C'"),
    ('"!(A * B)"', '"' + "(" * 50_000 + 'A"', "function '((((((((((((((((((((((((((((((((("),
    ('"!(A * B)"', '"' + "!(" * 50_000 + 'A"', "function '!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!(!"),
    ("area : 2;", "area : 1e300;", "area must be a number, not '1e300'"),
    ('values ("10, 30"', 'values ("10, 1e300"', "table 'cell_rise' is malformed (values must be "),
    ('index_1 ("0, 100"', 'index_1 ("0, nan"', "table 'rise_constraint' is malformed (values m"),
    ('index_1 ("0, 100"', 'index_1 ("100, 0"', "table 'rise_constraint' is malformed (index_1 "),
    ('values ("10, 30"', f'values ("{"1," * 60_000}"', "table 'cell_rise' is malformed (values mu"),
    ("setup_rising", "other", "pin 'D' must have a setup 'rise_constraint'"),
    ("hold_rising", "other", "pin 'D' must have a hold 'rise_constraint'"),
])
def test_bad_library_names_file_and_line(tmp_path, old, new, problem):
    path = tmp_path / "bad.lib"
    assert old in LIBRARY
    path.write_text(LIBRARY.replace(old, new))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}:\d+: {re.escape(problem)}"):
        characterise([path], name="bad")


def test_tristate_cell_is_left_out(tmp_path):
    path = tmp_path / "tiny.lib"
    function = 'function : "(A * !B) + (!A * B)"'
    path.write_text(LIBRARY.replace(function, function + '; three_state : "B"'))
    assert "XOR" not in characterise([path], name="tiny").cells


@pytest.mark.parametrize(("changes", "missing"), [
    ({"ff (IQ": "latch (IQ"}, "a rising-edge register without enable"),
    ({'"!A"': '"A"', "\"A'\"": '"A"'}, "an inverter"),
    ({'"A"; }': '"!A"; }', 'function : "A"': 'function : "!A"'}, "a buffer"),
    ({'"!(A * B)"': '"A ^ B"'}, "a NAND, NOR, AND or OR with two inputs"),
    ({"ff (IQ": "latch (IQ", '"!(A * B)"': '"A ^ B"'},
     "a NAND, NOR, AND or OR with two inputs and a rising-edge register without enable"),
    ({"cell (": "macro ("}, "an inverter and a buffer and a NAND, NOR, AND or OR with two inputs "
                            "and a rising-edge register without enable"),
])
def test_library_that_lacks_cells_is_refused_with_all_of_them(tmp_path, changes, missing):
    text = LIBRARY
    for old, new in changes.items():
        text = text.replace(old, new)
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: library must have {missing}$"):
        characterise([path], name="bad")


def test_register_with_reset_serves_when_there_is_no_other(tmp_path, tiny):
    """Its reset is tied to the level at which it does nothing."""
    text = LIBRARY.replace('next_state : "D"; }', 'next_state : "D"; clear : "!R"; preset : "S"; }'
                           ).replace("cell (DFFR)", "macro (DFFR)").replace(
        "cell (DFF) {", "cell (DFF) { " + pin("R", 1) + pin("S", 1))
    path = tmp_path / "reset.lib"
    path.write_text(text)
    flop = characterise([path], name="reset").flop
    assert (flop.name, flop.tied) == ("DFF", (("R", 1), ("S", 0)))
    assert flop.clock == tiny.flop.clock


def test_leakage_is_kept_by_state(tmp_path):
    states = "".join(
        f'leakage_power () {{ value : {value}; when : "{when}"; related_pg_pin : VDD; }}'
        for when, value in (("A * B", 4000), ("A * !B * Y", 2000)))
    path = tmp_path / "states.lib"
    path.write_text(LIBRARY.replace("cell (NAND) {", "cell (NAND) { " + states))
    nand = characterise([path], name="states").cells["NAND"]
    assert nand.leakage_states_nw == (1.0, 2.0, 1.0, 4.0)
    assert nand.leakage_nw == 1.0  # the figure that the library gives for all


def test_hold_is_kept_by_edge(tiny):
    assert (tiny.flop.hold_rise.at(10, 10), tiny.flop.hold_fall.at(10, 10)) == (4, 6)
    assert tiny.clock_gate.hold_rise.at(0, 0) == 1


def test_full_adder_is_two_cells_of_one_area(adders):
    assert adders.full_adder == FullAdder(name="FA", sum="FA/S", carry="FA/CO",
                                          sum_inverted=False, carry_inverted=True)
    carry, total = adders.cells["FA/CO"], adders.cells["FA/S"]
    assert (carry.area_um2, total.area_um2, total.part_of) == (7, 0, "FA")
    assert (carry.truth, total.truth) == (0b00010111, 0b10010110)
    assert [pin.cap_ff for pin in carry.inputs] == [2, 2, 2]
    assert total.shares_pins
    assert not carry.shares_pins
    assert Technology.from_dict(adders.to_dict()) == adders


def test_library_without_internal_power_has_no_energy(tmp_path, tiny):
    assert tiny.has_energy
    path = tmp_path / "none.lib"
    path.write_text(LIBRARY.replace("internal_power", "other_power"))
    technology = characterise([path], name="none")
    with pytest.raises(InputError, match=r"^Technology 'none' must give energies, but gives area "
                                         r"and delay only: much of its internal power is zero$"):
        technology.require_energy()


def test_technology_survives_a_round_trip(tiny, tmp_path):
    tiny.save(tmp_path / "a.json.gz")
    again = Technology.load(tmp_path / "a.json.gz")
    again.save(tmp_path / "b.json.gz")
    assert again == tiny
    assert again.digest == tiny.digest
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_malformed_technology_names_the_file(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"format": "autoapprox-technology/2", "cells": []}')
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: must have a value for"):
        Technology.load(path)


def test_unknown_technology_suggests_the_nearest():
    with pytest.raises(InputError, match=r"^Unknown technology 'asap'; did you mean 'asap7'\?$"):
        load_technology("asap")


def test_rail_energies_agree_over_a_full_cycle_in_asap7(asap7_liberty):
    """The reason for counting one rail: over rise and fall both carry the same charge."""
    from hw.ppa.library.liberty import read_liberty

    def cycle(groups, rail):
        total = 0.0
        for group in groups:
            if group.attributes["related_pg_pin"] == rail:
                for kind in ("rise_power", "fall_power"):
                    rows = group.children(kind)[0].lists["values"]
                    total += float(rows[len(rows) // 2].split(",")[3])
        return total

    library = read_liberty(asap7_liberty / "asap7sc7p5t_SIMPLE_RVT_TT_nldm_211120.lib.gz")
    nand = next(cell for cell in library.children("cell") if cell.name.startswith("NAND2xp5"))
    output = next(pin for pin in nand.children("pin") if pin.name == "Y")
    energies = output.children("internal_power")
    assert cycle(energies, "VSS") == pytest.approx(cycle(energies, "VDD"), rel=0.1)


def test_shipped_technology_is_what_characterise_makes(asap7_liberty, tmp_path):
    """Simple gates and registers of the shipped file, made again from the library."""
    names = ("SEQ_RVT_TT_nldm_220123", "INVBUF_RVT_TT_nldm_220122", "SIMPLE_RVT_TT_nldm_211120")
    made = characterise([asap7_liberty / f"asap7sc7p5t_{name}.lib.gz" for name in names],
                        name="asap7", exclude=["HB*"])
    shipped = load_technology("asap7")
    assert made.flop == shipped.flop
    assert made.clock_gate == shipped.clock_gate
    assert made.clock_buffer == shipped.clock_buffer
    assert made.full_adder == shipped.full_adder
    assert made.cells == {name: shipped.cells[name] for name in made.cells}


def test_spoilt_libraries_are_read_or_refused_in_one_line(tmp_path):
    """Words of the library left out, exchanged, or replaced by what breaks parsers."""
    words = re.findall(r"[\w.+-]+|\s+|.", LIBRARY, re.DOTALL)
    spoilers = ["1e999", "nan", "-1", "0", "1e308", "", '"', "{", "}", "(", ")", ";", "/*", "\\",
                '"(A"', "9" * 400, "\0", "\ufffd", '""', "pin", "timing", "when"]
    random = Random(20)
    path, refusals = tmp_path / "spoilt.lib", []
    for _ in range(300):
        spoilt = list(words)
        for _ in range(random.choice((1, 1, 2, 3))):
            at, other = random.randrange(len(spoilt)), random.randrange(len(spoilt))
            spoilt[at] = random.choice([*spoilers, spoilt[other]])
        path.write_text("".join(spoilt))
        try:
            characterise([path], name="spoilt").save(tmp_path / "spoilt.json.gz")
        except InputError as error:
            refusals.append(str(error))
    assert 50 < len(refusals) < 300
    for line in refusals:
        assert re.fullmatch(rf"{re.escape(str(path))}[:,][^\n]{{1,400}}", line)
