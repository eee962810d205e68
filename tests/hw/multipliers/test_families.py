"""Families at other widths, closed forms of the literature, and refusals."""

import re

import numpy as np
import pytest

from hw.multipliers.broken_array import broken_array
from hw.multipliers.compressor42 import compressor42
from hw.multipliers.drum import drum
from hw.multipliers.exact import exact
from hw.multipliers.lower_or import lower_or
from hw.multipliers.metrics import error_metrics
from hw.multipliers.mitchell import mitchell
from hw.multipliers.perforated import perforated
from hw.multipliers.recursive import recursive
from hw.multipliers.truncated import operand_truncated, truncated, variable_correction


@pytest.mark.parametrize("structure", ["dadda", "array"])
@pytest.mark.parametrize("width", [1, 2, 4, 5, 8, 12, 16])
def test_exact_is_exact_at_every_width(width, structure):
    generator = np.random.default_rng(width)
    act, weight = generator.integers(0, 2**width, (2, 2000))
    act[:2], weight[:2] = 2**width - 1, (2**width - 1, 0)
    netlist = exact(width=width, structure=structure)
    np.testing.assert_array_equal(netlist.evaluate(act, weight), act * weight)


def test_dadda_is_shallower_than_the_array():
    assert exact().depth < exact(structure="array").depth


@pytest.mark.parametrize("columns", range(9))
def test_truncation_has_the_errors_of_its_closed_form(columns):
    metrics = error_metrics(truncated(columns=columns).table())
    worst = (columns - 1) * 2**columns + 1
    assert metrics.wce == worst
    assert metrics.mae == worst / 4  # a partial product is set for a quarter of the pairs
    assert metrics.bias == -metrics.mae


@pytest.mark.parametrize("horizontal", range(8))
def test_a_horizontal_cut_has_the_errors_of_its_closed_form(horizontal):
    metrics = error_metrics(broken_array(horizontal=horizontal, vertical=0).table())
    assert metrics.wce == 255 * (2**horizontal - 1)
    assert metrics.mae == 127.5 * (2**horizontal - 1) / 2


@pytest.mark.parametrize("columns", range(12))
def test_a_vertical_cut_alone_is_truncation(columns):
    np.testing.assert_array_equal(broken_array(horizontal=0, vertical=columns).table(),
                                  truncated(columns=columns).table())


@pytest.mark.parametrize(("first", "count"), [(0, 1), (1, 2), (3, 3)])
def test_perforation_has_the_errors_of_its_closed_form(first, count):
    metrics = error_metrics(perforated(first=first, count=count).table())
    skipped = (2**count - 1) << first
    assert metrics.wce == 255 * skipped
    assert metrics.mae == 127.5 * skipped / 2


def test_kulkarni_has_the_published_figures():
    """Kulkarni et al. state one wrong product in 16 and mean errors of 1.39 % to 3.32 %."""
    table = recursive(limit=4, width=2).table()
    wrong = table != np.multiply.outer(np.arange(4), np.arange(4))
    assert wrong.sum() == 1
    assert table[3, 3] == 7
    relative = (9 - 7) / 9 / 16  # mean over all 16 pairs
    assert round(100 * relative, 2) == 1.39
    assert relative < error_metrics(recursive(limit=14).table()).mre < 0.0332


def test_mitchell_is_low_by_at_most_a_ninth():
    table = mitchell().table().astype(float)
    exact_table = np.multiply.outer(np.arange(256), np.arange(256)).astype(float)
    product = exact_table > 0
    relative = 1 - table[product] / exact_table[product]
    # Dropping bits below the point adds less than one unit to Mitchell's 1/9.
    assert relative.min() >= 0
    assert (table[product] > exact_table[product] * (1 - 1 / 9) - 1).all()


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 7])
def test_drum_is_exact_below_its_width_and_nearly_unbiased(bits):
    table = drum(bits=bits).table()
    small = np.arange(2**bits)
    np.testing.assert_array_equal(table[:2**bits, :2**bits], np.multiply.outer(small, small))
    metrics = error_metrics(table)
    assert abs(metrics.bias) < metrics.mae / 4 or bits > 4
    assert metrics.mre < 1.5 * 2.0 ** (1 - bits)


@pytest.mark.parametrize(("build", "message"), [
    (lambda: exact(structure="booth"), "Structure must be dadda or array, not 'booth'"),
    (lambda: truncated(columns=16), "Truncated columns must be 0 to 14, not 16"),
    (lambda: variable_correction(columns=-1), "Truncated columns must be 0 to 14, not -1"),
    (lambda: operand_truncated(act_bits=8, weight_bits=0), "Operand act_bits must be 0 to 7, not"),
    (lambda: broken_array(horizontal=8, vertical=0), "Horizontal cut must be 0 to 7, not 8"),
    (lambda: broken_array(horizontal=0, vertical=16), "Vertical cut must be 0 to 15, not 16"),
    (lambda: perforated(first=0, count=8), "Perforation must leave at least one of 8 rows, not"),
    (lambda: recursive(limit=4, width=5), "Recursive width must be even and limit 0 to 10, not 5"),
    (lambda: compressor42(design="x", limit=4), "Compressor design must be one of saturate, pairs"),
    (lambda: compressor42(design="or4", limit=17), "Compressor limit must be 0 to 16, not 17"),
    (lambda: lower_or(limit=4, dropped=5), "Lower part must have 0 <= dropped <= limit <= 15, not"),
    (lambda: drum(bits=8), "DRUM bits must be 2 to 7, not 8"),
    (lambda: mitchell(width=6), "Mitchell width must be 4, 8 or 16, not 6"),
])
def test_impossible_parameters_are_refused(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        build()
