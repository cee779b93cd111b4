"""Where files are: a local mirror, else a download cache. Each is checked once a process against `data.lock`.

The mirror is the folder named by the environment variable BENCH_DATA (`--data` sets it): one folder a dataset, inside
it the paths of the upstream repository. Where a mirror is named nothing is ever downloaded.
"""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks import lock
from tasks.records import DataError

ENVIRONMENT = lock.ENVIRONMENT
DOWNLOAD = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"


class Named(Protocol):
    """The part of a source that messages name."""

    @property
    def dataset(self) -> str:
        """The mirror's folder and the key in `data.lock`."""

    @property
    def repository(self) -> str:
        """`owner/name`."""

    @property
    def commit(self) -> str:
        """The pinned commit."""


class Repository(Named, Protocol):
    """The part of a source that says how its files are had."""

    @property
    def by_hand(self) -> str:
        """How a person gets the files that no program can fetch; else empty."""

    @property
    def folder(self) -> str:
        """The folder in the repository in which the paths begin: "data/", or nothing."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that lies on this machine and is what the lock says (or has no entry in any: `locked` is False)."""

    path: Path
    sha256: str
    locked: bool


def mirror() -> Path | None:
    """The local mirror, if one is named. Raises `DataError` where it cannot be read."""
    named = os.environ.get(ENVIRONMENT)
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise DataError(f"data folder {named} does not exist; name one that holds a folder per dataset")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DataError(f"data folder {named} cannot be read: permission denied")
    return folder


def fetch(source: Repository, path: str) -> Fetched:
    """The file at `path` of the source's repository, checked against the lock. Raises `DataError`."""
    expected = lock.expected(source.dataset, path)
    local = locate(source, path)
    found = sha256(local)
    if expected and found != expected.sha256:
        raise DataError(changed(source, path, found, expected.sha256))
    return Fetched(local, found, expected is not None)


def changed(source: Named, path: str, found: str, expected: str) -> str:
    """What is said of a file that is not the one that the lock pins."""
    origin = f" ({source.repository} at {source.commit[:7]})" if source.repository else ""
    return (
        f"{source.dataset}/{path} is not the file that data.lock pins: SHA-256 {found[:12]}..., expected "
        f"{expected[:12]}...{origin}"
    )


def locate(source: Repository, path: str) -> Path:
    """Where the file lies, from the mirror or downloaded; unchecked. Raises `DataError`."""
    folder = mirror()
    if folder is None:
        if source.by_hand:
            raise DataError(
                f"{source.dataset} is fetched by hand: {source.by_hand}; then name its place with --data DIR"
            )
        return _download(source, path)
    local = folder / source.dataset / path
    if source.folder and not local.is_file():  # a mirror may hold the whole repository, or that folder alone
        local = folder / source.dataset / source.folder / path
    if not local.is_file():
        missing = (
            f"file {source.dataset}/{path}" if local.parents[path.count("/")].is_dir() else f"folder {source.dataset}"
        )
        raise DataError(f"data folder {folder} has no {missing} ({source.repository} at {source.commit[:7]} has it)")
    return local


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex, computed once while the file stays the same. Raises `DataError`."""
    try:
        state = path.stat()
        return _digest(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, modified: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(source: Repository, path: str) -> Path:
    import pooch
    import requests

    expected = lock.entry(source.dataset, path)
    url = DOWNLOAD.format(repository=source.repository, commit=source.commit, path=source.folder + path)
    folder = Path(pooch.os_cache("bench")) / source.dataset / source.commit
    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(pooch.retrieve(url, f"sha256:{expected.sha256}" if expected else None, fname=path, path=folder))
    except requests.RequestException as error:
        raise DataError(
            f"{source.dataset}/{path} could not be downloaded ({type(error).__name__}); "
            f"give a local copy with --data DIR, laid out as {source.repository} in a folder {source.dataset}"
        ) from error
    except ValueError as error:  # pooch's word for a hash that differs
        raise DataError(f"{source.dataset}/{path}: the download is not the file that data.lock pins") from error
    except OSError as error:
        raise DataError(f"{source.dataset}/{path} could not be kept in {folder}: {error.strerror or error}") from error
