"""What was published when, and what one snapshot has that another has not."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from bench.records import BenchError
from bench.runfile_records import Identity
from leaderboard import reading, rows
from leaderboard.collect import CellKey
from leaderboard.rows import Row

HISTORY = "history.jsonl"
SHOWN = 1000
"""How many cells of each kind a difference lists; it counts them all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One publish: when (UTC, ISO 8601), which snapshot took which one's place, the addresses of the models that were
    published, and how many cells the snapshot has.

    `results` counts the cells with a value in the headline metric of their task; None in a line from before they were
    counted.
    """

    at: str
    snapshot: str
    previous: str
    models: tuple[str, ...]
    cells: int
    results: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that is new, gone or another, with its value before and after in the metric's unit, None without one.

    `result` says whether it is a result before or after: a value in the headline metric of its task. Each value has
    its 95 % interval (None without one), its items and the id of its run; 0 and "" where there was no cell.
    """

    model: str
    slug: str
    task: str
    version: str
    language: str
    variety: str
    mode: str
    prompt_language: str
    shots: int
    metric: str
    before: float | None
    after: float | None
    result: bool
    before_low: float | None
    before_high: float | None
    before_items: int
    before_run: str
    after_low: float | None
    after_high: float | None
    after_items: int
    after_run: str


@dataclass(frozen=True, slots=True)
class Difference:
    """From one snapshot to another: addresses of models, and cells, of which the counts are exact and the lists capped.

    A cell has changed where anything shown of it has, its value or not; the run that it comes from alone is no change.
    `results_added` and its like count those cells that are results.
    """

    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]
    added: int
    removed: int
    changed: int
    cells_added: tuple[Change, ...]
    cells_removed: tuple[Change, ...]
    cells_changed: tuple[Change, ...]
    results_added: int = 0
    results_removed: int = 0
    results_changed: int = 0


def append(board: Path, entry: Entry) -> None:
    """Adds a line, and takes away what a killed writer left of one. The caller has the board's lock."""
    line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
    with (board / HISTORY).open("ab+") as file:
        file.seek(0)
        kept = file.read()
        file.truncate(kept.rfind(b"\n") + 1)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read(board: Path) -> tuple[Entry, ...]:
    """Every publish, the first one first; none where the board is older than its history.

    A last line that was cut off is passed over. Raises `BenchError` where another line does not read.
    """
    path = board / HISTORY
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    made = []
    for number, line in enumerate(stored.split(b"\n")[:-1], 1):
        try:
            made.append(msgspec.json.decode(line, type=Entry))
        except msgspec.DecodeError as error:
            raise BenchError(f"{path}: line {number} is no publish ({error}); remove that line") from error
    return tuple(made)


def diff(old: sqlite3.Connection, new: sqlite3.Connection, shown: int = SHOWN) -> Difference:
    """What `new` has that `old` has not, and the other way. Models are told apart by all of their identity.

    Models with one digest are equal and not looked into; of others, one is in memory at a time.
    """
    before, after = _models(old), _models(new)
    listed: dict[str, list[Change]] = {"added": [], "removed": [], "changed": []}
    counts = dict.fromkeys((*listed, *(f"results_{kind}" for kind in listed)), 0)
    order = sorted({**before, **after}, key=lambda each: (after.get(each) or before[each]).slug)
    for identity in order:
        was, now = before.get(identity), after.get(identity)
        if was and now and was.digest == now.digest:
            continue
        for kind, change in _changes(identity, (old, was), (new, now)):
            counts[kind] += 1
            counts[f"results_{kind}"] += change.result
            if len(listed[kind]) < shown:
                listed[kind].append(change)
    return Difference(
        models_added=tuple(sorted(each.slug for identity, each in after.items() if identity not in before)),
        models_removed=tuple(sorted(each.slug for identity, each in before.items() if identity not in after)),
        **counts,
        cells_added=tuple(listed["added"]),
        cells_removed=tuple(listed["removed"]),
        cells_changed=tuple(listed["changed"]),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    slug: str
    digest: str


def _models(connection: sqlite3.Connection) -> dict[Identity, _Known]:
    found = connection.execute("SELECT id, slug, digest, name, revision, template, decoding FROM models")
    return {Identity(*identity): _Known(number, slug, digest) for number, slug, digest, *identity in found}


Side = tuple[sqlite3.Connection, _Known | None]


def _changes(identity: Identity, old: Side, new: Side) -> Iterator[tuple[str, Change]]:
    """One model's cells that are not the same on both sides."""
    before, after = _cells(old), _cells(new)
    slug = next(known.slug for _, known in (new, old) if known is not None)
    for key in sorted({**before, **after}):
        was, now = before.get(key), after.get(key)
        kind = "added" if was is None else "removed" if now is None else "changed"
        if was is None or now is None or _shown(was) != _shown(now):
            result = any(each is not None and rows.is_result(each) for each in (was, now))
            told = _told("before", was) | _told("after", now)
            yield kind, Change(identity.model, slug, *key, result=result, **told)


def _cells(side: Side) -> dict[CellKey, Row]:
    connection, known = side
    if known is None:
        return {}
    return {rows.key_of(row): row for row in reading.rows_of_model(connection, known.number)}


_TOLD = itemgetter(*map(rows.LOGICAL.index, ("value", "ci_low", "ci_high", "n", "run")))


def _told(side: str, row: Row | None) -> dict[str, Any]:
    """A cell's value and what stands behind it, in the fields of a change for one side."""
    names = (side, *(f"{side}_{what}" for what in ("low", "high", "items", "run")))
    return dict(zip(names, (None, None, None, 0, "") if row is None else _TOLD(row), strict=True))


def _shown(row: Sequence[object]) -> tuple[object, ...]:
    return (*row[: rows.RUN], *row[rows.RUN + 1 :])


def lines(found: Difference) -> Iterator[str]:
    """A difference in words, a line for each model and each cell of the lists."""
    for sign, models in (("+", found.models_added), ("-", found.models_removed)):
        for model in models:
            yield f"{sign} {model}"
    kinds = (("+", found.added, found.cells_added), ("-", found.removed, found.cells_removed))
    for sign, count, cells in (*kinds, ("~", found.changed, found.cells_changed)):
        for cell in cells:
            place = f"{cell.language}{cell.variety and '-' + cell.variety}"
            values = " -> ".join("none" if value is None else f"{value:g}" for value in (cell.before, cell.after))
            yield f"{sign} {cell.slug} {cell.task}@{cell.version} {place} {cell.metric}: {values}"
        if count > len(cells):
            yield f"{sign} and {count - len(cells):,} more cells"
    results = (found.results_added, found.results_removed, found.results_changed)
    said = "results: {:,} added, {:,} removed, {:,} changed".format(*results)
    others = (found.added - results[0], found.removed - results[1], found.changed - results[2])
    if any(others):
        said += "; other metrics and values that are missing: {:,} added, {:,} removed, {:,} changed".format(*others)
    yield said
