"""Reading a snapshot's tables back: a model's rows, its score arrays, the items they lie along, the premiums."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import astuple
from itertools import groupby

from bench.aggregate import Way
from bench.premium.records import Premiums
from bench.runfile_records import Identity
from leaderboard import packs, premiums, rows
from leaderboard.packs import Place
from leaderboard.records import Block, Scored
from leaderboard.rows import Row

_LOGICAL = ", ".join(f"results.{name}" for name in rows.LOGICAL[:-1])
_RESULTS = (
    f"SELECT {_LOGICAL}, texts.text FROM results JOIN texts ON texts.id = results.shared"  # noqa: S608 - own names
    " WHERE model_id = ? ORDER BY results.id"
)
_SCORES = (
    "SELECT task, version, metric, mode, prompt_language, shots, width, kind, places, statistics FROM scores"
    " WHERE model_id = ? ORDER BY task, version, metric, mode, prompt_language, shots"
)


class Damaged(Exception):
    """A snapshot does not read, or holds another content than its name or its digests say; the message says what."""


@contextlib.contextmanager
def undamaged() -> Iterator[None]:
    """For reading an older snapshot: raises `Damaged` for whatever goes wrong over rows of another shape."""
    try:
        yield
    except (sqlite3.DatabaseError, zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        if isinstance(error, sqlite3.OperationalError) and "full" in str(error):
            raise
        raise Damaged(f"is damaged ({error})") from error


class ItemIds:
    """The item ids of blocks, each list in memory once however many languages share it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[Block, tuple[str, ...]] = {}
        self._lists: dict[bytes, tuple[str, ...]] = {}
        self._drawn: dict[bytes, tuple[str, ...]] = {}

    def clusters(self, place: Block) -> tuple[str, ...]:
        """The passage of each item of a block, empty where it has none."""
        (stored,) = self._connection.execute(
            "SELECT clusters FROM items WHERE (task, version, language, variety) = (?, ?, ?, ?)", astuple(place)
        ).fetchone()
        if stored not in self._drawn:
            self._drawn[stored] = tuple(json.loads(zlib.decompress(stored)))
        return self._drawn[stored]

    def of(self, place: Block) -> tuple[str, ...]:
        """The ids of a block's items, in their order."""
        if place not in self._known:
            (stored,) = self._connection.execute(
                "SELECT items FROM items WHERE (task, version, language, variety) = (?, ?, ?, ?)", astuple(place)
            ).fetchone()
            if stored not in self._lists:
                self._lists[stored] = tuple(json.loads(zlib.decompress(stored)))
            self._known[place] = self._lists[stored]
        return self._known[place]


def identities(connection: sqlite3.Connection) -> dict[Identity, int]:
    """The models of a snapshot and their numbers in it."""
    found = connection.execute("SELECT id, name, revision, template, decoding FROM models ORDER BY id")
    return {Identity(*each): number for number, *each in found}


def rows_of_model(connection: sqlite3.Connection, number: int) -> list[Row]:
    """The cells of a model as rows that have the columns of `rows.LOGICAL`, in the order of their keys."""
    return _tuples(connection, _RESULTS, number)


def packs_of_model(connection: sqlite3.Connection, number: int) -> list[Row]:
    """The score arrays of a model, each row a way of asking (six values) and its compressed pack (four)."""
    return _tuples(connection, _SCORES, number)


def _tuples(connection: sqlite3.Connection, sql: str, number: int) -> list[Row]:
    """A query's rows as tuples, whatever the connection makes of rows."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, (number,)).fetchall()


def scores(connection: sqlite3.Connection, model_id: int, way: Way) -> dict[Place, Scored]:
    """A model's scores in one task and way of asking: (language, variety) -> its statistics along the block's items.

    `way` is task, version, metric, mode, prompt language and shots, as in `bench.aggregate`. Empty where the snapshot
    has none. Two models have the same items in the same order wherever both have scores.
    """
    row = connection.execute(
        "SELECT width, kind, places, statistics FROM scores"
        " WHERE (model_id, task, version, metric, mode, prompt_language, shots) = (?, ?, ?, ?, ?, ?, ?)",
        (model_id, *way),
    ).fetchone()
    if row is None:
        return {}
    stored = {
        (language, variety): items
        for language, variety, items in connection.execute(
            "SELECT language, variety, items FROM items WHERE (task, version) = (?, ?)", way[:2]
        )
    }
    # Many languages share a list, which is then read once.
    lists = {items: tuple(json.loads(zlib.decompress(items))) for items in set(stored.values())}
    found = packs.unpack(packs.decompress(*row))
    return {place: Scored(lists[stored[place]], array) for place, array in found.items()}


def read_premiums(connection: sqlite3.Connection) -> dict[premiums.Key, Premiums]:
    """The premiums of a snapshot."""
    found = {
        number: list(map(rows.premium_of, group))
        for number, group in groupby(
            connection.execute("SELECT * FROM premiums ORDER BY rowid"), key=lambda row: row["tokenizer_id"]
        )
    }
    made = [
        premiums.of_tokenizer(rows.tokenizer_of(row), found.get(row["id"], ()))
        for row in connection.execute("SELECT * FROM tokenizers ORDER BY id")
    ]
    return {premiums.key(each): each for each in made}
