"""Many mappings on one chunk of images, walked as a trie: a pure function.

It depends on nothing but its arguments, so chunks may be given to other processes or machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from sim.network.quant_network import Images, QuantNetwork, State
from sim.tables import Table

Names = tuple[str, ...]  # multiplier of every layer, in order
Done = Callable[[int], None]  # told of images


def ignore_progress(images: int) -> None:
    """Take no notice of images that are done."""


def chunk_logits(network: QuantNetwork, images: Images,
                 mappings: Mapping[Names, Mapping[str, Table]], *,
                 views: Mapping[Names, QuantNetwork] | None = None,
                 done: Done = ignore_progress
                 ) -> tuple[dict[Names, npt.NDArray[np.float32]], int]:
    """Return the logits float32[n, classes] under each mapping, and how many layers were run.

    Parameters
    ----------
    network : QuantNetwork
    images : float32[n, c, h, w]
        One chunk; its live tensors are held once per layer on the path being walked.
    mappings : names of the multipliers of all layers -> tables by layer
        Layers without a table are exact. Equal names must mean equal tables.
    views : names of the multipliers of all layers -> the network with its layers' constants
        Where constants depend on the multiplier; equal names must mean equal constants.
    done : callable
        Called after every mapping with the number of images.
    """
    steps = [network.layer_steps[layer.name] for layer in network.layers]
    ends = [*steps[1:], network.step_count]
    path: list[tuple[str, State]] = []  # multiplier of a layer, the live tensors after it
    start = network.advance(network.start(images), 0, steps[0], {})
    found: dict[Names, npt.NDArray[np.float32]] = {}
    runs = 0
    for names in sorted(mappings):  # neighbours share the longest beginnings
        shared = 0
        while shared < len(path) and path[shared][0] == names[shared]:
            shared += 1
        del path[shared:]
        view = network if views is None else views[names]
        for layer in range(shared, len(names)):
            state = path[-1][1] if path else start
            path.append((names[layer], view.advance(state, steps[layer], ends[layer],
                                                    mappings[names])))
            runs += 1
        found[names] = network.finish(path[-1][1])
        done(len(images))
    return found, runs
