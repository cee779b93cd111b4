"""Whether an upload has the very scores of another model: what one finds where a run was sent under a second name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np

from bench.aggregate import Way
from leaderboard import arrays, reading, snapshot
from leaderboard.collect import CellKey, Contribution
from leaderboard.records import Scored

ITEMS = 100
"""Scores of fewer items may be the same by chance."""
VARIED = 10
"""So many of them have to differ from the commonest: where nearly all are right, or wrong, two models may agree."""
BASELINE = "baseline:"


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one headline cell: their digest, how many items there are, how many differ from the commonest."""

    value: float
    digest: str
    items: int
    varied: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells the scores of a run from those of every other. `cells` has a JSON list of its key for each cell."""

    model: str
    cells: dict[str, Scores]


def fingerprint(contribution: Contribution) -> Fingerprint:
    """The fingerprint of a run that was checked."""
    return Fingerprint(
        contribution.identity.model,
        {
            _named(key): _scores(each.cell.value, each.scored)
            for key, each in contribution.cells.items()
            if each.cell.headline and each.cell.value is not None and each.scored is not None
        },
    )


def keep(found: Fingerprint, path: Path) -> None:
    """Writes a fingerprint. Raises `OSError`."""
    path.write_bytes(msgspec.json.encode(found))


def read(path: Path) -> Fingerprint:
    """Reads a fingerprint. Raises `msgspec.MsgspecError` and `OSError`."""
    return msgspec.json.decode(path.read_bytes(), type=Fingerprint)


def like(found: Fingerprint, others: Iterable[tuple[str, Fingerprint]]) -> str:
    """The first of the others, each with its name, that has the same scores under another model's name; else ""."""
    for name, other in others:
        shared = [(each, other.cells[key]) for key, each in found.cells.items() if key in other.cells]
        if _exempt(found, other.model) or not _enough(one for one, _ in shared):
            continue
        if all(one.digest == same.digest for one, same in shared):
            return name
    return ""


def published(found: Fingerprint, board: Path) -> str:
    """The slug of a model of the current snapshot that has the same scores under another name; else "".

    Raises `BoardError`, and `reading.Damaged` where the snapshot does not read.
    """
    name = snapshot.current(board)
    if not name:
        return ""
    with contextlib.closing(snapshot.connect(board, name)) as connection, reading.undamaged():
        known = connection.execute("SELECT id, slug, name FROM models ORDER BY id").fetchall()
        candidates = {row["id"]: row for row in known if not _exempt(found, row["name"])}
        shared = _same_values(connection, found, candidates.keys())
        for number, row in candidates.items():
            cells = shared.get(number, [])
            if _enough(found.cells[key] for key in cells) and all(
                digest == found.cells[key].digest for key, digest in _stored(connection, number, cells)
            ):
                return str(row["slug"])
    return ""


def _exempt(found: Fingerprint, model: str) -> bool:
    """A model is its own former self, and what a baseline answers is no secret."""
    return found.model == model or found.model.startswith(BASELINE) or model.startswith(BASELINE)


def _enough(shared: Iterable[Scores]) -> bool:
    every = list(shared)
    return sum(one.items for one in every) >= ITEMS and sum(one.varied for one in every) >= VARIED


def _same_values(connection: sqlite3.Connection, found: Fingerprint, models: Iterable[int]) -> dict[int, list[str]]:
    """Model -> keys of its cells, of those models whose every cell that the fingerprint has too has the same value."""
    left = set(models)
    shared: dict[int, list[str]] = {}
    for key, scores in found.cells.items():
        if not left:
            break
        rows = connection.execute(
            "SELECT model_id, value FROM cells WHERE task = ? AND task_version = ? AND language = ? AND variety = ?"
            " AND mode = ? AND prompt_language = ? AND shots = ? AND metric = ? AND value IS NOT NULL",
            _key(key),
        )
        for row in rows:
            if row["model_id"] not in left:
                continue
            if row["value"] == scores.value:
                shared.setdefault(row["model_id"], []).append(key)
            else:
                left.discard(row["model_id"])
    return {model: cells for model, cells in shared.items() if model in left}


def _stored(connection: sqlite3.Connection, model: int, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The digest of a published model's scores in each of these cells; "" where the snapshot has none of them."""
    named = sorted((_way(_key(each)), each) for each in keys)
    for way, group in groupby(named, key=lambda pair: pair[0]):  # a way's languages are read together
        there = reading.scores(connection, model, way)
        for _, each in group:
            scored = there.get(_key(each)[2:4])
            yield each, _scores(0.0, scored).digest if scored is not None else ""


def _scores(value: float, scored: Scored) -> Scores:
    there = arrays.present(scored)
    rows = np.ascontiguousarray(scored.statistics[there], dtype="<i4")
    items = [item for item, here in zip(scored.items, there, strict=True) if here]
    digest = hashlib.sha256(json.dumps(items).encode() + rows.tobytes()).hexdigest()
    commonest = max(Counter(row.tobytes() for row in rows).values(), default=0)
    return Scores(value, digest, len(items), len(items) - commonest)


def _named(key: CellKey) -> str:
    return json.dumps(key, ensure_ascii=False)


def _key(named: str) -> CellKey:
    task, version, language, variety, mode, prompt_language, shots, metric = json.loads(named)
    return task, version, language, variety, mode, prompt_language, shots, metric


def _way(key: CellKey) -> Way:
    return key[0], key[1], key[7], key[4], key[5], key[6]
