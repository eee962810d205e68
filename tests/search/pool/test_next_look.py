"""A next look, as a user takes it, and everything that may not change between looks."""

import json
import sys

import numpy as np
import pytest

from hw.common.errors import InputError
from hw.machine.design import Design
from models.data import load_digits_split
from search.certify.looks import Counts, levels_of
from search.pool import __main__ as command
from search.pool import looks, next_look
from search.pool.claim import pool_digest
from search.problem.repeated_images import fingerprints
from tests.search.pool.folders import run_folder

SHARED = 100  # images of the first look


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["search.pool", *map(str, words)])
    assert command.main() == 0
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path):
    """A run of three looks: its first failed, on the first certify images."""
    made = run_folder(tmp_path / "rough")
    design = Design.load(made / "design.json")
    keys = fingerprints(load_digits_split("certify").images[:SHARED], eight_bit=False).keys
    looks.open_looks(made, [design, design], [0.8, 0.7],
                     network=(made / "network.onnx").read_bytes(), parts=["top1"], margin=0.05,
                     levels=levels_of(3), images=pool_digest(keys), n=SHARED)
    lost = [Counts(n=SHARED, exact_right=98, lost=6, gained=0)]
    looks.count(made, 1, {0: lost, 1: lost})
    return made


@pytest.fixture
def fresh(tmp_path):
    data = load_digits_split("train")
    path = tmp_path / "fresh.npz"
    np.savez(path, x=data.images[:300], y=data.labels[:300])
    return path


def test_the_next_look_judges_all_images_at_its_own_level(folder, fresh, monkeypatch, capsys):
    out = run(monkeypatch, capsys, "continue", folder, "--data", fresh)
    assert "look 2 of 3: 300 fresh images, level 0.5 %" in out
    assert "of 400 images, bound" in out
    assert "at a level of 0.25 %" in out
    assert "looks left: 1" in out
    second = json.loads((folder / "looks" / "2.json").read_text())
    assert [one["design"] for one in second["counted"]] == [0, 1]
    assert [look["run"] for look in json.loads((folder / "certified.json").read_text())["looks"]
            ] == ["rough", "rough, look 2"]
    # The images of a look are not fresh any more.
    with pytest.raises(InputError, match=r"must be unseen, but 300 of them were calibrated"):
        run(monkeypatch, capsys, "continue", folder, "--data", fresh)
    out = run(monkeypatch, capsys, "continue", folder, "--data", "digits:calibrate")
    assert "looks left: none; fresh images start a new claim" in out
    with pytest.raises(InputError, match="must have a look left, but all 3 are taken"):
        run(monkeypatch, capsys, "continue", folder, "--data", "digits:certify")


def test_an_interrupted_look_goes_on_with_its_own_images(folder, fresh, monkeypatch, capsys):
    whole = next_look._counts
    done = []

    def interrupted(*words):
        if done:
            raise KeyboardInterrupt
        done.append(words)
        return whole(*words)

    monkeypatch.setattr(next_look, "_counts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, capsys, "continue", folder, "--data", fresh)
    before = json.loads((folder / "looks" / "2.json").read_text())
    assert len(before["counted"]) == 1
    with pytest.raises(InputError, match="look 2 must go on with the 300 images on which it began"):
        run(monkeypatch, capsys, "continue", folder, "--data", "digits:calibrate")
    done.clear()
    out = run(monkeypatch, capsys, "continue", folder, "--data", fresh)
    after = json.loads((folder / "looks" / "2.json").read_text())
    assert len(done) == 1
    assert after["counted"][0] == before["counted"][0]
    assert "looks left: 1" in out


def test_what_was_fixed_may_not_change(folder, fresh, monkeypatch, capsys):
    words = ("continue", folder, "--data", fresh)
    claim = folder / "looks" / "claim.json"
    content = claim.read_text()
    claim.write_text(content.replace("0.05", "0.5"))
    with pytest.raises(InputError, match="margin and looks must be what they were at look 1"):
        run(monkeypatch, capsys, *words)
    claim.write_text(content)
    design = folder / "looks" / "designs" / "2.json"
    kept = design.read_text()
    design.write_text(kept.replace("rough", "tough"))
    with pytest.raises(InputError, match="must be what it was before the first image was judged"):
        run(monkeypatch, capsys, *words)
    design.write_text(kept)
    (folder / "network.onnx").write_bytes(b"another")
    with pytest.raises(InputError, match=r"network.onnx: must be what it was"):
        run(monkeypatch, capsys, *words)


def test_images_of_the_run_are_no_fresh_ones(folder, monkeypatch, capsys):
    with pytest.raises(InputError, match="must be unseen, but 300 of them were calibrated"):
        run(monkeypatch, capsys, "continue", folder, "--data", "digits:search")
    assert not (folder / "looks" / "2.json").exists()


def test_after_a_plain_failure_nothing_continues(tmp_path, fresh, monkeypatch, capsys):
    plain = run_folder(tmp_path / "plain")
    with pytest.raises(InputError, match="fresh images start a new claim"):
        run(monkeypatch, capsys, "continue", plain, "--data", fresh)
