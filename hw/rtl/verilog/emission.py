"""Verilog of a design, of a PE or of a multiplier, as text.

A design becomes a folder with one file per module, `accelerator.v` on top, the list
`accelerator.f` for a simulator or synthesiser, constraints (`.sdc`), a FuseSoC package (`.core`),
lint waivers (`lint.vlt`) and a C++ program that multiplies a tile (`tile.cpp`). The bytes depend on
the design and the sizes alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.lib.wiring import In

from hw.common.files import staging_folder, write_text
from hw.machine.accelerator import CODE_BITS, CONSTANT_BEATS, AcceleratorConfig
from hw.machine.bus import check_stream_bits, weight_beats
from hw.machine.design import MAX_ROWS, BankConfig, Design
from hw.machine.pe import PLAIN, check_form, pe_of
from hw.machine.pe.kind import ClockGate, Dataflow, Pe
from hw.machine.pe.operand_format import STREAM, OperandFormat
from hw.multipliers.base import Multiplier
from hw.rtl.accelerator.handover import CLOCK_PS, companions
from hw.rtl.accelerator.top import Accelerator
from hw.rtl.array.bank import MxuBank
from hw.rtl.array.column_start import ColumnStart
from hw.rtl.array.multiplier import MultiplierCircuit
from hw.rtl.array.pe import pe_component
from hw.rtl.bus.top import AxiAccelerator
from hw.rtl.emit import modules_of, modules_together
from hw.rtl.hierarchy import Unit, port_name
from hw.rtl.verilog.ansi import with_ansi_ports

# --- text -----------------------------------------------------------------------------


def emit_design(design: Design, *, prefix: str = "", config: AcceleratorConfig | None = None,
                clock_gate: ClockGate = ClockGate.CELL, clock_ps: float = CLOCK_PS,
                stream_bits: int | None = None) -> dict[str, str]:
    """Return the files of `design` by name, the top module first, companions last.

    prefix : start of every module and file name, to keep two designs apart. config : of the
    accelerator around the bank; None for the bank alone. clock_gate : of all arrays. clock_ps :
    period of the constraints. stream_bits : of a beat on AXI around the accelerator; None for
    the accelerator without a bus. InputError where a row is no whole number of beats.
    """
    return emit_designs({prefix: design}, config, clock_gate, clock_ps, stream_bits)[prefix]


def emit_designs(designs: Mapping[str, Design], config: AcceleratorConfig | None = None,
                 clock_gate: ClockGate = ClockGate.CELL, clock_ps: float = CLOCK_PS,
                 stream_bits: int | None = None) -> dict[str, dict[str, str]]:
    """Return `emit_design` of each design by prefix."""
    suffixes = {prefix: module_suffixes([multiplier.name for multiplier in design.arrays])
                for prefix, design in designs.items()}
    tops: list[Unit] = []
    for prefix, design in designs.items():
        pes = tuple(pe.with_clock_gate(clock_gate) for pe in design.pes)
        tops.append(_top(design.bank, pes, suffixes[prefix], config, stream_bits))
    modules = modules_of(tops, prefixes=list(designs))
    return {prefix: _design_files(design, prefix, suffixes[prefix], texts, top, clock_ps)
            for (prefix, design), texts, top in zip(designs.items(), modules, tops, strict=True)}


def _top(bank: BankConfig, pes: tuple[Pe, ...], suffixes: tuple[str, ...],
         config: AcceleratorConfig | None, stream_bits: int | None) -> Unit:
    if config is None:
        return MxuBank(config=bank, pes=pes, suffixes=suffixes)
    if stream_bits is None:
        return Accelerator(bank=bank, config=config, pes=pes, suffixes=suffixes)
    check_stream_bits(bank, stream_bits)
    return AxiAccelerator(bank=bank, config=config, pes=pes, suffixes=suffixes,
                          stream_bits=stream_bits)


def _design_files(design: Design, prefix: str, suffixes: Sequence[str],
                  modules: Mapping[str, str], top: Unit, clock_ps: float) -> dict[str, str]:
    comments = {name: [f"Design {design.name}"] for name in modules}
    comments[f"{prefix}bank"] = _bank_comment(design, suffixes)
    comments.setdefault(f"{prefix}clock_gate", []).append(
        "At the root of each array: put the library's integrated clock gate in its place")
    comments.setdefault(f"{prefix}row_memory", []).append(
        "Every memory; a model of behaviour: put SRAM macros in its place, docs/integration.md")
    if isinstance(top, Accelerator | AxiAccelerator):
        comments[f"{prefix}accelerator"] = _accelerator_comment(design, top.config)
    if isinstance(top, AxiAccelerator):
        comments[f"{prefix}accelerator_axi"] = _bus_comment(design, top.stream_bits)
    for multiplier, pe, suffix in zip(design.arrays, design.pes, suffixes, strict=True):
        lines = [f"Design {design.name}", _netlist_comment(multiplier, pe)]
        comments |= {prefix + part + suffix: lines
                     for part in ("array", "row", "start", "pe", "multiplier", "low_adder")}
    files = {f"{name}.v": _file(comments[name], with_ansi_ports(text))
             for name, text in modules.items()}
    ports = {port_name(path): member.flow == In
             for path, member, _ in top.signature.flatten(top)}
    return files | companions(design, prefix + top.module, list(files), ports, prefix=prefix,
                              clock_ps=clock_ps)


def emit_pe(multiplier: Multiplier, psum_width: int, dataflow: Dataflow = PLAIN,
            clock_gate: ClockGate = ClockGate.CELL) -> str:
    """Return Verilog of the standalone modules `pe` and `multiplier`.

    For PEs with a circuit of their own also `start`, which stands above each column of them, of
    the longest column.
    """
    return emit_pes([multiplier], psum_width, dataflow, clock_gate)[0]


def emit_pes(multipliers: Sequence[Multiplier], psum_width: int, dataflow: Dataflow = PLAIN,
             clock_gate: ClockGate = ClockGate.CELL) -> list[str]:
    """Return `emit_pe` of each multiplier, whatever the others are."""
    for multiplier in multipliers:
        check_form(multiplier, dataflow)
    pes = [pe_of(multiplier.netlist, psum_width, dataflow, multiplier.adder).with_clock_gate(
        clock_gate) for multiplier in multipliers]
    form = "" if dataflow == PLAIN else f" of {dataflow.form} multiplications"
    texts = modules_of([pe_component(pe) for pe in pes])
    for modules, pe in zip(texts, pes, strict=True):
        if pe.kind.circuit:
            start, = modules_of([ColumnStart(pe=pe, rows=MAX_ROWS, psum_start=0)])
            modules.update(start)
    files = []
    for multiplier, pe, modules in zip(multipliers, pes, texts, strict=True):
        operands = _unlike_streams(pe.kind.operand, ", {} operands")
        comment = [f"PE{form}, {psum_width}-bit partial sum{operands}",
                   _netlist_comment(multiplier, pe)]
        files.append(_file(comment, "\n".join(modules.values())))
    return files


def emit_multiplier(multiplier: Multiplier) -> str:
    """Return Verilog of the standalone module `multiplier`."""
    modules, = modules_of([MultiplierCircuit(netlist=multiplier.netlist)])
    return _file([_netlist_comment(multiplier)], modules["multiplier"])


def emit_multipliers(multipliers: Sequence[Multiplier]) -> list[str]:
    """Return Verilog of modules `multiplier_0`, `multiplier_1`, ..., to be compiled together."""
    names, texts = modules_together([
        MultiplierCircuit(netlist=multiplier.netlist, module=f"multiplier_{index}")
        for index, multiplier in enumerate(multipliers)])
    return [_file([_netlist_comment(multiplier)], texts[name])
            for multiplier, name in zip(multipliers, names, strict=True)]


def module_suffixes(names: Sequence[str]) -> tuple[str, ...]:
    """Return one ending per multiplier name that is safe in a Verilog identifier.

    Names that become equal are numbered: `["a-b", "a+b"]` gives `("_a_b", "_a_b_1")`.
    """
    suffixes: list[str] = []
    for name in names:
        stem = "_" + (re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "unnamed")
        candidate, number = stem, 0
        while candidate in suffixes:
            number += 1
            candidate = f"{stem}_{number}"
        suffixes.append(candidate)
    return tuple(suffixes)


def _file(comment: Sequence[str], text: str) -> str:
    return "".join(f"// {line}".rstrip() + "\n" for line in comment) + "\n" + text


def _netlist_comment(multiplier: Multiplier, pe: Pe | None = None) -> str:
    name = " ".join(multiplier.name.split())  # a design file may say anything
    netlist = multiplier.netlist if pe is None else pe.circuit
    built = f" as {netlist.act_width}-bit {pe.kind.name}" if pe and pe.kind.circuit else ""
    adder = f", added by {pe.adder}" if pe and pe.adder else ""
    return f"Multiplier {name}{built}: netlist sha256 {netlist.digest}{adder}"


def _unlike_streams(operand: OperandFormat, text: str) -> str:
    """Return `text` with the name of a format, or nothing for that of the streams."""
    return "" if operand == STREAM else text.format(operand.name)


def _bank_comment(design: Design, suffixes: Sequence[str]) -> list[str]:
    bank = design.bank
    lines = [f"Design {design.name}: {len(bank.arrays)} arrays of {bank.rows} rows x {bank.cols} "
             f"columns, {bank.psum_width}-bit partial sums",
             f"Latency {bank.latency_cycles} cycles; a tile of n act beats every "
             f"max(n, {bank.fill_cycles}) cycles", ""]
    for index, (multiplier, pe, suffix) in enumerate(
            zip(design.arrays, design.pes, suffixes, strict=True)):
        low, high = pe.kind.operand.limits
        least, most = pe.kind.weight_limits
        weights = f", weights {least} to {most}" if (low, high) != (least, most) else ""
        inside = _unlike_streams(pe.kind.operand, f", {{}} inside: operands {low} to {high}"
                                 f"{weights}, others wrap")
        lines += [f"ROUTE {index}: array{suffix}{inside}",
                  f"    {_netlist_comment(multiplier, pe)}"]
    operand = "9 bits each, magnitude [7:0] and sign [8], the first in the low bits"
    return [*lines, "",
            "All streams: a beat passes in a cycle with valid and ready high.",
            "route__payload    array index",
            f"weights__payload  {bank.cols} operands, {operand}; bottom row first, "
            f"{bank.rows} beats a tile",
            f"acts__payload     {bank.rows} operands as above; the top bit marks the first beat "
            "of a tile",
            f"results__payload  {bank.cols} partial sums, two's complement, the first in the low "
            "bits",
            "rst               synchronous, active high"]


def _accelerator_comment(design: Design, config: AcceleratorConfig) -> list[str]:
    bank = design.bank
    return [f"Design {design.name}: accelerator around `bank`, whose arrays it lists",
            f"Buffers: {config.act_rows} rows of {bank.rows} bytes in, {config.output_rows} rows "
            f"of {bank.cols} bytes out, {config.accumulator_rows} rows of {bank.cols} sums",
            "",
            "All streams: a beat passes in a cycle with valid and ready high.",
            "instructions__payload  64 bits, the fields of docs/isa.md",
            f"weights__payload       {bank.cols} operands, 9 bits each, magnitude [7:0] and sign "
            "[8], the first in the",
            f"                       low bits; per LOAD_WEIGHTS {bank.rows} beats, bottom row "
            "first; with its flag",
            f"                       {CONSTANT_BEATS} beats of bias[31:0], multiplier[30:0], "
            "shift[5:0] per column, low bits first",
            f"host_in__payload       {bank.rows} bytes, the first in the low bits; a beat per row "
            "of DMA_IN",
            f"host_out__payload      {bank.cols} bytes; a beat per row of DMA_OUT",
            "rst                    synchronous, active high"]


def _bus_comment(design: Design, stream_bits: int) -> list[str]:
    bank = design.bank
    rows = {"s_axis_weights": weight_beats(bank, stream_bits),
            "s_axis_in": bank.rows * CODE_BITS // stream_bits,
            "m_axis_out": bank.cols * CODE_BITS // stream_bits}
    return [f"Design {design.name}: `accelerator` on AXI4-Stream and AXI4-Lite",
            "Registers and packing: docs/integration.md",
            "clk is aclk; rst is synchronous and active high: not aresetn.",
            f"Beats of {stream_bits} bits, low bits first; a row of each stream takes",
            *(f"{name:15} {count}" for name, count in rows.items())]


# --- files ----------------------------------------------------------------------------


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write `files` into `folder`: all of them or none.

    They are written beside their place and then moved. Other files of `folder` stay.
    """
    with staging_folder(folder, "verilog") as staging:
        for name, text in files.items():
            write_text(staging / name, text)
        for name in files:
            (staging / name).replace(folder / name)
