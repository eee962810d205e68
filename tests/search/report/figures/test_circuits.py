"""Figures of circuits: every point that is drawn says what it is."""

from search.report.figures.circuits import front, multiplier_against_array
from tests.search.runs import made_up_run


def test_every_circuit_is_named_once_on_the_front():
    run = made_up_run()
    found = [name for some in front(run).marks.values() for name in some]
    assert len(found) == len(run.multipliers)
    for facts in run.multipliers:
        own, = (name for name in found if f", {facts.name}:" in name)
        assert f"mean error {facts.mae_percent:.3g} %" in own
        assert own.endswith("used by the kept design") == (facts.name in run.kept.arrays)


def test_every_circuit_is_named_once_beside_its_array():
    run = made_up_run()
    found = {name.split(":")[0]: name for some in multiplier_against_array(run).marks.values()
             for name in some}
    assert set(found) == {facts.name for facts in run.multipliers}
    facts, exact = run.multipliers[3], run.reference
    assert found[facts.name].endswith(
        f"multiplier {facts.multiplier_energy_fj / exact.multiplier_energy_fj:.3f}, whole PE "
        f"{facts.pe_energy_fj / exact.pe_energy_fj:.3f} of the exact one")
    assert found[exact.name].endswith("multiplier 1.000, whole PE 1.000 of the exact one")
