"""Uploads as they arrive: never whole in memory, never under the sender's name for them, and nothing is left of one
that breaks off."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from werkzeug.exceptions import ClientDisconnected
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

PIECE = 64 << 10
LONGEST_FIELD = 4 << 10
"""Bytes of a field that is not a file."""
MOST_PARTS = 8
_HELD = 4 * PIECE  # what the decoder may hold back while it looks for a boundary


class BadForm(ValueError):
    """The body is no form of the kind that the page has. The message is one line."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in whole: where it lies for now, its size in bytes and its SHA-256 in hex digits."""

    path: Path
    size: int
    sha256: str


class Form:
    """A multipart form. Its fields before the file can be judged before any of the file is read."""

    def __init__(self, stream: IO[bytes], boundary: str) -> None:
        self._events = _events(stream, boundary)
        self._file = ""

    def fields(self) -> dict[str, str]:
        """What stands before the file. Raises `BadForm`."""
        found: dict[str, str] = {}
        name, value = "", b""
        for event in self._events:
            if isinstance(event, File):
                self._file = event.name or ""
                break
            if isinstance(event, Field):
                name, value = event.name or "", b""
            elif isinstance(event, Data):
                value += event.data
                if len(value) > LONGEST_FIELD:
                    raise BadForm("a field of the form is too long")
                if not event.more_data:
                    if name in found:
                        raise BadForm("a field of the form is there twice")
                    found[name] = value.decode("utf-8", "replace")
        return found

    def file(self, name: str) -> Iterator[bytes]:
        """The file, piece by piece, once `fields` was read. Raises `BadForm` where there is none of that name."""
        if self._file != name:
            raise BadForm("the form has no file")
        for event in self._events:
            if isinstance(event, Data):
                yield event.data
                if not event.more_data:
                    break


def _events(stream: IO[bytes], boundary: str) -> Iterator[Event]:
    if not (boundary and boundary.isascii() and len(boundary) <= 70):  # RFC 2046
        raise BadForm("the form has no boundary between its parts")
    decoder = MultipartDecoder(boundary.encode(), _HELD, max_parts=MOST_PARTS)
    try:
        while True:
            decoder.receive_data(stream.read(PIECE) or None)
            event = decoder.next_event()
            while not isinstance(event, NeedData):
                if isinstance(event, Epilogue):
                    return
                yield event
                event = decoder.next_event()
    except (ValueError, KeyError) as error:  # a part without the headers that it should have
        raise BadForm("the body is no whole form") from error


def pieces(stream: IO[bytes], size: int | None = None) -> Iterator[bytes]:
    """A body that is the file itself. Raises `ClientDisconnected` where it ends before the size that was announced.

    Not every server says so: under gunicorn the body of a client that went away merely ends.
    """
    read = 0
    while piece := stream.read(PIECE):
        read += len(piece)
        yield piece
    if size is not None and read < size:
        raise ClientDisconnected


@contextlib.contextmanager
def stored(folder: Path, content: Iterable[bytes]) -> Iterator[Upload]:
    """The content in a file in the folder, on the disk, for as long as the block lasts unless it moves it away.

    Raises `OSError` where there is no room, and what reading the content raises.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f".receiving-{secrets.token_hex(10)}"
    try:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for piece in content:
                digest.update(piece)
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        yield Upload(path, size, digest.hexdigest())
    finally:
        path.unlink(missing_ok=True)
