"""Figures of designs: every point that is drawn says what it is."""

from dataclasses import replace

from search.report.figures.designs import convergence, judged, pareto
from search.report.figures.drawing import looks
from search.report.figures.series import best_so_far
from tests.search.runs import made_up_run


def names(drawing):
    return [name for some in drawing.marks.values() for name in some]


def test_every_measured_design_is_named_with_its_figures():
    run = made_up_run()
    found = names(pareto(run))
    for method in run.methods:
        own = [name for name in found if name.startswith(f"{method.method}, ")]
        assert len(own) == len(method.history)
    kept, = (name for name in found if name.startswith("handed over"))
    assert kept.endswith("certified, bound -0.61 points")
    assert f"energy {run.kept.energy:.3f}, top-1 {100 * run.kept.search_share:.2f} %" in kept


def test_designs_below_the_axis_are_counted_and_not_named():
    run = made_up_run()
    method = run.methods[-1]
    useless = replace(method.history[0], right=(30,), evaluation=77)
    some = replace(run, methods=[*run.methods[:-1],
                                 replace(method, history=[*method.history, useless])])
    drawing = pareto(some)
    assert "1 design below" in drawing.svg
    assert names(drawing) == names(pareto(run))


def test_judged_designs_are_named_with_forecast_and_outcome():
    forecast, passed, failed = judged(made_up_run()).marks.values()
    assert [name.split(":")[1] for name in forecast] == [
        " 2.4 lost, 1.6 gained, 75 % to pass"] * 2
    assert passed[0].endswith("3 lost, 2 gained of 800; bound -0.61 points, margin -1.00; "
                              "certified; found by milp")
    assert failed[0].endswith("bound -2.17 points, margin -1.00; not certified; found by milp")


def test_every_step_of_the_convergence_is_named():
    run = made_up_run()
    assert len(names(convergence(run))) == sum(map(len, best_so_far(run).values()))


def test_methods_differ_by_more_than_colour():
    found = looks(made_up_run())
    assert len({look.marker for look in found.values()}) == len(found)
    assert len({look.linestyle for look in found.values()}) == len(found)
