"""The invalidation list: tasks, or versions of them, whose results were found to be wrong after they were published.

It lies beside the snapshots and not in them, so that it marks cells in old ones too. A line is never changed: an
invalidation is lifted by a line of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tasks
from bench.records import UsageError
from leaderboard import locking, snapshot
from leaderboard.desk.records import line
from leaderboard.snapshot import BoardError

FILE = "invalidations.jsonl"
LONGEST_REASON = 300

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What is wrong with a task: the versions that are (empty: all), why in one line, and since which UTC day.

    `fixed_in` is the version that is right again, "" where there is none. `number` is its line in the list, from 1.
    """

    task: str
    versions: tuple[str, ...]
    reason: str
    since: str
    fixed_in: str = ""
    number: int = 0


def read(board: Path) -> tuple[Invalidation, ...]:
    """The invalidations that hold, the oldest first. Raises `BoardError` where the list is damaged."""
    found: dict[int, Invalidation] = {}
    for number, entry in enumerate(_lines(board), 1):
        try:
            if "lifts" in entry:
                del found[entry["lifts"]]
            else:
                found[number] = _invalidation(entry, number)
        except (KeyError, TypeError, ValueError) as error:
            raise BoardError(f"{board / FILE}: line {number} is no invalidation; take it out") from error
    return tuple(found.values())


def add(
    board: Path, task: str, versions: Sequence[str], reason: str, *, fixed_in: str = "", now: datetime | None = None
) -> Invalidation:
    """Marks a task, or versions of it, as wrong from today on, in every snapshot.

    Raises `UsageError` where neither a snapshot nor this program knows the task or a version.
    """
    if not board.is_dir():
        raise snapshot.no_board(board)
    told = line(reason, LONGEST_REASON).strip()
    if not told:
        raise UsageError("readers have to learn why; say it in one line")
    known = _versions(board, task)
    if not known:
        raise UsageError(f"no task {line(task, 80)!r} on this board or in this program")
    for version in (*versions, *filter(None, [fixed_in])):
        # What mends a task may be a version that nobody has seen yet.
        if version not in known and version != fixed_in:
            raise UsageError(f"no version {line(version, 80)!r} of {task}; there are {', '.join(sorted(known))}")
    if fixed_in in versions:
        raise UsageError(f"version {line(fixed_in, 80)} of {task} cannot be wrong and right again")
    if fixed_in and not versions:
        raise UsageError(
            f"name the versions of {task} that are wrong; without any, {line(fixed_in, 80)} is one of them"
        )
    day = (now or datetime.now(UTC)).astimezone(UTC).date().isoformat()
    with _locked(board):
        number = len(_lines(board)) + 1
        made = Invalidation(task, tuple(dict.fromkeys(versions)), told, day, line(fixed_in, 80), number)
        _append(board, {field: value for field, value in asdict(made).items() if field != "number"})
    return made


def lift(board: Path, number: int, *, now: datetime | None = None) -> Invalidation:
    """Ends an invalidation that was a mistake. Raises `UsageError` where none of that number holds."""
    with _locked(board):
        found = [each for each in read(board) if each.number == number]
        if not found:
            raise UsageError(f"no invalidation {number} holds; `python -m bench board invalidations` lists them")
        day = (now or datetime.now(UTC)).astimezone(UTC).date().isoformat()
        _append(board, {"lifts": number, "since": day})
    return found[0]


def of(invalidations: Sequence[Invalidation], task: str, version: str) -> Invalidation | None:
    """The first invalidation that a task's version falls under."""
    return next(
        (each for each in invalidations if each.task == task and (not each.versions or version in each.versions)), None
    )


def digest(invalidations: Sequence[Invalidation]) -> str:
    """16 hex digits that change with what the list says; "" where it is empty."""
    if not invalidations:
        return ""
    told = json.dumps([asdict(each) for each in invalidations], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _versions(board: Path, task: str) -> set[str]:
    """Every version of a task that a snapshot has or this program knows."""
    found = set()
    for path in sorted((board / snapshot.SNAPSHOTS).glob("*.db")):
        # One that is damaged or of an older format cannot be shown either.
        with (
            contextlib.suppress(BoardError, sqlite3.Error),
            contextlib.closing(snapshot.connect(board, path.stem)) as shown,
        ):
            found |= {version for (version,) in shown.execute("SELECT version FROM tasks WHERE name = ?", (task,))}
    with contextlib.suppress(tasks.UnknownTask):
        found.add(tasks.get(task).version)
    return found


def _invalidation(entry: dict[str, Any], number: int) -> Invalidation:
    texts = {field: entry[field] for field in ("task", "reason", "since", "fixed_in")}
    versions = entry["versions"]
    if not all(isinstance(each, str) for each in (*texts.values(), *versions)) or not _DAY.fullmatch(texts["since"]):
        raise ValueError("not what this program writes")
    return Invalidation(**texts, versions=tuple(versions), number=number)


def _lines(board: Path) -> list[dict[str, Any]]:
    path = board / FILE
    try:
        entries = [json.loads(each) for each in path.read_text("utf-8").split("\n") if each]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BoardError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BoardError(f"{path} is damaged: {error}; take out the line") from error
    if not all(isinstance(each, dict) for each in entries):
        raise BoardError(f"{path} is damaged: a line of it is no object; take it out")
    return entries


def _append(board: Path, entry: dict[str, Any]) -> None:
    """The list with one more line, whole or not at all."""
    path, temporary = board / FILE, board / f".{FILE}-writing"
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        with temporary.open("w", encoding="utf-8") as file:
            file.write(f"{before}{json.dumps(entry, ensure_ascii=False, sort_keys=True)}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise BoardError(f"cannot write {path}: {error.strerror}; it still says what it did") from error
    finally:
        temporary.unlink(missing_ok=True)


def _locked(board: Path) -> contextlib.AbstractContextManager[None]:
    busy = BoardError(f"another process changes {board / FILE}; try again in a moment")
    return locking.held(board / ".invalidating", busy, seconds=5)
