"""Run files whose parts do not fit each other, or are no parts of a run at all."""

import json
import re
from dataclasses import asdict, replace

import pytest

from hw.common.errors import InputError, run_command_line
from search.report import __main__ as report
from search.report.circuits import load_bank, save_bank
from search.report.comparison.two_runs import compare_runs
from search.report.record import RUN_FORMAT, RunResult
from tests.mutations import check_reader, mutated
from tests.search.runs import made_up_bank, made_up_run


def short_run():
    run = made_up_run()
    return replace(run, methods=[replace(method, history=method.history[:2])
                                 for method in run.methods])


CONTENT = json.loads(json.dumps({"format": RUN_FORMAT, **asdict(short_run())}))


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_run_is_refused_by_name_or_compared(tmp_path, seed):
    whole = short_run()
    save_bank(tmp_path, made_up_bank())

    def read(path):
        run = RunResult.load(path)
        load_bank(path.parent, run)
        compare_runs(whole, run)
        compare_runs(run, whole)

    check_reader(read, CONTENT, tmp_path / "run.json", most=250, seed=seed)


@pytest.mark.parametrize(("place", "value", "message"), [
    (("chosen",), "none", "chosen must be one of the methods, not none"),
    (("networks",), [], "networks must not be empty, not empty"),
    (("layers", 1), CONTENT["layers"][0],
     "layers must have names of their own, not 'stem' 2 times"),
    (("networks", 0, "layers"), 2, "networks must have 3 layers in all, not 2"),
    (("methods", 1, "history", 0, "mapping", "stem"), "mul8u_m99",
     "methods[1].history[0].mapping['stem']: Unknown multiplier 'mul8u_m99'; did you mean "
     "'mul8u_m9'?"),
    (("methods", 3, "best", "mapping"), {"stem": "mul8u_exact"},
     "methods[3].best.mapping must have layer 'a<b>&$x_1$', not without"),
    (("exact", "mapping", "stem"), "mul8u_m1", "exact.mapping must name one multiplier, not 2"),
    (("exact", "images"), [0], "exact.images[0] must be an integer from 1 to 9.0072e+15, not 0"),
    (("exact", "right"), [301], "exact.right must be at most the 300 images, not 301"),
    (("methods", 3, "best", "right"), [1, 2],
     "methods[3].best.right must be 1, one a network and part of the metric, not 2"),
    (("metric",), [], "metric must not be empty, not empty"),
    (("certificates", 0, "n"), 0, "certificates[0].n must be at least 1, not 0"),
    (("certificates", 0, "lost"), 4,
     "certificates[0].approx_right must be 788, exact_right - lost + gained, not 789"),
    (("judged", 0, "certificates", 0, "lower_bound"), -0.5,
     "judged[0].certificates[0].certified must be false: the bound -0.5 is beyond the margin "
     "0.01, not true"),
    (("certificates",), [], "certificates must be 1, one a network and part of the metric, not 0"),
    (("judged", 1, "certificates"), [],
     "judged[1].certificates must be 1, one a network and part of the metric, not 0"),
    (("judged", 0, "found_by"), ["milk"],
     "judged[0].found_by: Unknown method 'milk'; did you mean 'milp'?"),
    (("judged", 0, "lost"), [],
     "judged[0].lost must be 1, one a network and part of the metric, not 0"),
    (("judged", 0, "chance"), 1.5, "judged[0].chance must be a number from 0 to 1, not 1.5"),
    (("kept", "right"), [301], "kept.right must be at most the 300 images, not 301"),
    (("layer_energy_pj", "stem", "mul8u_m1"), "1",
     "layer_energy_pj['stem']['mul8u_m1'] must be a number from 1e-30, not '1'"),
    (("sensitivity", "stem"), {}, "sensitivity['stem'] must have multiplier 'mul8u_exact', not "
     "without"),
    (("objective",), "chips", "objective must be one of multiplier, array, chip, not chips"),
    (("figures", "milp", "energy_nj"), {"array": 1.0},
     "figures['milp'].energy_nj must have level 'multiplier', not without"),
    (("figures",), {}, "figures must have method 'exact', not without"),
    (("multipliers", 0, "multiplier_energy_fj"), 0,
     "multiplier_energy_fj of mul8u_exact must be positive, not 0.0"),
    (("configuration", "search_loss"), "x",
     "configuration.search_loss must be a number in [0, 1), not x"),
])
def test_what_does_not_fit_is_named_by_its_place(tmp_path, place, value, message):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(mutated(CONTENT, place, value)))
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}$"):
        RunResult.load(path)


@pytest.mark.parametrize(("name", "content", "message"), [
    ("multipliers/mul8u_m1.json", None, "No such file or directory"),
    ("multipliers/mul8u_m1.json", "[]", "must be a JSON object with"),
    ("run.json", None, "No such file or directory"), ("run.json", "[" * 9999, "not valid JSON")])
def test_a_folder_that_lacks_a_file_is_one_line(tmp_path, monkeypatch, capsys, name, content,
                                                message):
    short_run().save(tmp_path / "run.json")
    save_bank(tmp_path, made_up_bank())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        run_command_line(report.main)
    assert stopped.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "drawing" not in line]
    assert [line.startswith(f"error: {tmp_path / name}: {message}") for line in errors] == [True]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_multiplier_is_a_file_of_the_folder(tmp_path):
    run = short_run()
    first, *others = run.multipliers
    with pytest.raises(InputError, match=r"run\.json: multiplier must be the name of a file in "):
        load_bank(tmp_path, replace(run, multipliers=[replace(first, name="../x"), *others]))
