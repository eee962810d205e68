"""Command line: what the GPU path does on a GPU, in at most five minutes: `make gpu-check`.

The tests of `sim.torch_backend` that need a GPU, TMAC/s of every way of summing beside what the
device allows, ResNet-50's images per second; status 1 where a result is wrong.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hw.common.errors import ToolError, run_command_line
from sim.bench.contenders.all import HARD, RANK_1, TYPICAL

DEVICE = "cuda"
TESTS = "tests/sim/test_torch_backend.py"
TESTS_S, NETWORK = 120, "resnet50"
SHAPE = 16384, 1152, 512  # m, k, n: as long as the layers of ResNet-50 get
SECONDS = 3.0  # for each way
# A rank of one, one of 19 and one of 132: see `sim.bench.contenders.all`.
WAYS = (("int8", "mul8u_exact"), ("int8", RANK_1), ("int8", TYPICAL), ("float", RANK_1),
        ("lookup", HARD), ("gather", HARD))
# An H200: streaming multiprocessors, boost clock in GHz, bytes of memory per ns.
MULTIPROCESSORS, CLOCK_GHZ, BYTES_PER_NS = 132, 1.98, 4800
INT8_PER_CYCLE, FLOAT32_PER_CYCLE = 4096, 128  # multiplications of a multiprocessor
WARP, LINES = 32, 4  # look-ups at once fall into a row of 512 bytes: four lines, one a cycle
GATHER_BYTES = 32  # of memory per product: index, entry and sum, written and read


def limit_tmac_s(method: str, terms: int) -> float:
    """Return the most table products per ps that an H200 allows, by arithmetic.

    terms : multiplications per table product. int8, float: what its units multiply. lookup: an
    int8 product, and as many cycles of the first-level cache as a warp's look-ups touch lines.
    gather: the memory's bytes.
    """
    cycles = MULTIPROCESSORS * CLOCK_GHZ * 1e-3  # of all multiprocessors per ps
    if method == "gather":
        return BYTES_PER_NS / GATHER_BYTES * 1e-3
    if method == "float":
        return cycles * FLOAT32_PER_CYCLE / terms
    products = cycles * INT8_PER_CYCLE / terms
    return products if method == "int8" else 1 / (1 / products + LINES / WARP / cycles)


def rates(device: str, shape: tuple[int, int, int], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield a record per way: TMAC/s on matrices of that shape, and whether rows of it are right.

    A way that the device or its software lacks has a `reason` in their place.
    """
    from hw.multipliers import get
    from sim.tables import code_table, code_values
    from sim.torch_backend import Method, TorchProduct

    act_values, weight_values = code_values(0, signed=False), code_values(0, signed=True)
    acts, weights = _operands(shape)
    for method, circuit in WAYS:
        table = code_table(get(circuit).table, act_values, weight_values)
        record: dict[str, Any] = {"method": method, "circuit": circuit}
        try:
            product = TorchProduct(table, act_values, weight_values, device=device,
                                   method=Method(method))
        except (ToolError, ValueError) as error:
            yield record | {"reason": str(error)}
            continue
        yield record | {"limit": limit_tmac_s(method, product.terms),
                        "tmac_s": _rate(product, acts, weights, seconds),
                        "right": _is_right(product, acts, weights, table)}


def _operands(shape: tuple[int, int, int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return uint8[m, k] and uint8[k, n] as in a trained network, see `sim.bench.problem`."""
    m, k, n = shape
    generator = np.random.default_rng(0)
    acts = np.clip(np.rint(generator.standard_normal((m, k), np.float32) * 60), 0, 255)
    weights = np.clip(np.rint(generator.standard_normal((k, n), np.float32) * 32), -127, 127)
    return acts.astype(np.uint8), weights.astype(np.int8).view(np.uint8)


def _rate(product: Any, acts: np.ndarray[Any, Any], weights: np.ndarray[Any, Any],
          seconds: float) -> float:
    """Return products per ps on operands that are on the device, at best."""
    import torch

    left, right = (torch.from_numpy(part).to(product.device) for part in (acts, weights))

    def once() -> float:
        started = time.perf_counter()
        # One number of the result comes back, so that all of it has been computed.
        product.matmul_tensors(left, right)[-1, -1].item()
        return time.perf_counter() - started

    end, best = time.perf_counter() + seconds, once()  # compiled in the first
    while time.perf_counter() < end:
        best = min(best, once())
    return float(left.shape[0] * left.shape[1] * right.shape[1] / best * 1e-12)


def _is_right(product: Any, acts: np.ndarray[Any, Any], weights: np.ndarray[Any, Any],
              table: np.ndarray[Any, Any]) -> bool:
    from sim.kernels.oracle import lut_matmul_oracle

    rows, columns = (np.linspace(0, size - 1, 24).astype(int)
                     for size in (len(acts), weights.shape[1]))
    found = product.matmul(acts, weights)[np.ix_(rows, columns)]
    return bool((found == lut_matmul_oracle(acts[rows], weights[:, columns], table)).all())


def line_of(record: dict[str, Any]) -> str:
    """Return a record of `rates` in words."""
    way = f"{record['method']:<7} {record['circuit']:<20}"
    if "reason" in record:
        return f"{way} not run: {record['reason']}"
    return (f"{way} {record['tmac_s']:10.4g} TMAC/s, an H200 allows {record['limit']:.3g}, "
            f"{'right' if record['right'] else 'WRONG'}")


def _tests() -> tuple[bool, str]:
    """Run the tests that need a GPU; return whether all passed, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True,
                              text=True, check=False, timeout=TESTS_S)
    except subprocess.TimeoutExpired:
        return False, f"took more than {TESTS_S} s"
    lines = (done.stdout or done.stderr).strip().splitlines() or [f"status {done.returncode}"]
    return done.returncode == 0, lines[-1]


def main() -> int:
    """Command line of the module; status 3 without a GPU, 1 where something is wrong."""
    argparse.ArgumentParser(prog="python -m sim.bench.gpu", description=__doc__.split(": `")[0]
                            .removeprefix("Command line: ")).parse_args()
    from sim.torch_backend import torch_device

    torch_device(DEVICE)
    import torch

    print(f"device  {torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    passed, last = _tests()
    print(f"tests   {last}", flush=True)
    for record in rates(DEVICE, SHAPE, SECONDS):
        print(line_of(record), flush=True)
        passed &= record.get("right", True)
    from sim.bench.end_to_end import measure, run_file

    for record in measure(NETWORK, (TYPICAL, HARD), partial(run_file, device=DEVICE), 1, 2):
        print(f"{NETWORK} {record['circuit']}: {record['images_per_s']['median']:.0f} images/s",
              flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    run_command_line(main)
