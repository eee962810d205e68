"""Networks as other programs export them: all load, and their codes are ONNX Runtime's.

`recipes/` says how each file was made, `index.json` by what, what it is there for, and how many of
its products an array can run (`mapped`) and cannot (`outside`). Those of which it can run none are
refused, with the reason.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnx.inliner
import pytest

from hw.common.errors import InputError
from sim.network.onnx.graph import all_nodes
from sim.network.quant_network import QuantNetwork
from tests.sim import runtime

FOLDER = Path(__file__).parent
NETWORKS = FOLDER / "networks"
INDEX = json.loads((FOLDER / "index.json").read_text())
LOADED = [name for name, entry in INDEX.items() if entry["mapped"]]
CALIBRATION, IMAGES = 32, 64
MOST_DIFFERENT = 1e-5  # share of codes, over all networks
STEP = 1 / 128  # of the range of scores: what a code more or less may change
LARGEST, LARGEST_TOGETHER = 100_000, 1_500_000  # bytes


class Outcome(NamedTuple):
    """What became of a network; scores are float[images, classes]."""

    network: QuantNetwork
    different: int  # codes that are not ONNX Runtime's
    codes: int
    ours: np.ndarray
    reference: np.ndarray  # ONNX Runtime's, of the network as it was quantised
    file: np.ndarray  # ONNX Runtime's, of the file as it is


def images(name, count, seed):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, *INDEX[name]["image"])).astype(np.float32)


@cache
def outcome(name):
    model = onnx.load(NETWORKS / name)
    network = QuantNetwork.load(NETWORKS / name, images(name, CALIBRATION, 1), threads=2)
    reference = runtime.with_integer_biases(network.model)
    pictures = images(name, IMAGES, 2)
    different, codes = runtime.count_layers(network, reference, pictures)
    return Outcome(network, different, codes, network.run(pictures),
                   runtime.logits(reference, pictures), runtime.logits(model, pictures))


@pytest.mark.parametrize("name", LOADED)
def test_products_are_mapped_or_listed(name):
    network = outcome(name).network
    assert (len(network.layers), len(network.unmapped)) == (
        INDEX[name]["mapped"], INDEX[name]["outside"]), network.unmapped
    model = onnx.inliner.inline_local_functions(
        onnx.load(NETWORKS / name, load_external_data=False))
    names = {node.name or node.output[0] for node in all_nodes(model.graph.node)}
    assert names.issuperset([layer.name for layer in network.layers])
    assert names.issuperset(network.unmapped)


@pytest.mark.parametrize("name", LOADED)
def test_classes_are_onnx_runtimes(name):
    """Where a code differs by one, two scores within a step of each other may change places."""
    found = outcome(name)
    ours, theirs = found.ours.argmax(1), found.reference.argmax(1)
    assert len(set(theirs)) > 2  # so that agreement says something
    image = np.arange(IMAGES)
    behind = found.reference[image, theirs] - found.reference[image, ours]
    assert (behind <= STEP * np.ptp(found.reference)).all()
    # What was made of the file to run it, batch axis and ranges, has not made another network.
    assert found.ours.shape == found.file.shape
    assert np.corrcoef(found.ours.ravel(), found.file.ravel())[0, 1] > 0.95


def test_codes_are_onnx_runtimes():
    """At most one code in 100,000 differs, by one: within float32's rounding of a half."""
    found = [outcome(name) for name in LOADED]
    different, codes = (sum(one.different for one in found), sum(one.codes for one in found))
    print(f"{different} of {codes:,} codes differ by one")
    assert codes > 1_000_000
    assert different <= MOST_DIFFERENT * codes


@pytest.mark.parametrize("name", sorted(INDEX.keys() - set(LOADED)))
def test_networks_without_a_layer_for_arrays_are_refused(name):
    with pytest.raises(InputError, match="must have a quantised convolution or matrix product"):
        QuantNetwork.load(NETWORKS / name)


def test_files_are_those_of_the_index():
    files = {file: digest for entry in INDEX.values() for file, digest in entry["sha256"].items()}
    assert sorted(files) == sorted(path.name for path in NETWORKS.iterdir())
    sizes = []
    for file, digest in files.items():
        content = (NETWORKS / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, file
        sizes.append(len(content))
    assert max(sizes) < LARGEST
    assert sum(sizes) < LARGEST_TOGETHER
