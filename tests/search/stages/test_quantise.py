"""Quantise: the network that is searched, and whether its layers run on every array."""

from types import SimpleNamespace

import pytest

from hw.common.errors import InputError
from hw.machine.design import BankConfig
from hw.multipliers import get
from models.data import load_digits_split
from search.measure.watched import Watch
from search.problem.splits import load_splits
from search.problem.workload import DEFAULT_MODEL, NetworkSource, Workload, single
from search.stages.quantise import check_layers, quantise
from search.stages.records import Inputs


@pytest.fixture(scope="module")
def splits():
    return load_splits(DEFAULT_MODEL, data=None, separate={}, seed=0)


def quantised(workload, splits, *names, symmetric=False):
    inputs = Inputs(bank=BankConfig(rows=24), multipliers={name: get(name) for name in names},
                    pes={}, exact_pes={}, splits=(splits,) * len(workload.networks))
    return quantise(workload, inputs, symmetric=symmetric,
                    watch=Watch(of=[""] * len(workload.networks)))


def test_a_network_alone_has_layers_by_their_own_names(splits):
    one, = quantised(single(None, None, {}), splits, "mul8u_exact")
    assert (one.prefix, one.network.rows) == ("", 24)
    assert one.layers == tuple(layer.name for layer in one.network.layers)
    assert one.network.run(load_digits_split("calibrate").images[:2]).shape == (2, 10)


def test_layers_of_several_networks_are_told_apart(splits):
    sources = [NetworkSource(name=name, model=DEFAULT_MODEL, data=None, splits={})
               for name in ("a", "b")]
    found = quantised(Workload(networks=tuple(sources)), splits, "mul8u_exact")
    assert [one.layers[0] for one in found] == ["a/stem", "b/stem"]
    assert [one.source for one in found] == sources


def test_a_multiplier_on_which_a_layer_cannot_run_is_refused(splits):
    with pytest.raises(InputError, match=r"^Layer 'stem' must have activations from -128 to 127 "):
        quantised(single(None, None, {}), splits, "mul8u_exact", "mul8s_exact")
    quantised(single(None, None, {}), splits, "mul8s_exact", symmetric=True)


def test_every_layer_is_checked_against_every_multiplier():
    narrow, wide = (SimpleNamespace(name=name, act_signed=True, act_zero_point=0,
                                    weight_range=(-low, low))
                    for name, low in (("narrow", 127), ("wide", 255)))
    check_layers({"mul8u_exact": get("mul8u_exact")}, [narrow, wide])
    check_layers({"mul8s_exact": get("mul8s_exact")}, [narrow])
    with pytest.raises(InputError, match=r"^Layer 'wide' must have weights from -128 to 127 "):
        check_layers({name: get(name) for name in ("mul8u_exact", "mul8s_exact")}, [narrow, wide])
