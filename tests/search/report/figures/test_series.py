"""Data of figures: what is drawn, and nothing else."""

import csv

import pytest

from search.report.figures.series import SERIES, parts
from tests.search.runs import made_up_run


def rows(text):
    return list(csv.DictReader(text.splitlines()))


def test_energy_by_part_has_a_row_for_each_bank_layer_and_part():
    run = made_up_run()
    found = rows(parts(run))
    assert len(found) == 2 * len(run.layers) * len(run.breakdown.energy_nj)
    for bank, split in (("design", run.breakdown), ("exact", run.baseline_breakdown)):
        own = [float(row["energy_nj"]) for row in found
               if row["bank"] == bank and row["part"] != "DRAM"]
        assert sum(own) == pytest.approx(split.total_nj(), rel=1e-5)


@pytest.mark.parametrize("name", SERIES)
def test_every_series_is_a_table(name):
    found = rows(SERIES[name](made_up_run()))
    assert found
    assert all(None not in row.values() for row in found)
