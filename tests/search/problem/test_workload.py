"""Workload files: what they say, and one line for each way in which they can be wrong."""

import json

import pytest

from hw.common.errors import InputError
from search.problem.workload import DEFAULT_MODEL, read_workload, single
from tests.mutations import check_reader


def written(folder, *networks, **more):
    for name in ("a.onnx", "b.onnx"):
        (folder / name).touch()
    path = folder / "nets.json"
    path.write_text(json.dumps({"networks": networks, **more}))
    return path


A = {"name": "a", "model": "a.onnx", "data": "a.npz", "inferences": 2, "ranges": "r.json"}
B = {"name": "b", "model": "b.onnx", "calibrate": "digits:calibrate", "search": "cifar10:c#train",
     "certify": "idx:x,y"}


def test_paths_are_relative_to_the_file_and_the_order_is_kept(tmp_path):
    workload = read_workload(written(tmp_path, A, B))
    first, second = workload.networks
    assert (first.name, first.model, first.data, first.inferences) == (
        "a", tmp_path / "a.onnx", str(tmp_path / "a.npz"), 2)
    assert second.inferences == 1
    assert (first.ranges, second.ranges) == (tmp_path / "r.json", None)
    assert second.splits == {
        "calibrate": "digits:calibrate", "search": f"cifar10:{tmp_path / 'c'}#train",
        "certify": f"idx:{tmp_path / 'x'},{tmp_path / 'y'}"}
    assert workload.stem == "nets"


def test_layers_are_told_apart_where_there_is_another_network(tmp_path):
    two, one = (read_workload(written(tmp_path, *some)) for some in ((A, B), (A,)))
    assert [two.prefix(network) for network in two.networks] == ["a/", "b/"]
    assert two.of(two.networks[1]) == " of b"
    assert one.prefix(one.networks[0]) == ""
    assert one.of(one.networks[0]) == ""


def test_a_single_network_is_a_workload_of_one():
    workload = single(None, None, {})
    assert workload.networks[0].model == DEFAULT_MODEL
    assert workload.stem == "digits"


@pytest.mark.parametrize(("networks", "message"), [
    ([A, {**B, "name": "a"}], r"network 2: name must be its own, not 'a' again$"),
    ([{**A, "inferences": 0}], r"network 1: inferences must be an integer from 1 to .*, not 0$"),
    ([{**A, "limit": 0}], r"network 1: limit must be an integer from 1 to .*, not 0$"),
    ([{**A, "inferences": 1.5}], r"network 1: inferences must be an integer .*, not 1\.5$"),
    ([{**A, "inferences": True}], r"network 1: inferences must be an integer .*, not True$"),
    ([{**A, "modle": "x"}], r"network 1: Unknown key 'modle'; did you mean 'model'\?$"),
    ([A, {**B, "model": "absent.onnx"}], r"network 2: model must be a file, but .* is none$"),
    ([{"model": "a.onnx", "data": "d"}], r"network 1: must have a name$"),
    ([{"name": "a", "data": "d"}], r"network 1: must have a model$"),
    ([{"name": "a", "model": "a.onnx"}], r"network 1: images must be given, by data, or by "),
    ([{**B, "data": "d"}], r"network 1: images must be given by data alone, or by .*, not by "
                           r"data, calibrate, search, certify$"),
    ([{key: B[key] for key in ("name", "model", "search")}],
     r"network 1: images must be given by data alone, or by .*, not by search$"),
    ([{**A, "name": "a/b"}], r"network 1: name must be made of letters, digits and '_', 32 at"),
    ([{**A, "name": ""}], r"network 1: name must be a text, not ''$"),
    ([{**A, "data": 3}], r"network 1: data must be a text, not 3$"),
    (["a.onnx"], r"network 1: must be a JSON object, not 'a\.onnx'$"),
    ([], r"must name at least one network$"),
])
def test_what_is_wrong_is_one_line_that_names_file_and_network(tmp_path, networks, message):
    with pytest.raises(InputError, match=r"^\S+nets\.json: " + message):
        read_workload(written(tmp_path, *networks))


@pytest.mark.parametrize(("content", "message"), [
    ("nonsense", r"not valid JSON"), ("[]", r'must be a JSON object with a list of "networks"$'),
    ('{"networks": {}}', r'must be a JSON object with a list of "networks"$'),
    ('{"networks": [], "batch": 1}', r"Unknown key 'batch'; known: networks$"),
])
def test_what_is_no_workload_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "nets.json").write_text(content)
    with pytest.raises(InputError, match=r"^\S+nets\.json: " + message):
        read_workload(tmp_path / "nets.json")


def test_a_damaged_file_is_refused_by_name_or_read(tmp_path):
    (tmp_path / "a.onnx").touch()
    one = {"name": "a", "model": "a.onnx", "data": "a.npz", "inferences": 2, "limit": 5}
    other = {"name": "b", "model": "a.onnx", "ranges": "r.json", "calibrate": "b.npz#calibrate",
             "search": "b.npz#search", "certify": "b.npz#certify"}
    check_reader(read_workload, {"networks": [one, other]}, tmp_path / "nets.json", most=150)
