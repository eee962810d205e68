"""Error figures: by hand, and against the published ones of 36 circuits."""


import numpy as np
import pytest

from hw.multipliers.metrics import error_metrics
from tests.outside_data import MULTIPLIERS, published_multipliers

# Published figures have two digits; the recomputed ones beside them all.
FIGURES = {
    "pub_MAE_pct": (lambda m: m.mae_percent, 0.06), "pub_WCE_pct": (lambda m: m.wce_percent, 0.06),
    "pub_EP_pct": (lambda m: 100 * m.ep, 0.01), "pub_MRE_pct": (lambda m: 100 * m.mre, 0.06),
    "calc_MAE": (lambda m: m.mae, 1e-9), "calc_WCE": (lambda m: m.wce, 0),
    "calc_MRE_nonzero_pct": (lambda m: 100 * m.mre, 1e-9), "calc_MSE": (lambda m: m.mse, 1e-9),
    "calc_mean_error": (lambda m: m.bias, 1e-9), "commutative": (lambda m: m.commutative, 0),
    "zero_preserving": (lambda m: m.keeps_zero, 0),
}
EXACT = np.multiply.outer(np.arange(256), np.arange(256)).astype(np.int32)


def test_exact_table_has_no_error():
    metrics = error_metrics(EXACT)
    assert (metrics.mae, metrics.wce, metrics.ep, metrics.mre) == (0, 0, 0, 0)
    assert (metrics.mse, metrics.bias) == (0, 0)
    assert metrics.commutative
    assert metrics.keeps_zero


def test_one_wrong_product_worked_by_hand():
    table = EXACT.copy()
    table[3, 5] -= 4
    metrics = error_metrics(table)
    assert metrics.wce == 4
    assert metrics.mae == 4 / 65536
    assert metrics.bias == -4 / 65536
    assert metrics.mse == 16 / 65536
    assert metrics.ep == 1 / 65536
    assert metrics.mre == pytest.approx(4 / 15 / 255**2)
    assert metrics.mae_percent == 100 * metrics.mae / 65535
    assert not metrics.commutative
    assert metrics.keeps_zero


def test_a_product_with_zero_is_noticed():
    table = EXACT.copy()
    table[0, 7] = 1
    assert not error_metrics(table).keeps_zero


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"^Product table must have shape \(256, 256\), not"):
        error_metrics(EXACT[:16, :16])


@pytest.mark.parametrize("row", published_multipliers())
def test_published_circuits_have_their_published_errors(row):
    table = np.fromfile(MULTIPLIERS / f"{row['name']}.bin", "<u2")
    metrics = error_metrics(table.reshape(256, 256).astype(np.int32))
    for column, (figure, tolerance) in FIGURES.items():
        expected = pytest.approx(float(row[column]), rel=tolerance, abs=1e-12)
        assert figure(metrics) == expected, column
