"""Files of a run: the design and the front."""

from hw.machine.design import BankConfig
from hw.multipliers import get
from search.outputs import best_measured, make_design
from search.report.record import Candidate
from tests.search.runs import made_up_run


def test_a_kept_array_is_built_though_no_layer_uses_it():
    candidate = Candidate(mapping={"a": "mul8u_trunc_c9", "b": "mul8u_bam_h2v6",
                                   "c": "mul8u_trunc_c9"},
                          energy=0.5, area=1, right=(1,), images=(1,), evaluation=1)
    names = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_trunc_c9", "mul8u_drum_k4")
    found = make_design("d", candidate, {name: get(name) for name in names},
                        bank=BankConfig(rows=4, cols=8), kept="mul8u_exact",
                        constants={"b": {"bias": [1]}}, provenance={})
    assert found.bank.arrays == ("mul8u_trunc_c9", "mul8u_bam_h2v6", "mul8u_exact")
    assert (found.bank.rows, found.bank.cols) == (4, 8)
    assert dict(found.mapping) == {"a": 0, "b": 1, "c": 0}
    assert found.constants == {"b": {"bias": [1]}}


def test_nothing_measured_beats_the_front():
    run = made_up_run()
    front = best_measured(run)
    measured = [c for method in run.methods for c in method.history]
    for _method, one in front:
        assert not [other for other in measured
                    if other.energy <= one.energy and other.search_right >= one.search_right
                    and (other.energy, other.search_right) != (one.energy, one.search_right)]
    energies = [candidate.energy for _method, candidate in front]
    assert energies == sorted(set(energies))
