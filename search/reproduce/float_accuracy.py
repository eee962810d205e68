"""Command line: top-1 of a float network in ONNX Runtime, which quantised ones are set beside.

`python -m search.reproduce.float_accuracy MODEL.onnx --data DATA`
"""

from __future__ import annotations

import json
from pathlib import Path

from hw.common.errors import InputError, run_command_line
from hw.common.progress import task
from hw.common.wording import CommandParser, program
from sim.accuracy.logits import top_k
from sim.data import Preprocessing, open_images

BATCH = 100


def main() -> int:
    """Command line of the module."""
    parser = CommandParser(
        prog=program("search.reproduce.float_accuracy"),
        description="Top-1 of a float network in ONNX Runtime, as JSON.")
    parser.add_argument("model", type=Path, help="ONNX file; MODEL.json beside it may hold the "
                        "preprocessing")
    parser.add_argument("--data", required=True, metavar="DATA",
                        help="labelled images (docs/data.md)")
    arguments = parser.parse_args()
    right, n = float_accuracy(arguments.model, arguments.data)
    print(json.dumps({"model": str(arguments.model), "data": arguments.data, "right": right,
                      "n": n}))
    return 0


def float_accuracy(model: Path, source: str) -> tuple[int, int]:
    """Return how many of how many images the float network classifies correctly."""
    import onnxruntime

    images = open_images(source, Preprocessing.beside(model))
    assert images.labels is not None
    try:
        session = onnxruntime.InferenceSession(model.read_bytes(),
                                               providers=["CPUExecutionProvider"])
    except Exception as error:  # what it raises has no common type of its own
        raise InputError(f"{model}: must be an ONNX network ({error})") from None
    name, right = session.get_inputs()[0].name, 0
    with task("float network", len(images)) as progress:
        for start in range(0, len(images), BATCH):
            batch = images.read(start, start + BATCH, quiet=True)
            [logits] = session.run(None, {name: batch})
            right += top_k(logits.reshape(len(batch), -1),
                           images.labels[start:start + len(batch)], 1)
            progress.advance(len(batch))
    return right, len(images)


if __name__ == "__main__":
    run_command_line(main)
