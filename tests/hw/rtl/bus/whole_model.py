"""The bus around an accelerator that does anything, and random inputs for both."""

from __future__ import annotations

from typing import Any

import numpy as np

from hw.machine.bus import Address
from hw.machine.isa import Opcode
from tests.hw.rtl.bus.models import (
    BufferModel,
    EndsModel,
    GathererModel,
    LiteModel,
    Ports,
    RegistersModel,
    SenderModel,
)

# How often a bit is 1: valid and ready of each channel change their minds from time to time.
PACES = (0.15, 0.5, 0.9, 1.0)
LASTS = (0.0, 0.02, 0.2)  # how often a beat ends a packet, most of them inside a row
CORE = "core_"  # what the accelerator shows and sees, beside the ports of the bus


class BusModel:
    """All of `accelerator_axi` but the accelerator.

    rows, cols, arrays : of its bank. bits : of a beat.
    """

    def __init__(self, rows: int, cols: int, arrays: int, bits: int) -> None:
        self.sizes = rows, cols, bits
        self.bits = bits
        self.registers = RegistersModel(rows, cols, arrays, bits)
        self.lite = LiteModel()
        self.sender = SenderModel(8 * cols, bits)
        self._clear()

    def _clear(self) -> None:
        rows, cols, bits = self.sizes
        self.words = BufferModel()
        self.ends = EndsModel()
        self.streams = {"weights": (BufferModel(), GathererModel(9 * cols, bits)),
                        "in": (BufferModel(), GathererModel(8 * rows, bits))}
        self.core_halted = self.core_fault = self.core_route = False

    # --- inputs ---

    def inputs(self, rng: np.random.Generator, paces: Ports) -> Ports:
        """Return random inputs for a cycle. paces : how often each channel moves."""
        def chance(share: float) -> int:
            return int(rng.random() < share)

        def bits(count: int) -> int:
            return int.from_bytes(rng.bytes(8), "little") % (1 << count)

        address = int(rng.choice((Address.CONTROL, Address.ERRORS, Address.INTERRUPTS,
                                  Address.INTERRUPT_ENABLE)))
        running = self.registers.running
        self.core_halted |= bool(running and chance(0.006))
        self.core_fault |= bool(running and chance(0.003))
        self.core_route |= bool(chance(0.01))
        opcode = Opcode.DMA_OUT if chance(0.5) else bits(4)
        return {
            "rst": chance(0.006),
            "s_axil_awvalid": chance(paces["aw"]), "s_axil_awprot": bits(3),
            "s_axil_awaddr": address | bits(2) if chance(0.8) else bits(6),
            "s_axil_wvalid": chance(paces["w"]), "s_axil_wstrb": 15 if chance(0.7) else bits(4),
            # START is likelier than RESET.
            "s_axil_wdata": bits(32) & ~2 if chance(0.9) else bits(32),
            "s_axil_bready": chance(paces["b"]), "s_axil_arvalid": chance(paces["ar"]),
            "s_axil_araddr": Address.STATUS if chance(0.3) else bits(6),
            "s_axil_arprot": bits(3), "s_axil_rready": chance(paces["r"]),
            "s_axis_instructions_tvalid": chance(paces["words"]),
            "s_axis_instructions_tdata": (opcode << 60 | bits(46) << 14
                                          | int(rng.integers(1, 4)) << 1 | bits(1)),
            **{f"s_axis_{name}_{part}": value for name in ("weights", "in") for part, value in (
                ("tvalid", chance(paces[name])), ("tdata", bits(self.bits)),
                ("tlast", chance(paces["last"])))},
            "m_axis_out_tready": chance(paces["out"]),
            f"{CORE}instructions__ready": chance(paces["core_words"]),
            f"{CORE}weights__ready": chance(paces["core_weights"]),
            f"{CORE}host_in__ready": chance(paces["core_in"]),
            # The accelerator sends no row that no DMA_OUT has asked for.
            f"{CORE}host_out__valid": int(bool(self.ends.left) and chance(paces["core_out"])),
            f"{CORE}host_out__payload": bits(8 * self.sizes[1]),
            f"{CORE}selected": bits(5), f"{CORE}layer": bits(24),
            f"{CORE}halted": int(self.core_halted), f"{CORE}fault": int(self.core_fault),
            f"{CORE}route_error": int(self.core_route),
        }

    @staticmethod
    def paces(rng: np.random.Generator) -> dict[str, float]:
        """Return how often each channel moves from now on."""
        return {"last": float(rng.choice(LASTS)), **{name: float(rng.choice(PACES)) for name in (
            "aw", "w", "b", "ar", "r", "words", "weights", "in", "out", "core_words",
            "core_weights", "core_in", "core_out")}}

    # --- a cycle ---

    def _moves(self, inputs: Ports) -> dict[str, Any]:
        """Return what passes inside in a cycle with these inputs."""
        word = self.words.beats[0] if self.words.beats and self.ends.ready else None
        row_ready = self.registers.running and self.sender.ready(
            taken=bool(inputs["m_axis_out_tready"]))
        found: dict[str, Any] = {
            "word": word, "word_taken": bool(inputs[f"{CORE}instructions__ready"])
            and self.ends.ready,
            "row_ready": row_ready,
            "row": inputs[f"{CORE}host_out__payload"] if row_ready and (
                inputs[f"{CORE}host_out__valid"]) else None}
        for name, core in (("weights", "weights"), ("in", "host_in")):
            buffer, gatherer = self.streams[name]
            beat = buffer.beats[0] if buffer.beats else None
            row = None if beat is None else gatherer.row(beat % (1 << self.bits))
            waits = len(gatherer.held) + 1 == gatherer.needed and not inputs[f"{CORE}{core}__ready"]
            found[name] = (beat, row, not waits)
        return found

    def outputs(self, inputs: Ports) -> Ports:
        """Return what the bus shows, and what the accelerator sees."""
        moves, running = self._moves(inputs), self.registers.running
        data, last = self.sender.beats[0] if self.sender.beats else (None, None)
        shown: Ports = {
            "irq": self.registers.irq,
            **{f"s_axil_{name}": value for name, value in self.lite.outputs().items()},
            "s_axis_instructions_tready": running and self.words.ready,
            **{f"s_axis_{name}_tready": running and buffer.ready
               for name, (buffer, _) in self.streams.items()},
            "m_axis_out_tvalid": bool(self.sender.beats), "m_axis_out_tdata": data,
            "m_axis_out_tlast": last, f"{CORE}rst": bool(inputs["rst"]) or self.registers.clear,
            f"{CORE}instructions__valid": moves["word"] is not None,
            f"{CORE}instructions__payload": moves["word"],
            f"{CORE}host_out__ready": moves["row_ready"],
        }
        for name, core in (("weights", "weights"), ("in", "host_in")):
            _, row, _ = moves[name]
            shown |= {f"{CORE}{core}__valid": row is not None, f"{CORE}{core}__payload": row}
        return shown

    def clock(self, inputs: Ports) -> None:
        """Go on to the next cycle."""
        moves, registers = self._moves(inputs), self.registers
        running, cleared = registers.running, registers.clear
        core = {name: inputs[CORE + name] for name in (
            "selected", "layer", "halted", "fault", "route_error")}
        sending, write = bool(self.sender.beats), self.lite.write
        shown = registers.value(inputs["s_axil_araddr"], core)
        last = bool(self.ends.left) and self.ends.left[0] == 1
        self.sender.clock(moves["row"], last=last, taken=bool(inputs["m_axis_out_tready"]))
        self.ends.clock(moves["word"] if moves["word_taken"] else None,
                        row=moves["row"] is not None)
        self.words.clock(inputs["s_axis_instructions_tdata"] if running and (
            inputs["s_axis_instructions_tvalid"]) else None,
            taken=moves["word_taken"])
        misaligned = False
        for name, (buffer, gatherer) in self.streams.items():
            beat, _, ready = moves[name]
            if beat is not None and ready:
                misaligned |= gatherer.clock(beat % (1 << self.bits), last=bool(beat >> self.bits))
            buffer.clock(inputs[f"s_axis_{name}_tdata"] | inputs[f"s_axis_{name}_tlast"]
                         << self.bits if running and inputs[f"s_axis_{name}_tvalid"] else None,
                         taken=ready)
        registers.clock(core, write, misaligned=misaligned, sending=sending)
        self.lite.clock({name.removeprefix("s_axil_"): value for name, value in inputs.items()},
                        shown)
        if cleared or inputs["rst"]:
            self._clear()
        if inputs["rst"]:
            registers.reset()
            self.lite = LiteModel()
            self.sender.beats.clear()
