"""Layers on the page: their own figures, those of every other array, and reasons that are true."""

from dataclasses import replace

import pytest

from search.report.layers import BLOCK, SHADES, blocks, layer_rows, reason
from tests.search.runs import made_up_run

ARRAYS = ("mul8u_exact", "mul8u_m0", "mul8u_m1")


def test_rows_show_the_mapping_of_the_design():
    run = made_up_run()
    rows = layer_rows(run)
    assert {row.layer.name: row.multiplier for row in rows} == dict(run.kept.mapping)
    for index, row in enumerate(rows):
        name = row.layer.name
        assert row.energy_pj == run.layer_energy_pj[name][row.multiplier]
        assert row.share == row.energy_pj / run.layer_energy_pj[name]["mul8u_exact"]
        assert row.damage == run.sensitivity[name][row.multiplier]
        assert row.cycles == run.breakdown.cycles[index]
        assert row.utilisation == pytest.approx(147456 / (row.cycles * 256))
        assert row.half_width_pj == 1000 * run.breakdown.half_width_nj[index]


def test_a_round_uses_the_arrays_as_often_as_a_network_runs():
    run = made_up_run()
    network, = run.networks
    thrice = layer_rows(replace(run, networks=[replace(network, inferences=3)]))
    assert [row.utilisation for row in thrice] == pytest.approx(
        [3 * row.utilisation for row in layer_rows(run)])


def test_what_was_not_kept_is_not_shown():
    run = replace(made_up_run(), breakdown=None, sensitivity={})
    for row in layer_rows(run):
        assert (row.cycles, row.utilisation, row.half_width_pj, row.damage) == (None,) * 4
    cells = [cell for block in blocks(run, layer_rows(run)) for _facts, row in block.rows
             for cell in row]
    assert {(cell.damage, cell.shade) for cell in cells} == {(None, 0)}


def test_blocks_hold_every_array_of_every_layer_once():
    run = made_up_run(layers=[f"layer{index}" for index in range(2 * BLOCK + 1)])
    found = list(blocks(run, layer_rows(run)))
    assert [len(block.layers) for block in found] == [BLOCK, BLOCK, 1]
    worst = max(max(row.values()) for row in run.sensitivity.values())
    for block in found:
        assert sorted(facts.name for facts, _cells in block.rows) == sorted(
            facts.name for facts in run.multipliers)
        for facts, cells in block.rows:
            for row, cell in zip(block.layers, cells, strict=True):
                own = run.layer_energy_pj[row.layer.name]
                assert cell.energy == own[facts.name] / own["mul8u_exact"]
                assert cell.damage == run.sensitivity[row.layer.name][facts.name]
                assert cell.chosen == (run.kept.mapping[row.layer.name] == facts.name)
                assert (cell.shade == 0) == (cell.damage == 0)
                assert (cell.shade == SHADES) == (cell.damage > worst / 10)


def with_layer(energies, damages, chosen, built):
    """Return a run whose first layer runs on the array `chosen`; `built` is one more array."""
    run = made_up_run()
    names = [facts.name for facts in run.multipliers]
    first, second, third = (layer.name for layer in run.layers)
    energy = dict.fromkeys(names, 100.0) | dict(zip(ARRAYS, energies, strict=True))
    damage = dict.fromkeys(names, 9.0) | dict(zip(ARRAYS, damages, strict=True))
    return replace(
        run, layer_energy_pj={**run.layer_energy_pj, first: energy},
        sensitivity={**run.sensitivity, first: damage},
        kept=replace(run.kept, mapping={first: chosen, second: built, third: built})), first


def test_reasons_by_hand():
    run, layer = with_layer((50, 40, 30), (0.0, 0.1, 0.4), "mul8u_m0", "mul8u_m1")
    assert list(reason(run, layer)) == [
        "mul8u_m1, also built, would take 25.0 % less energy and do 4 times the damage.",
        "Of all 13 circuits, none takes less energy here without more damage."]


def test_a_better_array_that_is_not_built_is_named():
    run, layer = with_layer((50, 40, 30), (0.0, 0.1, 0.1), "mul8u_m0", "mul8u_exact")
    assert list(reason(run, layer)) == [
        "mul8u_exact, also built, would take 25.0 % more energy and do no damage.",
        "Of all 13 circuits, 1 that is not built would take less energy here at no more damage, "
        "mul8u_m1 the least (25.0 % less): a bank has few arrays, chosen for all layers together."]


def test_a_lone_array_and_one_without_damage():
    run, layer = with_layer((50, 40, 30), (0.0, 0.1, 0.4), "mul8u_exact", "mul8u_exact")
    assert next(reason(run, layer)) == "It is the only array that is built."
    run, layer = with_layer((50, 40, 30), (0.0, 0.1, 0.4), "mul8u_exact", "mul8u_m0")
    assert "do damage, as the present one does not" in " ".join(reason(run, layer))
    run = replace(run, sensitivity={})
    assert list(reason(run, layer)) == [
        "mul8u_m0, also built, would take 20.0 % less energy.",
        "Of all 13 circuits, 2 take less energy here; no method asked what damage they do."]
