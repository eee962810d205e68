"""Tasks on a Dask cluster: one thread a worker, values sent once, results whatever dies on the way.

A worker that is killed takes with it the tasks that it was at and the values that no other has;
they are done and sent again. A worker whose code or packages differ gets no second task.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import uuid4

import dask
import distributed
from distributed.scheduler import KilledWorker
from distributed.security import Security

from hw.common.errors import ToolError
from hw.common.memory import peak_memory, shown
from search.measure.engine.base import IN_FLIGHT
from search.measure.engine.release import difference, release

if TYPE_CHECKING:
    from search.measure.engine.place import Place

ATTEMPTS = 20  # of a task whose worker dies, or whose values are lost
PAUSE_S, COUNT_S = 0.2, 1.0
CONNECT_S, CLOSE_S = 30, 5
SEND_S, START_S = 600, 300
LOOPBACK = "127.0.0.1"
# Of workers that are started here: what they do is not sampled every 10 ms, and memory that is
# freed stays with them, as with any process; Dask would hand all of it back, to be asked for again.
LEAN = {"distributed.worker.profile.enabled": False,
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
NO_TLS = ("is not encrypted and knows nobody: whoever reaches it can run programs as you "
          "(docs/scale.md)")

T = TypeVar("T")


class Held:
    """A value that lies on workers; it is made and sent when a task first needs it."""

    def __init__(self, client: distributed.Client, make: Callable[[], Any]) -> None:
        self._client, self._make = client, make
        self._future: distributed.Future | None = None

    def future(self) -> distributed.Future:
        """Return what Dask puts the value in the place of."""
        if self._future is None or self._future.status in ("cancelled", "lost", "error"):
            [self._future] = self._client.scatter([self._make()], hash=False, timeout=SEND_S)
        return self._future


class Refused(Exception):  # noqa: N818
    """A worker is not like the process that asks; the arguments are its address and why."""


class Done(NamedTuple):
    """What a task returned, and the processor seconds that it took."""

    value: Any
    seconds: float


def task(wanted: Mapping[str, str], work: Callable[..., Any], *arguments: Any) -> Done:
    """Do a task on a worker that is like the process that asks."""
    if reason := difference(wanted):
        raise Refused(distributed.get_worker().address, reason)
    started = time.process_time()
    return Done(work(*arguments), time.process_time() - started)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cluster:
    """An `Engine` on workers of Dask.

    place : as messages call it. own : the cluster that this process started, if any. spent :
    processor seconds of workers by their tasks' label; done : tasks by label. refused : addresses.
    """

    place: str
    client: distributed.Client
    own: distributed.LocalCluster | None
    spent: dict[str, float] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)

    @property
    def width(self) -> int:
        """Threads of all workers that there are now, at least one."""
        if self.own is not None:
            return len(self.own.worker_spec)
        return max(int(sum(self.client.nthreads().values())), 1)

    @property
    def processes(self) -> int:
        """At least two, for none of them is this one."""
        return max(self.width, 2)

    def held(self, make: Callable[[], T]) -> T:
        """Return what stands for a value."""
        return Held(self.client, make)  # type: ignore[return-value]

    def each(self, label: str, work: Callable[..., T], calls: Iterable[tuple[Any, ...]], *,
             large: bool = False) -> Iterator[tuple[int, T]]:
        """Yield results as they are done; workers have one thread, so `large` tasks are as others.

        Raises what a task raises; ToolError where the cluster is gone, where no worker is like
        this process, or where a task kills worker after worker.
        """
        waiting: dict[distributed.Future, tuple[int, tuple[Any, ...], int]] = {}
        finished = distributed.as_completed(
            loop=self.client.loop, with_results=True, raise_errors=False)

        def submit(index: int, call: tuple[Any, ...], attempt: int) -> None:
            self._await_workers()
            future = self.client.submit(
                task, release(), work, *map(_on_workers, call), pure=False,
                key=f"{label}-{uuid4().hex}")
            waiting[future] = index, call, attempt
            finished.add(future)

        def some() -> Iterator[tuple[int, T]]:
            future, result = next(finished)
            index, call, attempt = waiting.pop(future)
            if isinstance(result, Done):  # whatever became of the future since
                self.spent[label] = self.spent.get(label, 0.0) + result.seconds
                self.done[label] += 1
                yield index, result.value
                return
            self._accept(result[1] if isinstance(result, tuple) else result, label, attempt)
            submit(index, call, attempt + 1)

        most, counted = 0, -math.inf
        try:
            for index, call in enumerate(calls):
                submit(index, call, 1)
                if time.monotonic() > counted + COUNT_S:  # workers come and go
                    most, counted = IN_FLIGHT * self.width, time.monotonic()
                while len(waiting) >= most:
                    yield from some()
            while waiting:
                yield from some()
        finally:
            for future in waiting:
                future.release()  # what nobody waits for is not begun

    def _await_workers(self) -> None:
        """Wait until there is a worker; ToolError where one of this machine does not start."""
        if self.client.scheduler_info()["workers"]:
            return
        try:
            if self.own is None and not self.client.nthreads():
                print(f"notice: {self.place} has no worker; waiting for one", file=sys.stderr)
            self.client.wait_for_workers(1, timeout=START_S if self.own is not None else None)
        except TimeoutError:
            raise ToolError(f"{self.place}: workers must start within {START_S} s, not one did"
                            ) from None

    def _accept(self, error: BaseException, label: str, attempt: int) -> None:
        """Return where a task that failed may be done again, else raise why not."""
        if isinstance(error, Refused):
            self._refuse(*error.args)
            return
        if isinstance(error, ModuleNotFoundError):
            raise ToolError(f"{self.place}: workers must have this project installed, as here; one "
                            f"has not ({error})")
        if not isinstance(error, (KilledWorker, distributed.client.CancelledError)):
            raise error
        if getattr(error, "reason", "") == "scheduler-connection-lost" or \
                self.client.status != "running":
            raise ToolError(f"{self.place}: the scheduler must stay; it is gone. Continue with "
                            "--resume")
        if attempt >= ATTEMPTS:
            raise ToolError(f"{self.place}: a worker must live through a task of {label!r}; "
                            f"{attempt} did not: it may need more memory (docs/scale.md)")
        time.sleep(PAUSE_S)

    def _refuse(self, address: str, reason: str) -> None:
        """Send a worker away; ToolError where it was the only one."""
        others = self.client.nthreads().keys() - {address}
        if not others:
            raise ToolError(f"{self.place}: worker {address} must be like this process, but has "
                            f"{reason}")
        if address in self.refused:
            return
        self.refused.add(address)
        print(f"warning: worker {address} is refused: it has {reason}", file=sys.stderr)
        self.client.retire_workers([address], close_workers=True, remove=True)

    def processor_seconds(self) -> float:
        """Return what the tasks of this run took on workers so far."""
        return sum(self.spent.values())

    def summary(self) -> str:
        """Say what was done, and the most memory that a worker took."""
        peaks = self.client.run(peak_memory).values()
        tasks = ", ".join(f"{count:,} {label}" for label, count in self.done.items())
        return (f"cluster {self.place}: {len(peaks)} workers, tasks: {tasks or 'none'}; "
                f"at most {shown(max(peaks, default=0))} of memory in one")

    def close(self) -> None:
        """Leave the cluster; one that this process started ends, whatever it is at."""
        with suppress(TimeoutError):
            self.client.close(timeout=CLOSE_S)
        if self.own is not None:
            for nanny in self.own.workers.values():
                nanny.auto_restart = False
                if nanny.pid is not None:
                    os.kill(nanny.pid, signal.SIGKILL)
            with suppress(TimeoutError):
                self.own.close(timeout=CLOSE_S)


def _on_workers(value: Any) -> Any:
    """Return an argument with what Dask puts values in the place of; lists are looked into."""
    if isinstance(value, Held):
        return value.future()
    return [_on_workers(one) for one in value] if isinstance(value, list) else value


def join(place: Place) -> Cluster:
    """Return the cluster at a place; one of this machine is started and grows while others work."""
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] == "distributed":  # what fails is told once, by us
            logging.getLogger(name).setLevel(logging.CRITICAL)
    if not place.workers:
        return Cluster(place=place.address, own=None, client=_client(
            place.address, _security(place)))
    security = _temporary_keys()
    dask.config.set(LEAN)
    own = distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=True, host=LOOPBACK, protocol="tls://",
        security=security, dashboard_address=f"{LOOPBACK}:0", silence_logs=logging.CRITICAL)
    own.scale(place.workers)
    return Cluster(place=f"local:{place.workers}", own=own, client=_client(own, security))


def _client(address: Any, security: Security | None) -> distributed.Client:
    try:
        return distributed.Client(address, security=security, timeout=CONNECT_S,
                                  set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ToolError(f"{address}: no scheduler of Dask answers ({reason})") from None


def _security(place: Place) -> Security | None:
    """Return how a scheduler is spoken to; says so where anyone may."""
    if place.keys is not None:
        authority, certificate, key = map(str, place.keys)
        return Security(tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key,
                        require_encryption=True)
    if place.address.startswith("tls://"):
        return Security()  # as Dask's own configuration says
    print(f"notice: {place.address} {NO_TLS}", file=sys.stderr)
    return None


def _temporary_keys() -> Security:
    """Return a key of this run alone: others who work on this machine reach loopback, too."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "certificate"
        try:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
                 "/CN=autoapprox", "-keyout", key, "-out", certificate],
                check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise ToolError("openssl must make a key that keeps others out of local:N, and cannot "
                            f"({error}); run: apt-get install openssl") from None
        own, secret = certificate.read_text(), key.read_text()
    return Security(
        require_encryption=True, tls_ca_file=own,
        **{f"tls_{who}_{what}": text for who in ("client", "scheduler", "worker")
           for what, text in (("cert", own), ("key", secret))})
