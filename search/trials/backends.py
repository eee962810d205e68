"""Where trials are kept: a journal file of one run, or a database that others may look at."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from hw.common.errors import InputError, ToolError

if TYPE_CHECKING:
    import optuna

JOURNAL_START = b'{"op_code"'
ATTEMPTS, FIRST_DELAY_S = 6, 0.5  # of what a database refuses: half a minute in all

T = TypeVar("T")


def is_database(location: Path | str) -> bool:
    """Return whether a location is a storage URL rather than a journal file."""
    return "://" in str(location)


def check_url(url: str) -> None:
    """Refuse a storage that cannot be one, without opening it.

    Raises InputError when it is no URL, or of no kind of database; ToolError when the driver is
    missing.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        found = make_url(url)
        found.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise InputError("Storage must be the URL of a database, such as "
                         f"postgresql://user@host/name, not {url!r}") from None
    except ImportError as error:
        raise ToolError(f"{found.render_as_string()}: driver of the storage must be installed "
                        f"({error}); docs/search.md") from None


def open_database(url: str) -> optuna.storages.RDBStorage:
    """Open a database such as `postgresql://user@host/name`.

    Raises ToolError when it cannot be reached, or its driver is missing.
    """
    import optuna

    try:
        return optuna.storages.RDBStorage(
            url, engine_kwargs={} if url.startswith("sqlite") else {"pool_pre_ping": True})
    except Exception as error:  # driver, address and database errors have no common base
        reason = str(error).splitlines()[0]
        raise ToolError(f"{url}: cannot be opened as Optuna storage ({reason})") from None


def close_database(storage: optuna.storages.RDBStorage) -> None:
    """Close every connection of this process."""
    storage.remove_session()
    storage.engine.dispose()


def with_retries(work: Callable[[], T]) -> T:
    """Return what `work` returns, trying again when a database is out of reach for a while."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import OperationalError

    pause = FIRST_DELAY_S
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except (OperationalError, StorageInternalError) as error:
            if attempt == ATTEMPTS - 1:
                reason = str(error).splitlines()[0]
                raise ToolError(f"Storage of the trials must answer; it did not ({reason})"
                                ) from None
            time.sleep(pause)
            pause *= 2
    raise AssertionError("unreachable")


def open_journal(path: Path) -> tuple[optuna.storages.JournalStorage, IO[bytes]]:
    """Open a journal file for this process alone; close the handle to let go of it.

    Raises InputError when another run writes to it, or it is no journal.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("ab")
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{path}: another run is writing to it") from None
        # Ours alone now: whatever a killed run left behind is stale.
        Path(f"{path}.lock").unlink(missing_ok=True)
        repair_journal(path)
        return optuna.storages.JournalStorage(JournalFileBackend(str(path))), handle
    except BaseException:
        handle.close()
        raise


def repair_journal(path: Path) -> None:
    """Cut a torn last line off a journal; raises InputError when it is no journal at all.

    A killed run can leave half a line, and what Optuna appends to it is lost with it.
    """
    content = path.read_bytes()
    start = content[:len(JOURNAL_START)]
    if start != JOURNAL_START[:len(start)]:
        raise InputError(f"{path}: must be an Optuna journal file")
    whole = content[:content.rfind(b"\n") + 1]
    while whole and not _is_json(whole[whole[:-1].rfind(b"\n") + 1:]):
        whole = whole[:whole[:-1].rfind(b"\n") + 1]  # a tear that the file system padded
    if len(whole) < len(content):
        os.truncate(path, len(whole))


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
