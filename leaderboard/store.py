"""The snapshot's database: its tables, writing it model by model, and reading scores back.

A model's rows are hashed as they are inserted, so the name of a snapshot cannot say anything else than what is in it.
What stays on the board is copied from the old snapshot as rows; no more than one model is in memory.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.aggregate import Way
from bench.cards.facts import Facts
from bench.premium.records import Premium, Premiums
from bench.runfile import Identity
from bench.text import slug
from leaderboard import arrays, derived, digest, packs, premiums, rows
from leaderboard.collect import CellKey
from leaderboard.derived import Derived, Table
from leaderboard.packs import Pack, Place
from leaderboard.records import Block, Model, Published, RunFacts, Scored, Stamp, TaskFacts, Tokenizer
from leaderboard.rows import Row, cell_of, items_in, items_of, model_of, premium_of, task_of, to_json, tokenizer_of

__all__ = [
    "APPLICATION_ID",
    "FORMAT",
    "HASH_LENGTH",
    "Content",
    "Damaged",
    "Entry",
    "Kept",
    "Written",
    "cell_of",
    "identities",
    "items_in",
    "items_of",
    "model_of",
    "premium_of",
    "read_premiums",
    "rows_of_model",
    "scores",
    "slugs",
    "task_of",
    "tokenizer_of",
    "tokenizers",
    "undamaged",
    "write",
]

APPLICATION_ID = 0x424F5244  # "BORD"
FORMAT = 4
HASH_LENGTH = digest.LENGTH

Named = TypeVar("Named", bound=Hashable)


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
    """A snapshot that was written: its name, the models by slug, and how many cells it has."""

    name: str
    models: Mapping[Identity, Model]
    cells: int


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


SCORES = (
    "model_id INTEGER NOT NULL, task TEXT NOT NULL, version TEXT NOT NULL, metric TEXT NOT NULL, mode TEXT NOT NULL,"
    " prompt_language TEXT NOT NULL, shots INTEGER NOT NULL, width INTEGER NOT NULL, kind TEXT NOT NULL,"
    " places BLOB NOT NULL, statistics BLOB NOT NULL,"
    " PRIMARY KEY (model_id, task, version, metric, mode, prompt_language, shots)"
)

VIEWS = (
    # LEFT JOIN keeps the planner from starting anywhere else than at the results, and costs nothing where unused.
    "CREATE VIEW cells AS SELECT results.model_id, results.id, models.name AS model, "  # noqa: S608 - own names
    + ", ".join(f"results.{name}" for name in rows.LOGICAL[:-1])
    + ", texts.text AS shared FROM results LEFT JOIN models ON models.id = results.model_id"
    " LEFT JOIN texts ON texts.id = results.shared",
)

INDEXES = (
    "CREATE INDEX results_by_language ON results (language, task, headline, value DESC)",
    "CREATE INDEX results_by_model ON results (model_id, task)",
    "CREATE INDEX results_by_task ON results (task, task_version, language, variety, model_id) WHERE headline",
    "CREATE INDEX results_with_energy ON results (language, task) WHERE headline AND energy_provenance != 'none'",
    "CREATE INDEX means_by_task ON means (task)",
    "CREATE INDEX without_energy_by_model ON without_energy (model_id)",
    "CREATE INDEX premiums_by_language ON premiums (language)",
)

_LOGICAL = ", ".join(f"results.{name}" for name in rows.LOGICAL[:-1])
_RESULTS = (
    f"SELECT {_LOGICAL}, texts.text FROM results JOIN texts ON texts.id = results.shared"  # noqa: S608 - own names
    " WHERE model_id = ? ORDER BY results.id"
)
_SCORES = (
    "SELECT task, version, metric, mode, prompt_language, shots, width, kind, places, statistics FROM scores"
    " WHERE model_id = ? ORDER BY task, version, metric, mode, prompt_language, shots"
)


def slugs(known: Iterable[Identity]) -> dict[Identity, str]:
    """The models' addresses, in their order. One that several would share gets a hash of what tells them apart."""
    made = _slugs({each: each.model for each in known})
    return dict(sorted(made.items(), key=lambda pair: pair[1]))


def tokenizers(found: Mapping[premiums.Key, Premiums]) -> dict[premiums.Key, Tokenizer]:
    """The tokenizers by slug. One that another stands for leaves the shorter slug to it."""
    shown = premiums.stand_ins(found)
    names = {key: f"{key[0]}-{key[2]}{f'-{key[1]}' if key in shown else ''}" for key in found}
    own_slugs = _slugs(names)
    made = {
        key: premiums.tokenizer(own, found[key], own_slugs[shown[key]] if key in shown else "")
        for key, own in own_slugs.items()
    }
    return dict(sorted(made.items(), key=lambda pair: pair[1].slug))


def _slugs(names: Mapping[Named, str]) -> dict[Named, str]:
    """A slug for each name, none twice: a name may also look like another's slug with its hash."""
    digits = dict.fromkeys(names, 0)
    while True:
        made = {identity: _slug(identity, names[identity], length) for identity, length in digits.items()}
        held = Counter(made.values())
        if len(held) == len(made):
            return made
        for identity, own in made.items():
            if held[own] > 1:
                digits[identity] += 6


def _slug(identity: Hashable, name: str, digits: int) -> str:
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()
    return f"{slug(name)}-{digest[:digits]}" if digits else slug(name)


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
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
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
        self._ids = _Ids(connection)
        self._before = _Ids(kept.connection) if kept else None
        self._derived: Sequence[Derived] = derived.consumers(content.tasks, self._ids.clusters)

    def write(self) -> Written:
        """Fills the tables. The caller commits."""
        connection = self._connection
        for table in _small(self._content):
            self._fill(table)
        connection.execute(
            f"CREATE TABLE results (model_id INTEGER NOT NULL, id INTEGER PRIMARY KEY, {rows.cell_columns()}) STRICT"
        )
        connection.execute(f"CREATE TABLE scores ({SCORES}) STRICT")
        made: dict[Identity, Model] = {}
        listed: list[Row] = []
        cells = 0
        old = self._kept.numbers if self._kept else {}
        for number, (identity, own) in enumerate(slugs({**dict.fromkeys(self._content.entries), **old}).items()):
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
            made[identity] = model
            for each in self._derived:
                each.add(number, model, taken.published)
        self._fill(Table("models", _MODELS, listed))
        self._fill(
            Table("texts", "id INTEGER PRIMARY KEY, text TEXT NOT NULL", ((n, text) for text, n in self._texts.items()))
        )
        for each in self._derived:
            for table in each.tables():
                self._fill(table)
        for statement in (*VIEWS, *INDEXES):
            connection.execute(statement)
        return Written(digest.of_database(connection), made, cells)

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
                scored = arrays.realign(scored, self._ids(Block(*name[:4])))
                groups.setdefault(_way(name), {})[name[2], name[3]] = scored.statistics
            if each.cell.headline:
                published[place] = each if scored is each.scored else replace(each, scored=scored)
        return _Taken(made, [(way, packs.pack(found)) for way, found in sorted(groups.items())], None, published)

    def _unchanged(self, own: str, number: int, first: int) -> tuple[Model, _Taken]:
        """A model of the older snapshot, held against its digest. Only arrays whose items changed are made anew."""
        assert self._kept is not None
        connection = self._kept.connection
        row = connection.execute("SELECT * FROM models WHERE id = ?", (number,)).fetchone()
        model = replace(model_of(row), slug=own)
        cells = rows_of_model(connection, number)
        compressed = _tuples(connection, _SCORES, number)
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
            now = self._ids(here)
            if len(now) != len(array):  # items are only added while somebody keeps a block
                places[place] = arrays.realign(Scored(self._before(here), array), now).statistics
                changed = True
        return changed

    def _scored(self, row: Row, found: Mapping[Way, Mapping[Place, NDArray[np.int32]]]) -> Scored | None:
        if row[rows.VALUE] is None:
            return None
        name = rows.key_of(row)
        array = found[_way(name)].get((name[2], name[3]))
        return None if array is None else Scored(self._ids(Block(*name[:4])), array)


class _Ids:
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

    def __call__(self, place: Block) -> tuple[str, ...]:
        if place not in self._known:
            (stored,) = self._connection.execute(
                "SELECT items FROM items WHERE (task, version, language, variety) = (?, ?, ?, ?)", astuple(place)
            ).fetchone()
            if stored not in self._lists:
                self._lists[stored] = tuple(json.loads(zlib.decompress(stored)))
            self._known[place] = self._lists[stored]
        return self._known[place]


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


_MODELS = (
    "id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, revision TEXT NOT NULL,"
    " template TEXT NOT NULL, decoding TEXT NOT NULL, baseline INTEGER NOT NULL, runs TEXT NOT NULL,"
    " facts TEXT NOT NULL, cells INTEGER NOT NULL, digest TEXT NOT NULL"
)


def _small(content: Content) -> Iterator[Table]:
    """The tables that do not grow with the models' cells, in canonical order."""
    yield Table("meta", "key TEXT PRIMARY KEY, value TEXT NOT NULL", [("format", str(FORMAT))])
    yield Table(
        "tasks",
        "name TEXT NOT NULL, version TEXT NOT NULL, floor INTEGER NOT NULL, facts TEXT NOT NULL,"
        " PRIMARY KEY (name, version)",
        [(task.name, task.version, task.floor, to_json(asdict(task))) for _, task in sorted(content.tasks.items())],
    )
    yield Table(
        "items",
        "task TEXT NOT NULL, version TEXT NOT NULL, language TEXT NOT NULL, variety TEXT NOT NULL,"
        " count INTEGER NOT NULL, items BLOB NOT NULL, digests BLOB NOT NULL, clusters BLOB NOT NULL,"
        " PRIMARY KEY (task, version, language, variety)",
        (rows.items_row(place, items_of(content.stamps[place])) for place in sorted(content.stamps)),
    )
    made = tokenizers(content.premiums)
    yield Table(
        "tokenizers",
        f"id INTEGER PRIMARY KEY, {rows.columns(Tokenizer)}",
        ((number, *astuple(each)) for number, each in enumerate(made.values())),
    )
    yield Table(
        "premiums",
        f"tokenizer_id INTEGER NOT NULL, {rows.columns(Premium)}",
        [(number, *rows.values(one)) for number, key in enumerate(made) for one in content.premiums[key].languages],
    )


def _tuples(connection: sqlite3.Connection, sql: str, number: int) -> list[Row]:
    """A query's rows as tuples, whatever the connection makes of rows."""
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(sql, (number,)).fetchall()


def rows_of_model(connection: sqlite3.Connection, number: int) -> list[Row]:
    """The cells of a model as rows that have the columns of `rows.LOGICAL`, in the order of their keys."""
    return _tuples(connection, _RESULTS, number)


def identities(connection: sqlite3.Connection) -> dict[Identity, int]:
    """The models of a snapshot and their numbers in it."""
    found = connection.execute("SELECT id, name, revision, template, decoding FROM models ORDER BY id")
    return {Identity(*each): number for number, *each in found}


def read_premiums(connection: sqlite3.Connection) -> dict[premiums.Key, Premiums]:
    """The premiums of a snapshot."""
    found = {
        number: list(map(premium_of, group))
        for number, group in groupby(
            connection.execute("SELECT * FROM premiums ORDER BY rowid"), key=lambda row: row["tokenizer_id"]
        )
    }
    made = [
        premiums.of_tokenizer(tokenizer_of(row), found.get(row["id"], ()))
        for row in connection.execute("SELECT * FROM tokenizers ORDER BY id")
    ]
    return {premiums.key(each): each for each in made}


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
    ids = _Ids(connection)
    return {
        place: Scored(ids(Block(way[0], way[1], *place)), array)
        for place, array in packs.unpack(packs.decompress(*row)).items()
    }
