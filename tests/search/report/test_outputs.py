"""Files of a run: the design and the front."""

from dataclasses import replace

from hw.machine.design import BankConfig, Design
from hw.multipliers import get
from search.report.outputs import best_measured, make_design
from search.report.record import Candidate
from tests.search.runs import made_up_run


def test_a_kept_array_is_built_though_no_layer_uses_it():
    candidate = Candidate(mapping={"a": "mul8u_trunc_c9", "b": "mul8u_bam_h2v6",
                                   "c": "mul8u_trunc_c9"},
                          energy=0.5, area=1, right=(1,), images=(1,), evaluation=1)
    names = ("mul8u_exact", "mul8u_bam_h2v6", "mul8u_trunc_c9", "mul8u_drum_k4")
    found = make_design("d", candidate, {name: get(name) for name in names},
                        bank=BankConfig(rows=4, cols=8), exact_form="1x1", kept="mul8u_exact",
                        constants={"b": {"bias": [1]}}, provenance={})
    assert found.bank.arrays == ("mul8u_trunc_c9", "mul8u_bam_h2v6", "mul8u_exact")
    assert (found.bank.rows, found.bank.cols) == (4, 8)
    assert dict(found.mapping) == {"a": 0, "b": 1, "c": 0}
    assert found.constants == {"b": {"bias": [1]}}


def test_the_exact_array_is_of_recoded_pes_beside_others():
    names = ("mul8u_trunc_c9", "mul8u_exact")
    one = Candidate(mapping=dict(zip("ab", names, strict=True)), energy=0.5, area=1, right=(1,),
                    images=(1,), evaluation=1)
    dense = BankConfig(rows=4, cols=8, form="4x4r")
    for mapping, kinds, form in (
            (one.mapping, ("sign-magnitude 4x4r", "folded Booth 4x4rb"), "4x4r"),
            ({"a": names[1]}, ("folded Booth 4x4rb",), "4x4rb"), ({"a": names[0]}, (), "4x4r")):
        found = make_design("d", replace(one, mapping=mapping), {name: get(name) for name in names},
                            bank=dense, exact_form="4x4rb", kept=None, constants={}, provenance={})
        assert (found.bank.kinds, found.bank.dataflow.form) == (kinds, form)
        assert Design.from_dict(found.to_dict()) == found


def test_nothing_measured_beats_the_front_in_energy_area_and_accuracy():
    made_up = made_up_run()
    run = replace(made_up, methods=[replace(method, history=[
        replace(one, area=1 + one.evaluation % 4) for one in method.history])
        for method in made_up.methods])

    def figures(candidate):
        return candidate.energy, candidate.area, -candidate.search_right

    front = [figures(candidate) for _method, candidate in best_measured(run)]
    assert front == sorted({*front})
    assert len({area for _energy, area, _wrong in front}) > 1
    for one in {figures(c) for method in run.methods for c in method.history}:
        no_worse = [other for other in front
                    if all(a <= b for a, b in zip(other, one, strict=True))]
        assert no_worse == [one] if one in front else no_worse
