"""The fit behind the cost of evolution."""

from hw.multipliers import get
from hw.ppa.reports.fit_proxy import TERMS, fit_proxy

NAMES = ("mul8u_exact", "mul8u_trunc_c8", "mul8u_drum_k4")


def test_energies_of_terms_are_not_negative_and_explain_the_pes():
    fit = fit_proxy([get(name) for name in NAMES])
    assert tuple(fit.terms_fj) == TERMS
    assert min(fit.terms_fj.values()) >= 0
    assert fit.circuits == len(NAMES)
    assert fit.correlation > 0.9
    assert fit.in_use_correlation > 0.8
