"""A network on a split: logits depend on no cut of the images, and on nothing asked before."""

import pickle

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from models.data import load_digits_split
from search.measure.engine.threads import start_threads
from search.measure.evaluation import Chunk, chunk_logits, place, split_runs
from search.problem.workload import DEFAULT_MODEL
from sim.network.quant_network import QuantNetwork

NAMES = ("mul8u_exact", "mul8u_trunc_c9", "mul8u_drum_k4")
MULTIPLIERS = {name: get(name) for name in NAMES}
DATA = load_digits_split("search")
DATA = type(DATA)(DATA.images[:80], DATA.labels[:80])


@pytest.fixture(scope="module")
def network():
    return QuantNetwork.load(DEFAULT_MODEL, load_digits_split("calibrate").images)


@pytest.fixture(scope="module")
def mappings(network):
    layers = [layer.name for layer in network.layers]
    return [{}, dict.fromkeys(layers, NAMES[1]), {layers[0]: NAMES[1], layers[-1]: NAMES[2]}]


@pytest.fixture(scope="module")
def expected(network, mappings):
    return [network.run(DATA.images, {layer: get(name).table for layer, name in one.items()})
            for one in mappings]


@pytest.mark.parametrize("width", [1, 3])
def test_logits_are_those_of_the_network_however_images_are_cut(network, mappings, expected, width):
    engine = start_threads(width)
    runs = split_runs(place(engine, network, MULTIPLIERS), DATA, name="split", prefix="net/")
    assert len(runs.chunks) == (1 if width == 1 else 3)
    told = []
    found = runs.logits([{f"net/{layer}": name for layer, name in one.items()}
                         for one in mappings], done=told.append)
    np.testing.assert_array_equal(found, expected)
    assert sum(told) == 3 * len(DATA.labels)
    np.testing.assert_array_equal(runs.logits([{}])[0], expected[0])
    engine.close()


def test_errors_name_the_split(network):
    runs = split_runs(place(start_threads(1), network, MULTIPLIERS), DATA, name="my.npz")
    with pytest.raises(InputError, match=r"^my\.npz: Unknown layer 'none'"):
        runs.logits([{"none": NAMES[1]}])


def test_a_task_that_was_sent_elsewhere_gives_the_same_bytes(network, mappings, expected):
    """Every argument goes through what processes say to each other."""
    call = (network.with_threads(1), MULTIPLIERS, Chunk(DATA.images, DATA.labels), [], mappings,
            True)
    found = chunk_logits(*pickle.loads(pickle.dumps(call)))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="must not be sent"):
        pickle.dumps(network.with_layers({}))
