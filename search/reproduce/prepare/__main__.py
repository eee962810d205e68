"""Command line: put a network or the splits of an image set into the work folder.

`python -m search.reproduce.prepare NAME DATA -o FOLDER`
"""

from __future__ import annotations

from pathlib import Path

from hw.common.errors import run_command_line, unknown_name
from hw.common.outputs import OutputFolder
from hw.common.wording import CommandParser, program
from search.reproduce.networks import CIFAR10, IMAGE_SETS, NETWORKS
from search.reproduce.prepare.splits import cut_cifar10, cut_imagenet, place


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("search.reproduce.prepare"),
        description="Put a network with its preprocessing, or the splits of an image set, into a "
        "folder.")
    parser.add_argument("name", help=f"one of {', '.join((*NETWORKS, *IMAGE_SETS))}")
    parser.add_argument("data", type=Path, help="folder with nets/ and images/")
    parser.add_argument("-o", "--output", type=Path, action=OutputFolder, required=True,
                        metavar="FOLDER",
                        help="folder to write nets/ or images/ into")
    arguments = parser.parse_args()
    name, places = arguments.name, (arguments.data, arguments.output)
    if name not in (*NETWORKS, *IMAGE_SETS):
        raise unknown_name("network or image set", name, (*NETWORKS, *IMAGE_SETS))
    written = (place(NETWORKS[name], *places) if name in NETWORKS else
               cut_cifar10(*places) if name == CIFAR10.name else cut_imagenet(*places))
    print("\n".join(map(str, written)))
    return 0


if __name__ == "__main__":
    run_command_line(main)
