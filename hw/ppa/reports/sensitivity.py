"""How much the energy of a PE depends on what is assumed, not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.ppa.energy.operand_sample import OperandSample
from hw.ppa.energy.pe_circuits import Circuit
from hw.ppa.energy.stream_energy import beats, glitch_share
from hw.ppa.mapping.pe import NEIGHBOURS, MappedPe
from hw.ppa.mapping.timing import Wires, analyse


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What can be assumed otherwise.

    Parameters
    ----------
    name : str
    wires : Wires, optional
        By default those that the PE has.
    glitches : bool
        Gates have delays.
    """

    name: str
    wires: Wires | None = None
    glitches: bool = True


CASES = (Assumptions(name="as reported"), Assumptions(name="no glitches", glitches=False),
         Assumptions(name="no wires", wires=Wires(pin_ff=0.0)),
         Assumptions(name="0.5 fF of wire", wires=Wires(pin_ff=0.5)),
         Assumptions(name="1 fF of wire", wires=Wires(pin_ff=1.0)))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Energy per PE-cycle by stream, fJ, and shortest clock period, under one assumption."""

    assumed: Assumptions
    energy_fj: Mapping[str, float]
    delay_ps: float


def outcome(pe: MappedPe, samples: Mapping[str, OperandSample], assumed: Assumptions) -> Outcome:
    """Return the figures of a PE under other assumptions; `samples` by name of the stream."""
    wires = pe.wires.pe if assumed.wires is None else assumed.wires
    timing = analyse(pe.netlist, pe.technology, neighbours=NEIGHBOURS, wires=wires)
    circuit = Circuit.of(pe.netlist, pe.technology, timing, wires=wires)
    found = {}
    for name, sample in samples.items():
        states, _ = beats(pe, sample)
        energy = circuit.energy.between(*states)
        share = glitch_share(circuit, *states)[0] if assumed.glitches else 0.0
        found[name] = float((energy.total + share * energy.logic).mean()
                            + pe.leakage_nw * timing.delay_ps * 1e-6)
    return Outcome(assumed=assumed, energy_fj=found, delay_ps=timing.delay_ps)


def table(name: str, found: Sequence[Outcome]) -> str:
    """Return a line per case; changes are against the first."""
    first, width = found[0], max(len(one.assumed.name) for one in found)
    lines = [f"{name}: fJ per PE-cycle, and delay",
             "  ".join([" " * width, *(f"{stream:>15}" for stream in first.energy_fj),
                        f"{'delay':>16}"])]
    for one in found:
        energies = [f"{value:8.1f} {value / first.energy_fj[stream] - 1:+6.0%}"
                    for stream, value in one.energy_fj.items()]
        slower = one.delay_ps / first.delay_ps - 1
        lines.append("  ".join([f"{one.assumed.name:{width}}", *energies,
                                f"{one.delay_ps:6.0f} ps {slower:+6.0%}"]))
    return "\n".join(lines)
