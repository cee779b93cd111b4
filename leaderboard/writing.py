"""Writing a snapshot's database, model by model.

A model's rows are hashed as they are inserted, so the name of a snapshot cannot say anything else than what is in it.
What stays on the board is copied from the old snapshot as rows; no more than one model is in memory.
"""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.aggregate import Way
from bench.cards.facts import Facts
from bench.premium.records import Premiums
from bench.runfile_records import Identity
from leaderboard import arrays, derived, digest, packs, premiums, rows, schema, slugs
from leaderboard.collect import CellKey
from leaderboard.derived import Derived, Table
from leaderboard.packs import Pack, Place
from leaderboard.reading import Damaged, ItemIds, packs_of_model, rows_of_model, undamaged
from leaderboard.records import Block, Model, Published, RunFacts, Scored, Stamp, TaskFacts
from leaderboard.rows import Row


@dataclass(frozen=True, slots=True)
class Entry:
    """One model's runs and cells."""

    runs: tuple[RunFacts, ...]
    cells: Mapping[CellKey, Published]
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class Content:
    """What a snapshot is made from. `stamps` holds those of each block's items, of kept models too.

    `entries` and `stamps` may be lazy: each entry and each block is asked for once, and not held.
    """

    entries: Mapping[Identity, Entry]
    tasks: Mapping[tuple[str, str], TaskFacts]
    stamps: Mapping[Block, Mapping[str, Stamp]]
    premiums: Mapping[premiums.Key, Premiums] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """The models of an older snapshot that stay as they are. `numbers` are theirs in it."""

    connection: sqlite3.Connection
    numbers: Mapping[Identity, int]


@dataclass(frozen=True, slots=True)
class Written:
    """A snapshot that was written: its name, the models by slug, and how many cells and results it has."""

    name: str
    models: Mapping[Identity, Model]
    cells: int
    results: int


def write(content: Content, path: Path, kept: Kept | None = None) -> Written:
    """Writes the database to a new file, one model after the other in the order of their addresses.

    Raises `sqlite3.Error`, and `Damaged` where a kept model is not what its digest says; what is left then is no
    snapshot.
    """
    with _uncollected(), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing reads the file before it is whole, fsynced and renamed, so a journal would protect nobody.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.FORMAT}")
        connection.execute("BEGIN")
        written = _Writer(connection, content, kept).write()
        connection.execute("COMMIT")
        connection.execute("PRAGMA analysis_limit = 1000")
        connection.execute("ANALYZE")
        return written


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles: millions of small objects come and go, none in a cycle, and the search takes long."""
    usual = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if usual:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Taken:
    """One model on its way into the snapshot; `compressed` are its packs as an older snapshot had them."""

    cells: Sequence[Row]
    packed: Sequence[tuple[Way, Pack]]
    compressed: Sequence[Row] | None
    published: Mapping[int, Published]


class _Writer:
    """One snapshot while it is written."""

    def __init__(self, connection: sqlite3.Connection, content: Content, kept: Kept | None) -> None:
        self._connection = connection
        self._content = content
        self._kept = kept
        self._texts: dict[str, int] = {}
        self._ids = ItemIds(connection)
        self._before = ItemIds(kept.connection) if kept else None
        self._derived: Sequence[Derived] = derived.consumers(content.tasks, self._ids.clusters)

    def write(self) -> Written:
        """Fills the tables. The caller commits."""
        connection = self._connection
        for table in _small(self._content):
            self._fill(table)
        connection.execute(f"CREATE TABLE results ({schema.RESULTS}) STRICT")
        connection.execute(f"CREATE TABLE scores ({schema.SCORES}) STRICT")
        made: dict[Identity, Model] = {}
        listed: list[Row] = []
        cells = results = 0
        old = self._kept.numbers if self._kept else {}
        named = slugs.of_models({**dict.fromkeys(self._content.entries), **old})
        for number, (identity, own) in enumerate(named.items()):
            if identity in self._content.entries:
                entry = self._content.entries[identity]
                model = _model(own, identity, entry)
                taken = self._fresh(entry, cells)
            else:
                with undamaged():
                    model, taken = self._unchanged(own, old[identity], cells)
            self._insert(number, cells, taken)
            listed.append(
                (number, *rows.model_row(model), len(taken.cells), digest.of_model(taken.cells, taken.packed))
            )
            cells += len(taken.cells)
            results += sum(map(rows.is_result, taken.cells))
            made[identity] = model
            for each in self._derived:
                each.add(number, model, taken.published)
        self._fill(Table("models", schema.MODELS, listed))
        self._fill(Table("texts", schema.TEXTS, ((n, text) for text, n in self._texts.items())))
        for each in self._derived:
            for table in each.tables():
                self._fill(table)
        for statement in (*schema.VIEWS, *schema.INDEXES):
            connection.execute(statement)
        return Written(digest.of_database(connection), made, cells, results)

    def _fill(self, table: Table) -> None:
        self._connection.execute(f"CREATE TABLE {table.name} ({table.columns}) STRICT")
        width = len(self._connection.execute(f"PRAGMA table_info({table.name})").fetchall())
        made = (tuple(zlib.compress(v, 9) if isinstance(v, bytes) else v for v in row) for row in table.rows)
        self._connection.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * width)})", made)  # noqa: S608

    def _insert(self, number: int, first: int, taken: _Taken) -> None:
        """Adds a model's rows; its cells are numbered from `first` on."""
        texts = self._texts
        width = len(rows.LOGICAL) + 2
        self._connection.executemany(
            f"INSERT INTO results VALUES ({', '.join('?' * width)})",  # noqa: S608 - no word of anybody's
            (
                (number, place, *row[:-1], texts.setdefault(row[-1], len(texts)))
                for place, row in enumerate(taken.cells, first)
            ),
        )
        compressed = taken.compressed or [(*way, *packs.compress(packed)) for way, packed in taken.packed]
        self._connection.executemany(
            f"INSERT INTO scores VALUES ({', '.join('?' * 11)})",  # noqa: S608 - as above
            ((number, *row) for row in compressed),
        )

    def _fresh(self, entry: Entry, first: int) -> _Taken:
        """A model that comes from its runs, its scores along the items of the whole snapshot."""
        made, published = [], {}
        groups: dict[Way, dict[Place, NDArray[np.int32]]] = {}
        for place, (name, each) in enumerate(sorted(entry.cells.items()), first):
            made.append(rows.cell_row(each))
            scored = each.scored
            if scored is not None:
                scored = arrays.realign(scored, self._ids.of(Block(*name[:4])))
                groups.setdefault(_way(name), {})[name[2], name[3]] = scored.statistics
            if each.cell.headline:
                published[place] = each if scored is each.scored else replace(each, scored=scored)
        return _Taken(made, [(way, packs.pack(found)) for way, found in sorted(groups.items())], None, published)

    def _unchanged(self, own: str, number: int, first: int) -> tuple[Model, _Taken]:
        """A model of the older snapshot, held against its digest. Only arrays whose items changed are made anew."""
        assert self._kept is not None
        connection = self._kept.connection
        row = connection.execute("SELECT * FROM models WHERE id = ?", (number,)).fetchone()
        model = replace(rows.model_of(row), slug=own)
        cells = rows_of_model(connection, number)
        compressed = packs_of_model(connection, number)
        packed: list[tuple[Way, Pack]] = [(each[:6], packs.decompress(*each[6:])) for each in compressed]
        if digest.of_model(cells, packed) != row["digest"]:
            raise Damaged(f"holds another content than its name says (of {model.name})")
        found = {way: packs.unpack(each) for way, each in packed}
        stale = {way for way, places in found.items() if self._realign(way, places)}
        if stale:
            packed = [(way, packs.pack(found[way]) if way in stale else each) for way, each in packed]
        published = {
            place: Published(rows.cell_from(model.name, each), self._scored(each, found), each[rows.RUN])
            for place, each in enumerate(cells, first)
            if each[rows.HEADLINE]
        }
        return model, _Taken(cells, packed, None if stale else compressed, published)

    def _realign(self, way: Way, places: dict[Place, NDArray[np.int32]]) -> bool:
        """Brings arrays along to the items of the new snapshot; True where those of some block are others."""
        assert self._before is not None
        changed = False
        for place, array in places.items():
            here = Block(way[0], way[1], *place)
            now = self._ids.of(here)
            if len(now) != len(array):  # items are only added while somebody keeps a block
                places[place] = arrays.realign(Scored(self._before.of(here), array), now).statistics
                changed = True
        return changed

    def _scored(self, row: Row, found: Mapping[Way, Mapping[Place, NDArray[np.int32]]]) -> Scored | None:
        if row[rows.VALUE] is None:
            return None
        name = rows.key_of(row)
        array = found[_way(name)].get((name[2], name[3]))
        return None if array is None else Scored(self._ids.of(Block(*name[:4])), array)


def _way(name: CellKey) -> Way:
    return name[0], name[1], name[7], name[4], name[5], name[6]


def _model(own: str, identity: Identity, entry: Entry) -> Model:
    return Model(
        slug=own,
        name=identity.model,
        revision=identity.revision,
        template=identity.template,
        decoding=identity.decoding,
        baseline=identity.model.startswith("baseline:"),
        runs=entry.runs,
        facts=entry.facts,
    )


def _small(content: Content) -> Iterator[Table]:
    """The tables that do not grow with the models' cells, in canonical order."""
    yield Table("meta", schema.META, [("format", str(schema.FORMAT))])
    yield Table(
        "tasks",
        schema.TASKS,
        [
            (each.name, each.version, each.floor, rows.to_json(asdict(each)))
            for _, each in sorted(content.tasks.items())
        ],
    )
    yield Table(
        "items",
        schema.ITEMS,
        (rows.items_row(place, rows.items_of(content.stamps[place])) for place in sorted(content.stamps)),
    )
    made = slugs.of_tokenizers(content.premiums)
    yield Table(
        "tokenizers",
        schema.TOKENIZERS,
        ((number, *astuple(each)) for number, each in enumerate(made.values())),
    )
    yield Table(
        "premiums",
        schema.PREMIUMS,
        [(number, *rows.values(one)) for number, key in enumerate(made) for one in content.premiums[key].languages],
    )
