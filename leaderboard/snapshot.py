"""Publishing: run files -> an immutable database named by its content, and the pointer that says which one is current.

A board is a folder: `snapshots/<hash>.db` for every snapshot ever published, and `current`, which holds one hash. Both
are written under another name, synced to the disk and renamed, so that whoever reads sees the old board or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import portalocker

from bench.premium.records import Premiums
from bench.records import BenchError, UsageError
from bench.runfile import Identity
from leaderboard import premiums as tokens
from leaderboard import store
from leaderboard.collect import CellKey, Contribution, Withheld, check_same_items, collect
from leaderboard.records import Block, Published
from leaderboard.store import Content, Entry

SNAPSHOTS, CURRENT = "snapshots", "current"
_HASH = re.compile(f"[0-9a-f]{{{store.HASH_LENGTH}}}")
_TEMPORARY = ".writing-"


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """What a publish put on the board for one model. `dropped` results of its former self have no successor."""

    model: str
    slug: str
    revision: str
    cells: int
    languages: int
    replaced: bool
    dropped: int


@dataclass(frozen=True, slots=True)
class Info:
    """What a publish did. `changed` is False where the board already was what the runs make it.

    `premiums` are the addresses of the tokenizers whose premiums came with it.
    """

    snapshot: str
    path: Path
    changed: bool
    published: tuple[PublishedModel, ...]
    withheld: tuple[Withheld, ...]
    models: int
    cells: int
    premiums: tuple[str, ...] = ()


class BoardError(BenchError):
    """The board cannot be written or read. The message is one line and names the folder."""


def publish(runs: Sequence[Path], board: Path, premiums: Sequence[Path] = ()) -> Info:
    """Adds the runs to the board and makes the result current; a model that is there already is replaced.

    `premiums` are files of tokenizer premiums, as `tokens` writes them; run files may hold some too.
    Raises `BenchError`: one line, and the board goes on showing what it did.
    """
    if not runs and not premiums:
        raise UsageError("no run to publish; name one or more run files")
    contributions = [collect(path) for path in {path.resolve(): path for path in runs}.values()]
    handed_in = [tokens.of_file(path) for path in {path.resolve(): path for path in premiums}.values()]
    counted = tokens.together([*(one for each in contributions for one in each.premiums), *handed_in])
    fresh = _entries(contributions)
    try:
        (board / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
        with _locked(board):
            return _publish(contributions, fresh, counted, board)
    except OSError as error:
        raise BoardError(_explain(board, error)) from error


def _publish(
    contributions: Sequence[Contribution],
    fresh: dict[Identity, Entry],
    counted: dict[tokens.Key, Premiums],
    board: Path,
) -> Info:
    _sweep(board)
    before = current(board)
    old = _read(board, before) if before else Content({}, {}, {})
    content = replace(_merged(old, contributions, fresh), premiums=tokens.merged(old.premiums, counted))
    name = store.content_hash(content)
    path = snapshot_path(board, name)
    if name != before:  # the current one was just read whole, so it is there
        _write(content, path, board)
        _point(board, name)
    known = store.models(content)
    return Info(
        snapshot=name,
        path=path,
        changed=name != before,
        published=tuple(
            PublishedModel(
                model=identity.model,
                slug=known[identity].slug,
                revision=identity.revision,
                cells=sum(each.cell.value is not None for each in entry.cells.values()),
                languages=len({each.cell.language for each in entry.cells.values() if each.cell.value is not None}),
                replaced=identity in old.entries,
                dropped=_dropped(old.entries.get(identity), entry),
            )
            for identity, entry in sorted(fresh.items(), key=lambda pair: known[pair[0]].slug)
        ),
        withheld=tuple(one for each in contributions for one in each.withheld),
        models=len(content.entries),
        cells=sum(len(entry.cells) for entry in content.entries.values()),
        premiums=tuple(
            sorted({one.shown_as or one.slug for key, one in store.tokenizers(content).items() if key in counted})
        ),
    )


def _dropped(old: Entry | None, fresh: Entry) -> int:
    """How many results of a replaced model are gone, not merely other numbers."""
    before, now = (
        {key for key, each in entry.cells.items() if each.cell.value is not None} if entry is not None else set()
        for entry in (old, fresh)
    )
    return len(before - now)


def _entries(contributions: Sequence[Contribution]) -> dict[Identity, Entry]:
    """The runs by model: one model may come in several run files, of other tasks each."""
    by_model: dict[Identity, list[Contribution]] = {}
    for each in contributions:
        by_model.setdefault(each.identity, []).append(each)
    made = {}
    for identity, group in by_model.items():
        cells: dict[CellKey, Published] = {}
        for each in group:
            for key, published in each.cells.items():
                if key in cells and cells[key].cell != published.cell:
                    raise UsageError(
                        f"{each.path} and another run file have different numbers of {identity.model} for {key[0]} "
                        f"{key[2]}; publish one of them"
                    )
                cells[key] = published
        runs = tuple(sorted((each.facts for each in group), key=lambda facts: (facts.started, repr(facts))))
        made[identity] = Entry(runs, cells)
    return made


def _merged(old: Content, contributions: Sequence[Contribution], fresh: dict[Identity, Entry]) -> Content:
    """The old board with the fresh models in place of their former selves."""
    entries = {**old.entries, **fresh}
    tasks = {**old.tasks, **{(task.name, task.version): task for each in contributions for task in each.tasks}}
    sources = [(str(each.path), each.stamps) for each in contributions]
    kept = {identity: entry for identity, entry in old.entries.items() if identity not in fresh}
    used = {_block(key) for entry in kept.values() for key in entry.cells}
    # What only a replaced model was asked binds nobody: its data may have changed with it.
    remaining = {place: dict(items) for place, items in old.stamps.items() if place in used}
    stamps = check_same_items([("the board", remaining), *sources])
    used |= {_block(key) for entry in fresh.values() for key in entry.cells}
    told = {(place.task, place.version) for place in used}
    return Content(
        entries,
        {name: task for name, task in tasks.items() if name in told},
        {place: items for place, items in stamps.items() if place in used},
    )


def _block(key: CellKey) -> Block:
    return Block(*key[:4])


def current(board: Path) -> str:
    """The hash of the board's current snapshot, empty where nothing was published. Raises `BoardError`."""
    try:
        name = (board / CURRENT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        name = "?"
    except OSError as error:
        raise BoardError(f"cannot read {board / CURRENT}: {error.strerror}") from error
    if not _HASH.fullmatch(name):
        raise BoardError(f"{board / CURRENT} holds no snapshot's name; {_way_out(board)}")
    return name


def _way_out(board: Path) -> str:
    """How to go on where the board does not say, or does not have, what it shows."""
    return f"publish all runs to a new board, or write the name of one in {board / SNAPSHOTS}/ into {board / CURRENT}"


def snapshot_path(board: Path, name: str) -> Path:
    """Where the snapshot with that hash lies."""
    return board / SNAPSHOTS / f"{name}.db"


def connect(board: Path, name: str) -> sqlite3.Connection:
    """Opens a snapshot for reading. Raises `BoardError` where it is missing, damaged or of another format."""
    path = snapshot_path(board, name)
    try:
        # It never changes, so SQLite need neither lock it nor look for a journal.
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA trusted_schema = OFF")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise BoardError(f"cannot open the snapshot {path}: {error}; {_way_out(board)}") from error
    if application != store.APPLICATION_ID or version != store.FORMAT:
        connection.close()
        raise BoardError(f"{path} is no snapshot of format {store.FORMAT}; publish the runs to a new board")
    return connection


def _read(board: Path, name: str) -> Content:
    try:
        with contextlib.closing(connect(board, name)) as connection:
            content = store.read(connection)
            found = store.content_hash(content)
    except (sqlite3.Error, zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise BoardError(
            f"the snapshot {snapshot_path(board, name)} is damaged ({error}); publish all runs to a new board"
        ) from error
    if found != name:
        # Merged, its numbers would go on under a new name that vouches for them.
        raise BoardError(
            f"the snapshot {snapshot_path(board, name)} holds another content than its name says; {_way_out(board)}"
        )
    return content


def _write(content: Content, path: Path, board: Path) -> None:
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}")
    try:
        store.write(content, temporary)
        _sync(temporary)
        temporary.chmod(0o444)
        temporary.rename(path)
        _sync(path.parent)
    except sqlite3.Error as error:
        raise BoardError(_explain(board, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _point(board: Path, name: str) -> None:
    temporary = board / f"{_TEMPORARY}{os.getpid()}"
    try:
        temporary.write_text(f"{name}\n", encoding="ascii")
        _sync(temporary)
        temporary.replace(board / CURRENT)
        _sync(board)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(board: Path) -> None:
    """Removes what a killed publish left unfinished; the lock says that no other is at work."""
    for folder in (board, board / SNAPSHOTS):
        for left in folder.glob(f"{_TEMPORARY}*"):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(board: Path) -> Iterator[None]:
    lock = portalocker.Lock(board / ".lock", "ab", timeout=0, flags=portalocker.LOCK_EX | portalocker.LOCK_NB)
    try:
        lock.acquire()
    except portalocker.exceptions.LockException as error:
        raise BoardError(f"another process publishes to {board} now; run this again when it is done") from error
    try:
        yield
    finally:
        lock.release()


def _explain(board: Path, error: OSError | sqlite3.Error) -> str:
    """What went wrong with the folder, for somebody who wants to go on."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "full" in str(error):
        return f"no room left on the disk of {board}; the board still shows what it did; make room and publish again"
    if isinstance(error, OSError):
        return f"cannot write the board {board}: {error.strerror}; the board still shows what it did"
    return f"cannot write the board {board}: {error}; the board still shows what it did"
