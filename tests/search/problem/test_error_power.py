"""Predicted error powers against the errors of every operand pair, counted one by one."""

from types import SimpleNamespace

import numpy as np
import pytest

from hw.multipliers import get
from search.problem.error_power import error_power


@pytest.mark.parametrize(("exact", "name", "act_range", "weight_range"), [
    ("mul8u_exact", "mul8u_trunc_c6", (-255, 256), (-255, 256)),
    ("mul8s_exact", "mul8s_trunc_c6", (-128, 128), (-128, 128))])
def test_one_product_without_rounding_has_its_mean_square_error(exact, name, act_range,
                                                                weight_range):
    generator = np.random.default_rng(3)
    acts = generator.integers(*act_range, (1, 40, 1)).astype(np.int16)
    weights = generator.integers(*weight_range, (1, 1, 5)).astype(np.int16)
    layer = SimpleNamespace(name="a", weights=weights, requantizer=None, sum_scale=np.full(5, 0.5),
                            groups=1, k=1, n=5, bias=np.zeros(5), image_weights=False)
    multipliers = {each: get(each) for each in (exact, name)}
    found = error_power([layer], {"a": acts}, multipliers)
    a, w = np.broadcast_arrays(acts[0].astype(int), weights[0].astype(int))
    rows, columns = (a % 256, w % 256) if exact == "mul8s_exact" else (abs(a), abs(w))
    errors = (get(name).table - get(exact).table)[rows, columns]
    assert found[0] == pytest.approx([0, 0.25 * np.mean(errors.astype(float) ** 2)])


def test_an_approximate_adder_errs_in_every_term_that_is_not_zero():
    acts = np.array([[[1, 0, 3], [2, 0, 0]]], np.int16)
    weights = np.array([[[1, 0], [5, 5], [-2, 7]]], np.int16)
    layer = SimpleNamespace(name="a", weights=weights, requantizer=None, sum_scale=np.ones(2),
                            groups=1, k=3, n=2, bias=np.zeros(2), image_weights=False)
    multipliers = {name: get(name) for name in ("mul8u_exact", "mul8u_exact+loa6")}
    found = error_power([layer], {"a": acts}, multipliers)
    # Terms of either output: 1 and 1/2 of the time; 1/2 of the time.
    assert found[0] == pytest.approx([0, 16**2 * (1.5 + 0.5) / 2])
