"""What a run is asked to do, checked before any work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from hw.common.code import ROOT
from hw.common.errors import InputError, unknown_name
from hw.machine.design import MAX_ARRAYS, BankConfig
from hw.ppa.chip.blocks import PRESETS
from hw.ppa.chip.levels import LEVELS
from hw.ppa.placement.stored_wires import FLAT_WIRES, WIRES
from search.measure.engine.place import check_cluster
from search.measure.fit_kinds import KINDS, NONE
from search.measure.metric import AGREEMENT, check_metric, needs_margin, parts_of
from search.measure.scores import is_score
from search.methods import METHODS, get_method
from search.methods.base import Method
from search.problem.space import Limits
from search.problem.workload import MOST, Workload
from search.trials.backends import check_url

CONSTRAINTS = ("barrier", "native")
MAX_SEED = 2**32 - 1  # what samplers take
MOST_LOOKS = 5
MAX_NAME = 200  # bytes; files beside the folder have names of their own
# Options that say nothing about the result.
LOCAL = ("quiet", "resume", "force", "output", "name", "dry_run", "pes", "config", "cluster")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says; see its help for meaning and defaults."""

    workload: Workload
    calibrator: str | None = None
    symmetric: bool
    multipliers: tuple[str, ...]
    technology: Path | None
    pes: Path | None
    rows: int
    cols: int
    pe_form: str
    wires: str = FLAT_WIRES
    batch: int
    objective: str
    chip: str
    area_limit: float
    max_arrays: int
    keep_exact: bool
    compensation: str
    margin: float | None
    search_loss: float | None
    metric: str = "top1"
    looks: int = 1
    method: str
    compare: tuple[str, ...]
    method_options: tuple[str, ...] = ()
    constraint: Literal["barrier", "native"]
    study: bool
    budget: int
    seed: int
    name: str | None
    output: Path
    storage: str | None
    cluster: str | None
    resume: bool
    force: bool
    dry_run: bool
    quiet: bool
    command: str
    config: str  # the options as a file (`search.config`)

    def __post_init__(self) -> None:
        for label, value, most in (
                ("Budget", self.budget, MOST), ("Batch", self.batch, MOST),
                ("Number of arrays", self.max_arrays, MAX_ARRAYS)):
            if not 1 <= value <= most:
                bound = "least 1" if value < 1 else f"most {most}"
                raise InputError(f"{label} must be at {bound}, not {value}")
        if not 0 <= self.seed <= MAX_SEED:
            raise InputError(f"Seed must be at most {MAX_SEED}, not {self.seed}" if self.seed > 0
                             else f"Seed must not be negative, not {self.seed}")
        # A comparison with a number that is none is false.
        if self.search_loss is not None and not 0 <= self.search_loss < 1:
            raise InputError(f"Search loss must be in [0, 1), not {self.search_loss:g}")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InputError(f"Margin must be a fraction between 0 and 1, not {self.margin:g}")
        if not 0 < self.area_limit < math.inf:
            raise InputError("Area limit must be a positive multiple of the exact array's area, "
                             f"not {self.area_limit:g}")
        for label, name, known in (("objective", self.objective, LEVELS),
                                   ("chip preset", self.chip, PRESETS),
                                   ("wires", self.wires, WIRES),
                                   ("compensation", self.compensation, (NONE, *KINDS)),
                                   ("constraint", self.constraint, CONSTRAINTS)):
            if name not in known:
                raise unknown_name(label, name, known)
        check_metric(self.metric)
        if not 1 <= self.looks <= MOST_LOOKS:
            raise InputError(f"Looks must be 1 to {MOST_LOOKS}, not {self.looks}")
        if self.looks > 1 and len(self.workload.networks) > 1:
            raise InputError("Looks must be 1 for several networks on one bank, "
                             f"not {self.looks}")
        if self.looks > 1 and is_score(self.metric):
            raise InputError("Looks must be 1 for a score, whose bound is not of counts, "
                             f"not {self.looks}")
        if needs_margin(self.metric) and self.margin is None:
            what = "share of images that may be answered otherwise" \
                if self.metric == AGREEMENT else "mean score that may be lost"
            raise InputError(f"Metric {self.metric} must have a margin, the {what}, not none; "
                             "give --margin")
        if self.bank().dataflow.recoded:
            raise InputError("PE form must be one that every multiplier has, not "
                             f"{self.pe_form}, which is of the exact one alone")
        for name in self.compare:
            get_method(name)
        get_method(self.method).with_options(self.method_options)
        if not self.multipliers:
            raise InputError("Multipliers must be named, or be 'default' or 'all', not ''")
        if len((self.name or "").encode(errors="replace")) > MAX_NAME:
            raise InputError(f"Run name must have at most {MAX_NAME} bytes, "
                             f"not {len(str(self.name))}")
        if self.storage is not None:
            check_url(self.storage)
        if self.cluster is not None:
            check_cluster(self.cluster)

    @property
    def methods(self) -> tuple[Method, ...]:
        """Methods to run in the order of the registry, the chosen one last."""
        wanted = {get_method(name).name for name in self.compare} - {self.method}
        return (*(method for name, method in METHODS.items() if name in wanted),
                get_method(self.method).with_options(self.method_options))

    def bank(self) -> BankConfig:
        """Return what all arrays share; InputError where it is none."""
        return BankConfig(rows=self.rows, cols=self.cols, form=self.pe_form)

    @property
    def limits(self) -> Limits:
        """What is allowed of a bank."""
        return Limits(area_limit=self.area_limit, max_arrays=self.max_arrays,
                      keep_exact=self.keep_exact)

    @property
    def parts(self) -> tuple[str, ...]:
        """What is kept of every network, part by part."""
        return parts_of(self.metric)

    @property
    def allowed_loss(self) -> float:
        """What may be lost on the search splits, a fraction of the images."""
        if self.search_loss is not None:
            return self.search_loss
        return self.margin or 0.0 if needs_margin(self.metric) else 0.0

    def margin_for(self, n: int) -> float:
        """Return the margin of a certificate on n images, a fraction: the one that they support
        where none was given.
        """
        from search.certify.paired_test import supported_margin

        return self.margin or supported_margin(n)

    def record(self, margins: Sequence[float]) -> dict[str, Any]:
        """Return the options as JSON-ready values, defaults included.

        margins : of each network and part of the metric; those of one network are equal.
        """
        margins = margins[::len(self.parts)]
        content = {item.name: getattr(self, item.name) for item in fields(self)
                   if item.name not in (*LOCAL, "workload")}
        content["search_loss"] = self.allowed_loss
        content["technology"] = shown(self.technology) if self.technology else "asap7"
        networks = self.workload.networks
        if len(networks) > 1:
            own: dict[str, Any] = {"margin": ", ".join(
                f"{network.name} {margin:g}"
                for network, margin in zip(networks, margins, strict=True))}
        else:
            [one] = networks
            own = {"model": shown(one.model), "data": one.data, **one.splits, "margin": margins[0]}
            if one.ranges is not None:
                own["ranges"] = shown(one.ranges)
            if one.limit is not None:
                own["limit"] = one.limit
        if self.method_options:
            own["method_options"] = ", ".join(self.method_options)
        if self.workload.path is not None:
            own["workload"] = shown(self.workload.path)
        simple: dict[str, Any] = {
            name: value if isinstance(value, (int, float, str, type(None))) else str(value)
            for name, value in content.items()
            if not isinstance(value, Sequence) or isinstance(value, str)}
        return {**simple, "multipliers": ", ".join(self.multipliers),
                "compare": ", ".join(self.compare), **own}


def shown(path: Path) -> str:
    """Return a path as a reader of another machine may see it."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT) if resolved.is_relative_to(ROOT) else path.name)
