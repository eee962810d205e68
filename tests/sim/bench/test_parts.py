"""Time of a layer by part: what is taken together, counted and named."""

from dataclasses import replace

import numpy as np
import pytest

from hw.multipliers import get
from sim.bench.contenders.all import HARD
from sim.bench.parts import NETWORKS, PARTS, Case, cases, cycle_time_ns, measure, record_of
from sim.bench.shapes import LayerShape
from sim.kernels.jit.cpu import this_cpu
from sim.network.windows import Window
from tests.sim.layers import random_layer

SHAPE = LayerShape(name="a", channels=32, height=28, width=28, out_channels=64, kernel=3, pad=1,
                   count=3)


def test_parts_make_up_the_whole():
    [record] = measure("shapes", [SHAPE], get(HARD).table, 1)
    assert [record[key] for key in ("of", "layer", "count", "groups", "k", "n", "m")] == [
        "shapes", "a", 3, 1, 288, 64, SHAPE.images * 784]
    ns = record["ns"]
    assert min(ns[part] for part in ("windows", "gather", "tables", "row-add", "requantise")) > 0
    assert sum(ns[part] for part in PARTS) == pytest.approx(ns["all"], rel=0.01)
    assert ns["look-up"] == ns["GEMM"] == 0


def test_the_limit_is_ten_loads_for_eight_terms_of_a_row():
    [record] = measure("shapes", [SHAPE], get(HARD).table, 1)
    # 288 terms are 36 units; as many rows; tiles of all lanes.
    loads = 36 * 10 / (288 * this_cpu().lanes)
    assert record["ns"]["limit"] == pytest.approx(loads / 2 * cycle_time_ns(), rel=0.5)


def test_a_network_shows_each_kind_of_layer_once(monkeypatch):
    monkeypatch.setitem(NETWORKS, "resnet8", 2)
    found = list(cases("resnet8", ()))
    kinds = {(case.layer.k, case.layer.n, case.layer.positions) for case in found}
    assert len(kinds) == len(found)
    assert sum(case.count for case in found) == 10
    for case in found:
        assert len(case.codes) == 2
        assert case.codes.dtype in (np.uint8, np.int8)


def test_depthwise_layers_are_look_ups():
    generator = np.random.default_rng(0)
    layer = random_layer(generator, groups=4, channels=1, n=1, window=Window(kernel=(3, 3)))
    case = Case(name="a", layer=replace(layer, positions=36),
                codes=generator.integers(0, 256, (2, 4, 8, 8)).astype(np.uint8))
    ns = record_of(case, get(HARD).table, 1, 0.25)["ns"]
    assert ns["look-up"] == ns["all"] > 0
    assert ns["plan"] == ns["limit"] == 0
