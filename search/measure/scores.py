"""Scores of other tasks: a function of the user's, of one sample at a time.

`score:FILE.py:FUNCTION` names it: FUNCTION(outputs, label) returns a number from 0 to 1. outputs :
float32[k], what the network says of one sample; label : int. It is Python of the user's that runs
in this process, with all that this process may do. The mean over the samples is what is kept, so a
score must be of one sample, independent of the others; what is no such mean is refused by name.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.common.errors import InputError

SCORE = "score:"
# Measures of a whole set, by name without '_' and '-': no sample has a score of its own in them.
_RATIO = "a ratio of sums over all samples, not a mean of scores of single ones"
_RANKING = "a ranking of all samples against each other, not a mean of scores of single ones"
_CORPUS = "a figure of the whole corpus whose tokens depend on each other"
NO_MEANS = {**dict.fromkeys(("miou", "meaniou", "iou", "f1", "f1score", "macrof1", "precision",
                             "recall", "mcc"), _RATIO),
            **dict.fromkeys(("map", "meanap", "ap", "auc", "rocauc", "auroc"), _RANKING),
            **dict.fromkeys(("bleu", "perplexity", "ppl", "wer", "cer"), _CORPUS)}

Score = Callable[[npt.NDArray[np.float32], int], float]


def is_score(metric: str) -> bool:
    """Return whether a metric names a function of the user's."""
    return metric.startswith(SCORE)


def check_name(metric: str) -> None:
    """Refuse what is no mean over samples, by the name of the metric or of the function."""
    name = metric.rpartition(":")[2]
    why = NO_MEANS.get(name.lower().replace("_", "").replace("-", ""))
    if why is not None:
        raise InputError(f"Metric must be a mean over independent samples, not {name}: that is "
                         f"{why}")


def scores(metric: str, outputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64],
           first: int = 0) -> npt.NDArray[np.float64]:
    """Return the score of each sample, float64[n].

    outputs : float32[n, k]. labels : int64[n]. first : what messages count samples from.

    Raises InputError with file and line where the function fails, or returns no such number.
    """
    path, name = parts_of_score(metric)
    function = load(path, name)
    found = np.empty(len(labels))
    for index, (one, label) in enumerate(zip(outputs, labels.tolist(), strict=True)):
        try:
            value = function(one.copy(), label)
        except Exception as error:
            raise InputError(f"{_place(path, error)}: {name} must return a score of sample "
                             f"{first + index},"
                             f" not raise {_words(error)}") from None
        try:
            found[index] = value
        except (TypeError, ValueError):
            found[index] = math.nan
        if not 0 <= found[index] <= 1:
            raise InputError(f"{path}: {name} must return a number from 0 to 1, not {value!r} for "
                             f"sample {first + index}")
    return found


@cache
def load(path: Path, name: str) -> Score:
    """Return a function of a file, which is run; InputError with file and line where it fails."""
    if not path.is_file():
        raise InputError(f"{path}: must be a Python file with a function {name}")
    spec = spec_from_file_location(path.stem, path.absolute())
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: must be a Python file, with the ending .py")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{_place(path, error)}: must be Python that runs, not raise "
                         f"{_words(error)}") from None
    function: Score | None = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"{path}: must have a function {name}, but has none")
    return function


def parts_of_score(metric: str) -> tuple[Path, str]:
    """Return file and function of a score."""
    path, _, name = metric.removeprefix(SCORE).rpartition(":")
    if not path or not name.isidentifier():
        raise InputError(f"Metric must be score:FILE.py:FUNCTION, not {metric!r}")
    return Path(path), name


def _place(path: Path, error: Exception) -> str:
    """Return FILE:LINE, the last line of the user's file that was at work."""
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename and Path(frame.filename) == path.absolute()]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
