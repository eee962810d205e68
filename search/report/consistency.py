"""Whether the parts of a run fit each other: what the report and comparisons rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hw.common.errors import InputError, unknown_name
from hw.common.records import shown
from hw.ppa.chip.levels import LEVELS

if TYPE_CHECKING:
    from search.report.record import Candidate, Certificate, RunResult


ROUNDING = 1e-9  # of a sum of scores, per image


def check_run(run: RunResult) -> None:
    """Raise InputError, naming the place in `run.json`, where parts of a run disagree."""
    layers = _names("layers", [layer.name for layer in run.layers])
    multipliers = _names("multipliers", [facts.name for facts in run.multipliers])
    methods = _names("methods", [method.method for method in run.methods])
    _names("networks", [network.name for network in run.networks])
    _names("metric", run.metric)
    counted = sum(network.layers for network in run.networks)
    _require(counted == len(layers), "networks", f"have {len(layers)} layers in all", counted)
    _require(run.chosen in methods, "chosen", "be one of the methods", run.chosen)
    for place, candidate in _candidates(run):
        _check_candidate(run, place, candidate, layers, multipliers)
    used = set(run.exact.mapping.values())
    _require(len(used) == 1, "exact.mapping", "name one multiplier", f"{len(used)}")
    _check_certificates(run, "certificates", run.certificates)
    for number, one in enumerate(run.judged):
        place = f"judged[{number}]"
        for name in one.found_by:
            if name not in methods:
                raise InputError(f"{place}.found_by: {unknown_name('method', name, methods)}")
        for name in ("lost", "gained"):
            _require_one_a_claim(run, f"{place}.{name}", getattr(one, name))
        _check_certificates(run, f"{place}.certificates", one.certificates)
    _require(run.objective in LEVELS, "objective", f"be one of {', '.join(LEVELS)}", run.objective)
    best = {method.method: None for method in run.methods if method.best is not None}
    _check_keys("figures", run.figures, "method", best)
    _names("exact_forms", list(run.exact_forms))
    for place, own in (("kept_figures", run.kept_figures),
                       *((f"exact_forms[{shown(form)}]", one)
                         for form, one in run.exact_forms.items()),
                       *((f"figures[{shown(name)}]", one) for name, one in run.figures.items())):
        _check_keys(f"{place}.energy_nj", own.energy_nj, "level", dict.fromkeys(LEVELS))
    for form, exact in run.exact_forms.items():
        for level, energy_nj in exact.energy_nj.items():
            _require(energy_nj > 0, f"exact_forms[{shown(form)}].energy_nj[{level!r}]",
                     "be positive", energy_nj)
    _check_table("layer_energy_pj", run.layer_energy_pj, layers, multipliers)
    if run.sensitivity:
        _check_table("sensitivity", run.sensitivity, layers, multipliers)
    for name, split in (("breakdown", run.breakdown),
                        ("baseline_breakdown", run.baseline_breakdown)):
        if split is not None:
            for place, values in (*((f"energy_nj[{part!r}]", one)
                                    for part, one in split.energy_nj.items()),
                                  ("half_width_nj", split.half_width_nj),
                                  ("cycles", split.cycles)):
                _require(len(values) == len(layers), f"{name}.{place}",
                         f"be of {len(layers)} layers", len(values))
    reference = next(facts for facts in run.multipliers if facts.name in used)
    _require(reference.multiplier_energy_fj > 0, f"multiplier_energy_fj of {reference.name}",
             "be positive", reference.multiplier_energy_fj)
    loss = run.configuration.get("search_loss", 0)
    _require(type(loss) in (int, float) and 0 <= loss < 1, "configuration.search_loss",
             "be a number in [0, 1)", loss)


def _names(place: str, names: Sequence[str]) -> Mapping[str, None]:
    """Return the names in their order; there must be some, each once."""
    _require(bool(names), place, "not be empty", "empty")
    for name, count in Counter(names).items():
        _require(count == 1, place, "have names of their own", f"{shown(name)} {count} times")
    return dict.fromkeys(names)


def _candidates(run: RunResult) -> Iterable[tuple[str, Candidate]]:
    yield from (("exact", run.exact), ("kept", run.kept))
    for number, judged in enumerate(run.judged):
        for name, found in (("design", judged.design), ("smaller", judged.smaller)):
            if found is not None:
                yield f"judged[{number}].{name}", found
    if run.single is not None and run.single.design is not None:
        yield "single.design", run.single.design
    for index, method in enumerate(run.methods):
        for name, candidate in (("accepted", method.accepted), ("best", method.best)):
            if candidate is not None:
                yield f"methods[{index}].{name}", candidate
        for step, candidate in enumerate(method.history):
            yield f"methods[{index}].history[{step}]", candidate


def _check_candidate(run: RunResult, place: str, candidate: Candidate, layers: Mapping[str, None],
                     multipliers: Mapping[str, None]) -> None:
    _check_keys(f"{place}.mapping", candidate.mapping, "layer", layers)
    for layer, name in candidate.mapping.items():
        if name not in multipliers:
            raise InputError(f"{place}.mapping[{shown(layer)}]: "
                             f"{unknown_name('multiplier', name, multipliers)}")
    for name in ("right", "images"):
        _require_one_a_claim(run, f"{place}.{name}", getattr(candidate, name))
    _require(candidate.images == run.exact.images, f"{place}.images",
             f"be those of the exact design, {list(run.exact.images)}", list(candidate.images))
    for right, images in zip(candidate.right, candidate.images, strict=True):
        _require(right <= images, f"{place}.right", f"be at most the {images} images", right)


def _check_certificates(run: RunResult, place: str, given: Sequence[Certificate]) -> None:
    _require_one_a_claim(run, place, given)
    for index, certificate in enumerate(given):
        _check_certificate(f"{place}[{index}]", certificate)


def _require_one_a_claim(run: RunResult, place: str, given: Sequence[object]) -> None:
    _require(len(given) == len(run.claims), place,
             f"be {len(run.claims)}, one a network and part of the metric", len(given))


def _check_certificate(place: str, one: Certificate) -> None:
    _require(1 <= one.n <= 2**53, f"{place}.n", "be at least 1", one.n)
    for name in ("exact_right", "approx_right", "lost", "gained"):
        _require(0 <= getattr(one, name) <= one.n, f"{place}.{name}", f"be from 0 to {one.n}",
                 getattr(one, name))
    expected = one.exact_right - one.lost + one.gained
    _require(abs(one.approx_right - expected) <= ROUNDING * one.n, f"{place}.approx_right",
             f"be {expected}, exact_right - lost + gained", one.approx_right)
    _require(one.lost <= one.exact_right + ROUNDING * one.n, f"{place}.lost",
             f"be at most the {one.exact_right} that the exact network had right", one.lost)
    _require(one.gained <= one.n - one.exact_right + ROUNDING * one.n, f"{place}.gained",
             f"be at most the {one.n - one.exact_right} that it had wrong", one.gained)
    for name in ("margin", "lower_bound"):
        _require(-1 <= getattr(one, name) <= 1, f"{place}.{name}", "be a fraction",
                 getattr(one, name))
    _require(not one.certified or one.lower_bound >= -one.margin, f"{place}.certified",
             f"be false: the bound {one.lower_bound:g} is beyond the margin {one.margin:g}",
             one.certified)


def _check_table(place: str, table: Mapping[str, Mapping[str, float]], layers: Mapping[str, None],
                 multipliers: Mapping[str, None]) -> None:
    _check_keys(place, table, "layer", layers)
    for layer, row in table.items():
        _check_keys(f"{place}[{shown(layer)}]", row, "multiplier", multipliers)


def _check_keys(place: str, found: Iterable[str], kind: str,
                names: Mapping[str, None]) -> None:
    """Require every name to be a key, and no other."""
    for name in found:
        if name not in names:
            raise InputError(f"{place}: {unknown_name(kind, name, names)}")
    there = set(found)
    for name in names:
        _require(name in there, place, f"have {kind} {shown(name)}", "without")


def _require(fits: bool, place: str, expectation: str, value: object) -> None:
    if not fits:
        raise InputError(f"{place} must {expectation}, not "
                         f"{value if isinstance(value, str) else shown(value)}")
