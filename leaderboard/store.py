"""The snapshot's database: its tables, its content hash, writing it and reading it back whole.

The tables are made as rows first. The hash is taken over these rows and the database is filled with them, so the name
of a snapshot cannot say anything else than what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, fields
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from bench.premium.records import Premium, Premiums
from bench.records import Cell
from bench.runfile import Identity
from bench.text import slug
from leaderboard import aggregate, arrays, efficiency, premiums
from leaderboard.collect import CellKey, block, key
from leaderboard.records import (
    Block,
    Coverage,
    DatasetFile,
    EnergyRank,
    Items,
    Mean,
    Model,
    PriceFacts,
    PromptFacts,
    Published,
    RunFacts,
    Stamp,
    TaskFacts,
    Tokenizer,
)

APPLICATION_ID = 0x424F5244  # "BORD"
FORMAT = 3
HASH_LENGTH = 16

Row = tuple[Any, ...]
Named = TypeVar("Named", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Entry:
    """One model's runs and cells."""

    runs: tuple[RunFacts, ...]
    cells: Mapping[CellKey, Published]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a snapshot is made from. `stamps` holds those of each block's items."""

    entries: Mapping[Identity, Entry]
    tasks: Mapping[tuple[str, str], TaskFacts]
    stamps: Mapping[Block, Mapping[str, Stamp]]
    premiums: Mapping[premiums.Key, Premiums] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's name, its columns in SQL, and its rows. A value of type bytes is stored compressed."""

    name: str
    columns: str
    rows: Iterable[Row]


SQL_TYPES = {"str": "TEXT NOT NULL", "int": "INTEGER NOT NULL", "float": "REAL NOT NULL", "bool": "INTEGER NOT NULL"}

INDEXES = """
CREATE INDEX cells_by_language ON cells (language, task, model_id);
CREATE INDEX cells_by_model ON cells (model_id, task, language);
CREATE INDEX cells_by_task ON cells (task, language);
CREATE INDEX means_by_task ON means (task);
CREATE INDEX premiums_by_language ON premiums (language);
"""


def models(content: Content) -> dict[Identity, Model]:
    """The models by slug. Only a slug that several models would share gets the hash of what tells them apart."""
    made = {
        identity: Model(
            slug=own,
            name=identity.model,
            revision=identity.revision,
            template=identity.template,
            decoding=identity.decoding,
            baseline=identity.model.startswith("baseline:"),
            runs=content.entries[identity].runs,
        )
        for identity, own in _slugs({each: each.model for each in content.entries}).items()
    }
    return dict(sorted(made.items(), key=lambda pair: pair[1].slug))


def tokenizers(content: Content) -> dict[premiums.Key, Tokenizer]:
    """The tokenizers by slug. One that another stands for leaves the shorter slug to it."""
    shown = premiums.stand_ins(content.premiums)
    names = {key: f"{key[0]}-{key[2]}{f'-{key[1]}' if key in shown else ''}" for key in content.premiums}
    slugs = _slugs(names)
    made = {
        key: premiums.tokenizer(own, content.premiums[key], slugs[shown[key]] if key in shown else "")
        for key, own in slugs.items()
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


def tables(content: Content) -> Iterator[Table]:
    """The snapshot's tables in canonical order: the same content gives the same rows, whatever order it came in."""
    known = models(content)
    numbers = {identity: number for number, identity in enumerate(known)}
    items = {place: items_of(stamps) for place, stamps in sorted(content.stamps.items())}
    cells = {identity: sorted(content.entries[identity].cells.items()) for identity in known}
    yield Table("meta", "key TEXT PRIMARY KEY, value TEXT NOT NULL", [("format", str(FORMAT))])
    yield Table(
        "models",
        "id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, revision TEXT NOT NULL,"
        " template TEXT NOT NULL, decoding TEXT NOT NULL, baseline INTEGER NOT NULL, runs TEXT NOT NULL",
        [
            (
                *(number, model.slug, model.name, model.revision, model.template, model.decoding, model.baseline),
                _json([asdict(run) for run in model.runs]),
            )
            for number, model in enumerate(known.values())
        ],
    )
    yield Table(
        "tasks",
        "name TEXT NOT NULL, version TEXT NOT NULL, floor INTEGER NOT NULL, facts TEXT NOT NULL,"
        " PRIMARY KEY (name, version)",
        [(task.name, task.version, task.floor, _json(asdict(task))) for _, task in sorted(content.tasks.items())],
    )
    yield Table(
        "items",
        "task TEXT NOT NULL, version TEXT NOT NULL, language TEXT NOT NULL, variety TEXT NOT NULL,"
        " count INTEGER NOT NULL, items BLOB NOT NULL, digests BLOB NOT NULL, clusters BLOB NOT NULL,"
        " PRIMARY KEY (task, version, language, variety)",
        (
            (
                *(*astuple(place), len(found.ids), _json(found.ids).encode()),
                bytes.fromhex("".join(stamp.digest for stamp in found.stamps)),
                _json([stamp.cluster for stamp in found.stamps]).encode(),
            )
            for place, found in items.items()
        ),
    )
    identifying = "model_id INTEGER NOT NULL, id INTEGER PRIMARY KEY"
    yield Table("cells", f"{identifying}, {_columns(Cell)}", _cell_rows(cells, numbers))
    yield Table(
        "scores",
        "cell INTEGER PRIMARY KEY, width INTEGER NOT NULL, statistics BLOB NOT NULL",
        _score_rows(cells, items),
    )
    declared = {place: task.languages for place, task in content.tasks.items()}
    of_model = [(model, [each.cell for _, each in cells[identity]]) for identity, model in known.items()]
    yield Table(
        "means",
        _columns(Mean),
        [astuple(mean) for model, found in of_model for mean in aggregate.means(model, found, declared)],
    )
    yield Table("coverage", _columns(Coverage), [astuple(aggregate.coverage(*each)) for each in of_model])
    flat = [(model.baseline, cell) for model, found in of_model for cell in found]
    ranked = efficiency.ranks((number, *each) for number, each in enumerate(flat))
    yield Table("energy_ranks", _columns(EnergyRank), [astuple(rank) for rank in ranked])
    made = tokenizers(content)
    yield Table("tokenizers", f"id INTEGER PRIMARY KEY, {_columns(Tokenizer)}", _numbered(map(astuple, made.values())))
    yield Table(
        "premiums",
        f"tokenizer_id INTEGER NOT NULL, {_columns(Premium)}",
        [(number, *_values(one)) for number, key in enumerate(made) for one in content.premiums[key].languages],
    )


def items_of(stamps: Mapping[str, Stamp]) -> Items:
    """A block's items in their canonical order."""
    ids = tuple(sorted(stamps))
    return Items(ids, tuple(stamps[item] for item in ids))


def _numbered(rows: Iterable[Row]) -> list[Row]:
    return [(number, *row) for number, row in enumerate(rows)]


Sorted = Mapping[Identity, list[tuple[CellKey, Published]]]


def _cell_rows(cells: Sorted, numbers: Mapping[Identity, int]) -> Iterator[Row]:
    number = 0
    for identity, found in cells.items():
        for _, each in found:
            yield (numbers[identity], number, *_values(each.cell))
            number += 1


def _values(record: Cell | Premium) -> Iterator[Any]:
    """A record's row. Whole numbers in columns of floats are floats: they are so when they are read back."""
    for declared in fields(record):
        value = getattr(record, declared.name)
        if isinstance(value, Mapping):
            yield _json(value)
        else:
            yield float(value) if value is not None and str(declared.type).startswith("float") else value


def _score_rows(cells: Sorted, items: Mapping[Block, Items]) -> Iterator[Row]:
    every = (each for found in cells.values() for _, each in found)
    for number, each in enumerate(every):
        if each.scored is not None:
            aligned = arrays.realign(each.scored, items[block(each.cell)].ids)
            yield number, aligned.statistics.shape[1], arrays.to_bytes(aligned)


def _columns(record: type[Any]) -> str:
    """The columns of a table that holds one kind of record, by the types of its fields."""
    made = []
    for declared in fields(record):
        kind = str(declared.type)
        sql = SQL_TYPES.get(kind.removesuffix(" | None"), "TEXT NOT NULL")  # a mapping is kept as JSON
        made.append(f'"{declared.name}" {sql.removesuffix(" NOT NULL") if kind.endswith("None") else sql}')
    return ", ".join(made)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(content: Content) -> str:
    """The first 16 hex digits of the SHA-256 over every row; independent of order, of time and of zlib's version."""
    digest = hashlib.sha256()
    for table in tables(content):
        digest.update(f"{table.name}({table.columns})\n".encode())
        for row in table.rows:
            shown = [hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value for value in row]
            digest.update(_json(shown).encode() + b"\n")
    return digest.hexdigest()[:HASH_LENGTH]


def write(content: Content, path: Path) -> None:
    """Writes the database to a new file. Raises `sqlite3.Error`; what it leaves then is no snapshot."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing reads the file before it is whole, fsynced and renamed, so a journal would protect nobody.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("BEGIN")
        for table in tables(content):
            connection.execute(f"CREATE TABLE {table.name} ({table.columns}) STRICT")
            width = len(connection.execute(f"PRAGMA table_info({table.name})").fetchall())
            rows = (tuple(zlib.compress(v, 9) if isinstance(v, bytes) else v for v in row) for row in table.rows)
            connection.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * width)})", rows)  # noqa: S608
        connection.execute("COMMIT")
        connection.executescript(INDEXES + "ANALYZE;")


def cell_of(row: sqlite3.Row) -> Cell:
    """The cell in a row of `cells`; a field that the snapshot is too old to have keeps its default."""
    there = set(row.keys())
    values = {each.name: row[each.name] for each in fields(Cell) if each.name in there}
    for flag in ("headline", "floor"):
        values[flag] = bool(values[flag])
    return Cell(**{**values, "reasons": json.loads(values["reasons"])})


def run_of(row: sqlite3.Row) -> str:
    """The id of the run that a row of `cells` is of."""
    run: str = row["run"] if "run" in row.keys() else ""  # noqa: SIM118 - a row is no mapping
    return run


def model_of(row: sqlite3.Row) -> Model:
    """The model in a row of `models`."""
    runs = tuple(map(_run_of, json.loads(row["runs"])))
    return Model(
        slug=row["slug"],
        name=row["name"],
        revision=row["revision"],
        template=row["template"],
        decoding=row["decoding"],
        baseline=bool(row["baseline"]),
        runs=runs,
    )


def _run_of(run: Mapping[str, Any]) -> RunFacts:
    price = run["price"]
    nested = {
        "datasets": tuple(DatasetFile(**file) for file in run["datasets"]),
        "tokenizers": tuple((name, revision, corpus) for name, revision, corpus in run["tokenizers"]),
        "price": PriceFacts(**price) if price is not None else None,
    }
    return RunFacts(**{**run, **nested})


def tokenizer_of(row: sqlite3.Row) -> Tokenizer:
    """The tokenizer in a row of `tokenizers`."""
    return Tokenizer(**{each.name: row[each.name] for each in fields(Tokenizer)})


def premium_of(row: sqlite3.Row) -> Premium:
    """The premium in a row of `premiums`."""
    values = {each.name: row[each.name] for each in fields(Premium)}
    return Premium(**{**values, "reasons": json.loads(values["reasons"])})


def _read_premiums(connection: sqlite3.Connection) -> dict[premiums.Key, Premiums]:
    rows = connection.execute("SELECT * FROM premiums ORDER BY rowid")
    found = {
        number: list(map(premium_of, group)) for number, group in groupby(rows, key=lambda row: row["tokenizer_id"])
    }
    made = [
        premiums.of_tokenizer(tokenizer_of(row), found.get(row["id"], ()))
        for row in connection.execute("SELECT * FROM tokenizers ORDER BY id")
    ]
    return {premiums.key(each): each for each in made}


def task_of(row: sqlite3.Row) -> TaskFacts:
    """The task in a row of `tasks`."""
    facts = json.loads(row["facts"])
    lists = {name: tuple(facts[name]) for name in ("suites", "metrics", "languages")}
    return TaskFacts(**{**facts, **lists, "prompt": PromptFacts(**facts["prompt"])})


def items_in(row: sqlite3.Row) -> Items:
    """The items in a row of `items`."""
    ids, clusters = (json.loads(zlib.decompress(row[name])) for name in ("items", "clusters"))
    digests = re.findall("." * 8, zlib.decompress(row["digests"]).hex())
    return Items(tuple(ids), tuple(map(Stamp, digests, clusters)))


def read(connection: sqlite3.Connection) -> Content:
    """A snapshot's whole content, for merging it with more."""
    connection.row_factory = sqlite3.Row
    items = {
        Block(row["task"], row["version"], row["language"], row["variety"]): items_in(row)
        for row in connection.execute("SELECT * FROM items")
    }
    found = {row["id"]: model_of(row) for row in connection.execute("SELECT * FROM models ORDER BY id")}
    cells: dict[int, dict[CellKey, Published]] = {number: {} for number in found}
    rows = connection.execute("SELECT * FROM cells LEFT JOIN scores ON scores.cell = cells.id ORDER BY model_id")
    for number, group in groupby(rows, key=lambda row: row["model_id"]):
        for row in group:
            cell = cell_of(row)
            scored = None
            if row["statistics"] is not None:
                scored = arrays.from_bytes(zlib.decompress(row["statistics"]), items[block(cell)].ids, row["width"])
            cells[number][key(cell)] = Published(cell, scored)
    return Content(
        {
            Identity(model.name, model.revision, model.template, model.decoding): Entry(model.runs, cells[number])
            for number, model in found.items()
        },
        {(row["name"], row["version"]): task_of(row) for row in connection.execute("SELECT * FROM tasks")},
        {place: dict(zip(each.ids, each.stamps, strict=True)) for place, each in items.items()},
        _read_premiums(connection),
    )
