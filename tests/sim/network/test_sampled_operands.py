"""Sampled operands: whole runs, evenly spread."""

from pathlib import Path

import numpy as np

from models.data import load_digits_split
from sim.network.quant_network import QuantNetwork
from sim.network.sampled_operands import sampled_operands, spread

DIGITS = Path(__file__).parents[3] / "models" / "zoo" / "digits.onnx"


def test_part_of_the_rows_is_whole_runs_over_all_images():
    found = spread(10_000, 1024)
    assert found.size == 1024
    assert (found[0], found[-1]) == (0, 9_999)
    assert (np.diff(found) != 1).sum() == 3
    assert (spread(10_000, 100) == np.arange(100)).all()
    assert (spread(50, 100) == np.arange(50)).all()


def test_rows_are_those_of_all_operands_however_images_are_cut(monkeypatch):
    images = load_digits_split("calibrate").images[:20]
    network = QuantNetwork.load(DIGITS, images)
    every = network.layer_operands(images)
    monkeypatch.setattr("sim.network.quant_network.MAX_BATCH", 6)
    assert len(list(network.batches(images))) > 3
    found = sampled_operands(network, images, rows=300)
    assert list(found) == list(every)
    for name, acts in every.items():
        assert (found[name] == acts[:, spread(acts.shape[1], 300)]).all()
    assert found["stem"].shape == (1, 300, 9)
    assert found["classifier"].shape[1] == 20
