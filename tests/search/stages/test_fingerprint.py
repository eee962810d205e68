"""What measurements depend on: every input changes it, and nothing else does."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from search.problem.workload import NetworkSource, Workload
from search.stages.fingerprint import fingerprint


class Splits(dict):
    """Images of each split, by a word."""

    def __iter__(self):
        return iter(self.items())

    def digest(self, name):
        return self[name]


@pytest.fixture
def run(tmp_path):
    source = NetworkSource(name="net", model=tmp_path / "net.onnx", data=None, splits=None)
    source.model.write_bytes(b"weights")
    options = SimpleNamespace(symmetric=False, technology=None, compensation="both",
                              objective="array", chip="7nm", metric="top1", wires="flat",
                              workload=Workload(networks=(source,)))
    inputs = SimpleNamespace(multipliers={"one": SimpleNamespace(digest="d1")})
    network = SimpleNamespace(
        source=source, splits=Splits(search="some", certify="others"),
        network=SimpleNamespace(original="float", calibrator="minmax"))
    return options, inputs, network


def test_it_names_all_that_a_measurement_depends_on(run):
    options, inputs, network = run
    assert fingerprint(options, inputs, [network]).keys() == {
        "network", "calibrator", "search images", "certify images", "multipliers", "compensation",
        "objective"}


@pytest.mark.parametrize(("name", "change"), [
    ("network", lambda options, _inputs, network: network.source.model.write_bytes(b"other")),
    ("search images", lambda options, _inputs, network: network.splits.update(search="new")),
    ("calibrator", lambda _options, _inputs, network: setattr(
        network.network, "calibrator", "mse")),
    ("multipliers", lambda options, inputs, _network: inputs.multipliers.update(
        two=SimpleNamespace(digest="d2"))),
    ("compensation", lambda options, _inputs, _network: setattr(
        options, "compensation", "none")),
    ("objective", lambda options, _inputs, _network: setattr(options, "chip", "45nm")),
    ("wires", lambda options, _inputs, _network: setattr(options, "wires", "placed")),
    ("metric", lambda options, _inputs, _network: setattr(options, "metric", "top5")),
    ("activations", lambda options, _inputs, _network: setattr(options, "symmetric", True)),
])
def test_each_input_changes_what_is_named_after_it_alone(run, name, change):
    options, inputs, network = run
    before = fingerprint(options, inputs, [network])
    change(options, inputs, network)
    after = fingerprint(options, inputs, [network])
    assert {key for key in before | after if before.get(key) != after.get(key)} == {name}


def test_the_order_of_networks_counts(run, tmp_path):
    options, inputs, network = run
    other = SimpleNamespace(source=replace(network.source, name="other"), splits=network.splits,
                            network=network.network)
    options.workload = Workload(networks=(network.source, other.source))
    one, two = (fingerprint(options, inputs, networks)["order of networks"]
                for networks in ([network, other], [other, network]))
    assert (one, two) == ("net, other", "other, net")
