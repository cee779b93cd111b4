"""The tables of a run file, how an older file gets them, and what SQLite's complaints mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bench.records import BenchError, UsageError

APPLICATION_ID = 0x42454E43  # "BENC"
VERSION = 3

SCHEMA = """
CREATE TABLE IF NOT EXISTS manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS invocations (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, outcome TEXT, command_line TEXT NOT NULL,
    versions TEXT NOT NULL, hardware TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS datasets (
    dataset TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, locked INTEGER NOT NULL,
    PRIMARY KEY (dataset, file)) STRICT;
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS samples (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL, cluster TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (
    id INTEGER PRIMARY KEY, task TEXT NOT NULL, language TEXT NOT NULL, variety TEXT NOT NULL, mode TEXT NOT NULL,
    prompt_language TEXT NOT NULL, shots INTEGER NOT NULL,
    UNIQUE (task, language, variety, mode, prompt_language, shots)) STRICT;
CREATE TABLE IF NOT EXISTS requests (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sample TEXT NOT NULL REFERENCES samples(id),
    place INTEGER NOT NULL REFERENCES places(id), repeat INTEGER NOT NULL, prompt TEXT) STRICT;
CREATE INDEX IF NOT EXISTS requests_of_place ON requests (place);
CREATE TABLE IF NOT EXISTS responses (
    request TEXT PRIMARY KEY REFERENCES requests(id), status TEXT NOT NULL, finish TEXT NOT NULL, text TEXT NOT NULL,
    loglikelihoods TEXT, reason TEXT NOT NULL, prompt_tokens INTEGER, output_tokens INTEGER, seconds REAL,
    received REAL NOT NULL, reasoning TEXT NOT NULL, reasoning_tokens INTEGER, cached_tokens INTEGER,
    attempts INTEGER NOT NULL, cost REAL, counted REAL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    request TEXT NOT NULL REFERENCES requests(id), metric TEXT NOT NULL, outcome TEXT NOT NULL,
    statistics TEXT NOT NULL, PRIMARY KEY (request, metric)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cells (position INTEGER PRIMARY KEY, cell TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS windows (position INTEGER PRIMARY KEY, window TEXT NOT NULL) STRICT;
"""

# Version 1 had no places, repeats, thinking, cached tokens, attempts and cost. A sample's id begins with its place.
FROM_VERSION_1 = f"""
PRAGMA legacy_alter_table = ON;
BEGIN;
ALTER TABLE requests RENAME TO requests_1;
ALTER TABLE responses RENAME TO responses_1;
{SCHEMA}
INSERT OR IGNORE INTO places (task, language, variety, mode, prompt_language, shots)
    SELECT part(sample, 0), part(sample, 1), part(sample, 2), mode, prompt_language, shots FROM requests_1
    ORDER BY position;
INSERT INTO requests SELECT old.position, old.id, old.sample, places.id, 0, old.prompt
    FROM requests_1 AS old JOIN places ON places.task = part(old.sample, 0) AND places.language = part(old.sample, 1)
    AND places.variety = part(old.sample, 2) AND places.mode = old.mode
    AND places.prompt_language = old.prompt_language AND places.shots = old.shots;
INSERT INTO responses SELECT *, '', NULL, NULL, 1, NULL, NULL FROM responses_1;
DROP TABLE responses_1;
DROP TABLE requests_1;
UPDATE manifest SET value = '{VERSION}' WHERE key = 'format';
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - no value is in it

# Version 2 had no windows.
FROM_VERSION_2 = f"""
BEGIN;
{SCHEMA}
UPDATE manifest SET value = '{VERSION}' WHERE key = 'format';
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608 - no value is in it

NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre"),
        *("ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
    }
)
"""File systems that several machines share: SQLite's WAL needs memory that all its users share."""


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Opens and checks a run file. A new or empty one gets the schema when it may be written, an older one is upgraded.

    Raises `UsageError` where the file is damaged, of another program, newer, or older and not to be written.
    """
    try:
        connection = sqlite3.connect(
            path if write else f"{path.resolve().as_uri()}?mode=ro", uri=not write, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise UsageError(f"cannot open {path}: {error}") from error
    try:
        _check(path, connection, write=write)
        if write:
            mounts = Path("/proc/self/mounts")
            shared = mounts.is_file() and file_system(path.resolve(), mounts.read_text("utf-8", "replace")) in NETWORK
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if shared else 'WAL'}")
            connection.execute(f"PRAGMA synchronous = {'FULL' if shared else 'NORMAL'}")
            connection.execute("PRAGMA busy_timeout = 5000")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise UsageError(explain(path, error)) from error
    except BenchError:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection, *, write: bool) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if pages == 0 and write:
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {SCHEMA} COMMIT;"
        )
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise UsageError(f"{path} is not a run file of this program; name another file")
    if version > VERSION:
        raise UsageError(f"{path} was written by a newer version of this program (format {version}, known {VERSION})")
    (health,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if health != "ok":
        raise sqlite3.DatabaseError(health.splitlines()[-1])
    if version < VERSION:
        if not write:
            raise UsageError(
                f"{path} was written by an older version of this program (format {version}, now {VERSION}); "
                f"`python -m bench rescore {path}` brings it up to date"
            )
        connection.create_function("part", 2, lambda sample, number: sample.split("/", 3)[number], deterministic=True)
        connection.executescript(FROM_VERSION_1 if version == 1 else FROM_VERSION_2)


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that holds a path, by a table of mounts as Linux has it; "" where none does."""
    found = ("", "")
    for line in mounts.splitlines():
        _, mounted, kind, *_ = [*line.split(" "), "", "", ""]
        folder = mounted.replace("\\040", " ")
        if path.is_relative_to(folder) and len(folder) >= len(found[0]) and folder:
            found = (folder, kind)
    return found[1]


def explain(path: Path, error: sqlite3.DatabaseError) -> str:
    """What an SQLite error means for somebody who wants to go on."""
    text = str(error)
    if "full" in text:
        return f"no room left on the disk of {path}: what was answered so far is safe; make room and run again"
    if "disk I/O error" in text:  # a quota or a limit on the size of files, most often
        return f"no room left for {path} ({text}): what was answered so far is safe; make room and run again"
    if "readonly" in text or "unable to open" in text:
        return f"cannot write {path}: permission denied"
    if "locked" in text:
        return f"{path} is held by another program: {text}"
    if "user-defined function" in text or "malformed" in text or "not a database" in text or "rror in file" in text:
        return f"{path} is damaged or cut short ({text}); restore a copy; a run can also begin anew in another file"
    return f"{path}: {text}"
