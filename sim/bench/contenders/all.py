"""Who takes part, by name; what takes part is in the other files, imported when it is made."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from hw.common.errors import ToolError
from hw.multipliers import get

if TYPE_CHECKING:
    from sim.bench.contenders.verilated import EmitDesign
    from sim.bench.problem import Contender

# Three characters of circuits, by rank and size of the error table E = product - exact.
TYPICAL = "mul8u_evo_mae850"  # rank 19, as high as few of the default bank; |E| <= 371
HARD = "mul8u_evo_mre35000"  # rank 132, |E| <= 5249: sums of eight errors overflow int16
RANK_1 = "mul8u_optrunc_a2w1"  # its products are an outer product
BASELINE = "ort-qlinearconv"
ARRAY_SIDE = 4
MILLION = 10**6


def _lookups(name: str, label: str, method: str, macs: int) -> Contender:
    from sim.bench.contenders import lookups

    return lookups.Lookups(name=name, label=label, method=getattr(lookups, method), macs=macs,
                           table=get(TYPICAL).table)


def _torch(name: str, label: str) -> Contender:
    if importlib.util.find_spec("torch") is None:
        raise ToolError("torch is missing; run: pip install -e '.[torch]'")
    return _lookups(name, label, "torch_gather", 4 * MILLION)


def _verilated(name: str, label: str, emit: EmitDesign, macs: int,
               array: int | None) -> Contender:
    from sim.bench.contenders.verilated import Verilated

    contender = Verilated(name=name, label=label, multiplier=get(TYPICAL), emit=emit, macs=macs,
                          array=array)
    assert contender.program  # compiled now, not while others are timed
    return contender


def _ours(name: str, label: str, circuit: str, *, requantise: bool = True) -> Contender:
    from sim.bench.contenders.ours import Ours

    return Ours(name=name, label=label, table=get(circuit).table, requantise=requantise)


def _onnx(name: str, label: str, operator: str) -> Contender:
    from sim.bench.contenders.onnx_int8 import OnnxInt8
    from sim.tables import exact_table

    return OnnxInt8(name=name, label=label, operator=operator, table=exact_table())


def _netlist(name: str, label: str, *, gates_only: bool) -> Contender:
    from sim.bench.contenders.netlist import BitSliced

    return BitSliced(name=name, label=label, multiplier=get(TYPICAL), gates_only=gates_only)


Factory = Callable[[str, str], "Contender"]


def contenders(emit: EmitDesign) -> Mapping[str, tuple[str, Factory]]:
    """Return name -> (label, how to make it).

    emit : writes the Verilog of those that simulate it. Making one raises ToolError where the
    environment lacks something.
    """
    return {
        BASELINE: ("ONNX Runtime QLinearConv u8u8", partial(_onnx, operator="QLinearConv")),
        "ort-convinteger": ("ONNX Runtime ConvInteger u8u8",
                            partial(_onnx, operator="ConvInteger")),
        "ort-matmulinteger": ("im2col + ONNX Runtime MatMulInteger u8u8",
                              partial(_onnx, operator="MatMulInteger")),
        "ours-exact": ("this project, exact multiplier", partial(_ours, circuit="mul8u_exact")),
        "ours-rank1": ("this project, rank-1 circuit", partial(_ours, circuit=RANK_1)),
        "ours-typical": ("this project, typical circuit", partial(_ours, circuit=TYPICAL)),
        "ours-hard": ("this project, hard circuit", partial(_ours, circuit=HARD)),
        "ours-hard-sums": ("this project, hard circuit, sums only",
                           partial(_ours, circuit=HARD, requantise=False)),
        "loop-rows": ("compiled LUT loop, order m k n",
                      partial(_lookups, method="loop_rows", macs=40 * MILLION)),
        "loop-columns": ("compiled LUT loop, order m n k",
                         partial(_lookups, method="loop_columns", macs=20 * MILLION)),
        "numpy-gather": ("NumPy gather table[a, w]",
                         partial(_lookups, method="numpy_gather", macs=6 * MILLION)),
        "numpy-take": ("NumPy take, offsets prepared",
                       partial(_lookups, method="numpy_take", macs=6 * MILLION)),
        "torch-gather": ("torch gather table[a, w].sum", _torch),
        "netlist": ("bit-sliced netlist, NumPy", partial(_netlist, gates_only=False)),
        "netlist-gates": ("bit-sliced netlist, gates alone",
                          partial(_netlist, gates_only=True)),
        "verilator-multiplier": ("Verilator, one multiplier",
                                 partial(_verilated, emit=emit, macs=600_000, array=None)),
        "verilator-array": (f"Verilator, {ARRAY_SIDE}x{ARRAY_SIDE} array",
                            partial(_verilated, emit=emit, macs=300_000,
                                    array=ARRAY_SIDE)),
    }
