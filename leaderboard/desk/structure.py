"""Whether an upload is a run file as this program writes them, before anything reads it as one.

What a file declares is code: SQLite runs its views, triggers and expressions. So the tables have to be those of a fresh
run file, word for word. Nothing is read into memory before its size is known to be bounded.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import sqlite3
import stat
import time
import zlib
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec

from bench.records import UsageError
from bench.runfile_schema import APPLICATION_ID, SCHEMA, VERSION
from leaderboard.desk.limits import DEFAULT, Limits
from leaderboard.desk.records import line

MAGIC = b"SQLite format 3\0"
HEADER = 100
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
_TAR = slice(257, 262), b"ustar"

ROWS = {
    "manifest": 100,
    "invocations": 100_000,
    "datasets": 100_000,
    "notes": 1_000_000,
    "places": 100_000,
    "samples": 10_000_000,
    "requests": 20_000_000,
    "responses": 20_000_000,
    "scores": 100_000_000,
    "cells": 500_000,
    "windows": 1_000_000,
}
"""How many rows a table may have."""

JSON = {
    ("manifest", "value"): 8 << 20,
    ("windows", "window"): 1 << 20,
    ("cells", "cell"): 1 << 16,
    ("scores", "statistics"): 1 << 16,
    ("responses", "loglikelihoods"): 1 << 16,
    ("invocations", "command_line"): 1 << 20,
    ("invocations", "versions"): 1 << 16,
    ("invocations", "hardware"): 1 << 16,
}
"""The columns that hold JSON, and the longest text of each in bytes."""

KINDS: dict[tuple[str, str], Any] = {
    ("windows", "window"): dict[str, Any],
    ("cells", "cell"): dict[str, Any],
    ("scores", "statistics"): list[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]],
    ("responses", "loglikelihoods"): list[float],
    ("invocations", "command_line"): list[str],
    ("invocations", "versions"): dict[str, str],
    ("invocations", "hardware"): dict[str, Any],
}
"""What the JSON of a column is, where it is always the same."""

FREE_TEXT = {
    ("requests", "prompt"): 8 << 20,
    ("responses", "text"): 8 << 20,
    ("responses", "reasoning"): 8 << 20,
    ("notes", "value"): 8 << 20,
}
"""The columns of what models and data write, so that it may hold any character, and the longest text in bytes."""

LENGTHS = {**JSON, **FREE_TEXT}
OTHER_LENGTH = 4 << 10
"""The longest text of every other column in bytes."""

DEPTH = 24
"""How deep lists and objects may lie in each other."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}"]', re.DOTALL)
_COUNTS = re.compile(rb"\[(?:-?[0-9]{1,18}(?:, -?[0-9]{1,18})*)?\]")
_CHUNK = 1 << 20


class Refused(UsageError):
    """The upload is not taken. `reason` is the code (`leaderboard.desk.records.REASONS`), the message one line."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(line(message))  # SQLite's own words may quote the file
        self.reason = reason


def check(path: Path, limits: Limits = DEFAULT) -> None:
    """Raises `Refused` unless the file is a whole run file of this version and every text in it is bounded."""
    _check_header(path, limits)
    try:
        with contextlib.closing(_open(path, limits)) as connection:
            _check_schema(connection)
            _check_health(connection)
            _check_rows(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # names, and SQLite's own words of them, may be no UTF-8
        if "interrupted" in str(error):
            raise Refused("check_timeout", "reading the file takes longer than a check may") from error
        raise Refused("bad_file", f"the file is damaged or cut short: {error}; upload a whole copy") from error


def packing(path: Path) -> str:
    """How a file is packed by its first bytes; "" where it is a database or nothing that is known."""
    with path.open("rb") as file:
        start = file.read(512)
    if start[_TAR[0]] == _TAR[1]:
        return "tar"
    return next((name for magic, name in _PACKED.items() if start.startswith(magic)), "")


def unpack(path: Path, target: Path, limits: Limits = DEFAULT) -> None:
    """Unpacks gzip into a new file, counting bytes: what a packed file says of its size is not believed.

    Raises `Refused` for what unpacks beyond the limits, and for what is no whole gzip stream.
    """
    packed, unpacked = 0, 0
    decoder = zlib.decompressobj(wbits=31)
    try:
        with path.open("rb") as source, target.open("xb") as made:
            while not decoder.eof:
                chunk = decoder.unconsumed_tail
                if not chunk:
                    chunk = source.read(_CHUNK)
                    packed += len(chunk)
                if not chunk:
                    raise Refused("bad_file", "the gzip stream is cut short; upload the file again")
                made_now = decoder.decompress(chunk, _CHUNK)
                unpacked += len(made_now)
                if unpacked > limits.size:
                    raise _too_large(limits)
                if unpacked > limits.ratio * (packed + _CHUNK):
                    raise Refused(
                        "bad_file", f"the file unpacks to more than {limits.ratio} times its size; upload it unpacked"
                    )
                made.write(made_now)
            if decoder.unused_data or source.read(1):
                raise Refused("bad_file", "something follows the gzip stream; upload the run file alone")
    except zlib.error as error:
        raise Refused("bad_file", f"the gzip stream is damaged ({error}); upload the file again") from error


def _too_large(limits: Limits) -> Refused:
    return Refused("too_large", f"the run file has more than {limits.size:,} bytes, the most that is taken")


def _check_header(path: Path, limits: Limits) -> None:
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise Refused("bad_file", "the upload is no regular file")
    if state.st_size > limits.size:
        raise _too_large(limits)
    with path.open("rb") as file:
        head = file.read(HEADER)
    if not head:
        raise Refused("bad_file", "the file is empty; upload the file FILE.run.db that a run has written")
    if kind := packing(path):
        raise Refused("bad_file", f"the file is packed ({kind}); upload the run file itself, or packed with gzip")
    if len(head) < HEADER or not head.startswith(MAGIC):
        raise Refused("bad_file", "the file is no SQLite database; upload the file FILE.run.db that a run has written")
    application, version = int.from_bytes(head[68:72]), int.from_bytes(head[60:64])
    if application != APPLICATION_ID:
        raise Refused("wrong_structure", "the file is a database of another program, not a run file")
    if version != VERSION:
        raise Refused(
            "wrong_structure",
            f"the run file has format {version}, this board takes {VERSION}; `python -m bench rescore` of that version "
            "of the program brings an older file up to date",
        )
    if head[18:20] != b"\x01\x01":
        raise Refused(
            "bad_file",
            "the run was cut off while its file was written; `python -m bench rescore FILE` closes it, then upload it",
        )
    page = int.from_bytes(head[16:18])
    page = 65536 if page == 1 else page
    pages = int.from_bytes(head[28:32])
    if page < 512 or page & (page - 1) or head[21:24] != b"\x40\x20\x20" or int.from_bytes(head[56:60]) != 1:
        raise Refused("bad_file", "the header of the file is damaged; upload a whole copy")
    if page * pages != state.st_size:
        raise Refused(
            "bad_file",
            f"the file has {state.st_size:,} bytes and its header says {page * pages:,}: it is cut short or has "
            "something behind it; upload a whole copy",
        )


def _open(path: Path, limits: Limits) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    connection.text_factory = bytes
    for limit, most in (
        (sqlite3.SQLITE_LIMIT_LENGTH, 2 * max(LENGTHS.values())),
        (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
        (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    ):
        connection.setlimit(limit, most)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")  # a file that shrinks meanwhile is an error, and no signal
    deadline = time.monotonic() + limits.processor
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 100_000)
    return connection


_DECLARED = "SELECT type, name, tbl_name, sql FROM sqlite_schema"


def _check_schema(connection: sqlite3.Connection) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        wanted = {_words(row) for row in fresh.execute(_DECLARED)}
    found = set()
    for row in connection.execute(_DECLARED):
        declared = _words(tuple(each.decode("utf-8", "replace") if each is not None else None for each in row))
        if declared not in wanted or declared in found:
            kind, name = declared[:2]
            raise Refused("wrong_structure", f"the file has a {kind} {name[:60]!r} that no run file has")
        found.add(declared)
    if wanted - found:
        kind, name = min(wanted - found)[:2]
        raise Refused("wrong_structure", f"the file lacks the {kind} {name!r}; upload a whole run file")


def _words(row: tuple[str | None, ...]) -> tuple[str, ...]:
    return tuple(" ".join((each or "").split()) for each in row)


def _check_health(connection: sqlite3.Connection) -> None:
    # Not the quick one: an index that does not say what its table says shows each reader another run.
    (health,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if health != b"ok":
        raise sqlite3.DatabaseError(health.decode("utf-8", "replace").splitlines()[-1])
    if stray := connection.execute("PRAGMA foreign_key_check").fetchone():
        raise Refused("wrong_structure", f"a row of {stray[0].decode()} belongs to none of {stray[2].decode()}")


def _check_rows(connection: sqlite3.Connection) -> None:
    for table, most in ROWS.items():
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name from above
        if count > most:
            raise Refused("wrong_structure", f"the table {table} has {count:,} rows, at most {most:,} are taken")
        columns = [(table, row[1].decode()) for row in connection.execute(f"PRAGMA table_info({table})")]
        for values in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608
            for column, value in zip(columns, values, strict=True):
                if isinstance(value, bytes):
                    _check_text(column, value)
                elif isinstance(value, float) and not math.isfinite(value):
                    raise Refused("wrong_structure", f"{'.'.join(column)} holds a number that is none")


def _check_text(column: tuple[str, str], value: bytes) -> None:
    most = LENGTHS.get(column, OTHER_LENGTH)
    where = ".".join(column)
    if len(value) > most:
        raise Refused("wrong_structure", f"a text in {where} has {len(value):,} bytes, at most {most:,} are taken")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("bad_file", f"a text in {where} is no UTF-8; upload a whole copy") from error
    if b"\0" in value and column not in FREE_TEXT:
        raise Refused("wrong_structure", f"a text in {where} has a NUL in it")
    if column in JSON and not (column == ("scores", "statistics") and _COUNTS.fullmatch(value)):
        if column == ("responses", "loglikelihoods"):  # of an option that the model holds impossible
            value = value.replace(b"-Infinity", b"0")
        try:
            msgspec.convert(parse(value), KINDS.get(column, Any))
        except ValueError as error:
            raise Refused("wrong_structure", f"{where} is no JSON that a run writes: {error}; run again") from error


def parse(text: bytes) -> Any:
    """JSON that is not deep and names nothing twice. Raises `ValueError`, also for what is no number."""
    brackets = text.count(b"[") + text.count(b"{")
    if brackets > DEPTH and _depth(text) > DEPTH:
        raise ValueError(f"lists in lists deeper than {DEPTH}")
    found = json.loads(
        text.decode("utf-8"), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once
    )
    if b"\\ud" in text or b"\\uD" in text:
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair: UnicodeEncodeError is a ValueError
    return found


def _depth(text: bytes) -> int:
    deepest, now = 0, 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in (b"[", b"{"):
            now += 1
            deepest = max(deepest, now)
        elif token in (b"]", b"}"):
            now -= 1
        elif token == b'"':  # stop here: each further quote would be looked for to the end again
            raise ValueError("a text without an end")
    return deepest


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number too large")
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object names something twice")
    return made
