"""The report: every figure labelled, the same in text, CSV, JSON and pictures."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from hw.machine.layer_streams import LayerStream
from hw.multipliers import get
from hw.ppa import load_pe
from hw.ppa.reports.figures import draw_figure4, draw_parts, figure4_csv, relative
from hw.ppa.reports.pe_report import (
    ORIGINS,
    correlations,
    figures,
    layer_samples,
    reference_samples,
    relu_stream,
    table,
    to_csv,
    to_dict,
)

PAGE = Path(__file__).parents[4] / "docs" / "ppa.md"
NAMES = ("mul8u_exact", "mul8u_trunc_c4", "mul8u_trunc_c8", "mul8u_drum_k4")


@pytest.fixture(scope="module")
def pes():
    return [load_pe(get(name)) for name in NAMES]


@pytest.fixture(scope="module")
def rows(pes):
    return figures(pes, quiet=True)


def test_csv_has_every_figure_with_its_origin(rows):
    lines = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert {line["origin"] for line in lines} == {"measured", "modelled", "copied"}
    assert {line["figure"] for line in lines} == set(ORIGINS)
    exact = {(line["stream"], line["figure"]): float(line["value"]) for line in lines
             if line["multiplier"] == NAMES[0]}
    assert exact["", "area_um2"] == rows[0].area_um2
    assert exact["relu", "mean_fj"] == rows[0].streams["relu"].mean_fj
    assert exact["relu", "mean_fj"] == pytest.approx(sum(exact["relu", part] for part in (
        "logic_fj", "glitches_fj", "registers_fj", "clock_fj", "leakage_fj")))


def test_json_has_an_origin_for_every_figure(rows):
    content = to_dict(rows)
    for row in content["pes"]:
        assert row.keys() - {"name", "streams"} <= content["origins"].keys()
        for energy in row["streams"].values():
            assert energy.keys() - {"lanes", "seed"} <= content["origins"].keys()


def test_table_has_a_line_per_multiplier_and_stream(rows):
    lines = table(rows).splitlines()
    assert [line.split()[:2] for line in lines if "|" in line][1:] == [
        [name, stream] for name in NAMES for stream in ("uniform", "relu")]


def test_layers_are_streams(pes):
    acts, weights = relu_stream()
    layer = LayerStream(name="conv1", positions=64, act_zero_point=0, act_signed=False,
                        requantizer=None, acts=acts[None], weights=weights[None])
    row, = figures(pes[:1], layer_samples([layer]), quiet=True)
    assert list(row.streams) == ["conv1"]
    assert row.streams["conv1"] == figures(pes[:1], quiet=True)[0].streams["relu"]


def test_signed_multiplier_brings_operands_that_it_takes(pes, rows):
    """Whoever stands beside it gets the same ones."""
    exact, signed = figures([pes[0], load_pe(get("mul8s_exact"))], quiet=True)
    assert list(exact.streams) == list(signed.streams) == ["uniform_int8", "relu_int8"]
    samples = reference_samples(int8=True)
    assert samples["uniform_int8"].act_limits == (-128, 127)
    assert samples["relu_int8"].acts.min() == 0
    assert exact.streams["uniform_int8"].mean_fj < rows[0].streams["uniform"].mean_fj


def test_correlation_needs_three_different_rows(rows):
    assert correlations(rows).keys() == {"uniform", "relu"}
    assert correlations(rows[:2]) == correlations([rows[0]] * 4) == correlations([]) == {}


def test_figure4_is_relative_to_the_exact_circuit(rows):
    points = relative(rows, "relu")
    assert points[NAMES[0]] == (1.0, 1.0)
    alone, whole = points[NAMES[2]]
    assert alone < 0.3
    assert 0.5 < whole < 0.75  # clock and sums do not shrink
    lines = list(csv.DictReader(io.StringIO(figure4_csv(rows))))
    assert len(lines) == 2 * len(NAMES)
    assert all(float(line["pe_without_glitches_fj"]) < float(line["pe_fj"]) for line in lines)
    assert {line["origin"] for line in lines} == {"measured"}


@pytest.mark.parametrize("draw", [draw_parts, draw_figure4])
def test_pictures_are_reproducible_and_show_the_data(rows, draw):
    first, again = draw(rows, ".svg"), draw(rows, ".svg")
    assert first == again
    assert first != draw(rows[:3], ".svg")
    assert draw(rows, ".png").startswith(b"\x89PNG")


def test_picture_names_circuits_and_streams(rows):
    text = draw_parts(rows, ".svg").decode()
    assert all(name in text for name in (*NAMES, "uniform", "relu", "glitches", "clock"))
    found = correlations(rows)["relu"]
    assert f"r = {found:.3f}" in draw_figure4(rows, ".svg").decode()


def test_other_operands_other_order(rows):
    """DRUM saves on uniform operands and costs more on those after ReLU."""
    drum, exact = rows[3], rows[0]
    assert drum.streams["uniform"].mean_fj < exact.streams["uniform"].mean_fj
    assert drum.streams["relu"].mean_fj > exact.streams["relu"].mean_fj
    assert np.isfinite([one.mean_fj for row in rows for one in row.streams.values()]).all()


def test_docs_quote_the_report():
    lines = iter(PAGE.read_text().splitlines())
    quoted = next(line for line in lines if line.startswith("python -m hw.ppa report "))
    rows = figures([load_pe(get(name)) for name in quoted.split()[4:]], quiet=True)
    expected = table(rows).splitlines()
    assert [next(lines) for _ in expected] == expected
