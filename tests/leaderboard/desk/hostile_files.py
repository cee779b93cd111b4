"""Makers of run files that no run has written, each from a good one. Every one gives back the path of the new file."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.runfile_schema import APPLICATION_ID, VERSION


@contextlib.contextmanager
def edited(good: Path, target: Path) -> Iterator[sqlite3.Connection]:
    """A copy of a run file, open for changing it."""
    shutil.copyfile(good, target)
    with contextlib.closing(sqlite3.connect(target)) as connection, connection:
        yield connection


def _by_sql(script: str) -> Callable[[Path, Path], Path]:
    def make(good: Path, target: Path) -> Path:
        with edited(good, target) as connection:
            connection.executescript(script)
        return target

    return make


def _cell(change: Callable[[dict[str, Any]], None]) -> Callable[[Path, Path], Path]:
    def make(good: Path, target: Path) -> Path:
        with edited(good, target) as connection:
            ((position, text),) = connection.execute(
                "SELECT position, cell FROM cells WHERE cell LIKE '%\"value\": %' ORDER BY position LIMIT 1"
            )
            cell = json.loads(text)
            change(cell)
            connection.execute("UPDATE cells SET cell = ? WHERE position = ?", (json.dumps(cell), position))
        return target

    return make


def zero_bytes(good: Path, target: Path) -> Path:
    target.write_bytes(b"")
    return target


def text(good: Path, target: Path) -> Path:
    target.write_bytes(b"SQLite format 3, or so it says\n" * 10)
    return target


def other_database(good: Path, target: Path) -> Path:
    with contextlib.closing(sqlite3.connect(target)) as connection:
        connection.executescript("CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;")
    return target


def empty_run(good: Path, target: Path) -> Path:
    """The marks of a run file, and no tables."""
    with contextlib.closing(sqlite3.connect(target)) as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; CREATE TABLE cells (x);"
        )
    return target


def half_written(good: Path, target: Path) -> Path:
    """What a killed run leaves: a file whose last writes are in the -wal beside it, which is not sent."""
    beside = target.with_name("running.run.db")
    shutil.copyfile(good, beside)
    with contextlib.closing(sqlite3.connect(beside)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM cells")
        connection.commit()
        assert beside.with_name("running.run.db-wal").stat().st_size > 0
        shutil.copyfile(beside, target)
    return target


def symlink(good: Path, target: Path) -> Path:
    target.symlink_to(good)
    return target


def tail(good: Path, target: Path) -> Path:
    target.write_bytes(good.read_bytes() + b"#!/bin/sh\n")
    return target


def deep_json(good: Path, target: Path) -> Path:
    with edited(good, target) as connection:
        connection.execute("UPDATE manifest SET value = ? WHERE key = 'format'", ("[" * 10**6 + "]" * 10**6,))
    return target


def long_text(good: Path, target: Path) -> Path:
    with edited(good, target) as connection:
        first = "(SELECT min(request) FROM responses)"
        connection.execute(f"UPDATE responses SET text = printf('%.*c', 64000000, 'a') WHERE request = {first}")
    return target


def no_utf8(good: Path, target: Path) -> Path:
    with edited(good, target) as connection:
        connection.execute("UPDATE responses SET reasoning = CAST(X'61FF62' AS TEXT)")
    return target


def gzip_bomb(good: Path, target: Path) -> Path:
    with gzip.open(target, "wb") as file:
        for _ in range(200):
            file.write(bytes(1 << 20))
    return target


def cut_gzip(good: Path, target: Path) -> Path:
    target.write_bytes(gzip.compress(good.read_bytes())[:-2000])
    return target


def zipped(good: Path, target: Path) -> Path:
    import zipfile

    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(good, "../../../run.run.db")
    return target


def tarred(good: Path, target: Path) -> Path:
    import tarfile

    with tarfile.open(target, "w") as archive:
        archive.add(good, "run.run.db")
    return target


def forged_scores(good: Path, target: Path) -> Path:
    """Every answer scored as right, and the cells made from these scores: only scoring the answers anew tells."""
    from bench.energy import keeping
    from bench.energy.cells import with_energy
    from bench.prompting import rotation
    from bench.records import Score
    from bench.runfile import RunFile
    from bench.session import _group
    from bench.summary import cells

    shutil.copyfile(good, target)
    with RunFile.open(target, None) as run:
        manifest = run.manifest()
        made = []
        for place in run.places():
            known = run.scores(place)
            best = {score.metric: max(one.statistics for one in known if one.metric == score.metric) for score in known}
            forged = [Score(one.request, one.metric, one.outcome, best[one.metric]) for one in known]
            group = _group(run, manifest["model"], place, {}, "")
            made.append((forged, with_energy(cells(group, forged, rotation(manifest["decoding"])), keeping.known(run))))
        with run.rescoring() as keep:
            for scores, found in made:
                keep(scores, found)
    return target


def swapped_scores(good: Path, target: Path) -> Path:
    """The scores of two answers change places: their sums stay."""
    with edited(good, target) as connection:
        rows = connection.execute(
            "SELECT request, statistics, outcome, place, metric FROM scores JOIN requests ON requests.id = request"
            " WHERE metric IN ('accuracy', 'exact_match', 'chrf') ORDER BY position"
        ).fetchall()
        one = rows[0]
        other = next(row for row in rows if row[3:] == one[3:] and row[1] != one[1])
        for request, row in ((one[0], other), (other[0], one)):
            connection.execute(
                "UPDATE scores SET statistics = ?, outcome = ? WHERE request = ? AND metric = ?",
                (row[1], row[2], request, one[4]),
            )
    return target


def picked_items(good: Path, target: Path) -> Path:
    """A run that leaves out some items, and is scored again without them as if there were none."""
    from bench.runfile import RunFile
    from bench.session import rescore

    with edited(good, target) as connection:
        picked = "SELECT id FROM requests WHERE position % 3 = 1"
        for table in ("scores", "responses"):
            connection.execute(f"DELETE FROM {table} WHERE request IN ({picked})")
        connection.execute("DELETE FROM requests WHERE position % 3 = 1")
        connection.execute("DELETE FROM samples WHERE id NOT IN (SELECT sample FROM requests)")
    with RunFile.open(target, None) as run:
        rescore(run)
    return target


HOSTILE: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "zero bytes": (zero_bytes, "bad_file"),
    "no database": (text, "bad_file"),
    "another database": (other_database, "wrong_structure"),
    "no tables": (empty_run, "wrong_structure"),
    "half written": (half_written, "bad_file"),
    "something behind it": (tail, "bad_file"),
    "a symlink": (symlink, "bad_file"),
    "deep JSON": (deep_json, "wrong_structure"),
    "a long text": (long_text, "bad_file"),
    "no UTF-8": (no_utf8, "bad_file"),
    "a gzip bomb": (gzip_bomb, "bad_file"),
    "half a gzip stream": (cut_gzip, "bad_file"),
    "a zip": (zipped, "bad_file"),
    "a tar": (tarred, "bad_file"),
    "a trigger": (
        _by_sql("CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM scores; END;"),
        "wrong_structure",
    ),
    "a view": (_by_sql("CREATE VIEW v AS SELECT randomblob(1000000000);"), "wrong_structure"),
    "a view in place of a table": (
        _by_sql("DROP TABLE windows; CREATE VIEW windows AS SELECT 1 AS position, '{}' AS window;"),
        "wrong_structure",
    ),
    "a table too many": (_by_sql("CREATE TABLE more (x TEXT);"), "wrong_structure"),
    "a table too few": (_by_sql("DROP TABLE windows;"), "wrong_structure"),
    "a virtual table": (_by_sql("CREATE VIRTUAL TABLE more USING fts5(x);"), "wrong_structure"),
    "a generated column": (
        _by_sql("ALTER TABLE notes ADD COLUMN more TEXT AS (key || value) VIRTUAL;"),
        "wrong_structure",
    ),
    "an index on an expression": (_by_sql("CREATE INDEX more ON notes (upper(value));"), "wrong_structure"),
    "not a number": (_cell(lambda cell: cell.update(value=float("nan"))), "wrong_structure"),
    "a key twice": (
        _by_sql('UPDATE cells SET cell = replace(cell, \'{"model"\', \'{"n": 1, "model"\');'),
        "wrong_structure",
    ),
    "an answer to no request": (_by_sql("UPDATE responses SET request = 'x' || request;"), "wrong_structure"),
    "a cell of another value": (_cell(lambda cell: cell.update(value=0.99)), "forged_scores"),
    "a cell that cost less": (_cell(lambda cell: cell.update(output_tokens=1)), "forged_scores"),
    "scores of no answers": (forged_scores, "forged_scores"),
    "scores that changed places": (swapped_scores, "forged_scores"),
    "another gold": (
        _by_sql("UPDATE samples SET hash = substr(hash, 9) || substr(hash, 1, 8);"),
        "forged_plan",
    ),
    "another passage": (_by_sql("UPDATE samples SET cluster = 'one';"), "forged_plan"),
    "another prompt kept": (_by_sql("UPDATE requests SET prompt = 'What is 1 + 1?';"), "forged_plan"),
    "requests of another model": (
        _by_sql("UPDATE manifest SET value = '\"9\"' WHERE key = 'revision';"),
        "forged_plan",
    ),
    "items of its choice": (picked_items, "picked_items"),
    "a task that there is not": (_by_sql("UPDATE places SET task = 'none@1' WHERE id = 1;"), "wrong_plan"),
    "a version that there is not": (_by_sql("UPDATE places SET task = task || '0' WHERE id = 1;"), "wrong_plan"),
    "a language that there is not": (_by_sql("UPDATE places SET language = 'xxx_Latn' WHERE id = 1;"), "wrong_plan"),
    "a name in disguise": (
        _by_sql("UPDATE manifest SET value = '\"maker/\\u202egood\"' WHERE key = 'model';"),
        "wrong_structure",
    ),
}
"""Name -> maker, and the reason for which such an upload is rejected."""
