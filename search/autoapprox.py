"""The script `autoapprox`: the product's commands as subcommands.

Each also runs as `python -m MODULE`; its module is imported when it is asked for.
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

from hw.common.errors import InputError, run_command_line, unknown_name
from hw.common.wording import PRODUCT


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does, and the module that does it.

    prefix : what the module's arguments begin with, for a command of the command `shown`.
    """

    does: str
    module: str
    prefix: tuple[str, ...] = ()
    shown: str = ""


GROUPS = {
    "A network to an accelerator": {
        "run": Command("search bank and mapping, write Verilog, program, report", "search.run"),
        "certify": Command("certify designs on images that get their labels later",
                           "search.pool.__main__"),
        "ls": Command("list runs, a line each, by any figure",
                      "search.report.comparison.__main__"),
        "report": Command("draw the report of a run again, or compare two runs",
                          "search.report.__main__"),
        "ablation": Command("what each kind of compensation is worth", "search.ablation.__main__")},
    "Simulation": {
        "evaluate": Command("accuracy with any multiplier in any layer", "sim.evaluate"),
        "compensate": Command("constants that undo part of the error", "sim.compensation.__main__"),
        "operands": Command("what the multipliers of each layer are fed", "sim.operands"),
        "streams": Command("the layers of a network as a file for energies", "sim.layer_streams"),
        "bench": Command("speed beside other simulators", "sim.bench.__main__")},
    "Multipliers": {
        "multipliers": Command("list, show, import and evolve circuits", "hw.multipliers.__main__"),
        "ppa": Command("map, characterise, area, delay and energy", "hw.ppa.__main__")},
    "Hardware": {
        "verilog": Command("emit the Verilog of a design", "hw.rtl.verilog.__main__"),
        "compile": Command("the instructions of a network on a design", "hw.compile"),
        "cosim": Command("a network on the emitted Verilog, compared", "sim.cosim.__main__"),
        "chip": Command("energy and area of a whole chip", "hw.ppa.__main__", ("chip",), "ppa"),
        "boards": Command("bitstreams for two FPGA boards", "hw.rtl.boards.__main__")},
    "Networks and results": {
        "architectures": Command("write a known network, with random weights",
                                 "models.architectures.__main__"),
        "train": Command("train a known network on your images", "models.train"),
        "downloads": Command("public downloads to what `reproduce` takes",
                             "search.reproduce.prepare.downloads"),
        "reproduce": Command("every step of the results page", "search.reproduce.__main__")},
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def usage() -> str:
    """Return the help of the script."""
    lines = [f"usage: {PRODUCT} COMMAND [ARGUMENTS]   ({PRODUCT} COMMAND --help says more)", ""]
    for title, group in GROUPS.items():
        lines += [f"{title}:", *(f"  {name:14}{command.does}" for name, command in group.items()),
                  ""]
    return "\n".join((*lines, "--version prints the version. `autoapprox run` without arguments "
                              "searches the embedded network."))


def dispatch() -> int | None:
    """Run the subcommand that the command line names."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in {"-h", "--help", "help"}:
        print(usage())
        return 0
    if name == "--version":
        print(f"{PRODUCT} {version(PRODUCT)}")
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        if close or not name.startswith("-"):
            raise unknown_name("command", name, COMMANDS)
        raise InputError(f"Command must stand before its options, not {name!r}; {PRODUCT} --help "
                         "lists the commands")
    command = COMMANDS[name]
    sys.argv = [f"{PRODUCT} {command.shown or name}", *command.prefix, *rest]
    status: int | None = import_module(command.module).main()
    return status


def main() -> None:
    """Entry point of the script."""
    run_command_line(dispatch)
