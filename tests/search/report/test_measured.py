"""Measured designs: every one once, with what became of it."""

from search.report.measured import judged_as, measured_rows, outcome
from tests.search.runs import made_up_run


def test_every_design_of_every_method_has_a_row():
    run = made_up_run()
    rows = list(measured_rows(run))
    assert [(row.method, row.design) for row in rows] == [
        (method.method, design) for method in run.methods for design in method.history]
    for row in rows:
        assert row.accepted == (row.design.search_right >= run.exact.search_right)


def test_a_judged_design_says_what_was_found():
    run = made_up_run()
    passed, failed = run.judged
    assert judged_as(run, passed.design) is passed
    assert outcome(passed) == "certified, bound -0.61 points"
    assert outcome(failed) == "not certified, bound -2.17 points"
    assert outcome(None) == "not judged"
    told = {row.outcome for row in measured_rows(run)
            if row.design.mapping == failed.design.mapping}
    assert told == {outcome(failed)}
