"""What values the tensors of a float network have, batch by batch, in ONNX Runtime.

ONNX Runtime's own calibrators do not fit. That of extremes looks the shapes of all tensors up again
for each tensor, in time quadratic in their number. Those of histograms hold every tensor of every
batch, spread their bins about 0 whatever the values, and have as many bins as codes by default,
which leaves the search for the least entropy no choice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx

from sim.network.onnx.calibrators import BINS, Histogram
from sim.network.onnx.float_run import batches
from sim.network.onnx.graph import network_input
from sim.network.onnx.runtime import new_session

Values = npt.NDArray[np.float32]


def histograms(model: onnx.ModelProto, images: Values, *, magnitudes: bool, counted: bool
               ) -> dict[str, Histogram]:
    """Return the histogram of the network's input and of every float32 tensor that it computes.

    model : float, its shapes inferred. images : float32[n, ...]. magnitudes : of absolute values.
    counted : False leaves bins empty and saves a pass over the images. NaN and infinities are left
    out; an image that fills up a fixed batch counts again.
    """
    given, watched = network_input(model)[0], onnx.ModelProto()
    watched.CopyFrom(model)
    known = {entry.name for entry in model.graph.output}
    watched.graph.output.extend(entry for entry in model.graph.value_info
                                if entry.name not in known)
    names = [entry.name for entry in watched.graph.output
             if entry.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    session = new_session(watched, threads=0)

    def every() -> Iterator[tuple[str, Values]]:
        for batch in batches(model, images):
            for name, values in zip([given, *names], [batch, *session.run(names, {given: batch})],
                                    strict=True):
                finite = values[np.isfinite(values)]
                yield name, np.abs(finite) if magnitudes else finite

    extremes = dict.fromkeys([given, *names], (np.float32(0), np.float32(0)))
    for name, values in every():
        low, high = extremes[name]
        extremes[name] = values.min(initial=low), values.max(initial=high)
    counts = {name: np.zeros(BINS, np.int64) for name in extremes}
    zeros = dict.fromkeys(extremes, 0)
    for name, values in every() if counted else ():
        low, high = extremes[name]
        present = values[values != 0]
        zeros[name] += values.size - present.size
        if high > low:
            bins = ((present - low) * (np.float32(BINS) / (high - low))).astype(np.int32)
            counts[name] += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
    return {name: Histogram(low=float(low), high=float(high), counts=counts[name],
                            zeros=zeros[name]) for name, (low, high) in extremes.items()}
