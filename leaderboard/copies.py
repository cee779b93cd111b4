"""The board's own copies of the run files that were published: for the pages of runs, and for scoring them again."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.records import UsageError
from bench.runfile import RunFile, RunFileError, reading
from leaderboard.collect import run_id

RUNS, TEMPORARY = "runs", ".writing-"
_NAME = re.compile(r"([0-9a-f]{16})\.run\.db")


def path_of(board: Path, run: str) -> Path:
    """Where the copy of the run with that id lies."""
    return board / RUNS / f"{run}.run.db"


def there(board: Path) -> set[str]:
    """The runs that the board has copies of; what else lies in the folder is none of its own."""
    return {found[1] for path in (board / RUNS).glob("*") if (found := _NAME.fullmatch(path.name))}


def keep(source: Path, run: str, board: Path) -> Path | None:
    """Copies a run file into the board; None where it is there already. What fails half-way is removed.

    Raises `OSError` or `sqlite3.Error` where the disk does not take it, `UsageError` where the file is no longer the
    run that was read.
    """
    target = path_of(board, run)
    if target.exists():
        return None
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY}{os.getpid()}")
    try:
        with RunFile.read(source) as opened:
            _copied(opened, temporary)
        with RunFile.read(temporary) as copied, reading(source):
            if run_id(copied) != run:
                raise UsageError(f"{source} changed while it was published; publish it when its run is over")
        sync(temporary)
        temporary.chmod(0o444)
        temporary.rename(target)
        sync(target.parent)
    finally:
        for left in (
            temporary,
            *(temporary.with_name(f"{temporary.name}{end}") for end in ("-journal", "-wal", "-shm")),
        ):
            left.unlink(missing_ok=True)
    return target


def _copied(opened: RunFile, temporary: Path) -> None:
    """`RunFile.copy` names the file that it wrote and its own error; the board says what it goes on showing."""
    try:
        opened.copy(temporary)
    except RunFileError as error:
        if isinstance(error.__cause__, sqlite3.Error):
            raise error.__cause__ from error
        raise


def remove(copies: Iterable[Path]) -> None:
    """Takes back copies: of a publish that failed, or that no snapshot names."""
    for copy in copies:
        with suppress(OSError):
            copy.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Has the disk hold what was written to a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
