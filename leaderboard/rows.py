"""Records <-> rows of a snapshot.

A cell has columns of its own for what SQL asks. Every other field that is not its default is JSON: numbers in `rest`,
and in `shared` texts, reasons and the score of chance, which many cells have in common, so that each is kept once.
Rows are made in one form only, since a snapshot's name is a hash over them.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields
from functools import lru_cache
from itertools import compress
from operator import attrgetter, itemgetter, ne
from typing import Any

import msgspec

from bench.cards import facts as cards
from bench.premium.records import Premium
from bench.records import Cell
from leaderboard.collect import CellKey
from leaderboard.records import (
    Block,
    DatasetFile,
    Items,
    Model,
    Outline,
    PriceFacts,
    PromptFacts,
    Published,
    RunFacts,
    Stamp,
    TaskFacts,
    Tokenizer,
)

Row = tuple[Any, ...]

SQL_TYPES = {"str": "TEXT NOT NULL", "int": "INTEGER NOT NULL", "float": "REAL NOT NULL", "bool": "INTEGER NOT NULL"}

ASKED = (
    *("task", "task_version", "language", "variety", "vertical", "area", "metric"),
    *("value", "normalised", "n", "ci_low", "ci_high", "headline", "floor"),
    *("mode", "prompt_language", "shots", "errors", "energy_provenance"),
)
"""The fields of a cell with a column of their own."""

LOGICAL = (*ASKED, "run", "rank", "rest", "shared")
"""A cell's row without its numbers: what the digest of its model is taken over."""

RUN_OF_CELL = 3 + LOGICAL.index("run")
"""Where a row of the view `cells` has the run: see `cell_of`."""

VALUE, HEADLINE, RUN = (LOGICAL.index(name) for name in ("value", "headline", "run"))

_UNSAID = {"chance": None, "truncated": 0, "unparsed": 0, "wrong_language": None, "output_tokens": None}
_UNSAID |= {"output_tokens_per_joule": None, "energy_scope": None}
"""What stands for a field that has no default of its own."""


def _default(field: Field[Any]) -> Any:
    return _UNSAID[field.name] if field.default is MISSING else field.default


_REST = tuple(each for each in fields(Cell) if each.name not in {*ASKED, "model", "signature", "reasons"})
_SHARED = frozenset(each.name for each in _REST if str(each.type).startswith("str")) | {"chance"}
_NAMES = tuple(each.name for each in _REST)
_DEFAULTS = tuple(map(_default, _REST))
_FLOATS = frozenset(each.name for each in fields(Cell) if str(each.type).startswith("float"))
_asked, _rest = attrgetter(*ASKED), attrgetter(*_NAMES)
_FLOAT_PLACES = tuple(place for place, name in enumerate(ASKED) if name in _FLOATS)
_FLAG_PLACES = tuple(ASKED.index(name) for name in ("headline", "floor"))
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def cell_row(published: Published) -> Row:
    """A cell's columns in the order of `LOGICAL`. Whole numbers in columns of floats become floats."""
    cell = published.cell
    made = list(_asked(cell))
    for place in _FLOAT_PLACES:
        if made[place] is not None:
            made[place] = float(made[place]) + 0.0  # SQLite knows no negative zero
    for place in _FLAG_PLACES:
        made[place] = int(made[place])
    said = _rest(cell)
    rest = {
        name: float(value) + 0.0 if name in _FLOATS else value
        for name, value in compress(zip(_NAMES, said, strict=True), map(ne, said, _DEFAULTS))
    }
    rank = cell.reasons.get("rank", "")
    reasons = {name: code for name, code in cell.reasons.items() if name != "rank" or not code}
    shared: dict[str, Any] = {name: rest.pop(name) for name in _SHARED & rest.keys()}
    shared["signature"] = cell.signature
    if reasons:
        shared["reasons"] = reasons
    return (*made, published.run, rank, _ENCODER.encode(rest).decode(), _ENCODER.encode(shared).decode())


_KEY = itemgetter(
    *map(
        LOGICAL.index,
        ("task", "task_version", "language", "variety", "mode", "prompt_language", "shots", "metric"),
    )
)


def key_of(row: Sequence[Any]) -> CellKey:
    """A cell's key within its model, from a row that has the columns of `LOGICAL`."""
    found: CellKey = _KEY(row)
    return found


def is_result(row: Sequence[Any]) -> bool:
    """Whether a row that has the columns of `LOGICAL` is a result: a value in the headline metric of its task."""
    return bool(row[HEADLINE]) and row[VALUE] is not None


def cell_from(model: str, row: Sequence[Any]) -> Cell:
    """The cell of the model with that name in a row that has the columns of `LOGICAL`."""
    values = dict(zip(ASKED, row, strict=False))
    for place in _FLAG_PLACES:
        values[ASKED[place]] = bool(row[place])
    _, rank, rest, shared = row[len(ASKED) :]
    values |= _common(shared)
    if rank:
        values["reasons"] = {**values["reasons"], "rank": rank}
    if rest != "{}":
        values |= _DECODER.decode(rest)
    values["model"] = model
    return msgspec.convert(values, Cell)  # in C: four times as fast as the initialiser of so many fields


@lru_cache(maxsize=4096)
def _common(shared: str) -> Mapping[str, Any]:
    """What many cells share, with what stands for the fields that a cell always needs."""
    return {**_UNSAID, "reasons": {}, **_DECODER.decode(shared)}


def cell_of(row: Sequence[Any]) -> Cell:
    """The cell in a row of `cells`, whose columns are the model's number, the cell's, the model's name, and `LOGICAL`.

    A field that the snapshot is too old to have keeps its default.
    """
    return cell_from(row[2], row[3:])


OUTLINED = ("id", "model_id", *Outline._fields[2:-2], "rank", "shared")
"""The columns of `cells` that `outline_of` takes."""


def outline_of(row: Sequence[Any]) -> Outline:
    """The outline in a row that has the columns of `OUTLINED`."""
    *known, rank, shared = row
    said = _common(shared)
    return Outline._make((*known, said["chance"], {**said["reasons"], "rank": rank} if rank else said["reasons"]))


def values(record: Premium) -> Iterator[Any]:
    """A premium's row. Whole numbers in columns of floats are floats: they are so when they are read back."""
    for declared in fields(record):
        value = getattr(record, declared.name)
        if isinstance(value, Mapping):
            yield to_json(value)
        else:
            yield float(value) if value is not None and str(declared.type).startswith("float") else value


def columns(record: type[Any]) -> str:
    """The columns of a table that holds one kind of record, by the types of its fields."""
    return ", ".join(f'"{each.name}" {_sql(each)}' for each in fields(record))


def _sql(field: Field[Any]) -> str:
    kind = str(field.type)
    sql = SQL_TYPES.get(kind.removesuffix(" | None"), "TEXT NOT NULL")  # a mapping is kept as JSON
    return sql.removesuffix(" NOT NULL") if kind.endswith("None") else sql


def cell_columns() -> str:
    """The columns of `results`: those of `LOGICAL`, `shared` as the number of a text."""
    known = {each.name: _sql(each) for each in fields(Cell)}
    named = [f"{name} {known[name]}" for name in ASKED]
    return ", ".join(
        [*named, "run TEXT NOT NULL", "rank TEXT NOT NULL", "rest TEXT NOT NULL", "shared INTEGER NOT NULL"]
    )


def to_json(value: Any) -> str:
    """JSON in the one form that is hashed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def model_row(model: Model) -> Row:
    """A model's columns between its number and its digest."""
    said = (model.slug, model.name, model.revision, model.template, model.decoding, int(model.baseline))
    return (*said, to_json([asdict(run) for run in model.runs]), to_json(cards.to_json(model.facts)))


def model_of(row: sqlite3.Row) -> Model:
    """The model in a row of `models`."""
    return Model(
        slug=row["slug"],
        name=row["name"],
        revision=row["revision"],
        template=row["template"],
        decoding=row["decoding"],
        baseline=bool(row["baseline"]),
        runs=tuple(map(_run_of, json.loads(row["runs"]))),
        facts=cards.from_json(json.loads(row["facts"])),
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
    found = {each.name: row[each.name] for each in fields(Premium)}
    return Premium(**{**found, "reasons": json.loads(found["reasons"])})


def task_of(row: sqlite3.Row) -> TaskFacts:
    """The task in a row of `tasks`."""
    facts = json.loads(row["facts"])
    lists = {name: tuple(facts[name]) for name in ("suites", "metrics", "languages")}
    return TaskFacts(**{**facts, **lists, "prompt": PromptFacts(**facts["prompt"])})


def items_of(stamps: Mapping[str, Stamp]) -> Items:
    """A block's items in their canonical order."""
    ids = tuple(sorted(stamps))
    return Items(ids, tuple(stamps[item] for item in ids))


def items_row(place: Block, found: Items) -> Row:
    """A block's row of `items`."""
    return (
        *(place.task, place.version, place.language, place.variety, len(found.ids), to_json(found.ids).encode()),
        bytes.fromhex("".join(each.digest for each in found.stamps)),
        to_json([each.cluster for each in found.stamps]).encode(),
    )


def items_in(row: sqlite3.Row) -> Items:
    """The items in a row of `items`."""
    ids, clusters = (json.loads(zlib.decompress(row[name])) for name in ("items", "clusters"))
    digests = re.findall("." * 8, zlib.decompress(row["digests"]).hex())
    return Items(tuple(ids), tuple(map(Stamp, digests, clusters)))
