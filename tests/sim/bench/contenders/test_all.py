"""Every contender computes what the definition says, and the check would notice if not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hw.multipliers import get
from sim.bench.contenders.lookups import (
    Lookups,
    loop_columns,
    loop_rows,
    numpy_gather,
    numpy_take,
    torch_gather,
)
from sim.bench.contenders.onnx_int8 import OnnxInt8
from sim.bench.contenders.ours import Ours
from sim.bench.problem import Job, Problem, is_right
from sim.bench.shapes import LayerShape

TABLE = get("mul8u_evo_mre35000").table  # not commutative
METHODS = (numpy_gather, numpy_take, torch_gather, loop_rows, loop_columns)
CONTENDERS = {
    "ours": Ours(name="ours", label="ours", table=TABLE),
    "sums": Ours(name="sums", label="sums", table=TABLE, requantise=False),
    **{operator: OnnxInt8(name=operator, label=operator, operator=operator)
       for operator in ("QLinearConv", "ConvInteger", "MatMulInteger")},
    **{method.__name__: Lookups(name="lookups", label="lookups", table=TABLE, method=method,
                                macs=4000) for method in METHODS},
}
SHAPES = {
    "padded": LayerShape(name="padded", channels=5, height=9, width=7, out_channels=11, kernel=3,
                         stride=2, pad=1, zero_point=114),
    "pointwise": LayerShape(name="pointwise", channels=40, height=6, width=6, out_channels=19),
    "linear": LayerShape(name="linear", channels=37, height=1, width=1, out_channels=10,
                         linear=True),
}


@dataclass(frozen=True)
class Wrong:
    """A contender whose result is changed."""

    contender: object
    change: object

    def __getattr__(self, name):
        return getattr(self.contender, name)

    def prepare(self, problem, threads):
        job = self.contender.prepare(problem, threads)
        return replace(job, matrix=lambda output: self.change(job.matrix(output)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=CONTENDERS)
def test_contender_is_right(contender, shape, threads):
    problem = Problem.random(shape, seed=1, images=4)
    job = contender.prepare(problem, threads)
    assert is_right(contender, problem, job, job.run())
    assert job.macs == len(job.rows) * shape.k * shape.n
    assert is_right(contender, problem, job, job.run())  # a second time: nothing was used up


@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=CONTENDERS)
@pytest.mark.parametrize("change", [
    lambda matrix: matrix + (np.arange(matrix.shape[1]) == matrix.shape[1] - 1),
    lambda matrix: matrix[::-1],
    lambda matrix: matrix[:, ::-1],
], ids=["last column off by one", "rows reversed", "columns reversed"])
def test_wrong_result_is_noticed(contender, change):
    problem = Problem.random(SHAPES["padded"], seed=1, images=4)
    wrong = Wrong(contender, change)
    job = wrong.prepare(problem, 1)
    assert not is_right(wrong, problem, job, job.run())


@pytest.mark.parametrize("method", METHODS)
def test_swapped_operands_are_noticed(method):
    problem = Problem.random(SHAPES["pointwise"], seed=1, images=4)
    right = Lookups(name="lookups", label="lookups", table=TABLE, method=method, macs=10**9)
    swapped = replace(right, table=np.ascontiguousarray(TABLE.T))
    job = swapped.prepare(problem, 1)
    assert not is_right(right, problem, job, job.run())


def test_sample_is_spread_over_all_rows():
    problem = Problem.random(SHAPES["padded"], seed=1, images=4)
    sample = problem.some_rows(3 * SHAPES["padded"].k * SHAPES["padded"].n)
    np.testing.assert_array_equal(sample, problem.rows[[0, 39, 79]])
    assert len(problem.some_rows(1)) == 1
    assert len(problem.some_rows(10**9)) == len(problem.rows) == 80


def test_operands_use_the_whole_range():
    problem = Problem.random(SHAPES["pointwise"], seed=1, images=64)
    assert (problem.codes.min(), problem.codes.max()) == (0, 255)
    assert 0.45 < (problem.codes == 0).mean() < 0.55  # behind a ReLU
    assert problem.weights.min() < -80
    assert problem.weights.max() > 80
    assert isinstance(CONTENDERS["ours"].prepare(problem, 1), Job)
