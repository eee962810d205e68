"""Energy and damage of each layer, on the array that it runs on and on all others, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log10

from search.report.record import LayerFacts, MultiplierFacts, RunResult

SHADES = 6  # of damage, a decade each below the worst
BLOCK = 8  # layers of a table of all arrays: what fits a printed page


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A line of the mapping table; energies in picojoules per inference or round.

    exact_energy_pj : on the exact array of the bank's form. damage : of its array in this layer
    alone; None where no method asked. cycles : of the accelerator, and utilisation : share of the
    array's multiplications in them that the network needs; None where the run did not keep them.
    half_width_pj : 95 %, of the energy, from sampling operands. reason : why it runs there.
    """

    number: int
    layer: LayerFacts
    array: int
    multiplier: str
    energy_pj: float
    exact_energy_pj: float
    damage: float | None
    cycles: float | None
    utilisation: float | None
    half_width_pj: float | None
    reason: Sequence[str]

    @property
    def share(self) -> float:
        """Energy relative to the exact array."""
        return self.energy_pj / self.exact_energy_pj


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One array in one layer; energy relative to the exact array; shade 0 (none) to `SHADES`."""

    energy: float
    damage: float | None
    shade: int
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some layers on every array: a row of cells for each multiplier, from least mean error."""

    layers: Sequence[LayerRow]
    rows: Sequence[tuple[MultiplierFacts, Sequence[Cell]]]


def layer_rows(run: RunResult) -> list[LayerRow]:
    """Return the mapping table in execution order."""
    arrays, exact, split = list(run.kept.arrays), run.reference.name, run.breakdown
    times = [network.inferences for network in run.networks for _ in range(network.layers)]
    per_cycle = float(run.configuration.get("rows", 0)) * float(run.configuration.get("cols", 0))
    rows = []
    for index, (layer, runs) in enumerate(zip(run.layers, times, strict=True)):
        energy, name = run.layer_energy_pj[layer.name], run.kept.mapping[layer.name]
        cycles = split.cycles[index] if split else None
        rows.append(LayerRow(
            number=index + 1, layer=layer, multiplier=name, array=arrays.index(name),
            energy_pj=energy[name], exact_energy_pj=energy[exact],
            damage=run.sensitivity[layer.name][name] if run.sensitivity else None, cycles=cycles,
            utilisation=runs * layer.macs / (cycles * per_cycle)
            if cycles and per_cycle else None,
            half_width_pj=1e3 * split.half_width_nj[index] if split else None,
            reason=list(reason(run, layer.name))))
    return rows


def blocks(run: RunResult, rows: Sequence[LayerRow]) -> Iterator[Block]:
    """Yield the tables of all arrays, `BLOCK` layers at a time."""
    worst = max((one for row in run.sensitivity.values() for one in row.values()), default=0.0)
    ordered = sorted(run.multipliers, key=lambda facts: (facts.mae_percent, facts.pe_energy_fj))
    left = iter(rows)
    while some := list(islice(left, BLOCK)):
        yield Block(layers=some, rows=[
            (facts, [_cell(run, row, facts.name, worst) for row in some]) for facts in ordered])


def _cell(run: RunResult, row: LayerRow, name: str, worst: float) -> Cell:
    damage = run.sensitivity[row.layer.name][name] if run.sensitivity else None
    shade = max(1, SHADES + int(log10(damage / worst))) if damage else 0
    return Cell(energy=run.layer_energy_pj[row.layer.name][name] / row.exact_energy_pj,
                damage=damage, shade=shade, chosen=name == row.multiplier)


def reason(run: RunResult, layer: str) -> Iterator[str]:
    """Yield, in sentences, how the array of a layer compares with those that are built and all.

    A design is chosen as a whole, for least energy at a limit of predicted damage; these are the
    facts of the layer that this choice weighed.
    """
    energy, chosen = run.layer_energy_pj[layer], run.kept.mapping[layer]
    damage = run.sensitivity.get(layer)
    others = [name for name in run.kept.arrays if name != chosen]
    if not others:
        yield "It is the only array that is built."
    for name in sorted(others, key=energy.__getitem__):
        yield f"{name}, also built, would {_change(energy, damage, chosen, name)}."
    better = [name for name in energy if energy[name] < energy[chosen]
              and (damage is None or damage[name] <= damage[chosen])]
    of_all = f"Of all {len(energy)} circuits"
    unbuilt = [name for name in better if name not in run.kept.arrays]
    if damage is None:
        yield f"{of_all}, {len(better)} take less energy here; no method asked what damage they do."
    elif not better:
        yield f"{of_all}, none takes less energy here without more damage."
    elif unbuilt:
        least = min(unbuilt, key=energy.__getitem__)
        yield (f"{of_all}, {len(unbuilt)} that {'is' if len(unbuilt) == 1 else 'are'} not built "
               f"would take less energy here at no more damage, {least} the least "
               f"({_percent(energy[least] / energy[chosen])}): a bank has few arrays, chosen for "
               "all layers together.")


def _change(energy: Mapping[str, float], damage: Mapping[str, float] | None, chosen: str,
            name: str) -> str:
    """Return what another array would do: `take 3.1 % less energy and do 4.1 times the damage`."""
    said = f"take {_percent(energy[name] / energy[chosen])} energy"
    if damage is None:
        return said
    if damage[name] == damage[chosen]:
        return f"{said} and do as much damage"
    if not damage[chosen]:
        return f"{said} and do damage, as the present one does not"
    times = damage[name] / damage[chosen]
    return f"{said} and do {times:.3g} times the damage" if times else f"{said} and do no damage"


def _percent(ratio: float) -> str:
    """Return a ratio in words: 0.969 -> `3.1 % less`."""
    return f"{abs(100 * (ratio - 1)):.1f} % {'less' if ratio < 1 else 'more'}"
