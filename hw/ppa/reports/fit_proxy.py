"""The fit behind the cost that evolution minimises: PE energy from gates and their switching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from hw.common.progress import task
from hw.multipliers.base import Multiplier
from hw.multipliers.evolution.objective import Limits, Objective
from hw.multipliers.evolution.operands import OperandStream, typical
from hw.multipliers.evolution.run import proxy_cost_fj
from hw.netlist import Op, pack_bits
from hw.ppa.energy.operand_sample import OperandSample
from hw.ppa.energy.stream_energy import sample_energy
from hw.ppa.mapping.stored_pes import load_pe

LANES = 4096
TERMS = ("gate", "xor", "gate_toggle", "xor_toggle", "product_bit", "product_bit_toggle", "pe")
WIDE = (Op.XOR, Op.XNOR)


@dataclass(frozen=True, kw_only=True)
class ProxyFit:
    """Energies in fJ per PE-cycle of each term, and how well their sum fits.

    Parameters
    ----------
    terms_fj : dict of str to float
        By the names of TERMS.
    correlation : float
        Of fitted and mapped PE energies.
    rms_fj : float
        Of the residues.
    in_use_correlation : float
        Of the proxy as evolution has it, area included, with mapped PE energies.
    circuits : int
    """

    terms_fj: dict[str, float]
    correlation: float
    rms_fj: float
    in_use_correlation: float
    circuits: int


def fit_proxy(multipliers: Sequence[Multiplier]) -> ProxyFit:
    """Return the non-negative least-squares fit over the stored PEs of some multipliers."""
    stream = typical()
    sample = _sample(stream)
    rows, energies, in_use = [], [], []
    objective = Objective(limits=Limits(mae=100), energy_stream=stream)
    with task("energy of PEs", len(multipliers)) as progress:
        for multiplier in multipliers:
            energies.append(sample_energy(load_pe(multiplier), sample).mean_fj)
            rows.append(_features(multiplier, stream))
            in_use.append(proxy_cost_fj(multiplier.netlist, objective))
            progress.advance(note=multiplier.name)
    features, energy = np.array(rows), np.array(energies)
    weights, _ = nnls(features, energy)
    fitted = features @ weights
    return ProxyFit(terms_fj=dict(zip(TERMS, weights.tolist(), strict=True)),
                    correlation=float(np.corrcoef(fitted, energy)[0, 1]),
                    rms_fj=float(np.sqrt(np.mean((fitted - energy) ** 2))),
                    in_use_correlation=float(np.corrcoef(in_use, energy)[0, 1]),
                    circuits=len(rows))


def _sample(stream: OperandStream) -> OperandSample:
    """Return PE-cycles of an array of one row whose operands are the stream's."""
    act, following, weight = (values[:LANES].astype(np.int16)
                              for values in (stream.act, stream.next_act, stream.weight))
    acts = np.stack([act, act, following, following])[:, None]
    return OperandSample(rows=1, cols=1, macs=1, row=np.zeros(LANES, np.int64), acts=acts,
                         weights=weight[None, None], passing=np.stack([weight[None]] * 3), seed=0)


def _features(multiplier: Multiplier, stream: OperandStream) -> list[float]:
    netlist = multiplier.netlist
    weight = pack_bits(stream.weight[:LANES], 8)
    before, after = (netlist.evaluate_nets(pack_bits(acts[:LANES], 8), weight)
                     for acts in (stream.act, stream.next_act))
    toggles: npt.NDArray[np.float64] = np.bitwise_count(before ^ after).sum(axis=1) / LANES
    wide = np.array([gate.op in WIDE for gate in netlist.gates], bool)
    gate_toggles = toggles[netlist.first_gate_net:]
    outputs = [net for net in netlist.outputs if net > 1]
    return [float(np.count_nonzero(~wide)), float(np.count_nonzero(wide)),
            float(gate_toggles[~wide].sum()), float(gate_toggles[wide].sum()),
            float(len(outputs)), float(toggles[outputs].sum()), 1.0]
