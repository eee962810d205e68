"""What a run that may look at more images fixed before the first one, and what each look counted.

`looks/` of a run folder holds `claim.json`, the designs in their planned order, and `1.json`,
`2.json`, ...: a file for each look. It is written before the images of its look are judged, and
again with the counts of each design.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from hw.common.errors import InputError
from hw.common.files import file_digest, write_bytes, write_json
from hw.common.records import Amount, Count, Limits, Share, Size, Text, read_record
from hw.common.wording import counted
from hw.machine.design import Design
from search.certify.looks import Counts, judge
from search.pool.claim import NETWORK, design_path
from search.report.record import Certificate

FOLDER, FILE = "looks", "claim.json"
FORMAT, LOOK_FORMAT = "autoapprox-looks/1", "autoapprox-look/1"


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What is claimed, whichever look shows it.

    designs : SHA-256 of the file of each, in the planned order; energies : of each, relative to the
    exact array. network : SHA-256 of `network.onnx` of the run. parts : of the metric. margin :
    largest loss still called none, a fraction. levels : what each look may spend.
    """

    designs: Annotated[Sequence[Text], Limits(1)]
    energies: Sequence[Amount]
    network: Text
    parts: Sequence[Text]
    margin: Annotated[float, Limits(0, 1)]
    levels: Annotated[Sequence[Share], Limits(1)]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The counts of one design, 0 for the first of the order, of each part of the metric."""

    design: Count
    parts: Sequence[Counts]


@dataclass(frozen=True, kw_only=True)
class Look:
    """The images of one look, and what was counted on them so far.

    claim : SHA-256 of `claim.json`. images : what tells them apart (`pool_digest`). n : how many.
    """

    claim: Text
    images: Text
    n: Size
    counted: Sequence[Counted] = ()


def open_looks(run: Path, designs: Sequence[Design], energies: Sequence[float], *, network: bytes,
               parts: Sequence[str], margin: float, levels: Sequence[float], images: str, n: int
               ) -> None:
    """Fix what is claimed, before the first image is judged.

    run : folder of the run. network : content of its `network.onnx`. images, n : of the first look.

    Raises InputError where an interrupted run claimed something else.
    """
    contents = [(json.dumps(one.to_dict(), allow_nan=False) + "\n").encode() for one in designs]
    looks = Looks(designs=[hashlib.sha256(one).hexdigest() for one in contents],
                  energies=list(energies), network=hashlib.sha256(network).hexdigest(),
                  parts=list(parts), margin=margin, levels=list(levels))
    folder = run / FOLDER
    if (folder / FILE).exists():
        if read_record(folder / FILE, Looks, FORMAT) != looks:
            raise InputError(f"{folder / FILE}: designs, margin and looks must be those that were "
                             "fixed before the first image; start again with --force, on images "
                             "that nobody looked at")
    else:
        (folder / "designs").mkdir(parents=True, exist_ok=True)
        for number, content in enumerate(contents, 1):
            write_bytes(design_path(folder, number), content)
        write_json(folder / FILE, {"format": FORMAT, **asdict(looks)})
    begin(run, 1, images, n)


def load_looks(run: Path) -> Looks:
    """Read what is claimed; InputError where there is nothing, or its files are others by now."""
    folder = run / FOLDER
    if not (folder / FILE).is_file():
        raise InputError(f"{run}: must be the folder of a run with --looks that judged a design, "
                         f"but has no {FOLDER}/{FILE}; where a certificate without looks failed, "
                         "nothing continues: fresh images start a new claim")
    looks = read_record(folder / FILE, Looks, FORMAT)
    for path, digest in [(run / NETWORK, looks.network), *(
            (design_path(folder, number), digest)
            for number, digest in enumerate(looks.designs, 1))]:
        if file_digest(path) != digest:
            raise InputError(f"{path}: must be what it was before the first image was judged")
    return looks


def begin(run: Path, number: int, images: str, n: int) -> Look:
    """Return a look, written before its images are judged; one that was interrupted goes on.

    Raises InputError where it began on other images.
    """
    path = run / FOLDER / f"{number}.json"
    if path.exists():
        look = load_look(run, number)
        if look.images != images:
            raise InputError(f"{path}: look {number} must go on with the {look.n:,} images on "
                             "which it began, not with others")
        return look
    look = Look(claim=file_digest(run / FOLDER / FILE), images=images, n=n)
    _save(path, look)
    return look


def load_look(run: Path, number: int) -> Look:
    """Read a look; InputError where the claim is another by now."""
    path = run / FOLDER / f"{number}.json"
    look = read_record(path, Look, LOOK_FORMAT)
    if look.claim != file_digest(run / FOLDER / FILE):
        raise InputError(f"{run / FOLDER / FILE}: designs, margin and looks must be what they were "
                         f"at look {number}")
    return look


def count(run: Path, number: int, counts: Mapping[int, Sequence[Counts]]) -> None:
    """Keep the counts of a look, by design."""
    look = load_look(run, number)
    _save(run / FOLDER / f"{number}.json", Look(
        claim=look.claim, images=look.images, n=look.n,
        counted=[Counted(design=design, parts=list(parts)) for design, parts in counts.items()]))


def counts_of(look: Look) -> dict[int, Sequence[Counts]]:
    """Return what was counted at a look, by design."""
    return {one.design: one.parts for one in look.counted}


def begun(run: Path) -> list[Look]:
    """Return the looks that began, in their order."""
    found = list[Look]()
    while (run / FOLDER / f"{len(found) + 1}.json").exists():
        found.append(load_look(run, len(found) + 1))
    return found


def verdicts(looks: Looks, counts: Sequence[Mapping[int, Sequence[Counts]]]
             ) -> list[dict[int, Sequence[Certificate]]]:
    """Return what each look says of the designs that it judged."""
    return list(judge(counts, looks.levels, looks.parts, looks.margin, len(looks.designs)))


def told(looks: Looks, found: Mapping[int, Sequence[Certificate]]) -> Iterator[str]:
    """Yield what a look says, a line for each design and part of the metric."""
    for design, certificates in found.items():
        for one in certificates:
            yield (f"design {design + 1} of {len(looks.designs)}, energy "
                   f"{looks.energies[design]:.3f}: {one.lost} lost, {one.gained} gained of "
                   f"{counted(one.n, 'image')}, bound {100 * one.lower_bound:+.3f} points at a "
                   f"level of {100 * one.level:.2g} %: {one.metric} {one.wording}")


def _save(path: Path, look: Look) -> None:
    write_json(path, {"format": LOOK_FORMAT, **asdict(look)})
