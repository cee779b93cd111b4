"""The files of uploads: taken in whole or not at all, under names that the board made, and removed again."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from bench.records import UsageError

ORPHAN_SECONDS = 3600
"""A file without a submission that is younger may be one that is being taken in."""

_PIECE = 1 << 20
_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite may leave beside a database that it read


def take(upload: Path | BinaryIO, target: Path, size: int, sha256: str) -> None:
    """Brings an upload to its place, on the disk when this returns: a file is moved, a stream copied.

    Raises `UsageError` where it is not what its facts say, `OSError` where the disk has no room.
    """
    if isinstance(upload, Path):
        found = upload.lstat()  # a link could lead anywhere
        if not stat.S_ISREG(found.st_mode):
            raise UsageError("an upload should be a plain file")
        if found.st_size != size:
            raise UsageError(f"the upload has {found.st_size:,} bytes, not {size:,}; send it again")
        put(upload, target)
    else:
        _copy(upload, target, size, sha256)
        _settle(target)


def put(file: Path, target: Path) -> None:
    """Moves a file to its place, on the disk when this returns. Raises `OSError`."""
    shutil.move(file, target)
    _settle(target)


def _settle(path: Path) -> None:
    path.chmod(0o600)
    for each in (path, path.parent):
        _sync(each)


def _copy(stream: BinaryIO, target: Path, size: int, sha256: str) -> None:
    digest, left = hashlib.sha256(), size
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while piece := stream.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            file.write(piece)
    if left or digest.hexdigest() != sha256:
        raise UsageError("the upload did not arrive as it was sent; send it again")


def drop(path: Path) -> None:
    """Removes an upload and what reading it left beside it."""
    for suffix in _BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sweep(folder: Path, keep: Collection[str]) -> None:
    """Removes files that belong to none of the submissions to keep; `ORPHAN_SECONDS` says how old they have to be."""
    known = {each + suffix for each in keep for suffix in _BESIDE}
    for path in folder.iterdir():
        if path.name not in known and time.time() - path.lstat().st_ctime > ORPHAN_SECONDS:
            path.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
