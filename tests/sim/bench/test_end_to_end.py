"""Whole networks in a process of their own."""

import onnx
import pytest

from hw.common.errors import ToolError
from hw.common.memory import peak_memory
from models.architectures import build
from sim.bench import end_to_end
from sim.bench.__main__ import run_network
from sim.bench.end_to_end import measure, random_images


def test_network_gives_speed_and_memory_of_its_own_process(monkeypatch):
    monkeypatch.setattr(end_to_end, "build", lambda name, weights: build(
        name, weights=weights, width=0.25))
    monkeypatch.setitem(end_to_end.NETWORKS, "resnet8", 4)
    ballast = bytearray(2**28)  # of this process, not the measured one
    [record] = measure("resnet8", ["mul8u_optrunc_a2w1"], run_network, 1, 2)
    assert len(ballast) > 0
    assert (record["network"], record["circuit"]) == ("resnet8", "mul8u_optrunc_a2w1")
    assert (record["threads"], record["images"]) == (1, 4)
    spread = record["images_per_s"]
    assert 0 < spread["low"] <= spread["median"] <= spread["high"]
    assert 0.05 < record["peak_memory_gb"] < peak_memory() / 1e9


def test_images_fit_the_network_and_are_repeatable():
    model = build("resnet8")
    images = random_images(model, 3)
    assert images.shape == (3, 3, 32, 32)
    assert (images == random_images(model, 3)).all()
    assert 0.9 < images.std() < 1.1


def test_failure_of_the_process_is_told(monkeypatch):
    monkeypatch.setattr(end_to_end, "random_network", lambda _: onnx.ModelProto())
    monkeypatch.setitem(end_to_end.NETWORKS, "resnet8", 4)
    with pytest.raises(ToolError, match=r"resnet8.onnx with mul8u_exact failed: error: "):
        measure("resnet8", ["mul8u_exact"], run_network, 1, 1)
