"""Command line: a design and a network to an instruction stream.

`python -m hw.compile DESIGN.json MODEL.onnx -o program.json`

It stands above `sim`, which reads networks; nothing imports it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hw.common.errors import InputError, run_command_line, unknown_name
from hw.common.files import write_text
from hw.common.outputs import OutputFile
from hw.common.progress import start
from hw.common.wording import CommandParser, program
from hw.machine.accelerator import AcceleratorConfig
from hw.machine.compiler import Program, compile_program
from hw.machine.cycles import accelerator_cycles
from hw.machine.design import Design
from hw.machine.isa import Opcode
from hw.machine.pe import FORMS
from sim.options import add_options, load_network, preprocessing

if TYPE_CHECKING:
    from sim.network.quant_network import QuantNetwork

MAX_BATCH = 65_536  # far beyond the rows that any memory holds at a time


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=program("hw.compile"), description="Compile the layers that a design maps into "
        "instructions of the accelerator.")
    parser.add_argument("design", type=Path, metavar="DESIGN.json")
    parser.add_argument("model", type=Path, metavar="MODEL.onnx",
                        help="network, quantised; a float one needs --calibrate")
    parser.add_argument("-o", "--output", type=Path, action=OutputFile, default="program.json",
                        metavar="FILE", help="program (default: %(default)s)")
    parser.add_argument("--listing", type=Path, action=OutputFile, metavar="FILE",
                        help="write the program as text too, a line an instruction")
    parser.add_argument("--pe-form", metavar="TxO",
                        help=f"terms x outputs of a PE, one of {', '.join(FORMS)} (default: what "
                        "the design says)")
    parser.add_argument("--batch", type=int, default=1, metavar="N",
                        help="images per pass (default %(default)s)")
    parser.add_argument("--input-shape", type=int, nargs="+", metavar="N",
                        help="shape of an image, such as 3 224 224, where the file leaves sizes "
                        "open and there are no --calibrate images")
    add_options(parser)
    return parser


def _network(arguments: argparse.Namespace) -> QuantNetwork:
    if arguments.calibrate is None:
        start(f"reading {arguments.model}")
        from sim.network.quant_network import QuantNetwork

        return QuantNetwork.load(arguments.model, shape=arguments.input_shape or ())
    pixels = preprocessing(arguments, arguments.model)
    return load_network(arguments, arguments.model, arguments.calibrate, pixels)


def main() -> None:
    """Command line of the module."""
    arguments = _parser().parse_args()
    if arguments.listing and arguments.listing.absolute() == arguments.output.absolute():
        raise InputError(f"{arguments.listing}: --listing must not be the program's file")
    if not 1 <= arguments.batch <= MAX_BATCH:
        raise InputError(f"--batch must be 1 to {MAX_BATCH}, not {arguments.batch}")
    design = Design.load(arguments.design)
    if arguments.pe_form is not None:
        design = design.with_pes(arguments.pe_form)
    from sim.compensation.correction import Correction

    network = _network(arguments)
    layers = {layer.name: layer for layer in network.layers}
    for name in design.mapping:
        if name not in layers:
            raise InputError(f"{arguments.design}: {unknown_name('layer', name, layers)}")
    for name, constants in design.constants.items():
        try:
            layers[name] = Correction.from_dict(constants).apply(layers[name])
        except InputError as error:
            raise InputError(f"{arguments.design}: constants[{name!r}]: {error}") from None
    if not design.mapping:
        raise InputError(f"{arguments.design}: design must map layers of {arguments.model} to "
                         "arrays, but maps none")
    mapped = [layer for name, layer in layers.items() if name in design.mapping]
    try:
        program = compile_program(mapped, design, batch=arguments.batch,
                                  config=AcceleratorConfig())
    except InputError as error:
        raise InputError(f"{arguments.design}: {error}") from None
    program.save(arguments.output)
    if arguments.listing:
        write_text(arguments.listing, program.disassemble())
    print(_summary(program, arguments.output, exact=len(layers) - len(mapped)))


def _summary(program: Program, path: Path, *, exact: int) -> str:
    timing = accelerator_cycles(program)
    tiles = sum(code.opcode == Opcode.MATMUL for code in program.instructions)
    words = len(program.instructions)
    host = f", {exact} left to the host" if exact else ""
    return (f"{path}: {len(program.layers)} layers{host}, {words:,} instructions, {tiles:,} tiles, "
            f"{timing.cycles / program.batch:,.0f} cycles per image, arrays busy "
            f"{100 * timing.utilisation:.0f} %")


if __name__ == "__main__":
    run_command_line(main)
