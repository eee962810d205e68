"""Bank and design descriptions: round trip and refusals."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig, Design
from hw.machine.pe import FORMS, PE_KINDS
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.netlist import CONST1, NetlistBuilder, Op
from tests.circuits import shift_and_add, small_design
from tests.mutations import check_reader


def test_design_survives_a_round_trip_through_its_file(tmp_path):
    constants = {"conv2": {"bias": [1, -2], "weight_codes": None}}
    design = replace(small_design(mapping={"conv1": 0, "conv2": 2}), constants=constants)
    design.save(tmp_path / "design.json")
    again = Design.load(tmp_path / "design.json")
    assert again == design
    assert [m.digest for m in again.arrays] == [m.digest for m in design.arrays]
    assert again.multiplier_of("conv2").name == "test_drop4"


SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "design.schema.json").read_text())


def valid(content):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(content)


def test_the_schema_is_one_and_takes_what_is_written():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    rounded = Design(name="rounded", multipliers={n: get(n) for n in ("mul8u_opround_a2w2",)},
                     bank=BankConfig(arrays=("mul8u_opround_a2w2",)))
    for form, start in (("1x1", 0), ("4x4r", 1024)):
        design = small_design(mapping={"conv1": 0})
        bank = replace(design.bank, form=form, psum_start=start, rows=16, cols=16)
        fitted = replace(design, bank=bank, constants={"conv1": {
            "bias": [1, -2], "sum_scale": [1e-3, 2.5], "multiplier": [2**30, 0], "shift": [1, 62],
            "weight_codes": "eJwBsAFP"}})
        assert valid(fitted.to_dict())
    assert valid(rounded.to_dict())


def test_the_schema_has_the_names_and_limits_of_the_code():
    bank = SCHEMA["properties"]["bank"]["properties"]
    assert bank.keys() == {item.name for item in fields(BankConfig)}
    assert bank["form"]["enum"] == list(FORMS)
    assert bank["kinds"]["items"]["enum"] == list(PE_KINDS)
    netlist = SCHEMA["properties"]["multipliers"]["additionalProperties"]["properties"]["netlist"]
    gate = netlist["properties"]["gates"]["items"]["prefixItems"]
    assert gate[0]["enum"] == [op.name for op in Op]


@pytest.mark.parametrize("change", [
    {"format": "autoapprox-design/2"}, {"name": ""}, {"more": 1}, {"mapping": {"conv1": -1}},
    {"mapping": {"conv1": "0"}}, {"bank": {"rows": 0}}, {"bank": {"arrays": []}},
    {"bank": {"form": "3x3"}}, {"bank": {"psum_width": 33}}, {"multipliers": {"test_exact": {}}}],
    ids=str)
def test_the_schema_refuses_what_the_reader_refuses(change):
    content = small_design(mapping={"conv1": 0}).to_dict() | change
    assert not valid(content)
    with pytest.raises(InputError):
        Design.from_dict(content)


def test_rounded_activations_survive_a_round_trip(tmp_path):
    name = "mul8u_opround_a2w2"
    design = Design(name="rounded", bank=BankConfig(arrays=(name,)), multipliers={name: get(name)})
    design.save(tmp_path / "design.json")
    again = Design.load(tmp_path / "design.json")
    assert again == design
    assert again.pes[0].act_rounding == 2
    assert np.array_equal(again.pes[0].table, get(name).table)
    content = design.to_dict()
    del content["multipliers"][name]["act_rounding"]
    with pytest.raises(InputError, match=r"^Netlist of 'mul8u_opround_a2w2' must have digest"):
        Design.from_dict(content)


def added(label, **bank):
    name = f"mul8u_exact+{label}"
    return Design(name="added", bank=BankConfig(arrays=(name,), **bank),
                  multipliers={name: get(name)})


def test_an_adder_survives_a_round_trip(tmp_path):
    design = added("seg8w3")
    design.save(tmp_path / "design.json")
    again = Design.load(tmp_path / "design.json")
    assert again == design
    assert again.pes[0].adder == get("mul8u_exact+seg8w3").adder
    content = design.to_dict()
    assert valid(content)
    for wrong in ("", "loa8", "seg8w3w", "foo"):
        entry = content["multipliers"]["mul8u_exact+seg8w3"] | {"adder": wrong}
        with pytest.raises(InputError, match=r"digest|adder must be"):
            Design.from_dict(content | {"multipliers": {"mul8u_exact+seg8w3": entry}})


def test_an_adder_whose_error_can_wrap_is_refused_with_the_numbers():
    assert added("loa15", psum_width=22)
    with pytest.raises(InputError, match=r"^Partial sums of 'mul8u_exact\+seg15w2' reach 1564688 "
                       r"over 16 rows, of which 32768 in each may be the adder's error, which must "
                       r"fit in 21 bits \(-1048576 to 1048575\)$"):
        added("seg15w2", psum_width=21)
    rows = 2**23 // (65025 + 2**14) + 1
    with pytest.raises(InputError, match="16384 in each may be the adder's error"):
        added("loa15", rows=rows)
    assert BankConfig(rows=rows).rows * 65025 < 2**23  # the products alone would fit


def test_an_adder_is_of_pes_of_one_multiplication():
    with pytest.raises(InputError, match=r"^Multiplier 'mul8u_exact\+loa8' must be in 1x1 PEs to "
                       r"have the adder loa8, not in 4x4r ones$"):
        added("loa8", form="4x4r")


def test_sums_start_above_the_low_part_of_an_adder():
    assert added("loa8", psum_start=256)
    with pytest.raises(InputError, match=r"^Bank psum_start must be a multiple of 256, for the "
                       r"adder of 'mul8u_exact\+loa8', not 128$"):
        added("loa8", psum_start=128)


def test_errors_of_the_adder_count_where_sums_could_overflow():
    design = replace(added("seg15w0"), mapping={"layer": 0})
    design.check_sums("layer", 2**31 // (65025 + 2**15))
    with pytest.raises(InputError, match=r"^Sums of layer 'layer' reach 21475"):
        design.check_sums("layer", 2**31 // (65025 + 2**15) + 1)


def test_operands_in_twos_complement_are_not_rounded():
    multiplier = replace(get("mul8s_exact"), act_rounding=2)
    with pytest.raises(InputError, match=r"^Multiplier 'mul8s_exact' must be unsigned to have its "
                       "activations rounded by 2 bits$"):
        Design(name="x", bank=BankConfig(arrays=("mul8s_exact",)),
               multipliers={"mul8s_exact": multiplier})


@pytest.mark.parametrize(("change", "message"), [
    ({"rows": 0}, "Bank rows must be an integer from 1 to 256, not 0"),
    ({"cols": 2.5}, "Bank cols must be an integer from 1 to 256, not 2.5"),
    ({"psum_width": True}, "Bank psum_width must be an integer from 1 to 32, not True"),
    ({"psum_start": -1}, "Bank psum_start must be an integer from 0 to 8388607, not -1"),
    ({"psum_width": 20, "psum_start": 1 << 19},
     "Bank psum_start must be an integer from 0 to 524287, not 524288"),
    ({"arrays": ()}, "Bank must have 1 to 16 arrays, not 0"),
    ({"arrays": ("a", "a")}, "Bank arrays must differ, not a, a"),
])
def test_impossible_banks_are_refused(change, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        BankConfig(**change)


def test_a_mapping_to_a_missing_array_is_refused():
    with pytest.raises(InputError, match=r"^Layer 'conv1' must be mapped to an array below 3, not"):
        small_design(mapping={"conv1": 3})


def test_constants_of_no_mapped_layer_are_refused():
    with pytest.raises(InputError, match=r"^Constants must belong to a mapped layer, not 'conv2'$"):
        replace(small_design(mapping={"conv1": 0}), constants={"conv2": {}})


@pytest.mark.parametrize("values", [[0] * 255, "x", 3])
def test_weight_codes_that_are_none_are_refused(values):
    design = replace(small_design(mapping={"layer": 0}),
                     constants={"layer": {"weight_codes": values}})
    with pytest.raises(InputError, match=r"^Weight codes of layer 'layer' must be deflated bytes"):
        design.weight_codes("layer")


def test_partial_sums_that_can_overflow_are_refused_with_the_numbers():
    message = "Partial sums of 'test_exact' reach 260100 over 4 rows, which must fit in 18 bits"
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        small_design(psum_width=18)
    small_design(psum_width=19)


@pytest.mark.parametrize(("name", "bound", "over"), [
    ("mul8s_exact", 16384, "largest"),  # -128 x -128; the smallest product is -16256
    ("mul8s_bbm_v7", -16384, "smallest"),  # its largest is 16256
])
def test_partial_sums_of_signed_circuits_are_bounded_on_both_sides(name, bound, over):
    def design(rows):
        return Design(name="d", multipliers={name: get(name)},
                      bank=BankConfig(arrays=(name,), rows=rows, psum_width=18))

    limits = {"largest": 7, "smallest": 8}  # rows; -2**17 still fits, 2**17 does not
    design(limits[over])
    rows = limits[over] + 1
    message = (f"Partial sums of {name!r} reach {bound * rows} over {rows} rows, which must fit "
               "in 18 bits (-131072 to 131071)")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        design(rows)


def test_sums_that_start_elsewhere_must_fit_too(tmp_path):
    names = ("mul8u_exact", "mul8u_bam_h2v6")
    design = Design(name="d", multipliers={name: get(name) for name in names},
                    bank=BankConfig(rows=16, arrays=names, psum_width=22, psum_start=1 << 19))
    design.save(tmp_path / "design.json")
    assert Design.load(tmp_path / "design.json").bank == design.bank
    with pytest.raises(InputError, match=r"^Partial sums of 'mul8u_exact' reach 2613264 over 16 "
                                         "rows, which must fit in 22 bits "):
        replace(design, bank=replace(design.bank, psum_start=3 << 19))
    with pytest.raises(InputError, match=r"^Bank psum_start must be a multiple of 64, as all "
                                         "products of 'mul8u_bam_h2v6' are, not 32$"):
        replace(design, bank=replace(design.bank, psum_start=32))


def test_a_design_of_both_kinds_survives_a_round_trip_through_its_file(tmp_path):
    names = ("mul8u_exact", "mul8s_exact", "mul8s_bam_h2v6")
    design = Design(name="mixed", multipliers={name: get(name) for name in names},
                    bank=BankConfig(arrays=names), mapping={"conv1": 2})
    design.save(tmp_path / "design.json")
    again = Design.load(tmp_path / "design.json")
    assert again == design
    assert [multiplier.signed for multiplier in again.arrays] == [False, True, True]
    assert again.multiplier_of("conv1").netlist == get("mul8s_bam_h2v6").netlist


def _design_of(multiplier):
    return Design(name="d", bank=BankConfig(arrays=(multiplier.name,)),
                  multipliers={multiplier.name: multiplier})


@pytest.mark.parametrize("signed", [False, True])
def test_a_circuit_that_does_not_keep_zero_is_refused(signed):
    builder = NetlistBuilder()
    product = {False: 1, True: -1}[signed]  # a single bit
    circuit = Multiplier(name="m", family="test", source=builder.build([CONST1], signed=signed))
    with pytest.raises(InputError, match=rf"^Multiplier 'm' must give 0 for 0 x 0, not {product}:"):
        _design_of(circuit)


def test_a_circuit_of_another_width_is_refused():
    builder = NetlistBuilder(act_width=4, weight_width=8)
    circuit = Multiplier(name="m", family="test", source=builder.build(builder.act))
    with pytest.raises(InputError, match=r"^Multiplier 'm' must be 8x8 to sit in a PE, not 4x8"):
        _design_of(circuit)


def test_a_changed_gate_in_a_design_file_is_noticed(tmp_path):
    content = small_design().to_dict()
    content["multipliers"]["test_exact"]["netlist"]["gates"][0][0] = "OR"
    path = tmp_path / "design.json"
    path.write_text(json.dumps(content))
    digest = shift_and_add().digest[:12]
    message = rf"design\.json: Netlist of 'test_exact' must have.*{digest}"
    with pytest.raises(InputError, match=message):
        Design.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "autoapprox-design/1"}', "\x00\x01"])
def test_files_that_are_no_design_are_refused_by_name(tmp_path, text):
    path = tmp_path / "design.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"design\.json: "):
        Design.load(path)


def test_a_damaged_design_is_refused_by_name_or_whole(tmp_path):
    names = ("mul8u_exact", "mul8u_trunc_c6")
    design = Design(name="d", bank=BankConfig(rows=4, cols=4, arrays=names),
                    multipliers={name: get(name) for name in names}, mapping={"a": 0, "b": 1},
                    constants={"a": {"bias": [1]}}, provenance={"seed": 0})
    check_reader(lambda path: Design.load(path).save(tmp_path / "again.json"), design.to_dict(),
                 tmp_path / "design.json", most=200)
