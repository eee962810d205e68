"""One evolution, from a seed circuit to the best that was found: interruptible and repeatable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hw.common.errors import InputError
from hw.multipliers.evolution import kernel
from hw.multipliers.evolution.genome import INPUTS, Genome
from hw.multipliers.evolution.lanes import WORDS
from hw.multipliers.evolution.objective import BEATS, BLOCKS, PAIRS, Objective, weighted_errors
from hw.multipliers.evolution.schedule import STAGES, Schedule
from hw.netlist import Netlist

MIXER = 0x9E3779B97F4A7C15  # spreads small seeds over 64 bits


class Evolution:
    """A search for the cheapest circuit within the limits of an objective.

    Equal seed circuit, objective, schedule and seed give an equal result, interrupted or not.

    Parameters
    ----------
    circuit : Netlist
        Where to start: 8x8, and within the limits.
    objective : Objective
    schedule : Schedule
    seed : int
        Of the mutations.

    Raises
    ------
    InputError
        The circuit is of another width or signedness, or breaks the limits.
    """

    def __init__(self, circuit: Netlist, objective: Objective, schedule: Schedule,
                 seed: int) -> None:
        if circuit.signed != objective.signed:
            raise InputError("Seed circuit must be " + ("signed" if objective.signed
                                                        else "unsigned"))
        broken = broken_limit(circuit, objective)
        if broken is not None:
            raise InputError(f"Seed circuit must {broken}")
        self.objective, self.schedule, self.seed = objective, schedule, seed
        self._fingerprint = _fingerprint(circuit, objective, schedule, seed)
        self.stage = 0
        self._state, self._problem = _start(Genome.of(circuit, spare=schedule.spare), objective,
                                            seed)
        # Weights of errors are rounded up, which is safe for all but a bias of unequal weights:
        # there each stage's result is checked, and the last that passes is the result.
        # What remains after compensation is bounded but for the rounding of the target: likewise.
        limits = objective.limits
        self._verify = limits.residual is not None or (
            limits.bias is not None and objective.error_stream is not None)
        self._verified, self._verified_cost = self._found, int(self._state.costs[0])
        self._start_cost = int(self._state.costs[0])

    @property
    def best(self) -> Netlist:
        """The cheapest circuit so far."""
        return self._verified if self._verify else self._found

    @property
    def _found(self) -> Netlist:
        return self._circuit(self._state.best)

    def _circuit(self, genes: kernel.Genes) -> Netlist:
        return Genome(**genes._asdict()).netlist(signed=self.objective.signed)

    @property
    def cost_ratio(self) -> float:
        """Proxy cost of the best circuit over that of the seed circuit."""
        return self._best_cost / self._start_cost

    @property
    def cost_fj(self) -> float:
        """Proxy cost of the best circuit: energy per PE-cycle that depends on the multiplier."""
        return self._best_cost / BEATS / 1000

    @property
    def _best_cost(self) -> int:
        return self._verified_cost if self._verify else int(self._state.costs[1])

    @property
    def counters(self) -> dict[str, int]:
        """What became of the mutants."""
        names = ("mutants", "too_costly", "too_wrong", "kept", "improved")
        return dict(zip(names, self._state.counters.tolist(), strict=True))

    stages = STAGES

    def run(self) -> Iterator[int]:
        """Search to the end of the schedule; yields the stage, 1 to STAGES, after each."""
        schedule = self.schedule
        while self.stage < STAGES:
            left = 1 - self.stage / STAGES
            temperature = int(schedule.temperature * left * left * self._start_cost)
            price = schedule.price * left * self._start_cost
            done, next_done = (schedule.mutants * stage // STAGES
                               for stage in (self.stage, self.stage + 1))
            if self.objective.limits.residual is not None:
                self._aim()
            kernel.evolve(self._problem, self._state, temperature, price,
                          next_done - done)
            self.stage += 1
            if self._verify and int(self._state.costs[1]) < self._verified_cost \
                    and keeps_limits(self._found, self.objective):
                self._verified, self._verified_cost = self._found, int(self._state.costs[1])
            yield self.stage

    def _aim(self) -> None:
        """Set the products that are asked for to those nearest to the present circuit's."""
        state = self._state
        self._problem = self.objective.problem(self._circuit(state.genes).table())
        self._restart()

    def _restart(self) -> None:
        """Make what follows from the genes again; the best so far stays."""
        state = self._state
        longest, best_cost = int(state.longest[0]), int(state.costs[1])
        best = [gene.copy() for gene in state.best]
        kernel.start(self._problem, state)
        state.longest[0], state.costs[1] = longest, best_cost
        for gene, values in zip(state.best, best, strict=True):
            gene[:] = values

    # --- interruption -------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write where the search stands, atomically."""
        from hw.common.files import write_json

        state = self._state
        write_json(path, {
            "fingerprint": self._fingerprint, "stage": self.stage,
            "genes": [gene.tolist() for gene in state.genes],
            "best": [gene.tolist() for gene in state.best],
            "best_cost": int(state.costs[1]), "verified": self._verified.to_dict(),
            "verified_cost": self._verified_cost, "random": int(state.random[0]),
            "counters": state.counters.tolist()}, indent=None)

    def resume(self, path: Path) -> bool:
        """Go on where a saved search stood; False when there is none of this very search."""
        from hw.common.files import read_json

        if not path.exists():
            return False
        saved = read_json(path)
        if not isinstance(saved, dict) or saved.get("fingerprint") != self._fingerprint:
            return False
        state = self._state
        for gene, values in zip(state.genes, saved["genes"], strict=True):
            gene[:] = values
        for gene, values in zip(state.best, saved["best"], strict=True):
            gene[:] = values
        state.costs[1] = saved["best_cost"]
        self._restart()
        state.random[0] = saved["random"]
        state.counters[:] = saved["counters"]
        self._verified = Netlist.from_dict(saved["verified"])
        self._verified_cost = saved["verified_cost"]
        self.stage = saved["stage"]
        return True


def broken_limit(circuit: Netlist, objective: Objective) -> str | None:
    """Return what is wrong with a circuit by the limits of an objective; None if it keeps them."""
    table = circuit.table()
    errors = weighted_errors(table, objective.probability(), signed=objective.signed)
    for name, limit in objective.limits.given().items():
        if abs(errors[name]) > limit:
            return f"keep {name.upper()} within {limit:g} %, not {errors[name]:.4g} %"
    if objective.keep_zero and (table[0].any() or table[:, 0].any()):
        return "give 0 for 0 times anything (or use --lose-zero)"
    return None


def keeps_limits(circuit: Netlist, objective: Objective) -> bool:
    """Return whether a circuit keeps the limits of an objective."""
    return broken_limit(circuit, objective) is None


def proxy_cost_fj(circuit: Netlist, objective: Objective) -> float:
    """Return the cost of a circuit by the proxy of evolution; limits do not matter."""
    state, _ = _start(Genome.of(circuit), objective, seed=0)
    return int(state.costs[0]) / BEATS / 1000


def _start(genome: Genome, objective: Objective,
           seed: int) -> tuple[kernel.State, kernel.Problem]:
    """Return the state of a search that stands at `genome`, and its problem."""
    nets = genome.op.size
    values = np.zeros((BLOCKS + 2 * PAIRS, 2 * nets, WORDS), np.uint64)
    values[:, :INPUTS] = objective.operand_planes()
    genes = kernel.Genes(genome.op, genome.a, genome.b, genome.outs)
    state = kernel.State(
        genes=genes, best=kernel.Genes(*(gene.copy() for gene in genes)), values=values,
        toggles=np.zeros(nets, np.int64), costs=np.zeros(2, np.int64),
        longest=np.zeros(1, np.int64), totals=np.zeros(kernel.TERMS, np.int64),
        random=np.array([((seed + 1) * MIXER) % 2**64], np.uint64),
        counters=np.zeros(kernel.COUNTERS, np.int64))
    problem = objective.problem()
    kernel.start(problem, state)
    return state, problem


def _fingerprint(circuit: Netlist, objective: Objective, schedule: Schedule, seed: int) -> str:
    """Return what tells a search from another."""
    hashed = hashlib.sha256(json.dumps([
        circuit.digest, objective.limits.given(), objective.signed, objective.keep_zero,
        objective.max_level, objective.seed, schedule.mutants, schedule.temperature,
        schedule.spare, schedule.price, seed]).encode())
    for stream in (objective.energy_stream, objective.error_stream):
        for values in () if stream is None else (stream.act, stream.next_act, stream.weight):
            hashed.update(values.tobytes())
    return hashed.hexdigest()
