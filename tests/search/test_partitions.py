"""Search and certificate on random partitions of the digits that training has not seen."""

from functools import partial
from statistics import mean
from types import SimpleNamespace

import numpy as np
import pytest

from hw.machine.design import BankConfig
from hw.multipliers import EXACT
from hw.ppa import load_pe
from models.data import Labelled, load_digits_split
from search.certify.expected import CertificateForecast
from search.measure.designs import once
from search.measure.engine.threads import start_threads
from search.measure.evaluation import place, split_runs
from search.measure.watched import Watch
from search.methods import METHODS
from search.problem.multipliers import choose_multipliers
from search.problem.space import Limits
from search.problem.workload import DEFAULT_MODEL
from search.stages.calibrate import calibrated, predict
from search.stages.certify import certify
from search.stages.compensate import fit
from search.stages.cost import measure_costs
from search.stages.plan import TIE, foresee, plan, pool
from search.stages.reference import compare, exact_design, refer
from search.stages.search import search, search_task
from sim.network.quant_network import QuantNetwork
from tests.search.notes import Noted

PARTITIONS, SEARCHED, EVALUATIONS, MARGIN = 12, 300, 70, 0.01
COMPARED = ("uniform", "greedy", "embed3", "milp")


@pytest.mark.long
def test_milp_certifies_the_least_energy_or_nearly_on_half_of_the_partitions():
    """The partition of a default run is one of many: the certificate has luck of its own.

    One failure by chance early in a sequence costs 0.06, so averages are told apart by a hundredth.
    """
    prepared = Prepared()
    energies = {name: [] for name in COMPARED}
    for number in range(PARTITIONS):
        for name, energy in prepared.certified(number).items():
            energies[name].append(energy)
    print(*(f"\n{name:8} {mean(found):.4f} on average, worst {max(found):.3f}"
            for name, found in energies.items()))
    best = [min(row) for row in zip(*energies.values(), strict=True)]
    least = sum(mine <= other + TIE for mine, other in zip(energies["milp"], best, strict=True))
    print(f"milp least, or tied with it, in {least} of {PARTITIONS}")
    assert all(mean(energies["milp"]) <= mean(found) + 0.01 for found in energies.values())
    assert least >= PARTITIONS / 2


class Prepared:
    """What does not depend on the partition: constants, costs, predictions."""

    def __init__(self):
        calibrating, *parts = (load_digits_split(name)
                               for name in ("calibrate", "search", "certify"))
        self.pool = Labelled(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        network = QuantNetwork.load(DEFAULT_MODEL, calibrating.images)
        self.network = SimpleNamespace(network=SimpleNamespace(original=None))
        self.multipliers = choose_multipliers(("default",), BankConfig())
        self.placed = place(start_threads(2), network, self.multipliers)
        self.constants = fit(network, calibrating.images, self.multipliers, "both",
                             engine=self.placed.engine)
        self.problem = measure_costs(
            network.layers, network.layer_operands(calibrating.images[:32]), {
                name: load_pe(multiplier) for name, multiplier in self.multipliers.items()},
            reference=EXACT, bank=BankConfig(), batch=16, limits=Limits(),
            constants=self.constants).problem
        self.predictions = predict([calibrated(
            self.problem, self.constants.error_power(), self.runs(calibrating), seed=0,
            notes=Noted())], None)

    def runs(self, data):
        return split_runs(self.placed, data, name="digits", fits=self.constants)

    def certified(self, number):
        """Return method -> certified energy on one partition."""
        order = np.random.default_rng([number, 77]).permutation(len(self.pool.labels))
        searching, certifying = (
            self.runs(Labelled(self.pool.images[part], self.pool.labels[part]))
            for part in (order[:SEARCHED], order[SEARCHED:]))
        references = refer([self.network], [searching], watch=Watch())
        exact = exact_design(self.problem, references)
        measure = once(partial(compare, runs=[searching], references=references))
        forecast = CertificateForecast(exact_right=exact.right, searched=exact.images,
                                       certified=[len(certifying.labels)], margins=[MARGIN])
        task = search_task(self.problem, exact, self.predictions, forecast, loss=0.0,
                           budget=EVALUATIONS, seed=number, constraint="barrier")
        found = {}
        for name in COMPARED:
            planned = plan(foresee(pool([search(METHODS[name], task, measure)]), forecast,
                                   needed=task.needed), exact)
            found[name] = certify(planned.sequence, [certifying], exact, margins=[MARGIN],
                                  watch=Watch()).kept.energy
        return found
