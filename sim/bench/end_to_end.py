"""Whole networks: images per second and peak memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.memory import peak_memory
from hw.multipliers import get
from models.architectures import build
from sim.bench.timing import Spread
from sim.network.onnx.quantise import quantise
from sim.network.quant_network import QuantNetwork
from sim.tables import magnitude_table
from sim.torch_backend import TorchProducts

CALIBRATION_IMAGES = 8
# Images of one run: enough for every thread to have batches as large as a user's.
NETWORKS = {"resnet20": 1024, "resnet50": 128}


def measure(name: str, circuits: Sequence[str], run: Callable[..., dict[str, Any]], threads: int,
            repeats: int) -> list[dict[str, Any]]:
    """Return a record per circuit for a network with random weights at its native image size.

    circuits : multipliers, each in every layer. run : `run_file`, in a process of its own.
    Records have `network`, `circuit`, `threads`, `images`, `images_per_s` (spread over `repeats`
    runs) and `peak_memory_gb`.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        onnx.save(random_network(name), path)
        records = []
        for circuit in circuits:
            record = run(path=str(path), circuit=circuit, images=NETWORKS[name], threads=threads,
                         repeats=repeats)
            records.append({"network": name, "circuit": circuit} | record)
    return records


def random_network(name: str) -> Any:
    """Return an architecture with random weights, quantised on random images, as ONNX."""
    model = build(name, weights=1)
    return quantise(model, random_images(model, CALIBRATION_IMAGES)).model


def random_images(model: Any, count: int) -> npt.NDArray[np.float32]:
    """Return normal random images float32[count, c, h, w] for the network's input."""
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(0).standard_normal((count, *dims[1:])).astype(np.float32)


def run_file(path: str, circuit: str, images: int, threads: int, repeats: int,
             device: str | None = None) -> dict[str, Any]:
    """Return the record of one quantised network file, measured in this very process.

    device : of torch; None for the compiled kernels.
    """
    import onnx

    network = QuantNetwork.load(Path(path), threads=threads)
    if device is not None:
        network = network.with_products(TorchProducts(device))
    table = magnitude_table(get(circuit))
    batch = random_images(onnx.load(path), images)
    tables = dict.fromkeys((layer.name for layer in network.layers), table)
    network.run(batch[:1], tables)  # compiles kernels and prepares tables
    speeds = []
    for _ in range(repeats):
        started = time.perf_counter()
        network.run(batch, tables)
        speeds.append(images / (time.perf_counter() - started))
    return {"threads": threads, "images": images, "images_per_s": vars(Spread.of(speeds)),
            "peak_memory_gb": peak_memory() / 1e9}
