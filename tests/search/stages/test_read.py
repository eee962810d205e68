"""Read: what is searched is there and fits together, or is refused by name."""

from dataclasses import replace

import pytest

from hw.common.errors import InputError, ToolError
from hw.multipliers import EXACT
from search.problem.workload import DEFAULT_MODEL, NetworkSource, Workload, single
from search.run import _parser, options_of
from search.stages.read import read


@pytest.fixture(scope="module")
def options():
    arguments = _parser().parse_args(["--multipliers", "mul8u_trunc_c9", "--rows", "4"])
    return options_of(arguments, "a test")


def test_pes_images_and_bank_are_those_that_were_asked_for(options):
    found = read(options)
    assert list(found.multipliers) == list(found.pes) == [EXACT, "mul8u_trunc_c9"]
    assert all(pe.multiplier is found.multipliers[name] for name, pe in found.pes.items())
    assert (found.bank.rows, found.bank.cols) == (4, 16)
    splits, = found.splits
    assert [len(data.labels) for _name, data in splits] == [97, 300, 800]


def test_limits_without_any_array_are_refused_whatever_the_layers_are(options):
    with pytest.raises(InputError, match=r"^Area limit must leave room for one array, not 0\.3"):
        read(replace(options, area_limit=0.3))


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
