"""What a batch is about, kept in files, so that memory does not grow with what is under way at a provider."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterable
from typing import IO

import msgspec

from bench.records import Request
from bench.services.batch_protocols import Result
from bench.services.endpoint import Reply


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A request, and how many times it will have been handed in with this one."""

    round: int
    request: Request


class Pile:
    """Requests in the order in which they were added. All are added before the first is taken."""

    _decoder = msgspec.json.Decoder(Asked)

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._sum = 0
        self._taken = False
        self.count = 0

    def add(self, asked: Asked) -> None:
        """One more."""
        self._file.write(msgspec.json.encode(asked) + b"\n")
        self._sum += int.from_bytes(hashlib.sha256(asked.request.id.encode()).digest()[:8])
        self.count += 1

    def digest(self) -> str:
        """The hash of the requests' ids, whatever their order."""
        return f"{self._sum % 2**64:016x}"

    def take(self) -> Asked | None:
        """The next; None after the last."""
        if not self._taken:
            self._file.seek(0)
            self._taken = True
        line = self._file.readline()
        return self._decoder.decode(line) if line else None

    def close(self) -> None:
        """The file goes."""
        self._file.close()


class Found:
    """Results by request, each with the label of its batch."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a file of SQLite's own, which goes when it is closed
        self._database.execute("CREATE TABLE found (id TEXT PRIMARY KEY, label TEXT, status INTEGER, body BLOB)")
        self._left: dict[str, int] = {}

    def add(self, label: str, results: Iterable[Result]) -> None:
        """Keeps those with a reply."""
        rows = [(one.id, label, one.reply.status, one.reply.body) for one in results if one.reply]
        self._database.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?)", rows)
        self._left[label] = self._left.get(label, 0) + len(rows)

    def take(self, identity: str) -> tuple[str, Result | None]:
        """(label, result) of a request; ("", None) where nothing is known of it."""
        row = self._database.execute("SELECT label, status, body FROM found WHERE id = ?", (identity,)).fetchone()
        if row is None:
            return "", None
        label, status, body = row
        return label, Result(identity, Reply(status, {}, body, 0.0, 1))

    def matched(self, label: str) -> bool:
        """Counts a result that answered its request; true at the last one of its batch."""
        self._left[label] -= 1
        return self._left[label] == 0

    def left(self) -> list[str]:
        """The labels of batches some of whose results answered nothing."""
        return [label for label, count in self._left.items() if count]

    def empty(self) -> list[str]:
        """The labels of batches without one result."""
        return [label for label, count in self._left.items() if not count]

    def close(self) -> None:
        """The file goes."""
        self._database.close()
