"""One process at a time: locks on files of a board, which end with the process that holds them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import portalocker


@contextlib.contextmanager
def held(path: Path, busy: Exception, seconds: float = 0) -> Iterator[None]:
    """Holds the lock. Raises `busy` where another process has it for so long, and `OSError`."""
    flags = portalocker.LOCK_EX | portalocker.LOCK_NB
    lock = portalocker.Lock(path, "ab", timeout=seconds, flags=flags)
    try:
        lock.acquire()
    except portalocker.exceptions.LockException as error:
        raise busy from error
    try:
        yield
    finally:
        lock.release()
