"""What is fixed before the first look: a resumed run may not claim anything else."""

import pytest

from hw.common.errors import InputError
from hw.machine.design import Design
from search.certify.looks import Counts, levels_of
from search.pool.looks import begun, count, counts_of, load_looks, open_looks, told, verdicts
from tests.search.pool.folders import run_folder

COUNTS = [Counts(n=800, exact_right=790, lost=0, gained=1)]


@pytest.fixture
def folder(tmp_path):
    return run_folder(tmp_path / "rough")


def opened(folder, **changed):
    claim = {"energies": [0.8], "network": (folder / "network.onnx").read_bytes(),
             "parts": ["top1"], "margin": 0.01, "levels": levels_of(2), "images": "some",
             "n": 800, **changed}
    open_looks(folder, [Design.load(folder / "design.json")], **claim)


def test_a_resumed_run_goes_on_with_the_same_claim_alone(folder):
    opened(folder)
    opened(folder)
    for changed in ({"margin": 0.02}, {"levels": levels_of(3)}, {"network": b"another"}):
        with pytest.raises(InputError, match="must be those that were fixed before the first"):
            opened(folder, **changed)
    with pytest.raises(InputError, match="look 1 must go on with the 800 images on which it began"):
        opened(folder, images="others")


def test_counts_are_kept_and_judged(folder):
    opened(folder)
    assert counts_of(begun(folder)[0]) == {}
    count(folder, 1, {0: COUNTS})
    looks, history = load_looks(folder), begun(folder)
    assert [counts_of(one) for one in history] == [{0: COUNTS}]
    [found] = verdicts(looks, [counts_of(one) for one in history])
    [line] = told(looks, found)
    assert line.startswith("design 1 of 1, energy 0.800: 0 lost, 1 gained of 800 images, bound -0.")
    assert line.endswith("at a level of 4 %: top1 zero-loss (certified, margin 1.0 points, 95 %)")
