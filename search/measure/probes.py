"""What single layers and random designs do to the logits of the calibration images.

It is measured once in a run: resumed, it finds it among its notes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sim.accuracy.trie import Done, ignore_progress

Float = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32]


class Runs(Protocol):
    """A network on the calibration images."""

    labels: npt.NDArray[np.int64]

    def logits(self, mappings: Sequence[Mapping[str, str]], *, done: Done = ignore_progress
               ) -> list[Logits]:
        """Return float32[n, classes] of each mapping; layers that are not named run exactly.

        done : told of the images of each.
        """


class Notes(Protocol):
    """Where a run keeps what it measured beside its trials, such as a `TrialStore`."""

    def note(self, name: str) -> Any:
        """Return what was kept under a name as JSON has it, None when nothing was."""

    def keep_note(self, name: str, value: Any) -> None:
        """Keep numbers and texts in lists and dicts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Probes:
    """What was measured of some mappings.

    damages : float64[M], `relative_damage` of each mapping. right : int64[M], images that are
    classified correctly under each. cosines : float64[L, L], between the changes of the logits
    that the first L mappings make; zero on the diagonal, and where nothing changes.
    """

    damages: Float
    right: npt.NDArray[np.int64]
    exact_right: int
    cosines: Float


def relative_damage(logits: Logits, exact: Logits) -> float:
    """Return the mean squared change of the logits, divided by the variance of the exact ones."""
    return float(changes(logits, exact).sum() / exact.size / variance(exact))


def changes(logits: Logits, exact: Logits) -> Float:
    """Return the squared change of the logits of each image, float64[n].

    Summed image by image, so that it does not depend on how images are cut.
    """
    return np.asarray(((logits.astype(np.float64) - exact) ** 2).sum(axis=1))


def variance(exact: Logits) -> float:
    """Return the variance of logits, not zero."""
    return max(float(exact.astype(np.float64).var()), 1e-30)


def probe(single: Sequence[Mapping[str, str]], others: Sequence[Mapping[str, str]], runs: Runs, *,
          notes: Notes, name: str, done: Done = ignore_progress) -> Probes:
    """Return what mappings do: `single`, between whose changes the cosines are, then `others`.

    notes : what is found there under `name`, and is of the same mappings, is not measured again.
    done : told of the images of every mapping.
    """
    mappings = [*single, *others]
    asked = hashlib.sha256(json.dumps([sorted(mapping.items()) for mapping in mappings]).encode()
                           ).hexdigest()
    note = notes.note(name)
    if note is not None and note["of"] == asked:
        done(len(mappings) * len(runs.labels))
        return _read(note)
    found = _measure(single, others, runs, done)
    notes.keep_note(name, {"of": asked, **_write(found)})
    return found


def _measure(single: Sequence[Mapping[str, str]], others: Sequence[Mapping[str, str]], runs: Runs,
             done: Done) -> Probes:
    # Apart: every single one shares the exact layers before its own with the next.
    [exact] = runs.logits([{}])
    logits = [*runs.logits(single, done=done), *runs.logits(others, done=done)]
    changes = np.array([(one.astype(np.float64) - exact).ravel()
                        for one in logits[:len(single)]])
    return Probes(
        damages=np.array([relative_damage(one, exact) for one in logits]),
        right=np.array([_right(one, runs) for one in logits]), exact_right=_right(exact, runs),
        cosines=_cosines(changes))


def _right(logits: Logits, runs: Runs) -> int:
    return int((logits.argmax(axis=1) == runs.labels).sum())


def _cosines(changes: Float) -> Float:
    """Return the cosines between rows, zero on the diagonal and for rows of zeros."""
    sizes = np.linalg.norm(changes, axis=1)
    unit = changes / np.where(sizes > 0, sizes, 1)[:, None]
    half = np.tril(unit @ unit.T, -1)
    return np.asarray(half + half.T)


def _write(probes: Probes) -> dict[str, Any]:
    """Return it JSON-ready; of the cosines one half."""
    return {"damages": probes.damages.tolist(), "right": probes.right.tolist(),
            "exact_right": probes.exact_right,
            "cosines": [row[:index].tolist() for index, row in enumerate(probes.cosines)]}


def _read(note: Mapping[str, Any]) -> Probes:
    half = np.zeros((len(note["cosines"]),) * 2)
    for index, row in enumerate(note["cosines"]):
        half[index, :index] = row
    return Probes(damages=np.array(note["damages"]), right=np.array(note["right"], np.int64),
                  exact_right=note["exact_right"], cosines=half + half.T)
