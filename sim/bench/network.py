"""Command that `python -m sim.bench` starts: speed and memory of one network.

`python -m sim.bench.network ARGUMENTS` prints JSON; ARGUMENTS are those of `run_file`, in JSON.
"""

import json

from hw.common.errors import run_command_line
from hw.common.wording import CommandParser, program


def main() -> None:
    """Measure in this very process."""
    parser = CommandParser(prog=program("sim.bench.network"), description="Speed and "
                                     "memory of one network; python -m sim.bench starts this.")
    parser.add_argument("arguments", type=json.loads, metavar="JSON",
                        help="arguments of sim.bench.end_to_end.run_file, by name")
    arguments = parser.parse_args().arguments
    from sim.bench.end_to_end import run_file

    print(json.dumps(run_file(**arguments)))


if __name__ == "__main__":
    run_command_line(main)
