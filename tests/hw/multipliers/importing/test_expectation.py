"""Published figures: compared at the precision they are written with, and the 36 of a library."""

from decimal import Decimal

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.multipliers import get
from hw.multipliers.importing import Expectation, import_file
from hw.multipliers.importing.expectation import check
from hw.multipliers.metrics import error_metrics
from tests.outside_data import MULTIPLIERS, published_multipliers

COLUMNS = (("MAE", "pub_MAE", ""), ("MAE", "pub_MAE_pct", "%"), ("WCE", "pub_WCE", ""),
           ("WCE", "pub_WCE_pct", "%"), ("EP", "pub_EP_pct", "%"), ("MRE", "pub_MRE_pct", "%"),
           ("MSE", "pub_MSE", ""))
WRITTEN_DIGITS = {"MSE": 8}  # the largest are published as 471649810 for 471649806.25
METRICS = error_metrics(get("mul8u_trunc_c4").table)  # MAE 12.25, WCE 49, EP 81.25 %


@pytest.mark.parametrize("row", published_multipliers())
def test_published_tables_import_with_their_published_figures(row):
    path = MULTIPLIERS / f"{row['name']}.bin"
    digits = {name: WRITTEN_DIGITS.get(name, 12) for name, _, _ in COLUMNS}
    expect = [Expectation.parse(f"{name}={float(row[column]):.{digits[name]}g}{unit}")
              for name, column, unit in COLUMNS]
    zero = not np.fromfile(path, "<u2").any()  # one of the 36 multiplies everything to 0
    options = {"allow_constant": True, "signed": False} if zero else {}
    imported = import_file(path, name=row["name"], expect=expect, **options)
    words = np.fromfile(path, "<u2").reshape(256, 256)
    np.testing.assert_array_equal(imported.multiplier.table, words)
    assert not imported.multiplier.signed
    assert imported.commutative == (row["commutative"] == "1")
    worse = [Expectation(name=item.name, percent=item.percent, text=bumped(item.text))
             for item in expect]
    for item in worse:
        with pytest.raises(InputError, match=f"{item.name} must be"):
            check(imported.metrics, [item])


def bumped(text):
    """Return a figure of two more in the last digit."""
    number = Decimal(text)
    return str(number + Decimal(2).scaleb(int(number.as_tuple().exponent)))


@pytest.mark.parametrize(("figures", "message"), [
    (["MAE=12.25", "MAE=12.3", "MAE=12", "mae=0.0187%", "WCE=49", "EP=81.25%", "EP=81.3%",
      "EP=0.8125", "WCE=0.0748%"], None),
    (["MAE=12.4"], "MAE must be 12.4 as published, not 12.25"),
    (["WCE=50"], "WCE must be 50 as published, not 49"),
    (["EP=81.26%"], "EP must be 81.26% as published, not 81.25%"),
    (["MAE=13", "WCE=48"], "MAE must be 13 as published, not 12.25; WCE must be 48 as published"),
])
def test_figures_are_compared_at_their_written_precision(figures, message):
    expectations = [Expectation.parse(figure) for figure in figures]
    if message is None:
        check(METRICS, expectations)
        return
    with pytest.raises(InputError, match=f"^{message}"):
        check(METRICS, expectations)


@pytest.mark.parametrize(("text", "message"), [
    ("MAE", "Expected figure must be NAME=NUMBER or NAME=NUMBER%, not MAE"),
    ("MAE=nan", "Expected figure must be NAME=NUMBER"),
    ("MAX=3", "Unknown error figure 'MAX'; did you mean 'MAE'?"),
    ("MSE=3%", "Expected MSE must be a plain number, not in per cent"),
])
def test_malformed_figures_are_refused(text, message):
    with pytest.raises(InputError) as refused:
        Expectation.parse(text)
    assert str(refused.value).startswith(message)
