"""A made-up run for tests of what reads runs."""

from dataclasses import replace
from functools import cache

import numpy as np

from hw.multipliers import catalogue, get
from search.report.breakdown import Breakdown
from search.report.record import (
    CalibrationFacts,
    Candidate,
    Certificate,
    CompensationFacts,
    Figures,
    Judged,
    LayerFacts,
    MethodResult,
    MultiplierFacts,
    NetworkFacts,
    RunResult,
    SingleArray,
)


@cache
def made_up_bank():
    """Return the circuits of `made_up_run`: an exact one, and twelve of other catalogue entries."""
    others = [name for name in catalogue() if name.startswith("mul8u_trunc")][:12]
    return {"mul8u_exact": get("mul8u_exact"),
            **{f"mul8u_m{index}": replace(get(name), name=f"mul8u_m{index}")
               for index, name in enumerate(others)}}


def made_up_breakdown(layers, scale=1.0):
    """Return a breakdown whose arrays take 60 nJ and whose chip takes 660 nJ, times `scale`."""
    shares = {"multipliers": 18, "adders": 15, "registers": 9, "clock": 12, "weight loading": 3,
              "idle arrays": 2, "leakage": 1, "skew and router": 20, "activation buffer": 250,
              "accumulators": 300, "control": 30, "DRAM": 2000}
    each = {name: tuple(scale * nj / len(layers) for _ in layers) for name, nj in shares.items()}
    return Breakdown(energy_nj=each, half_width_nj=(0.4,) * len(layers),
                     cycles=tuple(4460 / len(layers) for _ in layers))


def made_up_run(*, layers=("stem", "a<b>&$x_1$", "classifier"), found=True, seed=1):
    """Return a run with random but consistent contents."""
    generator = np.random.default_rng(seed)
    names = list(made_up_bank())
    cheap = np.linspace(1, 0.4, len(names))
    multipliers = [MultiplierFacts(
        name=name, family="made-up", words=f"made up, {index}", digest=made_up_bank()[name].digest,
        mae_percent=0.01 * index, wce_percent=0.1 * index, ep_percent=index,
        mre_percent=0.02 * index, bias_percent=-0.01 * index, pe_area_um2=90 * (0.5 + 0.5 * saving),
        multiplier_area_um2=40 * saving, pe_delay_ps=700, pe_energy_fj=300 * (0.5 + 0.5 * saving),
        multiplier_energy_fj=150 * saving)
        for index, (name, saving) in enumerate(zip(names, cheap, strict=True))]

    def candidate(evaluation):
        picks = generator.integers(0, len(names), len(layers))
        energy = float(np.mean(0.5 + 0.5 * cheap[picks]))
        return Candidate(mapping={layer: names[pick] for layer, pick in zip(layers, picks,
                                                                            strict=True)},
                         energy=energy, area=1.5, images=(300,), evaluation=evaluation,
                         right=(int(min(297, 297 - 30 * (0.8 - energy)
                                        * generator.random() * 10)),))

    def figures(energy):
        return Figures(energy_nj={"multiplier": 20 * energy, "array": 60 * energy,
                                  "chip": 600 + 60 * energy},
                       area_um2=20000 if energy == 1 else 30000, cycles=4460, clock_ps=787)

    exact = Candidate(mapping=dict.fromkeys(layers, "mul8u_exact"), energy=1.0, area=1.0,
                      right=(296,), images=(300,), evaluation=0)
    methods = []
    for method in ("exact", "greedy", "tpe", "milp"):
        history = [candidate(step + 1) for step in range(20)] if method != "exact" else [exact]
        good = [c for c in history if c.search_right >= exact.search_right]
        best = min(good, key=lambda c: c.energy, default=None) if found else None
        methods.append(MethodResult(method=method, evaluations=20, seconds=1.5, best=best,
                                    accepted=best, history=history, chance=0.7, expected=0.8))
    kept = methods[-1].best or exact
    passed = Certificate(n=800, exact_right=790, approx_right=789, lost=3, gained=2, margin=0.01,
                         lower_bound=-0.0061, certified=True,
                         wording="zero-loss (certified, margin 1.0 points, 95 %)")
    failed = Certificate(n=800, exact_right=790, approx_right=779, lost=12, gained=1, margin=0.01,
                         lower_bound=-0.0217, certified=False, level=0.025, wording="not certified")
    bold = replace(methods[-1].history[1], energy=kept.energy - 0.05)
    judged = [Judged(design=design, found_by=("milp",), chance=0.75, lost=(2.4,), gained=(1.6,),
                     certificates=certificates, smaller=smaller)
              for design, certificates, smaller in (
                  (kept, (passed,), exact), (bold, (failed,), None))] if found else []
    return RunResult(
        name="made-up", chosen="milp", networks=[NetworkFacts(
            name="digits", model="digits <script>alert(1)</script>", data="digits", inferences=1,
            layers=len(layers), calibrator="minmax", float_right=(297,))],
        layers=[LayerFacts(name=layer, kind="conv", k=144, n=16, groups=1, positions=64,
                           macs=147456) for layer in layers],
        multipliers=multipliers, exact=exact, methods=methods, judged=judged, expected=0.7,
        kept=kept, certificates=(passed,), single=SingleArray(
            design=None, chance=0.0, expected=1.0), exact_forms={
            "4x4r": figures(1.0), "1x1": figures(1.4)},
        calibration=CalibrationFacts(additive=0.97, pairwise=0.98, pairs_used=False, studied=False,
                                     searched=0.91, searched_designs=60, charge=6.8),
        compensation=CompensationFacts(
            kind="both", passes=25, charge=8.1, refits=8, refit_passes=17,
            refit_seconds=2.5, corrected=30, pairs=39,
            layers=dict.fromkeys(layers, "weights+affine"), right=297, plain_right=280,
            damage=0.01, plain_damage=0.2),
        sensitivity={layer: {name: float(index * generator.random() * 1e-3)
                             for index, name in enumerate(names)} for layer in layers},
        layer_energy_pj={layer: {m.name: 50 * m.pe_energy_fj for m in multipliers}
                         for layer in layers},
        objective="array", metric=("top1",), kept_figures=figures(kept.energy), seconds=42.0,
        figures={method.method: figures(method.best.energy) for method in methods
                 if method.best is not None},
        configuration={"area_limit": 4.0, "search_loss": 0.0, "seed": 0, "rows": 16, "cols": 16,
                       "pe_form": "4x4r", "wires": "flat"},
        breakdown=made_up_breakdown(layers, kept.energy),
        baseline_breakdown=made_up_breakdown(layers),
        versions={"numpy": "2"}, hashes={"digits.onnx": "0" * 64})
