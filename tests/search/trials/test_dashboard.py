"""`optuna-dashboard` opens the store of a run: names, objectives, constraints, figures."""

import json
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from http.client import OK, HTTPConnection
from pathlib import Path

import pytest

from tests.search.trials.test_study_store import OBJECTIVES, STUDY, open_store, search

COMMAND = Path(sys.executable).with_name("optuna-dashboard")
PATIENCE_S = 60
pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="not run: no optuna-dashboard to open the store with")
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"/>'
SAID = "energy of the exact one: array 0.260"


@contextmanager
def dashboard(journal, artifacts):
    """Give a function that asks the dashboard for a path."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [COMMAND, "--port", str(port), "--server", "wsgiref", "--quiet",
         "--artifact-dir", artifacts, journal], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)

    def ask(path):
        until = time.monotonic() + PATIENCE_S
        while True:
            connection = HTTPConnection("127.0.0.1", port)
            with closing(connection), suppress(ConnectionRefusedError):
                connection.request("GET", path)
                answer = connection.getresponse()
                assert answer.status == OK, path
                return answer.read()
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)

    try:
        yield ask
    finally:
        process.kill()
        process.wait()


def test_a_run_is_opened_with_names_objectives_constraints_and_figures(tmp_path):
    path, artifacts = tmp_path / "trials.journal", tmp_path / "artifacts"
    result, _ = search(path, "random", evaluations=6)
    (tmp_path / "pareto.svg").write_text(PICTURE)
    with closing(open_store(path)) as store:
        for _attempt in range(2):  # an interrupted one before it
            store.conclude(SAID, [tmp_path / "pareto.svg"], artifacts)
        needed = {trial.number: trial.constraints for trial in store._study.trials}
    with dashboard(path, artifacts) as ask:
        [study] = json.loads(ask("/api/studies"))["study_summaries"]
        assert study["study_name"] == STUDY
        assert {"key": "result", "value": SAID} in study["user_attrs"]
        shown = json.loads(ask(f"/api/studies/{study['study_id']}?after=0"))
        [figure] = shown["artifacts"]
        picture = ask(f"/artifacts/{study['study_id']}/{figure['artifact_id']}")
    assert shown["objective_names"] == list(OBJECTIVES)
    assert shown["directions"] == ["minimize", "maximize"]
    assert [trial["values"] for trial in shown["trials"]] == [
        [one.energy, one.search_share] for one in result.history]
    for trial in shown["trials"]:
        named = needed[trial["number"]]
        assert trial["constraints"] == [named["accuracy"], named["area"]]
    assert any(max(trial["constraints"]) > 0 for trial in shown["trials"])
    assert (figure["filename"], figure["mimetype"]) == ("pareto.svg", "image/svg+xml")
    assert picture.decode() == PICTURE
