"""Stored results: mapped netlists by multiplier digest, so that nobody else needs synthesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json, write_json_gz
from hw.common.records import Limits, record, without_format
from hw.machine.pe import DENSE, FORMS, PLAIN, form_named, kind_for
from hw.machine.pe.kind import Dataflow
from hw.multipliers import EXACT, default_bank, names
from hw.multipliers.base import Multiplier
from hw.multipliers.precision import lower_precision
from hw.ppa.library.technology import Technology, load_technology
from hw.ppa.mapping.mapped import MappedNetlist
from hw.ppa.mapping.pe import NEIGHBOURS, MappedPe
from hw.ppa.mapping.selection import check_size, for_mapping

RESULT_FORMAT = "autoapprox-mapped-pe/1"
PREFIX_DIGITS = 16  # of the digest of netlist and adder, in the file name; the file holds all 64
DEFAULT_PSUM_WIDTH = 24  # 128 rows of products and a sign
WIDE_PSUM_WIDTH = 25  # 256 rows


def results_folder(technology: str = "asap7") -> Path:
    """Return the folder that comes with the project for results in one technology."""
    return Path(str(resources.files("hw.ppa"))) / "results" / technology


def result_path(folder: Path, multiplier: Multiplier, psum_width: int,
                dataflow: Dataflow = PLAIN) -> Path:
    """Return where the result of a multiplier belongs."""
    suffix = "" if psum_width == DEFAULT_PSUM_WIDTH else f"-{psum_width}"
    suffix += "" if dataflow == PLAIN else f"-{dataflow.form}"
    return folder / f"{multiplier.pe_digest[:PREFIX_DIGITS]}{suffix}.json.gz"


def shipped() -> Mapping[tuple[int, Dataflow], Sequence[Multiplier]]:
    """Return which PEs come with the project, by the width of their partial sums and their form.

    All 8x8 netlists of the catalogue; those of the default bank also for arrays of 256 rows, and,
    with exact ones of lower precision, of dense PEs; the exact one in every form.
    """
    precise = [multiplier for multiplier in for_mapping([])
               if not multiplier.signed and lower_precision(multiplier)]
    return {**{(DEFAULT_PSUM_WIDTH, form): for_mapping([EXACT]) for form in FORMS.values()},
            (DEFAULT_PSUM_WIDTH, PLAIN): for_mapping([]),
            (WIDE_PSUM_WIDTH, PLAIN): for_mapping(default_bank()),
            (DEFAULT_PSUM_WIDTH, DENSE): [*for_mapping(default_bank()), *precise]}


def load_pe(multiplier: Multiplier, psum_width: int = DEFAULT_PSUM_WIDTH,
            technology: str | Technology = "asap7", *, dataflow: Dataflow = PLAIN,
            folder: Path | None = None) -> MappedPe:
    """Return the stored PE of a multiplier.

    Parameters
    ----------
    multiplier : Multiplier
        Found by the digest of its netlist, whatever it is called.
    psum_width : int
    technology : str or Technology
        Name of one that comes with the project, or one of your own.
    dataflow : Dataflow
        Terms and outputs of the PE.
    folder : Path, optional
        Of results; by default the one that comes with the project.

    Raises
    ------
    InputError
        The multiplier cannot be used in a PE, the technology is unknown, or the stored file is
        malformed.
    ToolError
        There is no result for this netlist; the message says how to make it.
    """
    check_size(multiplier)
    known = load_technology(technology) if isinstance(technology, str) else technology
    path = result_path(folder or results_folder(known.name), multiplier, psum_width, dataflow)
    arguments = multiplier.name if multiplier.name.partition("+")[0] in names() else "FILE.json"
    if psum_width != DEFAULT_PSUM_WIDTH:
        arguments += f" --psum-width {psum_width}"
    if dataflow != PLAIN:
        arguments += f" --pe-form {dataflow.form}"
    if known.name != "asap7":
        arguments += " --technology FILE"
    if folder is not None:
        arguments += f" -o {folder}"
    command = f"make ppa ARGS='{arguments}'"
    if not path.exists():
        raise ToolError(f"No synthesis result for {multiplier.name!r} with {psum_width}-bit "
                        f"partial sums in {known.name} (netlist {multiplier.pe_digest[:12]}); "
                        f"run: {command}")
    content = read_json(path)
    try:
        pe = _from_dict(content, multiplier, known)
    except ValueError as error:
        raise InputError(f"{path}: {error}; run: {command}") from None
    if pe.psum_width != psum_width:
        raise InputError(f"{path}: must hold {psum_width}-bit partial sums, not {pe.psum_width}")
    if pe.kind.dataflow != dataflow:
        raise InputError(f"{path}: must hold a PE of {dataflow.form} multiplications, "
                         f"not {pe.kind.dataflow.form}")
    return pe


def units_path(folder: Path, form: str) -> Path:
    """Return where the figures of the units around arrays of one form of PEs belong."""
    return folder / f"units-{form}.json"


def units_delay_ps(technology: Technology, form: str) -> float:
    """Return the longest path around arrays of a form (`python -m hw.ppa units`).

    Stored for the technologies that come with the project; 0 for others.
    """
    path = units_path(results_folder(technology.name), form)
    stored = read_json(path) if path.exists() else {}
    if stored.get("technology_sha256") != technology.digest:
        return 0.0
    return max(float(unit["delay_ps"]) for unit in stored["units"] if not unit["is_pe"])


def clock_period_ps(pe: MappedPe) -> float:
    """Return the shortest clock period of an array: no unit around it or in it is slower."""
    return max(pe.delay_ps, units_delay_ps(pe.technology, pe.kind.dataflow.form))


def save_pe(pe: MappedPe, folder: Path) -> Path:
    """Write a result atomically and return its path; equal results give equal bytes."""
    path = result_path(folder, pe.multiplier, pe.psum_width, pe.kind.dataflow)
    write_json_gz(path, {
        "format": RESULT_FORMAT, "multiplier": pe.multiplier.name,
        "netlist_sha256": pe.multiplier.pe_digest, "psum_width": pe.psum_width,
        **({} if pe.kind.dataflow == PLAIN else {"form": pe.kind.dataflow.form}),
        "technology": pe.technology.name, "technology_sha256": pe.technology.digest,
        "recipe": pe.recipe, "verilog_sha256": pe.verilog_sha256,
        # For readers of the file; every program computes them from the netlists.
        "figures": {"area_um2": round(pe.area_um2, 5), "delay_ps": round(pe.delay_ps, 3),
                    "leakage_nw": round(pe.leakage_nw, 4),
                    "multiplier_area_um2": round(pe.multiplier_area_um2, 5),
                    "multiplier_delay_ps": round(pe.multiplier_delay_ps, 3)},
        "pe": pe.netlist.to_dict(), "multiplier_alone": pe.multiplier_netlist.to_dict(),
        **({"start": pe.start_netlist.to_dict()} if pe.start_netlist else {})})
    return path


def is_current(path: Path, *, recipe: str, technology: Technology, verilog_sha256: str) -> bool:
    """Return whether a stored result was made from the same Verilog, recipe and technology."""
    try:
        content = read_json(path)
    except (OSError, InputError):
        return False
    return isinstance(content, dict) and (
        content.get("format"), content.get("recipe"), content.get("technology_sha256"),
        content.get("verilog_sha256")
    ) == (RESULT_FORMAT, recipe, technology.digest, verilog_sha256)


@dataclass(frozen=True, kw_only=True)
class _PeFile:
    """What the file of a mapped PE holds beside its format."""

    multiplier: str
    netlist_sha256: str
    psum_width: Annotated[int, Limits(1, 32)]
    technology: str
    technology_sha256: str
    recipe: str
    verilog_sha256: str
    figures: Any
    pe: Any
    multiplier_alone: Any
    start: Any = None
    form: str = PLAIN.form


def _from_dict(content: Any, multiplier: Multiplier, technology: Technology) -> MappedPe:
    """Return the PE; raises ValueError when it is malformed, or of something else."""
    read = record(_PeFile, without_format(content, RESULT_FORMAT))
    if read.netlist_sha256 != multiplier.pe_digest:
        raise ValueError(f"must be of netlist {multiplier.pe_digest[:12]}, not "
                         f"{read.netlist_sha256[:12]}")
    if read.technology_sha256 != technology.digest:
        raise ValueError(f"must be made with the present {technology.name} figures")
    kind = kind_for(signed=multiplier.signed, dataflow=form_named(read.form))
    parts = {"pe": read.pe, "multiplier_alone": read.multiplier_alone,
             **({"start": read.start} if kind.circuit else {})}
    netlists = []
    for place, part in parts.items():
        try:
            netlists.append(MappedNetlist.from_dict(part))
            netlists[-1].check_cells(technology)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    ports = netlists[0]
    for port, driver in NEIGHBOURS.items():
        if not 0 < len(ports.inputs.get(port, ())) == len(ports.outputs.get(driver, ())):
            raise ValueError(f"ports {port} and {driver} must have equal widths")
    return MappedPe(multiplier=multiplier, kind=kind,
                    psum_width=read.psum_width, technology=technology, netlist=netlists[0],
                    multiplier_netlist=netlists[1], recipe=read.recipe,
                    start_netlist=netlists[2] if kind.circuit else None,
                    verilog_sha256=read.verilog_sha256)
