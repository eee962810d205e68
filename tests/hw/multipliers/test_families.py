"""Families at other widths, closed forms of the literature, and refusals."""

import re

import numpy as np
import pytest

from hw.multipliers.broken_array import broken_array
from hw.multipliers.compressor42 import COMPRESSORS, compressor42
from hw.multipliers.drum import drum
from hw.multipliers.exact import exact
from hw.multipliers.lower_or import lower_or
from hw.multipliers.metrics import error_metrics
from hw.multipliers.mitchell import mitchell
from hw.multipliers.perforated import perforated
from hw.multipliers.recursive import recursive
from hw.multipliers.truncated import operand_truncated, truncated, variable_correction
from hw.netlist import NetlistBuilder


@pytest.mark.parametrize("structure", ["dadda", "array"])
@pytest.mark.parametrize("width", [1, 2, *range(4, 17)])
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


@pytest.mark.parametrize("columns", range(3, 10))
def test_variable_correction_more_than_halves_the_bias_of_truncation(columns):
    corrected = error_metrics(variable_correction(columns=columns).table())
    plain = error_metrics(truncated(columns=columns).table())
    assert abs(corrected.bias) < abs(plain.bias) / 2
    assert corrected.wce < plain.wce


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


@pytest.mark.parametrize(("width", "error_probability", "mean_percent"),
                         [(2, 0.0625, 1.39), (4, 0.19, 2.60), (8, 0.46, 3.25)])
def test_kulkarni_has_the_published_figures(width, error_probability, mean_percent):
    """Table I of the paper, within one unit of its last digit: some are cut, some rounded."""
    operands = np.arange(2**width)
    product = np.multiply.outer(operands, operands)
    table = recursive(limit=2 * width, width=width).table()
    relative = (product - table) / np.maximum(product, 1)
    assert (relative > 0).mean() == pytest.approx(error_probability, abs=0.01)
    assert 100 * relative.mean() == pytest.approx(mean_percent, abs=0.01)
    assert round(100 * relative.max(), 2) == 22.22
    assert table[3, 3] == 7


@pytest.mark.parametrize(("design", "wrong_patterns", "mean_error"), [
    ("saturate", 1, 1), ("pairs", 5, 38), ("merge", 7, 32), ("or4", 11, 81)])
def test_compressors_have_the_published_error_rates(design, wrong_patterns, mean_error):
    """Wrong patterns of 16, and mean error in 1/256 when a bit is set with probability 1/4.

    Yang et al. give 1/256 for ACCI1, Akbari et al. 31.25 % = 5/16 for DQ4:2C4, Esposito et al.
    a mean error of 1/16 = 16/256 for each of the two ORs in `merge`. For `or4`, the mean of
    max(count - 1, 0) is 1 - (1 - (3/4)**4).
    """
    builder = NetlistBuilder(act_width=2, weight_width=2)
    netlist = builder.build(COMPRESSORS[design](builder, *builder.act, *builder.weight))
    operands = np.arange(4)
    ones = np.bitwise_count(operands)[:, None] + np.bitwise_count(operands)[None, :].astype(int)
    error = np.abs(netlist.table() - ones)
    assert netlist.table()[0, 0] == 0
    assert (error > 0).sum() == wrong_patterns
    assert (error * 3 ** (4 - ones)).sum() == mean_error  # of 4**4 equally likely cases


def test_mitchell_is_low_by_at_most_a_ninth():
    table = mitchell().table().astype(float)
    exact_table = np.multiply.outer(np.arange(256), np.arange(256)).astype(float)
    product = exact_table > 0
    relative = 1 - table[product] / exact_table[product]
    # Dropping bits below the point adds less than one unit to Mitchell's 1/9.
    assert relative.min() >= 0
    assert (table[product] > exact_table[product] * (1 - 1 / 9) - 1).all()


def test_mitchell_has_the_known_mean_error():
    """3.8 % on average, the figure by which later logarithmic multipliers are measured."""
    assert round(error_metrics(mitchell().table()).mre_percent, 1) == 3.8


@pytest.mark.parametrize("bits", [3, 4, 5, 6, 7])
def test_drum_is_exact_below_its_width_and_bounded_above(bits):
    table = drum(bits=bits).table()
    small = np.arange(2**bits)
    np.testing.assert_array_equal(table[:2**bits, :2**bits], np.multiply.outer(small, small))
    product = np.multiply.outer(np.arange(256), np.arange(256)).astype(float)
    relative = (table - product)[product > 0] / product[product > 0]
    # Both operands 2**n: each becomes larger by one in 2**(bits - 1), the paper's 56.25 % for 3.
    assert relative.max() == (1 + 2.0 ** (1 - bits)) ** 2 - 1
    assert relative.min() > -(2.0 ** (2 - bits))
    assert 0 < relative.mean() < 2.0 ** (-bits)


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
