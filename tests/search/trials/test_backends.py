"""Trials in a database: kept and found again like those in a journal; one that is away."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from hw.common.errors import ToolError
from search.trials.backends import with_retries
from tests.search.synthetic import made_up_problem
from tests.search.trials.test_study_store import open_store, search

TOOLS = ("postgres", "initdb", "pg_ctl")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


def as_anyone(folder):
    """Return the account to run a server as, and give it the folder."""
    if os.getuid() != 0:
        return {}
    shutil.chown(folder, UNPRIVILEGED)
    return {"user": UNPRIVILEGED}


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """URL of a database on a server of our own."""
    if MISSING:
        pytest.skip(f"PostgreSQL is not installed here (no {', '.join(MISSING)})")
    pytest.importorskip("psycopg", reason="PostgreSQL needs its driver psycopg")
    # The account must be able to walk to it, and the path of a socket is short.
    folder = Path("/tmp") / f"aa{os.getpid()}"
    folder.mkdir(mode=0o755)
    account = as_anyone(folder)
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"capture_output": True, "cwd": folder, **account}
    try:
        subprocess.run(["initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync"],
                       check=True, **quiet)
        # No pipe: the server would keep it open.
        subprocess.run(
            ["pg_ctl", "-D", data, "-w", "-l", folder / "log", "start", "-o",
             f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **account)
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """URL of a database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trials.db'}"
    return request.getfixturevalue("postgresql")


def test_a_search_in_a_database_is_resumed_and_measures_nothing_twice(database, tmp_path):
    whole, calls = search(tmp_path / "whole", "random")
    with pytest.raises(KeyboardInterrupt):
        search(database, "random", stop_after=4)
    resumed, rest = search(database, "random")
    assert resumed.history == whole.history
    assert len(rest) == len(calls) - 4
    assert search(database, "random")[1] == []


def test_a_database_out_of_reach_is_asked_again(monkeypatch):
    from sqlalchemy.exc import OperationalError

    monkeypatch.setattr("search.trials.backends.FIRST_DELAY_S", 0)
    refusals = [OperationalError("select", {}, Exception("gone away"))] * 2

    def work():
        if refusals:
            raise refusals.pop()
        return "answer"

    assert with_retries(work) == "answer"


def test_a_database_that_stays_away_is_one_line(monkeypatch):
    from sqlalchemy.exc import OperationalError

    monkeypatch.setattr("search.trials.backends.FIRST_DELAY_S", 0)

    def work():
        raise OperationalError("select", {}, Exception("gone away"))

    with pytest.raises(ToolError, match=r"^Storage of the trials must answer; it did not \("):
        with_retries(work)


def test_a_server_that_is_not_there_is_an_environment_error():
    with pytest.raises(ToolError, match=r"^postgresql://nobody@127\.0\.0\.1:1/x: cannot be opened"):
        open_store("postgresql://nobody@127.0.0.1:1/x", made_up_problem())
