"""What --cluster takes, and what it refuses before anything is started."""

import json

import pytest

from hw.common.errors import InputError, ToolError
from search.measure.engine.place import Place, check_cluster, open_engine, parse_cluster
from search.measure.engine.threads import Threads


def test_workers_of_this_machine_and_addresses():
    assert parse_cluster("local:4") == Place(workers=4)
    assert parse_cluster("tls://head:8786") == Place(address="tls://head:8786")


def test_a_scheduler_file_names_the_address(tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_text(json.dumps({"type": "Scheduler", "address": "tcp://10.0.0.1:8786"}))
    assert parse_cluster(str(path)) == Place(address="tcp://10.0.0.1:8786")
    path.write_text("{}")
    with pytest.raises(InputError, match=r"scheduler\.json: key 'address' must be an address such "
                                         r"as tls://host:8786, not None$"):
        parse_cluster(str(path))


def test_keys_are_beside_the_file_that_names_them(tmp_path):
    for name in ("ca.pem", "own.pem", "key.pem"):
        (tmp_path / name).touch()
    (tmp_path / "scheduler.json").write_text('{"address": "tls://head:1"}')
    path, keys = tmp_path / "c.toml", ('ca-file = "ca.pem"\ncertificate = "own.pem"\n'
                                       'key = "key.pem"\n')
    path.write_text(f'scheduler-file = "scheduler.json"\n{keys}')
    assert parse_cluster(str(path)) == Place(address="tls://head:1", keys=(
        tmp_path / "ca.pem", tmp_path / "own.pem", tmp_path / "key.pem"))


@pytest.mark.parametrize(("content", "message"), [
    ("address = 3", "key 'address' must be a text, not 3"),
    ("adress = 'x'", "key must be address, scheduler-file, ca-file, certificate, key, "
                     "not 'adress'"),
    ("key = 'k'", "must have one of address and scheduler-file"),
    ("address = 'tls://h:1'\nkey = 'k'",
     "must have all of ca-file, certificate, key, not key alone"),
    ("address", "must be TOML: ")])
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "c.toml").write_text(content)
    with pytest.raises(InputError) as refusal:
        parse_cluster(str(tmp_path / "c.toml"))
    assert str(refusal.value).startswith(f"{tmp_path / 'c.toml'}: {message}")


@pytest.mark.parametrize("text", ["local:0", "local:", "local:x", "local:99999", "somewhere",
                                  "http://host:1", "tcp://host", "tls://host:port"])
def test_other_words_are_refused(text):
    with pytest.raises(InputError, match=r"^Cluster must be "):
        parse_cluster(text)


def test_a_missing_package_is_an_environment_error(monkeypatch):
    monkeypatch.setattr("search.measure.engine.place.find_spec", lambda _name: None)
    with pytest.raises(ToolError, match=r"^distributed is missing; run: pip install "):
        check_cluster("local:2")


def test_without_a_cluster_there_are_threads():
    engine = open_engine(None)
    assert isinstance(engine, Threads)
    engine.close()
