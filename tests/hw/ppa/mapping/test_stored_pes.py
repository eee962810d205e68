"""Stored results: every circuit of the catalogue, gate for gate."""

import gzip
import json
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json
from hw.machine.pe import FORMS
from hw.multipliers import get
from hw.multipliers.base import Multiplier
from hw.ppa import load_pe
from hw.ppa.energy.activity import Simulator, combinational_table, pack_lanes
from hw.ppa.energy.pe_circuits import psums
from hw.ppa.library.technology import load_technology
from hw.ppa.mapping.pe import MappedPe
from hw.ppa.mapping.stored_pes import load_pe as load_from
from hw.ppa.mapping.stored_pes import (
    result_path,
    results_folder,
    save_pe,
    shipped,
    units_delay_ps,
    units_path,
)
from tests.circuits import shift_and_add
from tests.mutations import check_reader

STORED = [(multiplier.name, width, flow.form) for (width, flow), multipliers in shipped().items()
          for multiplier in multipliers]
SEED = 3


def psums_of_all_pairs(pe: MappedPe, signs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return partial sums (found, expected), int64[outputs, pairs], all pairs in each product.

    signs : 0 to 3, bit 0 makes activations negative, bit 1 weights; of no effect in two's
    complement. The partial sums that come in are random over the whole width; sums wrap.
    """
    flow, half = pe.kind.dataflow, 1 << (pe.psum_width - 1)
    table = pe.kind.circuit.table() if pe.kind.circuit else pe.multiplier.table
    act, weight = (axis.reshape(-1) for axis in np.indices((len(table), 256)))
    # Each multiplication meets the pairs in an order of its own.
    acts = np.stack([(act + 3 * term) % len(table) for term in range(flow.macs)])
    weights = np.stack([[(weight + 5 * (output * flow.macs + term)) % 256
                         for term in range(flow.macs)] for output in range(flow.outputs)])
    zero_bits = pe.multiplier.netlist.zero_bits  # in an array those of the sum above are 0
    psum = np.random.default_rng(SEED).integers(
        -half, half, (flow.outputs, act.size)) >> zero_bits << zero_bits
    sign_a, sign_w = (signs & 1, signs >> 1) if pe.kind.operand.separate_sign else (0, 0)
    width = pe.kind.operand.width
    simulator = Simulator(pe.netlist, pe.technology)
    words = act.size // 64
    on, off = (np.full((1, words), value, np.uint64) for value in (2**64 - 1, 0))
    nets = simulator.reset(words)

    def planes(values, bits):
        return np.concatenate([pack_lanes(one, bits) for one in values])

    steps = [{"load_in": on, "swap_in": off, "weight_in": planes(word | sign_w << 8, width)}
             for word in weights.swapaxes(0, 1)[::-1]]
    steps += [{"load_in": off, "swap_in": on, "act_in": planes(acts | sign_a << 8, width),
               "weight_in": planes(weights[:, 0] ^ 511, width)}]
    steps += [{"swap_in": off}] * (flow.psum_cycles - 2)
    for inputs in (*steps, {"swap_in": off, "psum_in": planes(psum, pe.psum_width)}):
        simulator.apply(nets, inputs)
        simulator.clock_edge(nets)
    simulator.apply(nets, {})
    product = table[acts, weights].astype(np.int64).sum(axis=1)
    expected = psum + np.where(sign_a ^ sign_w, -product, product)
    return psums(pe, nets), (expected + half) % (2 * half) - half


@pytest.mark.parametrize(("name", "width", "form"), STORED)
def test_mapped_multiplier_equals_its_table(name, width, form):
    pe = load_pe(get(name), width, dataflow=FORMS[form])
    found = combinational_table(pe.multiplier_netlist, pe.technology, signed=get(name).signed)
    assert (found == (pe.kind.circuit or get(name).netlist).table()).all()


@pytest.mark.parametrize(("name", "width", "form"), STORED)
def test_mapped_pe_adds_its_table(name, width, form):
    """Signs rotate over the catalogue; the exact PE gets all four below."""
    found, expected = psums_of_all_pairs(load_pe(get(name), width, dataflow=FORMS[form]),
                                         STORED.index((name, width, form)) % 4)
    assert (found == expected).all()


@pytest.mark.parametrize("signs", range(4))
def test_mapped_pe_handles_every_sign(signs):
    found, expected = psums_of_all_pairs(load_pe(get("mul8u_exact")), signs)
    assert (found == expected).all()


def test_swapped_operands_are_noticed():
    pe = load_pe(get("mul8u_optrunc_a3w1"))
    swapped = combinational_table(pe.multiplier_netlist, pe.technology).T
    assert (swapped != pe.multiplier.table).any()


def test_a_changed_gate_is_noticed():
    pe = load_pe(get("mul8u_exact"))
    index, gate = next((index, gate) for index, gate in enumerate(pe.multiplier_netlist.gates)
                       if gate.cell.startswith("XOR2"))
    broken = pe.multiplier_netlist.with_gate(
        index, gate._replace(cell=gate.cell.replace("XOR2xp5", "XNOR2xp5")))
    assert (combinational_table(broken, pe.technology) != pe.multiplier.table).any()


@pytest.mark.parametrize(("name", "width", "form"), STORED)
def test_stored_figures_are_those_of_the_netlists(name, width, form):
    pe = load_pe(get(name), width, dataflow=FORMS[form])
    content = json.loads(gzip.decompress(result_path(results_folder(), pe.multiplier, width,
                                                     FORMS[form]).read_bytes()))
    figures = content["figures"]
    assert figures["area_um2"] == pytest.approx(pe.area_um2, abs=1e-4)
    assert figures["delay_ps"] == pytest.approx(pe.delay_ps, abs=1e-2)
    assert figures["leakage_nw"] == pytest.approx(pe.leakage_nw, abs=1e-3)
    assert figures["multiplier_delay_ps"] == pytest.approx(pe.multiplier_delay_ps, abs=1e-2)


def test_no_result_is_left_over():
    """Among the files of the repository: results of circuits of one's own may lie there too."""
    listed = subprocess.run(["git", "ls-files", "."], cwd=results_folder(), capture_output=True,
                            text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    expected = {result_path(results_folder(), get(name), width, FORMS[form]).name
                for name, width, form in STORED}
    present = {path.name for path in results_folder().iterdir()}
    assert set(listed.stdout.split()) & present <= expected | {
        units_path(results_folder(), form).name for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_clock_around_the_arrays_is_stored_for_the_library_that_is_shipped(tiny, form):
    technology = load_technology()
    units = read_json(units_path(results_folder(), form))["units"]
    assert units_delay_ps(technology, form) == next(
        unit["delay_ps"] for unit in units if unit["unit"] == "accelerator")
    assert units_delay_ps(replace(technology, name=tiny.name), form) == 0
    # Every unit by itself is faster than the exact PE, and the present one was meant.
    exact = load_pe(get("mul8u_exact"), dataflow=FORMS[form])
    assert all(unit["delay_ps"] <= exact.delay_ps for unit in units
               if unit["unit"] != "accelerator")
    assert next(unit["delay_ps"] for unit in units if unit["is_pe"]) == exact.delay_ps


def test_result_is_found_by_netlist_whatever_the_name():
    exact = get("mul8u_exact")
    renamed = Multiplier(name="mine", family="mine", source=exact.netlist)
    assert load_pe(renamed).area_um2 == load_pe(exact).area_um2


def test_missing_result_says_how_to_make_it():
    multiplier = shift_and_add(1)
    with pytest.raises(ToolError, match=(
            r"^No synthesis result for 'test_drop1' with 24-bit partial sums in asap7 \(netlist "
            rf"{multiplier.digest[:12]}\); run: make ppa ARGS='FILE.json'$")):
        load_pe(multiplier)


def test_missing_width_says_how_to_make_it():
    with pytest.raises(ToolError, match=r"run: make ppa ARGS='mul8u_exact --psum-width 32'$"):
        load_pe(get("mul8u_exact"), 32)


def test_saving_again_gives_equal_bytes(tmp_path):
    pe = load_pe(get("mul8u_exact"))
    path = save_pe(pe, tmp_path)
    assert path.read_bytes() == result_path(results_folder(), pe.multiplier, 24).read_bytes()
    assert load_from(pe.multiplier, folder=tmp_path).netlist == pe.netlist


@pytest.mark.parametrize(("change", "problem"), [
    ({"format": "other"}, 'must be a JSON object with "format": "autoapprox-mapped-pe/1"'),
    ({"netlist_sha256": "0" * 64}, "must be of netlist "),
    ({"technology_sha256": "0" * 64}, "must be made with the present asap7 figures"),
    ({"pe": {}}, "pe: must have a value for 'name'"),
    ({"psum_width": 32}, "must hold 24-bit partial sums, not 32"),
])
def test_stored_file_that_does_not_fit_is_rejected(tmp_path, change, problem):
    exact = get("mul8u_exact")
    path = save_pe(load_pe(exact), tmp_path)
    content = json.loads(gzip.decompress(path.read_bytes())) | change
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {re.escape(problem)}"):
        load_from(exact, folder=tmp_path)


def test_broken_stored_file_names_itself(tmp_path):
    exact = get("mul8u_exact")
    path = save_pe(load_pe(exact), tmp_path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: not a complete gzip file"):
        load_from(exact, folder=tmp_path)


def test_a_damaged_file_is_refused_by_name_or_has_figures(tmp_path):
    multiplier = get("mul8u_truncvc_c11")
    path = save_pe(load_pe(multiplier), tmp_path)
    content = read_json(path)

    def read(_path):
        pe = load_pe(multiplier, folder=tmp_path)
        assert min(pe.area_um2, pe.delay_ps, pe.leakage_nw) > 0

    check_reader(read, content, path, most=120)
