"""What stays of an older snapshot beside the models that are published anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from typing import Literal

from bench.runfile_records import Identity
from leaderboard import reading, rows
from leaderboard.collect import CellKey, check_same_items
from leaderboard.records import LADDER, Badge, Block, Stamp, TaskFacts
from leaderboard.writing import Entry, Kept


class Older:
    """A snapshot to merge with. `connection` None is the empty board."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self.connection = connection
        self.identities = reading.identities(connection) if connection else {}
        self._worn = self._badges()

    def _badges(self) -> dict[Identity, dict[str, Badge]]:
        asked = (
            "SELECT models.id, json_extract(each.value, '$.id'), json_extract(each.value, '$.badge')"
            " FROM models, json_each(models.runs) AS each"
        )
        worn: dict[int, dict[str, Badge]] = {}
        for number, run, badge in self.connection.execute(asked) if self.connection else ():
            worn.setdefault(number, {})[run] = badge
        return {identity: worn.get(number, {}) for identity, number in self.identities.items()}

    @property
    def badges(self) -> dict[str, Badge]:
        """How far each run was checked, by its id."""
        return {run: badge for own in self._worn.values() for run, badge in own.items()}

    def outranks(self, identity: Identity, fresh: Entry) -> Badge | Literal[""]:
        """The best badge of a replaced model, where none of its new runs wears as good a one; "" elsewhere."""
        best = max(self._worn.get(identity, {}).values(), key=LADDER.index, default=LADDER[0])
        lower = all(LADDER.index(run.badge) < LADDER.index(best) for run in fresh.runs)
        return best if lower else ""

    def kept(self, fresh: Iterable[Identity]) -> Kept | None:
        """The models that nobody publishes anew."""
        if self.connection is None:
            return None
        gone = set(fresh)
        return Kept(self.connection, {each: number for each, number in self.identities.items() if each not in gone})

    def tasks(self) -> dict[tuple[str, str], TaskFacts]:
        """Every task of the snapshot."""
        found = self.connection.execute("SELECT * FROM tasks") if self.connection else ()
        return {(row["name"], row["version"]): rows.task_of(row) for row in found}

    def blocks(self, kept: Kept | None) -> set[Block]:
        """Those of the models that stay. What only a replaced model was asked binds nobody: its data may change."""
        if kept is None:
            return set()
        if len(kept.numbers) == len(self.identities):
            return {
                Block(*row) for row in kept.connection.execute("SELECT task, version, language, variety FROM items")
            }
        # One model at a time: so the query reads what stays, not what it would have to sort.
        asked = "SELECT DISTINCT task, task_version, language, variety FROM results WHERE model_id = ?"
        return {Block(*row) for number in kept.numbers.values() for row in kept.connection.execute(asked, (number,))}

    def dropped(self, identity: Identity, fresh: Entry) -> int:
        """How many results of a replaced model, in headline metrics, are gone, not merely other numbers."""
        if self.connection is None or identity not in self.identities:
            return 0
        before = self.connection.execute(
            "SELECT task, task_version, language, variety, mode, prompt_language, shots, metric FROM results"
            " WHERE model_id = ? AND headline AND value IS NOT NULL",
            (self.identities[identity],),
        )
        now = {key for key, each in fresh.cells.items() if each.cell.value is not None}
        return sum(tuple(key) not in now for key in before)


class Stamps(Mapping[Block, Mapping[str, Stamp]]):
    """The items of every block, of the older snapshot and the fresh runs; one block at a time is in memory.

    Asking for a block raises `BenchError` where two sources mean different content by one item.
    """

    def __init__(
        self,
        older: Older,
        remaining: set[Block],
        fresh: Iterable[tuple[str, dict[Block, dict[str, Stamp]]]],
        used: set[Block],
    ) -> None:
        self._older = older
        self._remaining = remaining
        self._fresh = list(fresh)
        self._used = used

    def __iter__(self) -> Iterator[Block]:
        return iter(self._used)

    def __len__(self) -> int:
        return len(self._used)

    def __getitem__(self, place: Block) -> Mapping[str, Stamp]:
        if place not in self._used:
            raise KeyError(place)
        known = [("the board", {place: self._before(place)})] if place in self._remaining else []
        sources = [(source, {place: blocks[place]}) for source, blocks in self._fresh if place in blocks]
        return check_same_items([*known, *sources])[place]

    def _before(self, place: Block) -> dict[str, Stamp]:
        assert self._older.connection is not None
        with reading.undamaged():
            row = self._older.connection.execute(
                "SELECT * FROM items WHERE (task, version, language, variety) = (?, ?, ?, ?)", astuple(place)
            ).fetchone()
            found = rows.items_in(row)
            return dict(zip(found.ids, found.stamps, strict=True))


def block_of(key: CellKey) -> Block:
    """The block of a cell with that key."""
    return Block(*key[:4])
