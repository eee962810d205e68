"""What `--cluster` says: where tasks are done. Nothing of Dask is imported to read it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hw.common.errors import InputError, ToolError
from hw.common.files import read_json
from search.measure.engine.base import Engine

LOCAL = "local:"
MOST_WORKERS = 1024
EXPECTED = "local:N, an address such as tls://host:8786, a scheduler file (*.json) or a file of " \
    "address and keys (*.toml)"
KEYS = ("ca-file", "certificate", "key")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cluster: `workers` processes of this machine, or a scheduler at an address.

    keys : PEM files of a TLS scheduler: authority, own certificate, own key; None without TLS.
    """

    workers: int = 0
    address: str = ""
    keys: tuple[Path, ...] | None = None


def parse_cluster(text: str) -> Place:
    """Return the cluster that a word of `--cluster` names; InputError where it names none."""
    if text.startswith(LOCAL):
        number = text.removeprefix(LOCAL)
        if not re.fullmatch(r"\d{1,6}", number) or not 1 <= int(number) <= MOST_WORKERS:
            raise InputError(f"Cluster must be local:N, N from 1 to {MOST_WORKERS}, not {text!r}")
        return Place(workers=int(number))
    if "://" in text:
        return Place(address=_address(text, "Cluster"))
    path = Path(text)
    if path.suffix == ".json":
        return Place(address=_of_scheduler_file(path))
    if path.suffix == ".toml":
        return _of_toml(path)
    raise InputError(f"Cluster must be {EXPECTED}, not {text!r}")


def _address(text: Any, subject: str) -> str:
    if not isinstance(text, str) or not re.fullmatch(r"(tcp|tls)://\S+:\d{1,5}", text):
        raise InputError(f"{subject} must be an address such as tls://host:8786, not {text!r}")
    return text


def _of_scheduler_file(path: Path) -> str:
    content = read_json(path)
    found = content.get("address") if isinstance(content, dict) else None
    return _address(found, f"{path}: key 'address'")


def _of_toml(path: Path) -> Place:
    """Return what a file with `address` or `scheduler-file`, and maybe keys, says; paths are
    relative to its folder.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: must be TOML: {error}") from None
    for name, value in content.items():
        if name not in ("address", "scheduler-file", *KEYS):
            raise InputError(f"{path}: key must be address, scheduler-file, {', '.join(KEYS)}, "
                             f"not {name!r}")
        if not isinstance(value, str):
            raise InputError(f"{path}: key {name!r} must be a text, not {value!r}")
    if ("address" in content) == ("scheduler-file" in content):
        raise InputError(f"{path}: must have one of address and scheduler-file")
    address = _of_scheduler_file(path.parent / content["scheduler-file"]) \
        if "scheduler-file" in content else _address(content["address"], f"{path}: key 'address'")
    given = [name for name in KEYS if name in content]
    if given and len(given) < len(KEYS):
        raise InputError(f"{path}: must have all of {', '.join(KEYS)}, not {given[0]} alone")
    keys = tuple(path.parent / content[name] for name in given)
    for key in keys:
        key.read_bytes()
    return Place(address=address, keys=keys or None)


def check_cluster(text: str) -> None:
    """Refuse what is no cluster, or cannot be used here for want of a package."""
    parse_cluster(text)
    if find_spec("distributed") is None:
        raise ToolError("distributed is missing; run: pip install 'autoapprox[cluster]', or make "
                        "setup in a checkout")


def open_engine(cluster: str | None) -> Engine:
    """Return what does the tasks of a run: threads of this process where there is no cluster.

    Raises ToolError where the cluster cannot be reached.
    """
    if cluster is None:
        from search.measure.engine.threads import start_threads

        return start_threads()
    from search.measure.engine.cluster import join

    return join(parse_cluster(cluster))
