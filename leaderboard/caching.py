"""Answers that were made before. A page is made once for each snapshot; everybody after gets the same bytes.

Two places: the pages that a publish makes beforehand lie in a file beside the snapshot, and what else was asked for
lately is kept in memory. Both are keyed by everything that decides how a page looks.
"""

from __future__ import annotations

import gzip
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 48 * 2**20
"""So much is kept in the memory of each process."""

LARGEST = 4 * 2**20
"""Larger answers are made anew: one whole table would push out hundreds of pages."""


HUGE = 8 * 2**20
"""Bytes beyond which a body is a whole table, made for one visitor alone: packing it well would take him longer."""


@dataclass(frozen=True, slots=True)
class Made:
    """An answer: its status, content type, the address that it redirects to, if any, and its body, gzipped."""

    status: int
    kind: str
    location: str
    packed: bytes

    @classmethod
    def of(cls, status: int, kind: str, body: bytes, location: str = "") -> Made:
        """An answer from its body. The same body gives the same bytes: nothing of the time goes in."""
        level = 6 if len(body) <= HUGE else 1
        return cls(status, kind, location, gzip.compress(body, level, mtime=0))

    def body(self) -> bytes:
        """What the visitor reads who takes no gzip."""
        return gzip.decompress(self.packed)


class Memory:
    """The answers that were asked for lately, in one process. Two visitors never wait for two makings of one page."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._held = 0
        self._answers: OrderedDict[str, Made] = OrderedDict()
        self._turn = threading.Lock()
        self._makers: dict[str, threading.Lock] = {}

    def get(self, key: str, make: Callable[[], Made]) -> Made:
        """What is kept under a key; else what `make` makes, and what it raises."""
        if (found := self._known(key)) is not None:
            return found
        with self._turn:
            maker = self._makers.setdefault(key, threading.Lock())
        try:
            with maker:
                if (found := self._known(key)) is not None:
                    return found
                made = make()
                if len(made.packed) <= LARGEST:
                    self._keep(key, made)
                return made
        finally:
            with self._turn:
                self._makers.pop(key, None)

    def _known(self, key: str) -> Made | None:
        with self._turn:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def _keep(self, key: str, made: Made) -> None:
        with self._turn:
            if key not in self._answers:
                self._answers[key] = made
                self._held += len(made.packed)
            while self._held > self._most:
                _key, old = self._answers.popitem(last=False)
                self._held -= len(old.packed)


def write(path: Path, pages: Iterable[tuple[str, Made]]) -> int:
    """Writes a file of answers by key; whole or not at all. Returns how many. Raises `OSError`, `sqlite3.Error`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing-{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            connection.execute(
                "CREATE TABLE pages (key TEXT PRIMARY KEY, status INTEGER NOT NULL, kind TEXT NOT NULL,"
                " location TEXT NOT NULL, packed BLOB NOT NULL) STRICT, WITHOUT ROWID"
            )
            rows = ((key, made.status, made.kind, made.location, made.packed) for key, made in pages)
            written = connection.executemany("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?)", rows).rowcount
            connection.execute("COMMIT")
        finally:
            connection.close()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return max(written, 0)


class Beforehand:
    """The answers in a file that `write` made. One that is missing or damaged holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()

    def get(self, key: str) -> Made | None:
        """What the file has under a key."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        try:
            if connection is None:
                address = f"{self.path.resolve().as_uri()}?mode=ro&immutable=1"
                connection = self._own.connection = sqlite3.connect(address, uri=True)
            row = connection.execute("SELECT status, kind, location, packed FROM pages WHERE key = ?", (key,))
            found = row.fetchone()
        except sqlite3.DatabaseError:
            return None
        return Made(*found) if found else None
