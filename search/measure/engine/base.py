"""What does tasks: calls of pure functions that share nothing they write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
IN_FLIGHT = 3  # tasks for each that is done at a time: some wait where they will be done


class Engine(Protocol):
    """Threads of this process, or the workers of a cluster; close it to let go of them.

    width : tasks that are done at a time. Results do not depend on it.
    """

    @property
    def width(self) -> int:
        """Tasks that are done at a time."""

    @property
    def processes(self) -> int:
        """Processes that do them, each with memory of its own."""

    def held(self, make: Callable[[], T]) -> T:
        """Return what stands for the value of `make` among the arguments of tasks.

        The value lies where tasks are done, and is sent there once, as long as what is returned is
        kept. make : returns equal values whenever it is called.
        """

    def each(self, label: str, work: Callable[..., T], calls: Iterable[tuple[Any, ...]], *,
             large: bool = False) -> Iterator[tuple[int, T]]:
        """Yield the place of each call and what `work` returns of it, as they are done.

        label : what the tasks are called. calls : taken one after the other, a few at a time.
        large : one of them takes what a process may take, so that a process does one at a time.
        """

    def processor_seconds(self) -> float:
        """Return what tasks took outside of this process so far."""

    def summary(self) -> str:
        """Say what was done outside of this process, empty where nothing was."""

    def close(self) -> None:
        """Let go of what does the tasks."""
