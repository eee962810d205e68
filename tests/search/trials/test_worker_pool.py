"""Workers that share a database: each measures a part, all end alike, a killed one is replaced."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import optuna
import pytest

from hw.common.errors import ToolError
from search.measure.designs import Measured
from search.trials import worker_pool as module
from search.trials.backends import close_database, open_database, with_retries
from search.trials.worker_pool import WorkerPool
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
    """URL of a database, empty but for other tests' studies."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'trials.db'}"
    return request.getfixturevalue("postgresql")


@pytest.fixture
def pool():
    """Return a function that opens the claims of a study."""
    opened = []

    def found(url, name):
        opened.append(open_database(url))
        return WorkerPool(opened[-1], name)

    yield found
    for storage in opened:
        close_database(storage)


def mappings(count):
    return [{"layer": f"mul8u_m{index}"} for index in range(count)]


def answer(mapping):
    number = int(mapping["layer"].removeprefix("mul8u_m"))
    return Measured(right=(number,), lost=(number % 3,), damages=(number / 7,), seconds=0.5)


def test_what_one_has_measured_the_others_know(database, pool):
    first, second = pool(database, "known"), pool(database, "known")
    assert first.measure(mappings(3), lambda some: [answer(m) for m in some]) == [
        answer(m) for m in mappings(3)]
    assert second.measure(mappings(3), None) == [answer(m) for m in mappings(3)]
    assert len(second.known()) == 3


def test_two_workers_divide_what_is_asked_for(postgresql, pool, monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0.02)
    done, found = {"a": [], "b": []}, {}
    crews = {name: pool(postgresql, "divided") for name in done}

    def work(name):
        def evaluate(some):
            time.sleep(0.3)
            done[name].extend(some)
            return [answer(m) for m in some]

        found[name] = crews[name].measure(mappings(16), evaluate)
        crews[name]._storage.remove_session()  # that of this thread

    threads = [threading.Thread(target=work, args=(name,)) for name in done]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["a"] == found["b"] == [answer(m) for m in mappings(16)]
    assert done["a"]
    assert done["b"]
    # The two begin at the same moment, so nearly all are claimed twice and measured once.
    assert len(done["a"]) + len(done["b"]) <= 18


def test_an_interrupted_worker_gives_its_claims_back(database, pool):
    def interrupted(some):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool(database, "interrupted").measure(mappings(2), interrupted)
    started = time.monotonic()
    pool(database, "interrupted").measure(mappings(2), lambda some: [answer(m) for m in some])
    assert time.monotonic() - started < 5


def killed_worker(url, *, method="random"):
    """Run a search in another process that is killed while it measures, claims in hand."""
    script = textwrap.dedent("""
        import os, signal, sys
        import tests.search.trials.test_study_store as store
        from search.trials import backends as storage

        storage.HEARTBEAT_S = 1
        storage.open_database.__kwdefaults__["heartbeat_s"] = 1

        class Killed(store.MadeUpNetwork):
            def __call__(self, mappings):
                if len(self.calls) >= 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().__call__(mappings)

        store.MadeUpNetwork = Killed
        store.search(sys.argv[1], sys.argv[2])
    """)
    done = subprocess.run([sys.executable, "-c", script, url, method], check=False,
                          env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("method", ["random", "alwann"])
def test_another_worker_takes_over_from_a_killed_one(database, method, tmp_path, monkeypatch):
    """Its finished trials are kept, its claims lapse, the result is that of a single worker."""
    monkeypatch.setitem(open_database.__kwdefaults__, "heartbeat_s", 1)
    url = database
    if url.startswith("postgresql"):  # a study of its own
        monkeypatch.setattr("tests.search.trials.test_study_store.STUDY", f"takeover-{method}")
        monkeypatch.setenv("AUTOAPPROX_TEST_STUDY", f"takeover-{method}")
    killed_worker(url, method=method)
    whole, calls = search(tmp_path / "whole", method)
    found, rest = search(url, method)
    assert found.history == whole.history
    assert found.best == whole.best
    assert len(rest) < len(calls)


def test_both_workers_see_every_trial_once(database, monkeypatch):
    monkeypatch.setattr("tests.search.trials.test_study_store.STUDY", "once")
    first, _ = search(database, "uniform")
    second, calls = search(database, "uniform")
    assert first.history == second.history
    assert not calls
    storage = open_database(database)
    try:
        study = optuna.load_study(study_name="once", storage=storage)
        assert len(study.trials) == len(first.history)
    finally:
        close_database(storage)


def test_a_database_out_of_reach_is_asked_again():
    from sqlalchemy.exc import OperationalError

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
