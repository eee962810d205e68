"""The evolved circuits of the catalogue are what their files say."""

from dataclasses import replace

import pytest

from hw.multipliers import EVOLVED, catalogue, files, get
from hw.multipliers.evolution.objective import Limits
from hw.multipliers.evolution.portfolio import LADDERS, Ladder, climb
from hw.multipliers.evolution.run import keeps_limits, proxy_cost_fj
from hw.multipliers.evolution.schedule import STAGES, Schedule
from hw.multipliers.evolution.settings import Settings
from hw.multipliers.metrics import error_metrics

NAMES = sorted(path.stem for path in EVOLVED.glob("*.json"))
RUNGS = {ladder.rung_name(limits): (ladder, limits)
         for ladder in LADDERS for limits in ladder.limits}
AGAIN = ("mul8u_evo_mae4700", "mul8u_evo_mre54000", "mul8u_evo_tmae40")


def test_names_of_rungs_differ():
    assert len(RUNGS) == sum(len(ladder.limits) for ladder in LADDERS)


def test_there_are_many():
    assert len(NAMES) >= 60
    assert len(catalogue()) - len(NAMES) >= 119
    errors = sorted(error_metrics(get(name).table).mae_percent for name in NAMES)
    assert errors[0] < 0.001
    assert errors[-1] > 3.5


@pytest.mark.parametrize("name", NAMES)
def test_file_is_a_rung_that_keeps_its_limits_and_costs_less_than_its_start(name):
    multiplier = get(name)
    assert multiplier.name == name
    assert multiplier.family == "evolved"
    ladder, limits = RUNGS[name]
    settings = Settings.of(multiplier)
    assert (settings.limits, settings.errors, settings.energy, settings.seed) \
        == (limits, ladder.errors, ladder.energy, ladder.seed)
    objective = settings.objective()
    assert keeps_limits(multiplier.netlist, objective)
    assert proxy_cost_fj(multiplier.netlist, objective) \
        < proxy_cost_fj(get(settings.start).netlist, objective)
    assert settings.start in multiplier.citation


@pytest.mark.long
@pytest.mark.parametrize("name", AGAIN)
def test_file_can_be_made_again(name):
    multiplier = get(name)
    settings = Settings.of(multiplier)
    evolution = settings.evolution(get(settings.start).netlist)
    for _stage in evolution.run():
        pass
    assert evolution.best.digest == multiplier.digest


def test_ladder_is_climbed_rung_by_rung_and_continued(tmp_path):
    ladder = Ladder(name="try", errors="uniform", energy="typical", seed=1,
                    limits=(Limits(mae=0.02), Limits(mae=0.2)))
    families = {name: get(name) for name in ("mul8u_exact", "mul8u_trunc_c3", "mul8u_drum_k4")}
    plan = Schedule(mutants=8 * STAGES * 8)
    seen = list(climb(ladder, families, tmp_path, plan))
    first, second = "mul8u_evo_try200", "mul8u_evo_try2000"
    assert [name for name, _ in seen] == [first] * STAGES + [second] * STAGES
    whole = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(whole) == {f"{first}.json", f"{second}.json"}
    # What is there is kept; what is not is made again, the same.
    (tmp_path / f"{second}.json").unlink()
    assert {name for name, _ in climb(ladder, families, tmp_path, plan)} == {second}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == whole
    assert Settings.of(files.load(tmp_path / f"{second}.json")).start in {first, *families}
    assert list(climb(replace(ladder, name="try"), families, tmp_path, plan)) == []
