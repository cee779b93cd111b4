"""The run file: one SQLite file holds a run whole, and survives SIGKILL with everything that was committed.

WAL and `synchronous=NORMAL`: a killed process loses nothing committed; a power cut may lose the last commits. A closed
run is one file without a WAL beside it.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, replace
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import portalocker

from bench.prices import Price
from bench.records import BenchError, Cell, Mode, Response, Score, UsageError
from bench.runfile_records import Answer, Identity, Place, Planned, SampleFacts
from bench.runfile_schema import VERSION, connect, explain

SUFFIX = ".run.db"
PARAMETERS = 500
"""Values in one statement; SQLite takes 999 at least."""

COLUMNS = (
    *("status", "finish", "text", "loglikelihoods", "reason", "prompt_tokens", "output_tokens", "seconds", "received"),
    *("reasoning", "reasoning_tokens", "cached_tokens", "attempts", "cost", "counted"),
)

# An error is infrastructure: it is asked again, and only an error is ever written over.
RECORD = f"""
INSERT INTO responses (request, {", ".join(COLUMNS)}) VALUES (?{", ?" * len(COLUMNS)})
ON CONFLICT (request) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
WHERE responses.status = 'error'
"""  # noqa: S608 - names of columns, and nothing else

RESPONSE = (
    "requests.id, status, text, loglikelihoods, finish, reason, prompt_tokens, output_tokens, seconds, reasoning, "
    "reasoning_tokens, cached_tokens, attempts"
)


class RunFileError(BenchError):
    """The run file cannot be read or written. The message is one line and names the file."""


class RunFile:
    """An open run file. One process writes it; any number read it."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: portalocker.Lock[IO[bytes]] | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock
        self._places: dict[tuple[str | int, ...], int] = {}
        self._turn = threading.RLock()  # the recorder writes while the plan is read on
        self.notes: MutableMapping[str, str] = _Notes(self)

    @classmethod
    def open(cls, path: Path, identity: Identity | None) -> Self:
        """Opens the run for writing, or starts it; without an identity, whatever run the file holds.

        A file of an older version is brought up to date. Raises `UsageError` where the file is another run's, damaged,
        newer than the program, or in use.
        """
        if identity is None:
            cls._refuse_none(path)
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
            run = cls(path, connect(path, write=True), lock)
            run._check_identity(identity or run.identity())
            undo.pop_all()
        return run

    @classmethod
    def read(cls, path: Path) -> Self:
        """Opens the run for reading only. Raises `UsageError` where there is no such run."""
        cls._refuse_none(path)
        return cls(path, connect(path, write=False), None)

    @staticmethod
    def _refuse_none(path: Path) -> None:
        if not path.is_file():
            raise UsageError(f"no run file {path}; `python -m bench list runs` shows those in a folder")

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

    def describe(self, key: str, value: object) -> None:
        """Keeps something else of the model in the manifest, in place of what was there: its facts, its price."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO manifest VALUES (?, ?)", (key, json.dumps(value)))

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
        if not self._places:
            self._places = {_where(place): place.id for place in self.places()}
        places = dict(self._places)  # a transaction that fails leaves none behind
        with self._writing() as connection:
            before = connection.total_changes
            for one in planned:
                request, known = one.request, one.sample
                # The sample's id has the task's version in it, which the request does not.
                where = (
                    *(request.sample.partition("/")[0], request.language, request.variety),
                    *(request.mode, request.prompt_language, request.shots),
                )
                if where not in places:
                    cursor = connection.execute(
                        "INSERT INTO places (task, language, variety, mode, prompt_language, shots)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        where,
                    )
                    places[where] = cursor.lastrowid or 0
                sample = (request.sample, known.hash, known.cluster)
                connection.execute("INSERT OR IGNORE INTO samples VALUES (?, ?, ?)", sample)
                connection.execute(
                    "INSERT OR IGNORE INTO requests (id, sample, place, repeat, prompt) VALUES (?, ?, ?, ?, ?)",
                    (request.id, request.sample, places[where], request.repeat, one.prompt),
                )
            if connection.total_changes > before:
                connection.execute("DELETE FROM cells")
        self._places = places

    def places(self) -> list[Place]:
        """Everything that cells are about, in the order in which it was first planned."""
        rows = self._query("SELECT id, task, language, variety, mode, prompt_language, shots FROM places ORDER BY id")
        return [Place(*row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many requests are planned, and how many of them need no asking again."""
        ((planned,),) = self._query("SELECT count(*) FROM requests")
        ((answered,),) = self._query("SELECT count(*) FROM responses WHERE status <> 'error'")
        return planned, answered

    def answered(self, requests: Sequence[str] | None = None) -> set[str]:
        """The ids of requests that need no asking again; of all, or of those given."""
        if requests is None:
            return {row[0] for row in self._query("SELECT request FROM responses WHERE status <> 'error'")}
        return self._those("status <> 'error'", requests)

    def usable(self, requests: Sequence[str]) -> set[str]:
        """The ids of those requests that got an answer."""
        return self._those("status = 'ok'", requests)

    def _those(self, condition: str, requests: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for at in range(0, len(requests), PARAMETERS):
            some = requests[at : at + PARAMETERS]
            marks = ",".join("?" * len(some))
            sql = f"SELECT request FROM responses WHERE {condition} AND request IN ({marks})"  # noqa: S608
            found.update(row[0] for row in self._query(sql, some))
        return found

    def spent(self, price: Price | None) -> float:
        """What counts as spent on the recorded answers; those that were given without a price cost this one."""
        ((counted,),) = self._query("SELECT total(counted) FROM responses")
        ((prompts, outputs, cached),) = self._query(
            "SELECT total(prompt_tokens), total(output_tokens), total(cached_tokens) FROM responses"
            " WHERE counted IS NULL AND status = 'ok'"
        )
        unpriced = Response("", "ok", prompt_tokens=int(prompts), output_tokens=int(outputs), cached_tokens=int(cached))
        return float(counted) + ((replace(price, up_to=None).of(unpriced) or 0.0) if price else 0.0)

    def record(self, responses: Iterable[Response], costs: Iterable[tuple[float | None, float | None]] = ()) -> None:
        """Writes a group of responses in one transaction, each with its cost and what counts as spent, where given.

        Raises `RunFileError`, then nothing of the group is kept.
        """
        received = time.time()
        rows = [
            (
                *(answer.request, answer.status, answer.finish, answer.text),
                json.dumps(answer.loglikelihoods) if answer.loglikelihoods else None,
                *(answer.reason, answer.prompt_tokens, answer.output_tokens, answer.seconds, received),
                *(answer.reasoning, answer.reasoning_tokens, answer.cached_tokens, answer.attempts, *cost),
            )
            for answer, cost in zip(responses, chain(costs, repeat((None, None))), strict=False)
        ]
        with self._writing() as connection:
            connection.executemany(RECORD, rows)
            connection.execute("DELETE FROM cells")  # they no longer say what the file holds

    def planned(self) -> list[tuple[str, str, Mode, str, int]]:
        """(request, sample, mode, prompt language, shots) of every request, in plan order."""
        return self._query(
            "SELECT requests.id, sample, mode, prompt_language, shots FROM requests"
            " JOIN places ON places.id = requests.place ORDER BY position"
        )

    def prompts(self, place: Place) -> dict[str, str | None]:
        """Request -> its prompt, None where the licence keeps the text out of the file; of one place."""
        return dict(self._query("SELECT id, prompt FROM requests WHERE place = ?", (place.id,)))

    def samples(self) -> dict[str, SampleFacts]:
        """Sample id -> what the run keeps of it."""
        return {name: SampleFacts(*facts) for name, *facts in self._query("SELECT id, hash, cluster FROM samples")}

    def responses(self) -> Iterator[Response]:
        """Every recorded response, in plan order."""
        rows = self._query(
            f"SELECT {RESPONSE} FROM requests JOIN responses ON responses.request = requests.id"  # noqa: S608
            " ORDER BY position"
        )
        yield from (_response(*row) for row in rows)

    def answers(self, place: Place) -> list[Answer]:
        """Every request of one place in plan order, with its answer."""
        rows = self._query(
            f"SELECT sample, hash, cluster, repeat, requests.id, cost, {RESPONSE} FROM requests"  # noqa: S608
            " JOIN samples ON samples.id = requests.sample"
            " LEFT JOIN responses ON responses.request = requests.id WHERE place = ? ORDER BY position",
            (place.id,),
        )
        return [
            Answer(
                sample,
                SampleFacts(digest, cluster),
                repeat_number,
                _response(*row) if row[1] is not None else None,
                request,
                cost,
            )
            for sample, digest, cluster, repeat_number, request, cost, *row in rows
        ]

    @contextlib.contextmanager
    def rescoring(self) -> Iterator[Callable[[Iterable[Score], Iterable[Cell]], None]]:
        """One transaction in which scores and cells take the place of those that are there.

        What it yields adds the scores and cells of one place; where anything fails, the old ones stay.
        """
        with self._writing() as connection:
            connection.execute("DELETE FROM scores")
            connection.execute("DELETE FROM cells")

            def keep(scores: Iterable[Score], cells: Iterable[Cell]) -> None:
                connection.executemany(
                    "INSERT INTO scores VALUES (?, ?, ?, ?)",
                    ((score.request, score.metric, score.outcome, json.dumps(score.statistics)) for score in scores),
                )
                connection.executemany(
                    "INSERT INTO cells (cell) VALUES (?)", ((json.dumps(asdict(cell)),) for cell in cells)
                )

            yield keep

    def scores(self, place: Place | None = None) -> list[Score]:
        """Every score in plan order, or every score of one place."""
        rows = self._query(
            "SELECT request, metric, outcome, statistics FROM requests JOIN scores ON scores.request = requests.id"
            " WHERE ?1 IS NULL OR place = ?1 ORDER BY position, metric",
            (place.id if place else None,),
        )
        return [Score(request, metric, outcome, tuple(json.loads(made))) for request, metric, outcome, made in rows]

    def cells(self) -> list[Cell]:
        """Every cell, in plan order; none before the run was scored."""
        return [Cell(**json.loads(cell)) for (cell,) in self._query("SELECT cell FROM cells ORDER BY position")]

    def add_window(self, window: str) -> None:
        """Keeps a window of measured energy, as JSON (`bench.energy.keeping`)."""
        with self._writing() as connection:
            connection.execute("INSERT INTO windows (window) VALUES (?)", (window,))

    def windows(self) -> list[str]:
        """Every window as JSON, in the order of measuring."""
        return [window for (window,) in self._query("SELECT window FROM windows ORDER BY position")]

    def copy(self, target: Path) -> None:
        """A consistent copy, also of a run that is being written. Raises `RunFileError`."""
        try:
            with contextlib.closing(sqlite3.connect(target)) as copied:
                self._connection.backup(copied)
                copied.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:
            raise RunFileError(explain(target, error)) from error

    def _query(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            with self._turn:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise RunFileError(explain(self.path, error)) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction whose failures name the file and say what to do."""
        try:
            with self._turn, self._connection:
                yield self._connection
        except sqlite3.DatabaseError as error:
            raise RunFileError(explain(self.path, error)) from error

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


class _Notes(MutableMapping[str, str]):
    """What a backend keeps in the run file from one invocation to the next; on disk as soon as it is written."""

    def __init__(self, run: RunFile) -> None:
        self._run = run

    def __getitem__(self, key: str) -> str:
        rows = self._run._query("SELECT value FROM notes WHERE key = ?", (key,))
        if not rows:
            raise KeyError(key)
        (value,) = rows[0]
        return str(value)

    def __setitem__(self, key: str, value: str) -> None:
        with self._run._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def __delitem__(self, key: str) -> None:
        self[key]  # raises KeyError where there is none
        with self._run._writing() as connection:
            connection.execute("DELETE FROM notes WHERE key = ?", (key,))

    def __iter__(self) -> Iterator[str]:
        return iter([key for (key,) in self._run._query("SELECT key FROM notes ORDER BY key")])

    def __len__(self) -> int:
        return len(list(iter(self)))


def _where(place: Place) -> tuple[str | int, ...]:
    return (place.task, place.language, place.variety, place.mode, place.prompt_language, place.shots)


def _response(request: str, status: Any, text: str, loglikelihoods: str | None, finish: Any, *rest: Any) -> Response:
    return Response(request, status, text, tuple(json.loads(loglikelihoods)) if loglikelihoods else (), finish, *rest)


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


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
