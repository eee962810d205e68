"""Multiplier files: one circuit as JSON, the form of imported and of evolved multipliers."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hw.common.errors import InputError
from hw.common.files import read_json, write_text
from hw.common.records import Text, record, without_format
from hw.multipliers.adder import ApproximateAdder
from hw.multipliers.base import OPERANDS, ActRounding, Multiplier, ProductTable, check_name
from hw.netlist import Netlist

FORMAT = "autoapprox-multiplier/1"
MAX_GATES = 100_000  # of an 8x8 circuit: hundreds of times an exact one
MAX_PRODUCT = 2**20  # sixteen times the largest exact one
TABLE_BYTES = 4 * OPERANDS * OPERANDS


def save(multiplier: Multiplier, path: Path) -> None:
    """Write a multiplier atomically; equal multipliers give equal bytes."""
    write_text(path, to_json(multiplier))


def to_json(multiplier: Multiplier) -> str:
    """Return the text of a multiplier file, a line per field."""
    import json

    lines = [f'  "{key}": {json.dumps(value, separators=(",", ":"))}'
             for key, value in to_dict(multiplier).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(path: Path) -> Multiplier:
    """Return the multiplier of a file; raises InputError when it is missing or malformed."""
    content = read_json(path)
    try:
        multiplier = from_dict(content)
        check_name(multiplier.name)
        if multiplier.has_netlist and len(multiplier.netlist.gates) > MAX_GATES:
            raise InputError(f"multiplier must have at most {MAX_GATES:,} gates, "
                             f"not {len(multiplier.netlist.gates):,}")
        return replace(multiplier, file=path)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def to_dict(multiplier: Multiplier) -> dict[str, Any]:
    """Return a JSON-ready description; `from_dict` restores an equal multiplier."""
    source = multiplier.source
    if isinstance(source, Netlist):
        form: dict[str, Any] = {"netlist": source.to_dict()}
    else:
        packed = base64.b64encode(zlib.compress(source.values, 9)).decode()
        form = {"table": packed, "signed": source.signed}
    return {"format": FORMAT, "name": multiplier.name, "family": multiplier.family,
            "citation": multiplier.citation, "parameters": dict(multiplier.parameters), **form,
            **({"act_rounding": multiplier.act_rounding} if multiplier.act_rounding else {}),
            **({"adder": str(multiplier.adder)} if multiplier.adder else {})}


def from_dict(content: Any) -> Multiplier:
    """Restore a multiplier; raises ValueError when the description is malformed."""
    read = record(_MultiplierFile, without_format(content, FORMAT))
    source: Netlist | ProductTable
    if read.netlist is not None:
        source = Netlist.from_dict(read.netlist)
    elif read.table is not None:
        source = ProductTable.of(_unpacked(read.table), signed=read.signed)
    else:
        raise ValueError("multiplier must have a netlist or a table")
    return Multiplier(name=read.name, family=read.family, source=source,
                      parameters=read.parameters, citation=read.citation,
                      act_rounding=read.act_rounding,
                      adder=ApproximateAdder.named(read.adder) if read.adder else None)


@dataclass(frozen=True, kw_only=True)
class _MultiplierFile:
    """What a multiplier file holds beside its format."""

    name: Text
    family: str
    citation: str
    parameters: Mapping[str, int | float | str]
    netlist: Any = None
    table: str | None = None
    signed: bool = False
    act_rounding: ActRounding = 0
    adder: str = ""


def _unpacked(text: str) -> Any:
    """Return the table of its text; at most a table's size is unpacked."""
    try:
        stream = zlib.decompressobj()
        values = stream.decompress(base64.b64decode(text, validate=True), TABLE_BYTES)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"multiplier table is malformed: {error}") from None
    if len(values) != TABLE_BYTES or stream.unconsumed_tail:
        raise ValueError(f"multiplier table must hold {TABLE_BYTES} bytes")
    table = np.frombuffer(values, "<i4").reshape(OPERANDS, OPERANDS)
    if abs(table.astype(np.int64)).max() > MAX_PRODUCT:
        raise ValueError(f"multiplier products must be -{MAX_PRODUCT:,} to {MAX_PRODUCT:,}")
    return table
