"""The table of multipliers alone, from figures by hand."""

from hw.ppa.library.technology import load_technology
from hw.ppa.reports.alone_report import table, to_dict
from hw.ppa.reports.multiplier_alone import AloneFigures

ROWS = [("a", AloneFigures(recipe="area", area_um2=20, delay_ps=500, energy_fj=40, leakage_nw=0)),
        ("bb", AloneFigures(recipe="speed", area_um2=30, delay_ps=250, energy_fj=60, leakage_nw=0))]


def test_power_is_energy_times_clock():
    a, bb = (line.split() for line in table(ROWS, 500).splitlines()[2:])
    assert a == ["a", "20.00", "500", "40.0", "0.0200", "0.0100", "area"]  # 40 fJ x 500 MHz, 0.5 ns
    assert bb == ["bb", "30.00", "250", "60.0", "0.0300", "0.0075", "speed"]


def test_json_has_the_figures_of_the_table():
    content = to_dict(ROWS, load_technology(), 500)
    assert [row["name"] for row in content["multipliers"]] == ["a", "bb"]
    assert content["multipliers"][0]["power_mw"] == ROWS[0][1].power_mw(500)
