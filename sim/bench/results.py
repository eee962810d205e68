"""All that one run measured, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.records import read_record, record
from sim.bench.shapes import LayerShape
from sim.bench.stack import Row, relative
from sim.bench.timing import Spread

FORMAT = "autoapprox-bench/1"


@dataclass(frozen=True, kw_only=True)
class Results:
    """Measurements of one run.

    missing : contender or network -> why it was not measured.
    networks : records of `sim.bench.end_to_end.measure`. parts : of `sim.bench.parts.measure`,
    each with `of`, the network or the stack that its layer is of.
    """

    machine: Mapping[str, Any]
    title: str
    repeats: int
    threads: Sequence[int]
    baseline: str
    shapes: Sequence[LayerShape] = ()
    rows: Sequence[Row] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    networks: Sequence[Mapping[str, Any]] = ()
    parts: Sequence[Mapping[str, Any]] = ()

    def row(self, name: str, threads: int) -> Row | None:
        """Return a contender's row, None if there is none."""
        return next((row for row in self.rows if (row.name, row.threads) == (name, threads)), None)

    def ratio(self, name: str, baseline: str, threads: int) -> Spread | None:
        """Return the stack's time as a multiple of another's, None if either is missing."""
        row, other = self.row(name, threads), self.row(baseline, threads)
        return None if row is None or other is None else relative(row, other, self.shapes)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"format": FORMAT, "machine": dict(self.machine), "title": self.title,
                "repeats": self.repeats, "threads": list(self.threads),
                "baseline": self.baseline, "missing": dict(self.missing),
                "shapes": [shape.to_dict() for shape in self.shapes],
                "rows": [row.to_dict(self.shapes) for row in self.rows],
                "networks": [dict(record) for record in self.networks],
                "parts": [dict(record) for record in self.parts]}

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file that `to_dict` made; raises InputError naming it otherwise."""
        return read_record(path, _ResultsFile, FORMAT)


@dataclass(frozen=True, kw_only=True)
class _RowFile(Row):
    """A row in a file, where figures of the whole stack stand beside it."""

    stack_ms: Any = None
    stack_ns_per_mac: Any = None


@dataclass(frozen=True, kw_only=True)
class _ResultsFile(Results):
    """Results in a file, beside its format."""

    rows: Sequence[_RowFile] = ()

    def __post_init__(self) -> None:
        for name in ("packages", "cores", "model", "cpu", "features", "load_average", "python",
                     "system", "date", "commit"):
            if name not in self.machine:
                raise InputError(f"machine must have a value for {name!r}")
        record(dict[str, str | None], self.machine["packages"], "machine.packages")
        record(list[str], self.machine["features"], "machine.features")
        if not self.threads:
            raise InputError("threads must not be empty")
        for row in self.rows:
            rounds = {len(values) for values in row.ns_per_mac}
            if len(row.ns_per_mac) != len(self.shapes) or len(rounds) != 1 or 0 in rounds:
                raise InputError(f"row {row.key} must have as many values for each shape")
