"""Read: what is searched is there and fits together, or is refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from hw.common.errors import InputError, ToolError
from hw.machine.pe import FORMS
from hw.multipliers import EXACT, get
from hw.ppa.mapping.pe import PeWires
from hw.ppa.mapping.stored_pes import result_path, results_folder
from hw.ppa.placement import placer
from models.data import load_digits_split
from search.problem.multipliers import choose_multipliers
from search.problem.workload import DEFAULT_MODEL, SPLITS, NetworkSource, Workload, single
from search.run import _parser, options_of
from search.stages import read as stage
from sim.data.images import UNLABELLED


def emit(multipliers, psum_width, dataflow):
    raise ToolError("a PE is mapped")


def read(options):
    return stage.read(options, emit)


@pytest.fixture(scope="module")
def options():
    arguments = _parser().parse_args([
        "--multipliers", "mul8u_trunc_c9", "--rows", "4", "--pe-form", "1x1", "--compare", "none"])
    return options_of(arguments, "a test", "")


def test_pes_images_and_bank_are_those_that_were_asked_for(options):
    found = read(options)
    assert list(found.multipliers) == list(found.pes) == [EXACT, "mul8u_trunc_c9"]
    assert all(pe.multiplier is found.multipliers[name] for name, pe in found.pes.items())
    assert (found.bank.rows, found.bank.cols) == (4, 16)
    splits, = found.splits
    assert [len(data.labels) for _name, data in splits] == [97, 300, 800]


def test_a_method_with_a_bank_of_its_own_leaves_that_of_the_others(options):
    found = read(replace(options, compare=("uniform", "precision")))
    own = choose_multipliers(["precision"], found.bank)
    assert list(found.multipliers) == [EXACT, "mul8u_trunc_c9", *list(own)[1:]]
    assert found.offered_to("precision") == own
    for method in ("milp", "uniform"):
        assert list(found.offered_to(method)) == [EXACT, "mul8u_trunc_c9"]
    alone = read(replace(options, method="precision"))
    assert alone.multipliers == own


def test_wires_are_those_of_all_pes_or_of_none(options, monkeypatch, tmp_path):
    placed = read(replace(options, wires="placed"))
    flat = read(options)
    for one, other in ((placed.pes, flat.pes), (placed.exact_pes, flat.exact_pes)):
        assert one.keys() == other.keys()
        for name, pe in one.items():
            assert len(pe.wires.pe.nets_ff) == pe.netlist.net_count
            assert other[name].wires == PeWires()
    # The exact PE in another form is stored, but not placed there, and nothing places it.
    for form in ("1x1", "2x1"):
        source = result_path(results_folder(), get(EXACT), 24, FORMS[form])
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "placed").mkdir()
    name = result_path(tmp_path, get(EXACT), 24).name
    (tmp_path / "placed" / name).write_bytes((results_folder() / "placed" / name).read_bytes())
    monkeypatch.setattr(placer, "PLACER", "no_such_placer")
    with pytest.raises(ToolError, match="no_such_placer is missing"):
        read(replace(options, multipliers=(EXACT,), pes=tmp_path, wires="placed"))


@pytest.mark.parametrize("change", ["pes", "area"])
def test_a_compared_method_whose_bank_cannot_be_built_is_left_out_and_said_so(
        options, change, tmp_path, capsys):
    """PEs of one's own: only those of the run's multipliers are mapped."""
    for name in (EXACT, "mul8u_evo_umae48000"):
        source = result_path(results_folder(), get(name), 24)
        (tmp_path / source.name).write_bytes(source.read_bytes())
    found = read(replace(
        options, compare=("uniform", "precision"), multipliers=("mul8u_evo_umae48000",),
        pes=tmp_path if change == "pes" else None, area_limit=4.0 if change == "pes" else 0.35))
    assert list(found.offered) == ["milp", "uniform"]
    assert list(found.multipliers) == [EXACT, "mul8u_evo_umae48000"]
    reason = "No synthesis result" if change == "pes" else "Area limit must leave room"
    assert f"notice: method precision is left out: {reason}" in capsys.readouterr().err


def test_limits_without_any_array_are_refused_whatever_the_layers_are(options):
    with pytest.raises(InputError, match=r"^Area limit must leave room for one array, not 0\.3"):
        read(replace(options, area_limit=0.3))


def test_a_form_of_the_exact_pe_alone_is_refused_for_a_bank(options):
    with pytest.raises(InputError, match=r"^PE form must be one that every multiplier has, not "
                                         r"4x4rb, which is of the exact one alone$"):
        replace(options, pe_form="4x4rb")


def test_a_method_that_cannot_run_here_is_refused_before_all_else(options, monkeypatch):
    monkeypatch.setattr("search.methods.gp.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^Optuna's GP sampler needs torch"):
        read(replace(options, method="gp", workload=single(DEFAULT_MODEL, "absent.npz", {})))


def test_images_that_certify_one_network_may_not_choose_anothers_design(options):
    own = {name: f"digits:{name}" for name in ("calibrate", "search", "certify")}
    turned = own | {"search": "digits:certify", "certify": "digits:search"}
    workload = Workload(networks=tuple(
        NetworkSource(name=name, model=DEFAULT_MODEL, data=None, splits=splits)
        for name, splits in (("a", own), ("b", turned))))
    with pytest.raises(InputError, match=r"^digits:certify: certify images of a must not"):
        read(replace(options, workload=workload))


def test_pes_that_are_stored_nowhere_are_mapped_unless_a_folder_is_named(
        options, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOAPPROX_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolError, match=r"^a PE is mapped$"):
        read(replace(options, pe_form="2x1"))
    with pytest.raises(ToolError, match=r"^No synthesis result for 'mul8u_exact'"):
        read(replace(options, pe_form="2x1", pes=tmp_path))


def test_images_need_labels_unless_no_label_counts(options, tmp_path):
    files = {}
    for split in SPLITS:
        files[split] = str(tmp_path / f"{split}.npz")
        np.savez(files[split], x=load_digits_split(split).images)
    own = replace(options, workload=single(DEFAULT_MODEL, None, files), margin=0.02)
    with pytest.raises(InputError, match=r"calibrate\.npz: data must be an \.npz file with arrays"):
        read(own)
    splits, = read(replace(own, metric="agreement")).splits
    assert [len(data.labels) for _name, data in splits] == [97, 300, 800]
    assert all((data.labels == UNLABELLED).all() for _name, data in splits)


@pytest.mark.parametrize(("change", "message"), [
    ({"looks": 0}, r"^Looks must be 1 to 5, not 0$"), ({"looks": 6}, r"^Looks must be 1 to 5"),
    ({"metric": "miou"}, r"^Metric must be a mean over independent samples, not miou"),
    ({"metric": "agreement"}, r"^Metric agreement must have a margin, the share of images"),
    ({"metric": "score:none.py:mine", "margin": 0.01}, r"^none\.py: must be a Python file")])
def test_claims_that_cannot_be_judged_are_refused(options, change, message):
    with pytest.raises(InputError, match=message):
        replace(options, **change)


def test_a_score_has_no_looks_and_must_have_a_margin(options, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def mine(outputs, label): return 1\n")
    metric = f"score:{path}:mine"
    with pytest.raises(InputError, match=r"must have a margin, the mean score that may be lost"):
        replace(options, metric=metric)
    with pytest.raises(InputError, match=r"^Looks must be 1 for a score"):
        replace(options, metric=metric, margin=0.01, looks=2)
    found = replace(options, metric=metric, margin=0.01)
    assert (found.parts, found.allowed_loss) == ((metric,), 0.01)
