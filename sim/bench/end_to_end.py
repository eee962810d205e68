"""Whole networks: images per second and peak memory, each in a process of its own.

`python -m sim.bench.end_to_end FILE.onnx --multiplier NAME ...` is that process; it prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError, ToolError, run_command_line
from hw.multipliers import get
from models.architectures import build
from sim.bench.timing import Spread
from sim.network.onnx.quantise import quantise
from sim.network.quant_network import QuantNetwork
from sim.tables import magnitude_table

CALIBRATION_IMAGES = 8
# Images of one run: enough for every thread to have batches as large as a user's.
NETWORKS = {"resnet20": 1024, "resnet50": 128}


def measure(name: str, circuits: Sequence[str], threads: int,
            repeats: int) -> list[dict[str, Any]]:
    """Return a record per circuit for a network with random weights at its native image size.

    circuits : multipliers, each in every layer. Records have `network`, `circuit`, `threads`,
    `images`, `images_per_s` (spread over `repeats` runs) and `peak_memory_gb`.
    """
    import onnx

    model = build(name, weights=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        onnx.save(quantise(model, random_images(model, CALIBRATION_IMAGES)), path)
        records = []
        for circuit in circuits:
            command = [sys.executable, "-m", "sim.bench.end_to_end", str(path), "--multiplier",
                       circuit, "--threads", str(threads), "--repeats", str(repeats),
                       "--images", str(NETWORKS[name])]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
                raise ToolError(f"{name} with {circuit} failed: {reason}")
            records.append({"network": name, "circuit": circuit} | json.loads(done.stdout))
    return records


def random_images(model: Any, count: int) -> npt.NDArray[np.float32]:
    """Return normal random images float32[count, c, h, w] for the network's input."""
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return np.random.default_rng(0).standard_normal((count, *dims[1:])).astype(np.float32)


def run_file(path: Path, circuit: str, *, images: int, threads: int,
             repeats: int) -> dict[str, Any]:
    """Return the record of one quantised network file, measured in this very process."""
    import onnx

    network = QuantNetwork.load(path, threads=threads)
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
            "peak_memory_gb": peak_memory_gb()}


def peak_memory_gb() -> float:
    """Return the most memory this process has held, in 10**9 bytes.

    Linux's `ru_maxrss` starts at what the parent held when it forked; the kernel's own mark of
    the address space does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> int:
    """Command line of the measuring process."""
    parser = argparse.ArgumentParser(prog="python -m sim.bench.end_to_end",
                                     description="Speed and memory of one quantised network, "
                                     "as JSON; `python -m sim.bench` starts it.")
    parser.add_argument("model", type=Path, help="quantised ONNX file")
    parser.add_argument("--multiplier", required=True, metavar="NAME",
                        help="catalogue entry in every layer")
    parser.add_argument("--images", type=int, default=32, metavar="N",
                        help="images per run (default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="threads (default: all cores)")
    parser.add_argument("--repeats", type=int, default=3, metavar="R",
                        help="runs (default %(default)s)")
    arguments = parser.parse_args()
    for option in ("images", "threads", "repeats"):
        if getattr(arguments, option) < 1:
            raise InputError(f"--{option} must be at least 1, not {getattr(arguments, option)}")
    print(json.dumps(run_file(arguments.model, arguments.multiplier, images=arguments.images,
                              threads=arguments.threads, repeats=arguments.repeats)))
    return 0


if __name__ == "__main__":
    run_command_line(main)
