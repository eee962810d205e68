"""The check of the GPU path: its parts on the CPU, its end where there is no GPU."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.architectures import build
from sim.bench import end_to_end, gpu
from sim.bench.gpu import limit_tmac_s, line_of, rates
from sim.torch_backend import TorchProduct

torch = pytest.importorskip("torch")
ROOT = Path(__file__).parents[3]
SMALL = 40, 30, 16


def test_an_h200_allows_two_tmac_a_second_of_any_circuit():
    assert 2 < limit_tmac_s("lookup", 1) < 2.1
    assert limit_tmac_s("int8", 64) > 2  # what `MANY_TERMS` allows
    assert limit_tmac_s("int8", 3) == pytest.approx(limit_tmac_s("int8", 1) / 3)
    assert limit_tmac_s("float", 1) == pytest.approx(132 * 128 * 1.98e-3)


def test_every_way_is_timed_and_right_on_a_cpu_but_the_gpus_kernel():
    found = list(rates("cpu", SMALL, 0))
    assert [(record["method"], record["circuit"]) for record in found] == list(gpu.WAYS)
    for record in found:
        if record["method"] == "lookup":
            assert line_of(record).endswith(
                "not run: Method lookup must run on a CUDA GPU, not on cpu")
        else:
            assert record["right"]
            assert record["tmac_s"] > 0
            assert line_of(record).endswith(f"allows {record['limit']:.3g}, right")


@pytest.fixture
def on_a_cpu(monkeypatch):
    """Have the command do on the CPU what it does on a GPU, with less to do."""
    for name, value in {"DEVICE": "cpu", "SHAPE": SMALL, "SECONDS": 0, "NETWORK": "resnet8",
                        "_tests": lambda: (True, "9 passed")}.items():
        monkeypatch.setattr(gpu, name, value)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "no GPU")
    monkeypatch.setattr(end_to_end, "build", lambda name, weights: build(
        name, weights=weights, width=0.25))
    monkeypatch.setitem(end_to_end.NETWORKS, "resnet8", 4)
    monkeypatch.setattr(sys, "argv", ["gpu"])
    return monkeypatch


def test_the_command_goes_through_all_parts(on_a_cpu, capsys):
    assert gpu.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("device  no GPU, torch ")
    assert lines[1] == "tests   9 passed"
    assert len(lines) == 2 + len(gpu.WAYS) + 2
    assert all(line.startswith("resnet8 mul8u_evo_") and line.endswith(" images/s")
               for line in lines[-2:])


def test_a_wrong_sum_is_told(on_a_cpu, capsys):
    right = TorchProduct.matmul

    def wrong(product, acts, weights):
        found = right(product, acts, weights)
        found[-1, -1] += np.int32(product.method.value == "gather")
        return found

    on_a_cpu.setattr(TorchProduct, "matmul", wrong)
    assert gpu.main() == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()
            if line.endswith(" WRONG")] == ["gather"]


def test_tests_that_do_not_pass_are_told(monkeypatch):
    monkeypatch.setattr(gpu, "TESTS", "tests/none.py")
    passed, last = gpu._tests()
    assert not passed
    assert last.startswith("no tests ran")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_ends_with_one_line():
    done = subprocess.run([sys.executable, "-m", "sim.bench.gpu"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == ("error: Device 'cuda' must be a GPU that torch can use, "
                           "but there is none\n")
