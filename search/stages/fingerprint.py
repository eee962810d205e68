"""What the measurements of a run depend on: trials of another fingerprint are not taken."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hw.common.files import file_digest
from hw.multipliers import EXACT
from hw.ppa.placement.stored_wires import FLAT_WIRES
from search.measure.scores import is_score, parts_of_score
from search.options import Options
from search.stages.records import Inputs, Quantised


def fingerprint(options: Options, inputs: Inputs, networks: Sequence[Quantised]
                ) -> dict[str, str]:
    """Return name -> SHA-256 of a file or of images, or a word such as the compensation."""
    circuits = hashlib.sha256("".join(m.digest for m in inputs.multipliers.values()).encode())
    own = {"activations": "symmetric"} if options.symmetric else {}
    if options.metric != "top1":
        own["metric"] = options.metric
    if is_score(options.metric):
        score, _function = parts_of_score(options.metric)
        own["score"] = hashlib.sha256(score.read_bytes()).hexdigest()
    if options.wires != FLAT_WIRES:
        own["wires"] = options.wires
    if options.technology is not None:
        own["technology"] = inputs.pes[EXACT].technology.digest
    for one in networks:
        of = options.workload.of(one.source)
        for name, path in (("network", one.source.model), ("ranges", one.source.ranges)):
            if path is not None:
                own[name + of] = file_digest(path)
        if one.network.original is not None:
            own[f"calibrator{of}"] = one.network.calibrator
        for name, _data in one.splits:
            own[f"{name} images{of}"] = one.splits.digest(name)
    if len(networks) > 1:  # counts are kept in their order
        own["order of networks"] = ", ".join(one.source.name for one in networks)
    return {**own, "multipliers": circuits.hexdigest(), "compensation": options.compensation,
            "objective": f"{options.objective}, chip {options.chip}"}
