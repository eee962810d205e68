"""From finished runs to a verdict, as a user does it."""

import json
import sys

import numpy as np
import pytest

from hw.common.errors import InputError
from models.data import load_digits_split
from search.pool import __main__ as command
from tests.search.pool.folders import run_folder


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["search.pool", *map(str, words)])
    assert command.main() == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_folder(tmp_path_factory.mktemp("runs") / "rough")


def label_all(claim, split):
    """Fill the list in as a person would who knows the classes."""
    known = load_digits_split(split).labels
    path = claim / "to_label" / "labels.csv"
    rows = [row.split(",")[0] for row in path.read_text().split()[1:]]
    path.write_text("image,label\n" + "".join(f"{row},{known[int(row)]}\n" for row in rows))
    return len(rows)


def test_a_pool_is_certified_by_the_labels_of_the_images_that_differ(
        folder, tmp_path, monkeypatch, capsys):
    claim = tmp_path / "claim"
    words = ("claim", folder, "--pool", "digits:train", "--margin", "0.05", "-o", claim)
    out = run(monkeypatch, capsys, *words)
    with pytest.raises(InputError, match="have no label yet"):
        run(monkeypatch, capsys, "conclude", claim)
    count = label_all(claim, "train")
    assert f"{count} images of 600 on which the design differs" in out
    assert 0 < count < 300
    # An interruption before the labels: the claim goes on, and they stay.
    (claim / "answers" / "1.npy").unlink()
    with pytest.raises(InputError, match="the pool was not run to its end"):
        run(monkeypatch, capsys, "conclude", claim)
    assert "the claim is made already; going on" in run(monkeypatch, capsys, *words)
    out = run(monkeypatch, capsys, "conclude", claim)
    assert f"design 1 of 1: {count} of 600 answers differ" in out
    [judged] = json.loads((claim / "verdict.json").read_text())["judged"]
    assert judged["n"] == 600
    assert judged["lost"] + judged["gained"] <= count


def test_what_is_claimed_is_fixed_before_the_pool_is_run(folder, tmp_path, monkeypatch, capsys):
    claim = tmp_path / "claim"
    words = ["claim", folder, "--pool", "digits:train", "--limit", "40", "-o", claim]
    run(monkeypatch, capsys, *words)
    for other in (["--margin", "0.5"], ["--metric", "top5"]):
        with pytest.raises(InputError, match="another claim was made here"):
            run(monkeypatch, capsys, *words, *other)
    (claim / "designs" / "1.json").write_text("{}")
    with pytest.raises(InputError, match="must be the design that was claimed"):
        run(monkeypatch, capsys, "conclude", claim)


@pytest.mark.parametrize(("words", "message"), [
    (["--pool", "digits:search"], "must be unseen, but 300 of them were calibrated,"),
    (["--pool", "digits:train", "--margin", "1.5"], "--margin must be a fraction|margin must"),
])
def test_a_pool_that_cannot_certify_is_refused(folder, tmp_path, monkeypatch, capsys, words,
                                               message):
    with pytest.raises(InputError, match=message):
        run(monkeypatch, capsys, "claim", folder, *words, "-o", tmp_path / "claim")
    assert not (tmp_path / "claim").exists()


def test_runs_of_other_networks_and_folders_that_are_none_are_refused(
        folder, tmp_path, monkeypatch, capsys):
    other = run_folder(tmp_path / "other")
    (other / "network.onnx").write_bytes(b"another")
    (other / "certified.json").unlink()
    for second, message in ((other, "must be the network of"), (tmp_path, "must be the folder")):
        with pytest.raises(InputError, match=message):
            run(monkeypatch, capsys, "claim", folder, second, "--pool", "digits:train",
                "-o", tmp_path / "claim")
    with pytest.raises(InputError, match="must be the folder of a claim"):
        run(monkeypatch, capsys, "conclude", tmp_path)


def test_repeated_images_count_once(folder, tmp_path, monkeypatch, capsys):
    twice = np.tile(load_digits_split("train").images[:30], (2, 1, 1, 1))
    np.savez(tmp_path / "pool.npz", x=twice)
    out = run(monkeypatch, capsys, "claim", folder, "--pool", tmp_path / "pool.npz",
              "-o", tmp_path / "claim")
    assert "30 images are the same as an earlier one and were left out" in out
    assert "images of 30 on which" in out or "image of 30 on which" in out
