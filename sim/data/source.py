"""The words that name a source of images: `[KIND:]PATH[,FILE...][#SPLIT]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hw.common.errors import InputError, unknown_name

# Kind -> how many files may follow the path, after commas.
KINDS = {"digits": 0, "npz": 0, "folder": 1, "cifar10": 0, "cifar100": 0, "idx": 1, "imagenet": 2}
WITH_SPLITS = ("cifar10", "cifar100", "idx")
ARCHIVES = (".tar", ".tar.gz", ".tgz")
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9]+):(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where images are.

    text : as the user wrote it, for messages. files : what followed the path after commas.
    split : what followed `#`; of kind `digits`, the whole name.
    """

    text: str
    kind: str
    path: Path
    files: tuple[Path, ...] = ()
    split: str | None = None


def parse(text: str) -> Source:
    """Return the source that `text` names.

    The kind is the prefix; without one it follows from the path alone (see `kind_of`). An
    existing path without prefix is taken whole, whatever characters it has.

    Raises
    ------
    InputError
        The kind is unknown, the path is missing, or its kind cannot be told.
    """
    prefix = _PREFIX.fullmatch(text)
    if prefix is None or Path(text).exists():
        path, split = (text, None) if Path(text).exists() else _split(text)
        return _checked(Source(text=text, kind=kind_of(_existing(path)), path=Path(path),
                               split=split))
    kind, rest = prefix.groups()
    if kind not in KINDS:
        raise unknown_name("kind of data", kind, KINDS)
    if kind == "digits":
        return Source(text=text, kind=kind, path=Path(), split=rest)
    rest, split = _split(rest)
    path, *files = rest.split(",")
    if len(files) > KINDS[kind]:
        raise InputError(f"{text}: {kind} must be followed by at most {KINDS[kind]} files after "
                         f"the path, not {len(files)}")
    return _checked(Source(text=text, kind=kind, path=_existing(path), split=split,
                           files=tuple(map(_existing, files))))


def relative_to(text: str, folder: Path) -> str:
    """Return a source whose paths are meant relative to `folder`, as `parse` takes it."""
    if (folder / text).exists():
        return str(folder / text)
    prefix = _PREFIX.fullmatch(text)
    if prefix is None:
        return str(folder / text)
    kind, rest = prefix.groups()
    if kind == "digits" or kind not in KINDS:
        return text
    return f"{kind}:" + ",".join(str(folder / path) for path in rest.split(","))


def kind_of(path: Path) -> str:
    """Return the kind of data at a path: by its name, or by the names in a folder."""
    if path.is_dir():
        return _kind_of_folder(path)
    name = path.name.lower()
    if name.endswith(".npz"):
        return "npz"
    if name.endswith(ARCHIVES) and "cifar-100" in name:
        return "cifar100"
    if name.endswith(ARCHIVES) and "cifar-10" in name:
        return "cifar10"
    if re.fullmatch(r"(data_batch_[1-5]|test_batch)(\.bin)?", name):
        return "cifar10"
    if re.fullmatch(r"(train|test)\.bin", name):
        return "cifar100"
    if re.search(r"idx[34]-ubyte(\.gz)?$", name):
        return "idx"
    raise InputError(f"{path}: kind of data cannot be told from the name; write KIND:{path} with "
                     f"a KIND of {', '.join(KINDS)}")


def _kind_of_folder(path: Path) -> str:
    names = {entry.name for entry in path.iterdir()}
    if any(name.removesuffix(".bin") in ("data_batch_1", "test_batch") for name in names):
        return "cifar10"
    if {"train.bin", "test.bin"} <= names or (
            {"train", "test", "meta"} <= names and not (path / "train").is_dir()):
        return "cifar100"
    if any(re.search(r"idx[34]-ubyte(\.gz)?$", name) for name in names):
        return "idx"
    return "folder"


def _split(text: str) -> tuple[str, str | None]:
    path, mark, split = text.rpartition("#")
    return (path, split) if mark else (text, None)


def _existing(path: str) -> Path:
    if not path or not Path(path).exists():
        raise InputError(f"{path or 'Data'}: No such file or directory")
    return Path(path)


def _checked(source: Source) -> Source:
    if source.split is not None and source.kind not in WITH_SPLITS:
        raise InputError(f"{source.text}: {source.kind} data has no splits to choose by "
                         f"#{source.split}")
    return source
