"""The tables of the desk's database, and making a new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from leaderboard.desk import uploads

APPLICATION_ID = 0x4445534B  # "DESK"
VERSION = 1

SCHEMA = """
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL, created TEXT NOT NULL,
    expires TEXT NOT NULL, last_used TEXT NOT NULL, revoked TEXT NOT NULL) STRICT;
CREATE TABLE submissions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, token TEXT NOT NULL REFERENCES tokens(id),
    received TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, sender TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, model TEXT NOT NULL, revision TEXT NOT NULL, run TEXT NOT NULL,
    badge TEXT NOT NULL, snapshot TEXT NOT NULL, duplicate_of TEXT NOT NULL, attempt INTEGER, cells INTEGER,
    languages INTEGER, tasks INTEGER) STRICT;
CREATE INDEX submissions_by_state ON submissions (state, number);
CREATE INDEX submissions_by_token ON submissions (token, received);
CREATE INDEX submissions_by_model ON submissions (model, sender);
CREATE INDEX submissions_by_run ON submissions (run);
CREATE TABLE events (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, submission TEXT NOT NULL REFERENCES submissions(id),
    state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, actor TEXT NOT NULL, previous TEXT NOT NULL,
    hash TEXT NOT NULL) STRICT;
CREATE INDEX events_by_submission ON events (submission, number);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER submissions_remain BEFORE DELETE ON submissions
    BEGIN SELECT RAISE(ABORT, 'every attempt is kept'); END;
"""


def create(path: Path) -> None:
    """Makes the database under another name, readable by its owner only, and gives it its own once it is whole.

    Raises `OSError` and `sqlite3.Error`.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {SCHEMA}"
            )
        with contextlib.suppress(FileExistsError):  # another process was as quick
            path.hardlink_to(temporary)
    finally:
        uploads.drop(temporary)
