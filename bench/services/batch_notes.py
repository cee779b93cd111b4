"""What the run file remembers of batches from one invocation to the next, so that none is paid twice."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import MutableMapping

import msgspec

PREFIX = "batch/"
"""Begins the key of a note about a batch; then comes its label."""
KEPT = 29 * 86_400.0
"""Seconds for which providers keep results."""
UNCOMMITTED = 10_000
"""More answers than a run ever holds that are not on disk yet: a batch whose answers are older needs no note."""


class Note(msgspec.Struct, frozen=True):
    """What is known of a batch: its id ("" until it is made), its size, when it was begun (seconds since 1970).

    `read`: all its answers were handed over.
    """

    id: str
    count: int
    at: float
    read: bool = False


def uncollected(notes: MutableMapping[str, str]) -> int:
    """How many batches of this run have answers that no invocation has taken: asking otherwise would pay them twice."""
    return sum(not note.read for note in Notes(notes).all().values())


class Notes:
    """Notes about batches by label. `kept` is on disk at once."""

    def __init__(self, kept: MutableMapping[str, str]) -> None:
        self._kept = kept
        self._handed = 0
        self._done: deque[tuple[int, str]] = deque()

    def all(self) -> dict[str, Note]:
        """Every note by its label."""
        keys = [key for key in self._kept if key.startswith(PREFIX)]
        return {key.removeprefix(PREFIX): msgspec.json.decode(self._kept[key], type=Note) for key in keys}

    def begin(self, digest: str, count: int) -> tuple[str, Note]:
        """(label, note) of a batch that is about to be made; `digest` is the hash of its requests' ids."""
        label, note = f"{digest}-{secrets.token_hex(4)}", Note("", count, time.time())
        self._write(label, note)
        return label, note

    def made(self, label: str, identity: str) -> None:
        """The batch has an id."""
        self._write(label, msgspec.structs.replace(self._read(label), id=identity))

    def drop(self, label: str) -> None:
        """The batch has nothing that was paid."""
        self._kept.pop(PREFIX + label, None)

    def read(self, label: str) -> None:
        """What the batch answers was handed over, by this invocation or an earlier one."""
        self._write(label, msgspec.structs.replace(self._read(label), read=True))

    def finish(self, label: str) -> None:
        """All that the batch answers was handed over just now: its note goes once that is on disk for certain."""
        self.read(label)
        self._done.append((self._handed, label))

    def handed_over(self) -> None:
        """One more answer was handed over."""
        self._handed += 1
        while self._done and self._handed - self._done[0][0] >= UNCOMMITTED:
            self.drop(self._done.popleft()[1])

    def _read(self, label: str) -> Note:
        return msgspec.json.decode(self._kept[PREFIX + label], type=Note)

    def _write(self, label: str, note: Note) -> None:
        self._kept[PREFIX + label] = msgspec.json.encode(note).decode()
