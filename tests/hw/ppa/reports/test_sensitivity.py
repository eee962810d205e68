"""Other assumptions move the figures in the direction that physics says."""

import pytest

from hw.multipliers import get
from hw.ppa import load_pe, sample_energy
from hw.ppa.reports.pe_report import reference_samples
from hw.ppa.reports.sensitivity import CASES, outcome, table

NAMES = ("mul8u_exact", "mul8s_trunc_c6")


@pytest.fixture(scope="module", params=NAMES)
def found(request):
    pe = load_pe(get(request.param))
    samples = {name: sample.first(1024) for name, sample in reference_samples(
        int8=pe.multiplier.signed).items()}
    return pe, samples, [outcome(pe, samples, case) for case in CASES]


def test_first_case_is_what_is_reported(found):
    pe, samples, (reported, *_) = found
    assert reported.delay_ps == pe.delay_ps
    for name, sample in samples.items():
        assert reported.energy_fj[name] == pytest.approx(sample_energy(pe, sample).mean_fj)


def test_glitches_cost_energy_and_no_time(found):
    _, samples, (reported, without, *_) = found
    assert without.delay_ps == reported.delay_ps
    assert all(without.energy_fj[name] < reported.energy_fj[name] for name in samples)


def test_longer_wires_cost_energy_and_time(found):
    _, samples, (reported, _, none, half, one) = found
    order = (none, reported, half, one)
    for figures in ([case.delay_ps for case in order],
                    *([case.energy_fj[name] for case in order] for name in samples)):
        assert figures == sorted(set(figures))


def test_table_is_relative_to_the_first_case(found):
    pe, _, outcomes = found
    lines = table(pe.multiplier.name, outcomes).splitlines()
    assert lines[0] == f"{pe.multiplier.name}: fJ per PE-cycle, and delay"
    assert [line.count("+0%") for line in lines[2:4]] == [3, 1]
    assert len(lines) == 2 + len(CASES)
