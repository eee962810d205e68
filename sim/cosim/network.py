"""A network whose layers run on the RTL, checked layer by layer against the golden model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import Program, compile_program
from hw.machine.cycles import Timing, accelerator_cycles
from hw.machine.design import Design
from hw.machine.isa import Instruction, Opcode
from sim.compensation.designed import designed
from sim.cosim.accelerator import RtlError, SimulatedAccelerator
from sim.machine.host import Host, HostLayer
from sim.network.layer import MappedLayer
from sim.network.quant_network import Images, QuantNetwork, State

CYCLES_PER_CYCLE = 20  # a simulation that takes this many times its predicted cycles hangs


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """One layer of one batch on the RTL.

    array : multiplier name. instructions, cycles : of the layer, SYNC included. predicted : cycles
    by `hw.machine.cycles`. multiplying : cycles in which an activation entered the bank. values :
    outputs compared. differing : of these, not equal to the golden model's. late : instructions
    that were not issued in their predicted cycle.
    """

    name: str
    array: str
    instructions: int
    cycles: int
    predicted: int
    multiplying: int
    values: int
    differing: int
    late: int


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchRun:
    """One batch on the RTL: layers in order, and the logits float32[images, classes]."""

    layers: tuple[LayerRun, ...]
    logits: Images = field(repr=False)


class NetworkOnRtl:
    """Runs batches of images; layers that are not mapped run on the golden model.

    Parameters
    ----------
    network : QuantNetwork
    design : Design
        Its mapping says which layers run on the RTL and on which array; its constants replace
        those of the network.
    config : AcceleratorConfig
    sums : bool
        Compare int32 sums with bias instead of stored codes; layers then run without requantising.
    """

    def __init__(self, network: QuantNetwork, design: Design, config: AcceleratorConfig, *,
                 sums: bool = False) -> None:
        self.network, self.tables = designed(network, design)
        self.design, self.config, self.sums = design, config, sums

    def program(self, batch: int) -> Program:
        """Return the program of a batch; InputError when the design does not fit the network."""
        layers = [self._on_rtl(layer) for layer in self.network.layers
                  if layer.name in self.design.mapping]
        return compile_program(layers, self.design, batch=batch, config=self.config)

    def run(self, images: Images, rtl: SimulatedAccelerator, *, check_cycles: bool = True
            ) -> Iterator[LayerRun | BatchRun]:
        """Yield each layer of a batch as it finishes, then the batch.

        check_cycles : False while streams of the host stall. Raises RtlError when the RTL hangs
        or refuses an instruction.
        """
        program = self.program(len(images))
        timing = accelerator_cycles(program)
        pieces = iter(layer_pieces(program))
        # The word after the last SYNC was due in this cycle.
        start = rtl.cycle
        state: State = self.network.start(images)
        done: list[LayerRun] = []
        for index in range(self.network.step_count):
            layer = self.network.layer_at(index)
            if layer is None or layer.name not in self.design.mapping:
                state = self.network.advance(state, index, index + 1, {})
                continue
            first, instructions = next(pieces)
            golden, _shape = self.network.sums(layer, state, self.tables[layer.name])
            run, values = self._layer(layer.bound(state), state, golden, program, first,
                                      instructions, rtl, timing, start if check_cycles else None)
            done.append(run)
            yield run
            state = self.network.put(state, layer, values)
        yield BatchRun(layers=tuple(done), logits=self.network.finish(state))

    def _on_rtl(self, layer: MappedLayer) -> MappedLayer:
        return replace(layer, requantizer=None) if self.sums else layer

    def _layer(self, layer: MappedLayer, state: State, golden: npt.NDArray[np.int32],
               program: Program, first: int, instructions: Sequence[Instruction],
               rtl: SimulatedAccelerator, timing: Timing, start: int | None
               ) -> tuple[LayerRun, npt.NDArray[np.generic]]:
        """Run one layer; return what it took and its output tensor, as the RTL has it."""
        rows, shape = layer.act_rows(state[layer.input].view(np.uint8))
        host = Host(program, HostLayer.of(self._on_rtl(layer), rows))
        last = first + len(instructions)
        begun = timing.issues[first - 1] if first else 0
        predicted = timing.issues[last - 1] - begun
        before = rtl.cycle
        ran = rtl.run(host, instructions, limit=CYCLES_PER_CYCLE * predicted + 10_000)
        late = 0
        if start is not None:
            # A word is accepted in the cycle in which the one before is issued.
            issued = np.append(ran.accepted[1:], ran.cycle) - start
            late = int((issued != np.array(timing.issues[first:last])).sum())
        output, total = host.output(), golden + layer.bias
        wanted = (total if self.sums or layer.requantizer is None
                  else layer.requantizer.apply(total).view(np.uint8))
        differing = int((output != wanted).sum())
        run = LayerRun(
            name=layer.name, array=self.design.multiplier_of(layer.name).name,
            instructions=len(instructions), cycles=ran.cycle - before, predicted=predicted,
            multiplying=sum(code.c for code in instructions if code.opcode == Opcode.MATMUL),
            values=output.size, differing=differing, late=late)
        if self.sums and layer.requantizer is not None:
            return run, layer.tensor(layer.requantizer.apply(output.view(np.int32)), shape)
        signed = layer.requantizer is not None and layer.requantizer.signed
        return run, layer.tensor(output.view(np.int8) if signed else output, shape)


def layer_pieces(program: Program) -> Iterator[tuple[int, Sequence[Instruction]]]:
    """Yield the instructions of each layer, SYNC included, and the number of the first one."""
    first = 0
    for index, instruction in enumerate(program.instructions):
        if instruction.opcode == Opcode.SYNC:
            yield first, program.instructions[first:index + 1]
            first = index + 1


def halt(rtl: SimulatedAccelerator, program: Program) -> None:
    """End a program: HALT, which the sequencer must obey at once after the last SYNC."""
    layer = HostLayer(codes=np.zeros((1, 1, 1), np.uint8), act_zero_point=0, act_signed=False,
                      weights=np.zeros((1, 1, 1), np.int16), bias=np.zeros(1, np.int32),
                      requantizer=None)
    before = rtl.cycle
    rtl.run(Host(program, layer), [Instruction(Opcode.HALT)], limit=1000)
    if rtl.cycle != before + 1:
        raise RtlError(f"HALT must take 1 cycle after SYNC, not {rtl.cycle - before}")


def round_robin(network: QuantNetwork, design: Design) -> Mapping[str, int]:
    """Return a mapping that uses every array: layer i on array i modulo their number."""
    return {layer.name: index % len(design.bank.arrays)
            for index, layer in enumerate(network.layers)}
