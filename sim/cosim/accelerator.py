"""An emitted accelerator under Verilator, with a host that feeds it from Python."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from hw.machine.isa import Instruction, Opcode
from hw.machine.pe.operand_format import STREAM
from sim.machine.host import Bytes, Host
from sim.machine.verilator import compile_model

HARNESS = Path(__file__).parent / "harness.cpp"
WATCHED = Path(__file__).parent / "watched.vlt"
STREAMS = ("instructions", "weight rows", "activation rows", "result rows")


class RtlError(RuntimeError):
    """The RTL did not do what the program asks for; the message is one line."""


class _Transfer(ctypes.Structure):
    """`Transfer` of harness.cpp."""

    _fields_ = (
        ("words", ctypes.c_void_p), ("word_count", ctypes.c_int64),
        ("weights", ctypes.c_void_p), ("weight_count", ctypes.c_int64),
        ("weight_bytes", ctypes.c_int64),
        ("rows_in", ctypes.c_void_p), ("in_count", ctypes.c_int64), ("in_bytes", ctypes.c_int64),
        ("rows_out", ctypes.c_void_p), ("out_count", ctypes.c_int64),
        ("out_bytes", ctypes.c_int64),
        ("accepted", ctypes.c_void_p), ("taken", ctypes.c_void_p),
    )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a run of instructions took.

    accepted : int64[instructions], the cycle in which each word was accepted. cycle : clock
    edges since reset.
    """

    accepted: npt.NDArray[np.int64] = field(repr=False)
    cycle: int


class SimulatedAccelerator:
    """The Verilog of a design's accelerator, simulated cycle by cycle; a context manager.

    Parameters
    ----------
    rtl : Path
        Folder with the Verilog that `python -m hw.rtl.verilog` wrote.
    seed : int
        Of the contents of registers and memories that reset leaves alone.

    Raises ToolError when Verilator or g++ is missing.
    """

    def __init__(self, rtl: Path, *, seed: int = 0) -> None:
        # Not inlined, a PE is compiled once and not once per place: seconds instead of minutes.
        self._library = ctypes.CDLL(str(compile_model(
            [*sorted(rtl.glob("*.v")), WATCHED], HARNESS, top="accelerator", shared=True,
            level="-O1", verilate=("--x-initial", "unique", "-fno-inline"))))
        self._library.accelerator_new.restype = ctypes.c_void_p
        self._library.accelerator_new.argtypes = [ctypes.c_uint64]
        for name in ("delete", "selected", "layer", "route_error", "clocked"):
            getattr(self._library, f"accelerator_{name}").argtypes = [ctypes.c_void_p]
        self._library.accelerator_clocked.restype = ctypes.c_int64
        self._library.accelerator_stall.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]
        self._library.accelerator_run.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(_Transfer), ctypes.POINTER(ctypes.c_int64),
            ctypes.c_int64]
        self._handle: int | None = self._library.accelerator_new(seed)
        self._cycle = ctypes.c_int64(0)

    def __enter__(self) -> SimulatedAccelerator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._handle is not None:
            self._library.accelerator_delete(self._handle)
            self._handle = None

    @property
    def cycle(self) -> int:
        """Clock edges since reset."""
        return self._cycle.value

    @property
    def selected(self) -> int:
        """Array in use."""
        return int(self._library.accelerator_selected(self._handle))

    @property
    def route_error(self) -> bool:
        """A ROUTE named an array that is not there."""
        return bool(self._library.accelerator_route_error(self._handle))

    @property
    def clocked(self) -> int:
        """Cycles since reset in which the clock of the selected array ran."""
        return int(self._library.accelerator_clocked(self._handle))

    def stall(self, chance: float, *, seed: int = 1) -> None:
        """Let every stream of the host wait in a cycle with this probability from now on."""
        self._library.accelerator_stall(self._handle, seed, round(256 * chance))

    def run(self, host: Host, instructions: Sequence[Instruction], *, limit: int) -> Ran:
        """Run instructions of one layer and give their results to `host`.

        Returns once the sequencer asks for the word after the last one, before the clock edge:
        the next call goes on in that very cycle.

        Raises RtlError on a fault, or when that takes more than `limit` cycles.
        """
        words = np.array([code.encode() for code in instructions], np.uint64)
        weights = _packed([host.weight_beats(code) for code in instructions
                           if code.opcode == Opcode.LOAD_WEIGHTS], host.program.bank.cols)
        rows_in = np.concatenate([np.zeros((0, host.program.bank.rows), np.uint8),
                                  *(host.rows_in(code) for code in instructions
                                    if code.opcode == Opcode.DMA_IN)])
        outputs = [code for code in instructions if code.opcode == Opcode.DMA_OUT]
        rows_out = np.zeros((sum(code.c for code in outputs), host.program.bank.cols), np.uint8)
        accepted, taken = np.zeros(len(words), np.int64), np.zeros(len(STREAMS), np.int64)
        transfer = _Transfer(
            words=words.ctypes.data, word_count=len(words),
            weights=weights.ctypes.data, weight_count=len(weights), weight_bytes=weights.shape[1],
            rows_in=rows_in.ctypes.data, in_count=len(rows_in), in_bytes=rows_in.shape[1],
            rows_out=rows_out.ctypes.data, out_count=len(rows_out), out_bytes=rows_out.shape[1],
            accepted=accepted.ctypes.data, taken=taken.ctypes.data)
        status = self._library.accelerator_run(self._handle, ctypes.byref(transfer),
                                               ctypes.byref(self._cycle), limit)
        if status:
            wanted = (len(words), len(weights), len(rows_in), len(rows_out))
            passed = ", ".join(f"{count} of {total} {name}" for count, total, name
                               in zip(taken, wanted, STREAMS, strict=True))
            what = "Sequencer must obey every word, but raised its fault" if status == 2 else (
                f"Accelerator must finish within {limit} cycles, but has not")
            raise RtlError(f"{what}: {passed}, cycle {self._cycle.value}")
        first = 0
        for code in outputs:
            host.take(code, rows_out[first:first + code.c])
            first += code.c
        return Ran(accepted=accepted, cycle=self._cycle.value)


def _packed(beats: Sequence[npt.NDArray[np.uint16]], cols: int) -> Bytes:
    """Return beats of operands as bit vectors, uint8[beats, bytes], the first in the low bits."""
    operands = np.concatenate([np.zeros((0, cols), np.uint16), *beats])
    bits = operands[:, :, None] >> np.arange(STREAM.width, dtype=np.uint16) & 1
    return np.packbits(bits.reshape(len(operands), cols * STREAM.width).astype(np.uint8), axis=1,
                       bitorder="little")
