"""The files of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hw.common.files import read_json, write_bytes, write_json, write_text
from hw.common.pareto import pareto_front
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import compile_program
from hw.machine.design import BankConfig, Design
from hw.machine.pe import kinds_of
from hw.multipliers import Multiplier
from search.problem.workload import own_layers
from search.report.circuits import save_bank
from search.report.figures.series import count_names, counts, table
from search.report.page import write_report
from search.report.record import Candidate, RunResult
from sim.network.quant_network import QuantNetwork

# Writes the Verilog of a design into a folder beside a `with` block, and gives what waits for it.
EmitDesign = Callable[[Design, Path, AcceleratorConfig, float],
                      AbstractContextManager[Callable[[], None]]]


def make_design(name: str, candidate: Candidate, multipliers: Mapping[str, Multiplier], *,
                bank: BankConfig, exact_form: str, kept: str | None,
                constants: Mapping[str, Mapping[str, Any]],
                provenance: Mapping[str, Any]) -> Design:
    """Return the design of a candidate: its arrays in the order in which layers use them.

    exact_form : of the PEs of its exact array; those of others are of the bank's form. kept : a
    multiplier whose array is built even if no layer uses it. constants : of the layers that have
    other ones than the network, JSON-ready.
    """
    arrays = list(candidate.arrays)
    if kept is not None and kept not in arrays:
        arrays.append(kept)
    return Design(
        name=name, multipliers={array: multipliers[array] for array in arrays},
        bank=replace(bank, arrays=tuple(arrays), kinds=kinds_of(
            [multipliers[array] for array in arrays], bank.form, exact_form)),
        mapping={layer: arrays.index(used) for layer, used in candidate.mapping.items()},
        constants=constants, provenance=provenance)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A network that the design is for.

    prefix : of its layers in the design, empty where it is the only one. source : its file.
    """

    name: str
    prefix: str
    network: QuantNetwork
    source: Path

    def file(self, what: str) -> str:
        """Return the name of a file of this network: `network.onnx` or `network_NAME.onnx`."""
        stem, suffix = what.split(".")
        return f"{stem}_{self.name}.{suffix}" if self.prefix else what


def design_of(design: Design, built: Built) -> Design:
    """Return what a design says of one network, its layers by their own names."""
    if not built.prefix:
        return design
    return replace(design, name=f"{design.name}_{built.name}",
                   mapping=own_layers(built.prefix, design.mapping),
                   constants=own_layers(built.prefix, design.constants))


def write_network(folder: Path, built: Built) -> None:
    """Write the quantised network that was searched, which the design belongs to.

    Quantised again, on other images, it would be another. What MODEL.json says of the input is
    kept beside it.
    """
    path = folder / built.file("network.onnx")
    write_bytes(path, built.network.model.SerializeToString(deterministic=True))
    sidecar = built.source.with_suffix(".json")
    if sidecar.exists() and "input" in (content := read_json(sidecar)):
        write_json(path.with_suffix(".json"), {"input": content["input"]})


def write_outputs(folder: Path, result: RunResult, design: Design,
                  bank: Mapping[str, Multiplier], networks: Sequence[Built],
                  emit: EmitDesign, *, batch: int) -> None:
    """Write every file of the run but its trials.

    bank : the multipliers that were chosen from. Where there are several networks, each has its
    part of the design in a file of its own, for what takes the design of one network.

    Raises ToolError when the Verilog cannot be emitted.
    """
    design.save(folder / "design.json")
    with emit(design, folder / "rtl", AcceleratorConfig(), result.kept_figures.clock_ps) as wait:
        for built in networks:
            write_network(folder, built)
            own = design_of(design, built)
            if built.prefix:
                own.save(folder / built.file("design.json"))
            compile_program(built.network.layers, own, batch=batch).save(
                folder / built.file("program.json"))
        write_text(folder / "mapping.csv", _mapping_csv(result, design))
        write_text(folder / "pareto.csv", _pareto_csv(result))
        result.save(folder / "run.json")
        save_bank(folder, bank)
        write_report(result, bank, folder)
        wait()


def _mapping_csv(result: RunResult, design: Design) -> str:
    reference = next(iter(result.exact.mapping.values()))
    rows = []
    for layer in result.layers:
        used = design.multiplier_of(layer.name).name
        energy = result.layer_energy_pj[layer.name]
        rows.append((layer.name, layer.kind, layer.k, layer.n, layer.groups, layer.positions,
                     layer.macs, design.mapping[layer.name], used, f"{energy[used]:.6g}",
                     f"{energy[reference]:.6g}"))
    return table(("layer", "kind", "k", "n", "groups", "positions", "macs", "array",
                   "multiplier", "energy_pj", "exact_energy_pj"), rows)


def best_measured(result: RunResult) -> list[tuple[str, Candidate]]:
    """Return (method, candidate) that no other measured one beats in energy, area and accuracy."""
    measured = [("exact", result.exact)] + [
        (method.method, candidate) for method in result.methods for candidate in method.history]
    front = pareto_front([(candidate.energy, candidate.area, -candidate.search_right)
                          for _method, candidate in measured])
    return [measured[index] for index in front]


def _pareto_csv(result: RunResult) -> str:
    rows = [(method, candidate.evaluation, f"{candidate.energy:.6f}", f"{candidate.area:.6f}",
             *counts(candidate),
             *(candidate.mapping[layer.name] for layer in result.layers))
            for method, candidate in best_measured(result)]
    return table(("method", "evaluation", "energy", "area", *count_names(result),
                   *(layer.name for layer in result.layers)), rows)
