"""The run file: one SQLite file holds a run whole, and survives SIGKILL with everything that was committed.

WAL and `synchronous=NORMAL`: a killed process loses nothing committed; a power cut may lose the last commits. A closed
run is one file without a WAL beside it.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import portalocker

from bench.records import BenchError, Cell, Mode, Request, Response, Score, UsageError

APPLICATION_ID = 0x42454E43  # "BENC"
VERSION = 1
SUFFIX = ".run.db"

SCHEMA = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE invocations (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, ended TEXT, outcome TEXT, command_line TEXT NOT NULL,
    versions TEXT NOT NULL, hardware TEXT NOT NULL) STRICT;
CREATE TABLE datasets (
    dataset TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, locked INTEGER NOT NULL,
    PRIMARY KEY (dataset, file)) STRICT;
CREATE TABLE samples (id TEXT PRIMARY KEY, hash TEXT NOT NULL, cluster TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sample TEXT NOT NULL REFERENCES samples(id),
    mode TEXT NOT NULL, prompt TEXT, prompt_language TEXT NOT NULL, shots INTEGER NOT NULL) STRICT;
CREATE TABLE responses (
    request TEXT PRIMARY KEY REFERENCES requests(id), status TEXT NOT NULL, finish TEXT NOT NULL, text TEXT NOT NULL,
    loglikelihoods TEXT, reason TEXT NOT NULL, prompt_tokens INTEGER, output_tokens INTEGER, seconds REAL,
    received REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE scores (
    request TEXT NOT NULL REFERENCES requests(id), metric TEXT NOT NULL, outcome TEXT NOT NULL,
    statistics TEXT NOT NULL, PRIMARY KEY (request, metric)) STRICT, WITHOUT ROWID;
CREATE TABLE cells (position INTEGER PRIMARY KEY, cell TEXT NOT NULL) STRICT;
"""

# An error is infrastructure: it is asked again, and only an error is ever written over.
RECORD = """
INSERT INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request) DO UPDATE SET
    status = excluded.status, finish = excluded.finish, text = excluded.text, loglikelihoods = excluded.loglikelihoods,
    reason = excluded.reason, prompt_tokens = excluded.prompt_tokens, output_tokens = excluded.output_tokens,
    seconds = excluded.seconds, received = excluded.received
WHERE responses.status = 'error'
"""


class RunFileError(BenchError):
    """The run file cannot be read or written. The message is one line and names the file."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs the same run: a run file refuses any other."""

    model: str
    revision: str
    template: str
    decoding: str


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What a run keeps of a sample: the hash of its content, gold included, and the passage that it shares, if any."""

    hash: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A request as it is planned. `prompt` is None where its text may not be kept."""

    request: Request
    sample: SampleFacts
    prompt: str | None


class RunFile:
    """An open run file. One process writes it; any number read it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: portalocker.Lock[IO[bytes]] | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, identity: Identity) -> Self:
        """Opens the run for writing, or starts it.

        Raises `UsageError` where the file is another run's, damaged, newer than the program, or in use.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot write in {path.parent}: {error.strerror}") from error
        # The lock is on the file itself: flock knows nothing of the record locks that SQLite takes on it.
        lock = portalocker.Lock(path, "ab", timeout=0, flags=portalocker.LOCK_EX | portalocker.LOCK_NB)
        try:
            lock.acquire()
        except portalocker.exceptions.LockException as error:
            raise UsageError(f"another process is writing {path}; wait for it, or give another --output") from error
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        with contextlib.ExitStack() as undo:
            undo.callback(lock.release)
            run = cls(path, _connect(path, write=True), lock)
            run._check_identity(identity)
            undo.pop_all()
        return run

    @classmethod
    def read(cls, path: Path) -> Self:
        """Opens the run for reading only. Raises `UsageError` where there is no such run."""
        if not path.is_file():
            raise UsageError(f"no run file {path}; `python -m bench list runs` shows those in a folder")
        return cls(path, _connect(path, write=False), None)

    def _check_identity(self, identity: Identity) -> None:
        found = self.manifest()
        if not found:
            with self._writing() as connection:
                connection.executemany(
                    "INSERT INTO manifest VALUES (?, ?)",
                    [(key, json.dumps(value)) for key, value in {**asdict(identity), "format": VERSION}.items()],
                )
            return
        for key, value in asdict(identity).items():
            if found[key] != value:
                self._connection.close()
                raise UsageError(
                    f"{self.path} holds a run of another {key} ({found[key]}, now {value}); give another --output"
                )

    def manifest(self) -> dict[str, Any]:
        """What the run is of: model, revision, template, decoding, format."""
        return {key: json.loads(value) for key, value in self._query("SELECT key, value FROM manifest")}

    def identity(self) -> Identity:
        """What makes this run the run it is."""
        found = self.manifest()
        if not found:
            raise UsageError(f"{self.path} holds no run yet; start it again")
        return Identity(found["model"], found["revision"], found["template"], found["decoding"])

    def begin(self, command_line: Sequence[str], versions: Mapping[str, str], hardware: Mapping[str, Any]) -> int:
        """Notes that the program works on this run now; returns the invocation's number."""
        with self._writing() as connection:
            row = (_now(), json.dumps(command_line), json.dumps(versions), json.dumps(hardware))
            cursor = connection.execute(
                "INSERT INTO invocations (started, command_line, versions, hardware) VALUES (?, ?, ?, ?)", row
            )
        return cursor.lastrowid or 0

    def end(self, invocation: int, outcome: str) -> None:
        """Notes how an invocation ended."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE invocations SET ended = ?, outcome = ? WHERE id = ?", (_now(), outcome, invocation)
            )

    def invocations(self) -> list[dict[str, Any]]:
        """Every time that the program worked on this run."""
        names = ("started", "ended", "outcome", "command_line", "versions", "hardware")
        return [
            {name: json.loads(value) if name in names[3:] else value for name, value in zip(names, row, strict=True)}
            for row in self._query(f"SELECT {', '.join(names)} FROM invocations ORDER BY id")  # noqa: S608
        ]

    def add_datasets(self, rows: Iterable[tuple[str, str, str, bool]]) -> None:
        """Adds (dataset, file, SHA-256, locked) of what was read.

        Raises `UsageError` where a file differs from the one that the run was made with.
        """
        known = {(dataset, file): sha for dataset, file, sha, _ in self.datasets()}
        fresh = []
        for dataset, file, sha, locked in rows:
            if known.get((dataset, file), sha) != sha:
                raise UsageError(
                    f"{dataset}/{file} is not the one that {self.path} was made with; give another --output"
                )
            fresh.append((dataset, file, sha, int(locked)))
        with self._writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO datasets VALUES (?, ?, ?, ?)", fresh)

    def datasets(self) -> list[tuple[str, str, str, bool]]:
        """(dataset, file, SHA-256, locked) of everything that the run read."""
        rows = self._query("SELECT dataset, file, sha256, locked FROM datasets ORDER BY dataset, file")
        return [(dataset, file, sha, bool(locked)) for dataset, file, sha, locked in rows]

    def add_plan(self, planned: Iterable[Planned]) -> None:
        """Adds requests; those that the file has already stay as they are.

        Cells of the plan as it was go: they no longer say what the file holds.
        """
        with self._writing() as connection:
            before = connection.total_changes
            for one in planned:
                request, known = one.request, one.sample
                sample = (request.sample, known.hash, known.cluster)
                connection.execute("INSERT OR IGNORE INTO samples VALUES (?, ?, ?)", sample)
                connection.execute(
                    "INSERT OR IGNORE INTO requests (id, sample, mode, prompt, prompt_language, shots)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (request.id, request.sample, request.mode, one.prompt, request.prompt_language, request.shots),
                )
            if connection.total_changes > before:
                connection.execute("DELETE FROM cells")

    def answered(self) -> set[str]:
        """The ids of requests that need no asking again."""
        return {row[0] for row in self._query("SELECT request FROM responses WHERE status <> 'error'")}

    def record(self, responses: Sequence[Response]) -> None:
        """Writes a group of responses in one transaction. Raises `RunFileError`, then nothing of the group is kept."""
        received = time.time()
        rows = [
            (
                *(answer.request, answer.status, answer.finish, answer.text),
                json.dumps(answer.loglikelihoods) if answer.loglikelihoods else None,
                *(answer.reason, answer.prompt_tokens, answer.output_tokens, answer.seconds, received),
            )
            for answer in responses
        ]
        with self._writing() as connection:
            connection.executemany(RECORD, rows)
            connection.execute("DELETE FROM cells")  # they no longer say what the file holds

    def planned(self) -> list[tuple[str, str, Mode, str, int]]:
        """(request, sample, mode, prompt language, shots) of every request, in plan order."""
        return self._query("SELECT id, sample, mode, prompt_language, shots FROM requests ORDER BY position")

    def prompts(self) -> dict[str, str | None]:
        """Request -> its prompt, None where the licence keeps the text out of the file."""
        return dict(self._query("SELECT id, prompt FROM requests"))

    def samples(self) -> dict[str, SampleFacts]:
        """Sample id -> what the run keeps of it."""
        return {name: SampleFacts(*facts) for name, *facts in self._query("SELECT id, hash, cluster FROM samples")}

    def responses(self) -> Iterator[Response]:
        """Every recorded response, in plan order."""
        rows = self._query(
            "SELECT request, status, finish, text, loglikelihoods, reason, prompt_tokens, output_tokens, seconds"
            " FROM requests JOIN responses ON responses.request = requests.id ORDER BY position"
        )
        for request, status, finish, text, loglikelihoods, reason, prompt_tokens, output_tokens, seconds in rows:
            scored = tuple(json.loads(loglikelihoods)) if loglikelihoods else ()
            yield Response(request, status, text, scored, finish, reason, prompt_tokens, output_tokens, seconds)

    def replace_scores(self, scores: Iterable[Score], cells: Iterable[Cell]) -> None:
        """Puts the scores and cells in place of any that are there, in one transaction."""
        with self._writing() as connection:
            connection.execute("DELETE FROM scores")
            connection.execute("DELETE FROM cells")
            connection.executemany(
                "INSERT INTO scores VALUES (?, ?, ?, ?)",
                ((score.request, score.metric, score.outcome, json.dumps(score.statistics)) for score in scores),
            )
            connection.executemany(
                "INSERT INTO cells (cell) VALUES (?)", ((json.dumps(asdict(cell)),) for cell in cells)
            )

    def scores(self) -> list[Score]:
        """Every score, in plan order."""
        rows = self._query(
            "SELECT request, metric, outcome, statistics FROM requests JOIN scores ON scores.request = requests.id"
            " ORDER BY position, metric"
        )
        return [Score(request, metric, outcome, tuple(json.loads(made))) for request, metric, outcome, made in rows]

    def cells(self) -> list[Cell]:
        """Every cell, in plan order; none before the run was scored."""
        return [Cell(**json.loads(cell)) for (cell,) in self._query("SELECT cell FROM cells ORDER BY position")]

    def copy(self, target: Path) -> None:
        """A consistent copy, also of a run that is being written. Raises `RunFileError`."""
        try:
            with contextlib.closing(sqlite3.connect(target)) as copied:
                self._connection.backup(copied)
                copied.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:
            raise RunFileError(_explain(target, error)) from error

    def _query(self, sql: str) -> list[Any]:
        try:
            return self._connection.execute(sql).fetchall()
        except sqlite3.DatabaseError as error:
            raise RunFileError(_explain(self.path, error)) from error

    def _writing(self) -> _Transaction:
        return _Transaction(self.path, self._connection)

    def close(self) -> None:
        """Folds the WAL into the file and lets go of it."""
        try:
            if self._lock:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            pass  # no room left, or a reader holds on: the WAL stays beside the file and the next opening folds it in
        finally:
            self._connection.close()
            if self._lock:
                self._lock.release()  # after SQLite: closing any descriptor of the file drops its locks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Transaction:
    """A sqlite3 transaction whose failures name the file and say what to do."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        return self._connection.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._connection.__exit__(kind, error, trace)
        except sqlite3.DatabaseError as failed:
            raise RunFileError(_explain(self._path, failed)) from failed
        if isinstance(error, sqlite3.DatabaseError):
            raise RunFileError(_explain(self._path, error)) from error


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Opens and checks the file. A new or empty one gets the schema when it may be written."""
    try:
        connection = sqlite3.connect(
            path if write else f"{path.resolve().as_uri()}?mode=ro", uri=not write, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise UsageError(f"cannot open {path}: {error}") from error
    try:
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
            raise UsageError(
                f"{path} was written by a newer version of this program (format {version}, known {VERSION})"
            )
        (health,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(health.splitlines()[-1])
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA busy_timeout = 5000")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise UsageError(_explain(path, error)) from error
    except UsageError:
        connection.close()
        raise
    return connection


UNREADABLE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, ZeroDivisionError),
    sqlite3.DatabaseError,
)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong over rows of another shape into one line.

    What SQLite finds whole may still hold them: edited by hand, or from another program. Raises `UsageError`.
    """
    try:
        yield
    except UNREADABLE as error:
        raise UsageError(
            f"{path} does not read as a run of this program ({error}); run again, or rescore it"
        ) from error


def _explain(path: Path, error: sqlite3.DatabaseError) -> str:
    """What an SQLite error means for somebody who wants to go on."""
    text = str(error)
    if "full" in text:
        return f"no room left on the disk of {path}: what was answered so far is safe; make room and run again"
    if "readonly" in text or "unable to open" in text:
        return f"cannot write {path}: permission denied"
    if "locked" in text:
        return f"{path} is held by another program: {text}"
    if "malformed" in text or "not a database" in text or "rror in file" in text:
        return f"{path} is damaged or cut short ({text}); restore a copy; a run can also begin anew in another file"
    return f"{path}: {text}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
