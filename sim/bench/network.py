"""Command that `python -m sim.bench` starts: speed and memory of one network.

`python -m sim.bench.network ARGUMENTS` prints JSON; ARGUMENTS are those of `run_file`, in JSON.
"""

import json
import sys

from hw.common.errors import run_command_line
from sim.bench.end_to_end import run_file


def main() -> None:
    """Measure in this very process."""
    print(json.dumps(run_file(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    run_command_line(main)
