"""What a snapshot is named after: a digest of each model's rows, and one over these and every small table.

The digests are of content: numbers that a row is given in the file, and zlib's output, do not enter them. So the same
content has the same name wherever and in whatever order it was put together, and a change of one number has another.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from leaderboard.packs import Pack

LENGTH = 16
OF_MODELS = ("results", "scores")
"""The tables whose rows the models' own digests cover."""

_ENCODER = msgspec.json.Encoder()


def of_model(rows: Sequence[Sequence[Any]], packs: Iterable[tuple[Sequence[Any], Pack]]) -> str:
    """The SHA-256 over a model's cells, as `rows.LOGICAL`, and its score arrays, each with its way of asking."""
    digest = hashlib.sha256(_ENCODER.encode_lines(rows))
    for way, packed in packs:
        digest.update(_ENCODER.encode([*way, packed.width, packed.kind, packed.places, len(packed.body)]))
        digest.update(packed.body)
    return digest.hexdigest()


def of_database(connection: sqlite3.Connection) -> str:
    """The first 16 hex digits of the SHA-256 over the schema and every row of the small tables."""
    connection.row_factory = None
    digest = hashlib.sha256()
    schema = connection.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY type, name"
    ).fetchall()
    for kind, name, sql in schema:
        digest.update(_ENCODER.encode([kind, name, sql]))
        if kind == "table" and name not in OF_MODELS:
            for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):  # noqa: S608 - a table's own name
                digest.update(_ENCODER.encode([_content(value) for value in row]))
    connection.row_factory = sqlite3.Row
    return digest.hexdigest()[:LENGTH]


def _content(value: Any) -> Any:
    """What a value says: blobs are kept compressed."""
    return zlib.decompress(value) if isinstance(value, bytes) else value
