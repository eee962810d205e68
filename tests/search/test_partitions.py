"""Search and certificate on random partitions of the digits that training has not seen."""

from statistics import mean

import numpy as np
import pytest

from hw.machine.design import BankConfig
from hw.multipliers import EXACT
from models.data import Labelled, load_digits_split
from search.certify.judging import Certification
from search.measure.calibration import calibrate
from search.measure.compensation import compensate
from search.measure.evaluation import SplitRuns, Workers
from search.measure.oracle import Measured, Oracle
from search.measure.probes import relative_damage
from search.methods import METHODS
from search.methods.base import SearchTask, run_method
from search.problem.costs import Limits, measure_costs
from search.problem.inputs import choose_multipliers
from search.problem.workload import DEFAULT_MODEL
from search.report.record import Candidate
from sim.network.quant_network import QuantNetwork
from tests.search.notes import Noted

PARTITIONS, SEARCHED, EVALUATIONS, MARGIN = 12, 300, 70, 0.01
COMPARED = ("uniform", "greedy", "embed3", "milp")


@pytest.mark.long
def test_milp_certifies_the_least_energy_on_most_partitions():
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
    least = sum(mine <= other for mine, other in zip(energies["milp"], best, strict=True))
    print(f"milp least, alone or with others, in {least} of {PARTITIONS}")
    assert all(mean(energies["milp"]) <= mean(found) + 0.01 for found in energies.values())
    assert least > PARTITIONS / 2


class Prepared:
    """What does not depend on the partition: constants, costs, predictions."""

    def __init__(self):
        calibrating, *parts = (load_digits_split(name)
                               for name in ("calibrate", "search", "certify"))
        self.pool = Labelled(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        network = QuantNetwork.load(DEFAULT_MODEL, calibrating.images)
        self.multipliers = choose_multipliers(("default",), BankConfig())
        self.workers = Workers(network, 2)
        self.constants = compensate(network, calibrating.images, self.multipliers, "both")
        self.problem = measure_costs(
            network.layers, network.layer_operands(calibrating.images[:32]), self.multipliers,
            reference=EXACT, bank=BankConfig(), batch=16, limits=Limits(), seed=0,
            constants=self.constants).problem
        self.calibration = calibrate(self.problem, self.constants.error_power(),
                                     self.runs(calibrating), seed=0, notes=Noted())

    def runs(self, data):
        return SplitRuns(self.workers, self.multipliers, data, name="digits",
                         constants=self.constants)

    def certified(self, number):
        """Return method -> certified energy on one partition."""
        order = np.random.default_rng([number, 77]).permutation(len(self.pool.labels))
        searching, certifying = (
            self.runs(Labelled(self.pool.images[part], self.pool.labels[part]))
            for part in (order[:SEARCHED], order[SEARCHED:]))
        exact_logits, exact_right = searching.logits({}), searching.right({})
        needed = (int(exact_right.sum()),)

        def evaluate(mappings):
            searching.prepare(mappings)
            right = [searching.right(mapping) for mapping in mappings]
            return [Measured(right=(int(kept.sum()),), lost=(int((exact_right & ~kept).sum()),),
                             damages=(relative_damage(searching.logits(mapping), exact_logits),),
                             seconds=0.0) for kept, mapping in zip(right, mappings, strict=True)]

        oracle = Oracle(self.problem, evaluate, images=(SEARCHED,))
        exact = Candidate(mapping=self.problem.to_mapping(self.problem.exact), energy=1.0,
                          area=1.0, right=needed, images=(SEARCHED,), evaluation=0)
        certification = Certification([certifying], exact, margins=[MARGIN])

        def measure(candidates):
            return oracle.measure([self.problem.from_mapping(c.mapping) for c in candidates])

        found = {}
        for name in COMPARED:
            task = SearchTask(problem=self.problem, needed=needed, images=(SEARCHED,), seed=number,
                              evaluations=EVALUATIONS, damage=self.calibration.damage,
                              hopeless=self.calibration.hopeless,
                              forecast=certification.forecast)
            result = run_method(METHODS[name], task, oracle)
            designs = certification.plan(result, needed, measure)
            found[name] = certification.judge(result, designs, chosen=True).best.energy
        return found
