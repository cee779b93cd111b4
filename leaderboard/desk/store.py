"""The desk's database and its folder of uploads. Every change of a state and its event are one transaction."""

# ruff: noqa: A002 - `id` is what a submission and a token call theirs

from __future__ import annotations

import contextlib
import errno
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, fields
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from bench.records import UsageError
from leaderboard import snapshot
from leaderboard.desk import access, log, schema, uploads
from leaderboard.desk.records import (
    ENDED,
    FOLLOWING,
    REASONS,
    STATES,
    DeskError,
    Event,
    State,
    Submission,
    line,
    name,
    stamp,
)
from leaderboard.records import LADDER

DATABASE, UPLOADS, RUNS = "submissions.db", "uploads", "runs"
ID = re.compile("[0-9a-f]{20}")
ATTEMPTS_TO_CHECK = 3

FACTS: dict[str, type] = {
    **dict.fromkeys(("model", "revision", "run", "badge", "snapshot", "duplicate_of"), str),
    **dict.fromkeys(("cells", "languages", "tasks"), int),
}
"""What `move` may say of a submission -> its type."""

LONGEST_FACT = 300
OPEN = ("received", "checking", "waiting")
ALL = ", ".join(REASONS)


class Desk:
    """An open desk, for one thread. Any number of processes may have it open; close it, or use it in a `with`."""

    def __init__(self, board: Path, connection: sqlite3.Connection) -> None:
        self.board = board
        self._connection = connection

    @classmethod
    def open(cls, board: Path) -> Self:
        """Opens the desk of a board, made where there is none yet. Raises `UsageError` where there is no board."""
        if not board.is_dir():
            raise snapshot.no_board(board)
        path = board / DATABASE
        try:
            (board / UPLOADS).mkdir(mode=0o700, exist_ok=True)
            if not path.exists():
                schema.create(path)
            connection = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise DeskError(_explain(board, error)) from error
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            connection.close()
            raise DeskError(_explain(board, error)) from error
        if (application, version) != (schema.APPLICATION_ID, schema.VERSION):
            connection.close()
            raise DeskError(f"{path} is no desk of format {schema.VERSION}; move it away and a new one is made")
        return cls(board, connection)

    def receive(
        self,
        upload: Path | BinaryIO,
        size: int,
        sha256: str,
        token: access.Token,
        *,
        limit: int | None = None,
        now: datetime | None = None,
    ) -> Submission:
        """Takes in an upload: a closed file, which is moved, or a stream, which is read and compared with its facts.

        `limit` is how many submissions a token may make on one UTC day (`access.UPLOADS_A_DAY` unless told). Raises
        `access.Refused` beyond it, `UsageError` where the upload is not what its facts say, and `DeskError`.
        """
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise UsageError("the SHA-256 of an upload should be 64 hex digits")
        number = secrets.token_hex(10)
        path, taken = self.upload_path(number), False
        try:
            uploads.take(upload, path, size, sha256)
            with self.writing() as connection:
                # Counted in the same transaction: two uploads at one moment are two.
                refused = access.allowance(self, token, limit, now)
                if refused is not None:
                    raise access.Refused(refused)
                connection.execute(
                    "INSERT INTO submissions (id, token, received, state, reason, detail, sender, sha256, size, model,"
                    " revision, run, badge, snapshot, duplicate_of)"
                    " VALUES (?, ?, ?, 'received', '', '', ?, ?, ?, '', '', '', '', '', '')",
                    (number, token.id, stamp(now), token.name, sha256, size),
                )
                self._log(number, "received", "", f"sha256 {sha256}, {size} bytes", token.name, stamp(now))
            taken = True
        except OSError as error:
            raise DeskError(_explain(self.board, error)) from error
        finally:
            if not taken:
                path.unlink(missing_ok=True)
        return self.submission(number)

    def next(self, by: str = "") -> Submission | None:
        """Claims the oldest submission that nobody has checked: it is `checking` now. None where there is none.

        `by` says in the log which program checks it.
        """
        with self.writing() as connection:
            row = connection.execute(
                "SELECT id FROM submissions WHERE state = 'received' ORDER BY number LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            self._move(row["id"], "checking", "", by, "intake", {})
        return self.submission(row["id"])

    def move(
        self,
        id: str,
        state: State,
        reason: str = "",
        detail: str = "",
        *,
        actor: str,
        **facts: str | int,
    ) -> Submission:
        """Brings a submission into a state and writes the event, both or neither; then lets go of an upload that nobody
        needs any more.

        `facts` are fields of `Submission` (`FACTS`); its `attempt` is counted once its model is known. Raises
        `UsageError` where the state cannot follow or a reason or fact is none.
        """
        with self.writing():
            self._move(id, state, reason, detail, actor, facts)
        found = self.submission(id)
        if state in ENDED:
            self._drop(found)
        return found

    def unpacked(self, id: str, file: Path) -> Submission:
        """Puts the run file that an upload held, unpacked, in its place while it is checked, and says so in the log.

        `file` lies on the board's disk and is moved. Raises `UsageError` where nobody checks that submission.
        """
        path = self.upload_path(id)
        try:
            digest, size = uploads.file_hash(file), file.stat().st_size
            with self.writing() as connection:
                state = self.submission(id).state
                if state != "checking":
                    raise UsageError(f"submission {id} is {state}; its file stays as it is")
                connection.execute("UPDATE submissions SET sha256 = ?, size = ? WHERE id = ?", (digest, size, id))
                self._log(id, state, "", f"unpacked: sha256 {digest}, {size} bytes", "intake", stamp())
            # In this order: killed in between, the packed file is checked and unpacked again to the same hash.
            uploads.put(file, path)
        except OSError as error:
            raise DeskError(_explain(self.board, error)) from error
        return self.submission(id)

    def recover(self) -> list[Submission]:
        """Puts back what a process that died was checking, and removes uploads that belong to no open submission.

        Only who alone does the checking may call it. What broke off `ATTEMPTS_TO_CHECK` times is rejected: it must not
        hold up the others for ever. Gives those that were put back or rejected.
        """
        checking = [row["id"] for row in self.rows("SELECT id FROM submissions WHERE state = 'checking'")]
        for each in checking:
            ((claims,),) = self.rows("SELECT count(*) FROM events WHERE submission = ? AND state = 'checking'", (each,))
            if claims < ATTEMPTS_TO_CHECK:
                self.move(each, "received", actor="intake")
            else:
                self.move(each, "rejected", "check_failed", f"the check broke off {claims} times", actor="intake")
        self._sweep()
        return [self.submission(each) for each in checking]

    def submission(self, id: str) -> Submission:
        """One submission. Raises `UsageError` where there is none."""
        rows = self.rows("SELECT * FROM submissions WHERE id = ?", (id,))
        if not rows:
            raise UsageError(f"no submission {line(id, 40)!r}")
        return _submission(rows[0])

    def token_of(self, id: str) -> str:
        """The id of the token that sent a submission. Raises `UsageError` where there is no such submission."""
        rows = self.rows("SELECT token FROM submissions WHERE id = ?", (self.submission(id).id,))
        return str(rows[0]["token"])

    def submissions(self, state: State | None = None, limit: int = 50, before: str | None = None) -> list[Submission]:
        """The newest submissions, in one state where one is named; `before` is the id of one: those that are older."""
        rows = self.rows(
            "SELECT * FROM submissions WHERE state = coalesce(?, state) AND number <"
            " coalesce((SELECT number FROM submissions WHERE id = ?), 9223372036854775807)"
            " ORDER BY number DESC LIMIT ?",
            (state, before, limit),
        )
        return [_submission(row) for row in rows]

    def of_run(self, run: str) -> list[Submission]:
        """Every submission of the run with that content id, the oldest first."""
        rows = self.rows("SELECT * FROM submissions WHERE run = ? AND run != '' ORDER BY number", (run,))
        return [_submission(row) for row in rows]

    def of_file(self, id: str) -> list[Submission]:
        """Every other submission of the very bytes of this one, as they were sent or unpacked, the newest first."""
        rows = self.rows(
            "SELECT other.* FROM submissions AS own JOIN submissions AS other ON other.id != own.id"
            " WHERE own.id = ? AND (other.sha256 = own.sha256 OR EXISTS (SELECT 1 FROM events WHERE"
            " submission = other.id AND state = 'received' AND"
            " detail = 'sha256 ' || own.sha256 || ', ' || own.size || ' bytes')) ORDER BY other.number DESC",
            (id,),
        )
        return [_submission(row) for row in rows]

    def waiting_runs(self) -> list[tuple[str, str]]:
        """The run and the id of each submission that waits, the newest first."""
        rows = self.rows("SELECT run, id FROM submissions WHERE state = 'waiting' AND run != '' ORDER BY number DESC")
        return [(row["run"], row["id"]) for row in rows]

    def checked_by(self, id: str) -> str:
        """What the log says of the program that checked a submission last; "" where none did."""
        rows = self.rows(
            "SELECT detail FROM events WHERE submission = ? AND state = 'checking' ORDER BY number DESC LIMIT 1", (id,)
        )
        return str(rows[0]["detail"]) if rows else ""

    def events(self, id: str | None = None, limit: int = 50, before: int | None = None) -> list[Event]:
        """The newest events, of one submission where one is named; `before` is a number: those that are older."""
        rows = self.rows(
            "SELECT * FROM events WHERE submission = coalesce(?, submission)"
            " AND number < coalesce(?, 9223372036854775807) ORDER BY number DESC LIMIT ?",
            (id, before, limit),
        )
        return [Event(*row) for row in rows]

    def chain(self) -> Iterator[Event]:
        """Every event, from the oldest on."""
        last = 0
        while rows := self.rows("SELECT * FROM events WHERE number > ? ORDER BY number LIMIT 1000", (last,)):
            yield from (Event(*row) for row in rows)
            last = rows[-1]["number"]

    def states(self) -> dict[str, State]:
        """Submission -> its state."""
        return {row["id"]: row["state"] for row in self.rows("SELECT id, state FROM submissions")}

    def counts(self) -> dict[State, int]:
        """State -> how many submissions are in it."""
        found = dict(map(tuple, self.rows("SELECT state, count(*) FROM submissions GROUP BY state")))
        return {state: found.get(state, 0) for state in STATES}

    def upload_path(self, id: str) -> Path:
        """Where a submission's file lies. Raises `UsageError` where that is no id."""
        if not ID.fullmatch(id):
            raise UsageError(f"no submission {line(id, 40)!r}")
        return self.board / UPLOADS / id

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start. Raises `DeskError`."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise DeskError(_explain(self.board, error)) from error
        finally:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    def rows(self, sql: str, values: tuple[str | int | None, ...] = ()) -> list[sqlite3.Row]:
        """What a query gives. Raises `DeskError`."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise DeskError(_explain(self.board, error)) from error

    def _move(
        self,
        id: str,
        state: State,
        reason: str,
        detail: str,
        actor: str,
        facts: Mapping[str, str | int],
    ) -> None:
        """`move` within a transaction."""
        found = self.submission(id)
        if state not in FOLLOWING[found.state]:
            raise UsageError(f"submission {id} is {found.state} and cannot be {state}")
        if bool(reason) != (state in ("rejected", "declined")) or (reason and reason not in REASONS):
            raise UsageError(
                f"{state} with the reason {line(reason, 40)!r}: a refusal, and only that, has one of {ALL}"
            )
        known = _facts(facts)
        known |= {"state": state, "reason": reason, "detail": line(detail)}
        if known.get("model") and found.attempt is None:
            # This one has no model yet, so it does not count itself.
            ((before,),) = self.rows(
                "SELECT count(*) FROM submissions WHERE sender = ? AND model = ?", (found.sender, known["model"])
            )
            known["attempt"] = before + 1
        named = ", ".join(f"{column} = ?" for column in known)
        self._connection.execute(f"UPDATE submissions SET {named} WHERE id = ?", (*known.values(), id))  # noqa: S608 - columns are ours
        self._log(id, state, reason, line(detail), actor, stamp())

    def _log(self, id: str, state: State, reason: str, detail: str, actor: str, at: str) -> None:
        newest = self.events(limit=1)
        number, previous = (newest[0].number + 1, newest[0].hash) if newest else (1, log.ORIGIN)
        said = name(actor, "who does this")
        event = log.sealed(Event(number, at, id, state, reason, detail, said, previous, ""))
        self._connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(event))

    def _drop(self, ended: Submission) -> None:
        """Removes the file of a submission that ended; of an accepted one only once the board has its run."""
        kept = self.board / RUNS / f"{ended.run}.run.db"
        if ended.state != "accepted" or (ended.run and kept.is_file()):
            uploads.drop(self.upload_path(ended.id))

    def _sweep(self) -> None:
        ended = {row["id"] for row in self.rows("SELECT id FROM submissions WHERE state NOT IN (?, ?, ?)", OPEN)}
        for each in ended:
            self._drop(self.submission(each))
        known = {row["id"] for row in self.rows("SELECT id FROM submissions")}
        uploads.sweep(self.board / UPLOADS, known)

    def close(self) -> None:
        """Lets go of the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _facts(facts: Mapping[str, str | int]) -> dict[str, str | int]:
    """What was said of a submission, checked: nothing else than `FACTS`, of the right type and length."""
    made: dict[str, str | int] = {}
    for column, value in facts.items():
        if column not in FACTS or type(value) is not FACTS[column]:
            raise UsageError(f"nothing is kept as {line(column, 40)!r} of a submission but {', '.join(FACTS)}")
        made[column] = line(value, LONGEST_FACT) if isinstance(value, str) else max(0, min(value, 2**53))
    if made.get("badge", "") not in ("", *LADDER):
        raise UsageError(f"no badge {made['badge']!r}; there are {', '.join(LADDER)}")
    return made


def _submission(row: sqlite3.Row) -> Submission:
    values: dict[str, Any] = {each.name: row[each.name] for each in fields(Submission)}
    return Submission(**values)


def _explain(board: Path, error: OSError | sqlite3.Error) -> str:
    """What went wrong, for somebody who wants to go on."""
    # SQLite needs a file beside its own even to read.
    full = getattr(error, "sqlite_errorname", "") in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
    if full or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return f"no room left on the disk of {board}; make room and try again"
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"the desk of {board} is busy; try again in a moment"
    said = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot use the desk of {board}: {said}"
