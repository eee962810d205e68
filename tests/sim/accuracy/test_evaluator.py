"""The evaluator: same logits as the network, fewer layers computed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.common.memory import Keeper
from hw.multipliers import EXACT, get
from models.data import load_digits_split
from sim.accuracy.evaluator import Evaluator
from sim.data import Images, Preprocessing, open_images
from sim.network.quant_network import QuantNetwork

DIGITS = Path(__file__).parents[3] / "models" / "zoo" / "digits.onnx"
MAPPINGS = [{}, {"mix": "mul8u_trunc_c7"}, {"stem": "mul8u_optrunc_a4w2"},
            {"block1a": "mul8u_drum_k3", "classifier": "mul8u_mitchell_f3"},
            {"block1a": "mul8u_drum_k3", "down": "mul8u_trunc_c9"}, {"mix": "mul8u_trunc_c7"}]


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DIGITS, load_digits_split("calibrate").images)


@pytest.fixture
def data():
    images, labels = load_digits_split("search")
    return images[:60], labels[:60]


def keep(most, monkeypatch):
    """Let evaluators keep so many bytes."""
    monkeypatch.setattr("sim.accuracy.evaluator.KEPT", Keeper(lambda: most))


@pytest.mark.parametrize("kept_bytes", [0, 10**5, 2**30])
def test_logits_are_the_networks_whatever_is_kept(network, data, kept_bytes, monkeypatch):
    keep(kept_bytes, monkeypatch)
    evaluator = Evaluator(network, *data)
    for mapping in MAPPINGS:
        tables = {layer: get(name).table for layer, name in mapping.items()}
        np.testing.assert_array_equal(evaluator.logits(mapping), network.run(data[0], tables))


@pytest.mark.parametrize("kept_bytes", [0, 2**30])
def test_unread_images_are_read_batch_by_batch(network, data, kept_bytes, monkeypatch):
    images = open_images("digits:search", Preprocessing(), limit=60)
    monkeypatch.setattr(type(network), "batches", lambda _network, some: [some[:25], some[25:]])
    read, lengths = Images.read, []
    monkeypatch.setattr(Images, "read", lambda self, *arguments, **options: lengths.append(
        len(self)) or read(self, *arguments, **options))
    keep(kept_bytes, monkeypatch)
    evaluator = Evaluator(network, images, images.labels)
    assert not lengths
    evaluator.prepare(MAPPINGS[:3])
    for mapping in MAPPINGS:
        tables = {layer: get(name).table for layer, name in mapping.items()}
        np.testing.assert_array_equal(evaluator.logits(mapping), network.run(data[0], tables))
    assert set(lengths) == {25, 35}


def test_only_layers_from_the_first_change_on_are_computed(network, data):
    evaluator = Evaluator(network, *data)
    runs = []
    for mapping in MAPPINGS:
        before = evaluator.layer_runs
        evaluator.logits(mapping)
        runs.append(evaluator.layer_runs - before)
    # 8 layers: all; from `mix` on; all; from `block1a` on; from `down` on; known already.
    assert runs == [8, 2, 8, 7, 5, 0]


def test_a_single_mapping_goes_on_from_what_is_kept(network, data):
    evaluator = Evaluator(network, *data)
    for mapping in MAPPINGS[:2]:
        evaluator.prepare([mapping])
    assert evaluator.layer_runs == 8 + 2


def test_naming_a_layer_exact_is_the_same_as_not_naming_it(network, data):
    evaluator = Evaluator(network, *data)
    assert evaluator.logits({"mix": "mul8u_exact"}) is evaluator.logits({})


def test_accuracy_counts_right_answers(network, data):
    evaluator = Evaluator(network, *data)
    expected = (network.run(data[0]).argmax(1) == data[1])
    np.testing.assert_array_equal(evaluator.right({}), expected)
    assert evaluator.accuracy({}) == expected.mean()


BANK = {EXACT: get(EXACT), "mine": replace(get("mul8u_optrunc_a4w2"), name="mine")}


def test_a_bank_may_hold_multipliers_of_no_catalogue(network, data):
    evaluator = Evaluator(network, *data, multipliers=BANK)
    expected = network.run(data[0], {"mix": BANK["mine"].table})
    np.testing.assert_array_equal(evaluator.logits({"mix": "mine", "stem": EXACT}), expected)
    assert (expected != network.run(data[0])).any()


@pytest.mark.parametrize(("mapping", "message"), [
    ({"mix": "min"}, r"^Unknown multiplier 'min'; did you mean 'mine'\?$"),
    ({"mix": "mul8u_drum_k3"}, r"^Unknown multiplier 'mul8u_drum_k3'; "),
])
def test_only_what_the_bank_holds_may_be_named(network, data, mapping, message):
    with pytest.raises(InputError, match=message):
        Evaluator(network, *data, multipliers=BANK).logits(mapping)


def test_a_bank_cannot_call_another_circuit_exact(network, data):
    with pytest.raises(InputError, match=r"^Multiplier 'mul8u_exact' must be exact: it stands"):
        Evaluator(network, *data, multipliers={EXACT: BANK["mine"]})


@pytest.mark.parametrize(("mapping", "message"), [
    ({"mixx": "mul8u_exact"}, r"^Unknown layer 'mixx'; did you mean 'mix'\?$"),
    ({"mix": "mul8s_exact"}, r"^Layer 'mix' must have activations from -128 to 127 to run on a "),
    ({"mix": "mul8u_exakt"}, r"^Unknown multiplier 'mul8u_exakt'; did you mean 'mul8u_exact'\?$"),
])
def test_unknown_names_are_refused(network, data, mapping, message):
    with pytest.raises(InputError, match=message):
        Evaluator(network, *data).logits(mapping)


@pytest.mark.parametrize(("labels", "message"), [
    (np.zeros(3, np.int64), r"^Labels must be one per image \(60\), not of shape \[3\]$"),
    (np.full(60, 10), r"^Labels must be 0 to 9, not 10 to 10$"),
    (np.full(60, -1), r"^Labels must be 0 to 9, not -1 to -1$"),
])
def test_labels_that_do_not_fit_are_refused(network, data, labels, message):
    with pytest.raises(InputError, match=message):
        Evaluator(network, data[0], labels).right({})


def test_a_set_of_mappings_is_walked_as_a_trie(network, data, monkeypatch):
    keep(0, monkeypatch)
    evaluator = Evaluator(network, *data)
    evaluator.prepare(MAPPINGS)
    # 8 layers for the first; then from `mix`, from `block1a` twice (the second shares it with the
    # first and goes on from `down`), and all of `stem`.
    assert evaluator.layer_runs == 8 + 2 + 7 + 5 + 8
    expected = [Evaluator(network, *data).logits(mapping) for mapping in MAPPINGS]
    before, done = evaluator.layer_runs, []
    for mapping, logits in zip(MAPPINGS, expected, strict=True):
        np.testing.assert_array_equal(evaluator.logits(mapping), logits)
    assert evaluator.layer_runs == before  # nothing was computed again
    evaluator.prepare(MAPPINGS, done=done.append)
    assert evaluator.layer_runs == before
    assert sum(done) == len(MAPPINGS) * len(data[1])


def test_images_are_counted_when_their_logits_are_known(network, data, monkeypatch):
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 7)
    evaluator, done = Evaluator(network, *data), []
    for _ in range(2):  # computed, then known
        evaluator.logits(MAPPINGS[0], done=done.append)
    evaluator.prepare([*MAPPINGS, MAPPINGS[1]], done=done.append)
    assert sum(done) == (3 + len(MAPPINGS)) * len(data[1])
    assert len(done) > 3 + len(MAPPINGS)  # batch by batch


def test_chunks_of_images_are_independent(network, data, monkeypatch):
    whole = Evaluator(network, *data)
    whole.prepare(MAPPINGS)
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 7)
    chunked = Evaluator(network, *data)
    chunked.prepare(MAPPINGS)
    for mapping in MAPPINGS:
        np.testing.assert_array_equal(chunked.logits(mapping), whole.logits(mapping))


@pytest.mark.parametrize("prepared", [False, True])
def test_layers_have_the_constants_of_their_multiplier(network, data, prepared):
    def constants(layer, name):
        return replace(layer, bias=layer.bias + len(name))

    evaluator = Evaluator(network, *data, constants=constants)
    if prepared:
        evaluator.prepare(MAPPINGS)
    for mapping in MAPPINGS:
        view = network.with_layers({layer.name: constants(layer, mapping[layer.name])
                                    for layer in network.layers if layer.name in mapping})
        tables = {layer: get(name).table for layer, name in mapping.items()}
        np.testing.assert_array_equal(evaluator.logits(mapping), view.run(data[0], tables))


def test_what_is_forgotten_is_computed_again(network, data):
    evaluator = Evaluator(network, *data)
    evaluator.prepare(MAPPINGS)
    kept = evaluator.logits(MAPPINGS[1])
    evaluator.forget()
    before = evaluator.layer_runs
    np.testing.assert_array_equal(evaluator.logits(MAPPINGS[1]), kept)
    assert evaluator.layer_runs > before
