"""All that one run measured, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.common.errors import InputError
from hw.common.files import read_json
from sim.bench.shapes import LayerShape
from sim.bench.stack import Row, relative
from sim.bench.timing import Spread

FORMAT = "autoapprox-bench/1"


@dataclass(frozen=True, kw_only=True)
class Results:
    """Measurements of one run.

    missing : contender or network -> why it was not measured.
    networks : records of `sim.bench.end_to_end.measure`.
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
                "networks": [dict(record) for record in self.networks]}

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file that `to_dict` made; raises InputError naming it otherwise."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"{path}: must be results of `python -m sim.bench -o`, with "
                             f"\"format\": \"{FORMAT}\"")
        try:
            return cls(
                machine=content["machine"], title=content["title"], repeats=content["repeats"],
                threads=content["threads"], baseline=content["baseline"],
                missing=content["missing"], networks=content["networks"],
                shapes=tuple(LayerShape(**entry) for entry in content["shapes"]),
                rows=tuple(Row.from_dict(entry) for entry in content["rows"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: results must be complete ({error!r})") from None
