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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.cards.facts import Facts
from bench.premium.records import Premiums
from bench.records import BenchError, UsageError
from bench.runfile_records import Identity
from leaderboard import copies, digest, history, locking, reading, schema, slugs, writing
from leaderboard import premiums as tokens
from leaderboard.collect import CellKey, Contribution, Withheld, collect
from leaderboard.copies import sync
from leaderboard.merging import Older, Stamps, block_of
from leaderboard.records import LADDER, Badge, Published
from leaderboard.writing import Content, Entry, Kept, Written

SNAPSHOTS, CURRENT = "snapshots", "current"
_HASH = re.compile(f"[0-9a-f]{{{digest.LENGTH}}}")
_TEMPORARY = copies.TEMPORARY
_RUNS = "SELECT json_extract(each.value, '$.id') FROM models, json_each(models.runs) AS each"


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """What a publish put on the board for one model. `dropped` results of its former self have no successor.

    A result is a value in a task's headline metric, for one language; `cells` counts the other metrics' values too.
    `outranked` is the badge of its former self where none of its runs now wears as good a one, "" elsewhere.
    """

    model: str
    slug: str
    revision: str
    results: int
    cells: int
    languages: int
    replaced: bool
    dropped: int
    outranked: Badge | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Info:
    """What a publish did. `changed` is False where the board already was what the runs make it.

    `results` counts those of the whole board as `PublishedModel` does, `cells` all of its cells, without a value too.
    `premiums` are the addresses of the tokenizers whose premiums came with it.
    """

    snapshot: str
    path: Path
    changed: bool
    published: tuple[PublishedModel, ...]
    withheld: tuple[Withheld, ...]
    models: int
    results: int
    cells: int
    premiums: tuple[str, ...] = ()


class BoardError(BenchError):
    """The board cannot be written or read. The message is one line and names the folder."""


class OtherFormat(BoardError):
    """A snapshot of another edition of this program: its file is whole, and this edition does not read it."""

    def __init__(self, path: Path, made: int) -> None:
        board = path.parent.parent
        kept = f"copies are in {board / copies.RUNS}" if (board / copies.RUNS).is_dir() else "this board has no copies"
        super().__init__(
            f"{path} is a snapshot of format {made}, and this program reads format {schema.FORMAT}; "
            f"move {board / CURRENT} away and publish its runs again ({kept})"
        )
        self.name = path.stem
        self.made = made


def publish(
    runs: Sequence[Path],
    board: Path,
    premiums: Sequence[Path] = (),
    badge: Badge | Mapping[str, Badge] | None = None,
) -> Info:
    """Adds the runs to the board and makes the result current; a model that is there already is replaced.

    `premiums` are files of tokenizer premiums, as `tokens` writes them; run files may hold some too. `badge` says how
    far these results were checked, all of them, or each run by its id; a run that is not in there, or lower than the
    board has that very run, keeps the badge that it wears, and is `self_reported` where it is new. Raises `BenchError`:
    one line, and the board goes on showing what it did.
    """
    if not runs and not premiums:
        raise UsageError("no run to publish; name one or more run files")
    contributions = [collect(path) for path in {path.resolve(): path for path in runs}.values()]
    handed_in = [tokens.of_file(path) for path in {path.resolve(): path for path in premiums}.values()]
    counted = tokens.together([*(one for each in contributions for one in each.premiums), *handed_in])
    try:
        (board / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
        with _locked(board):
            return _publish(contributions, badge, counted, board)
    except (OSError, sqlite3.Error) as error:
        raise BoardError(_explain(board, error)) from error


def _publish(
    contributions: Sequence[Contribution],
    badge: Badge | Mapping[str, Badge] | None,
    counted: dict[tokens.Key, Premiums],
    board: Path,
) -> Info:
    _sweep(board)
    before = current(board)
    _mend_history(board, before)
    with contextlib.ExitStack() as opened:
        older = Older(opened.enter_context(contextlib.closing(connect(board, before))) if before else None)
        with _named(board, before), reading.undamaged():
            fresh = _entries([_with_badge(each, badge, older.badges) for each in contributions])
            content, kept = _merged(older, contributions, fresh, counted)
            if older.connection is not None and digest.of_database(older.connection) != before:
                # Merged, its numbers would go on under a new name that vouches for them.
                raise reading.Damaged("holds another content than its name says")
        copied: list[Path] = []
        undo = opened.enter_context(contextlib.ExitStack())
        undo.callback(_take_back, board, before, copied)
        for each in contributions:
            copy = copies.keep(each.path, each.facts.id, board)
            copied += [copy] if copy else []
        written = write(content, kept, board, before)
        if written.name != before:
            point(board, written.name)
        undo.pop_all()
        published = tuple(
            PublishedModel(
                model=identity.model,
                slug=model.slug,
                revision=identity.revision,
                results=sum(
                    each.cell.value is not None and each.cell.headline for each in fresh[identity].cells.values()
                ),
                cells=sum(each.cell.value is not None for each in fresh[identity].cells.values()),
                languages=len(
                    {each.cell.language for each in fresh[identity].cells.values() if each.cell.value is not None}
                ),
                replaced=identity in older.identities,
                dropped=older.dropped(identity, fresh[identity]),
                outranked=older.outranks(identity, fresh[identity]),
            )
            for identity, model in written.models.items()
            if identity in fresh
        )
    if written.name != before:
        _record(board, before, written, published)
    made = slugs.of_tokenizers(content.premiums)
    return Info(
        snapshot=written.name,
        path=snapshot_path(board, written.name),
        changed=written.name != before,
        published=published,
        withheld=tuple(one for each in contributions for one in each.withheld),
        models=len(written.models),
        results=written.results,
        cells=written.cells,
        premiums=tuple(sorted({one.shown_as or one.slug for key, one in made.items() if key in counted})),
    )


def _with_badge(
    found: Contribution, badge: Badge | Mapping[str, Badge] | None, worn: Mapping[str, Badge]
) -> Contribution:
    """What a run file holds, with its badge. `worn` has those of the runs on the board."""
    if badge is not None and not isinstance(badge, Mapping):
        return replace(found, facts=replace(found.facts, badge=badge))
    known = ({} if badge is None else badge, worn)
    best = max((each.get(found.facts.id, LADDER[0]) for each in known), key=LADDER.index)
    return replace(found, facts=replace(found.facts, badge=best))


def _take_back(board: Path, before: str, copied: list[Path]) -> None:
    """Removes the copies of a publish that failed, unless what they belong to is current already."""
    with contextlib.suppress(BoardError):
        if current(board) == before:
            copies.remove(copied)


def _mend_history(board: Path, before: str) -> None:
    """Takes down the current snapshot where a publish was killed, or found no room, before it had done so itself.

    The line has the moment at which the snapshot became current, and the models that differ from the one before it.
    """
    known = history.read(board)
    last = known[-1].snapshot if known else ""
    if not before or last == before:
        return
    at = datetime.fromtimestamp((board / CURRENT).stat().st_mtime, UTC).isoformat(timespec="seconds")
    old = {}
    with contextlib.suppress(BoardError):  # one that does not open any more has no models to compare with
        old = _listed(board, last) if last else {}
    new = _listed(board, before)
    changed = tuple(sorted(slug for slug, facts in new.items() if old.get(slug) != facts))
    cells = sum(facts[1] for facts in new.values())
    history.append(board, history.Entry(at, before, last, changed, cells, _results(board, before)))


def _listed(board: Path, name: str) -> dict[str, tuple[str, int, str, str]]:
    """The models of a snapshot: address -> digest, number of cells, runs and facts."""
    with contextlib.closing(connect(board, name)) as connection, _named(board, name), reading.undamaged():
        found = connection.execute("SELECT slug, digest, cells, runs, facts FROM models").fetchall()
    return {slug: (digest_, cells, runs, facts) for slug, digest_, cells, runs, facts in found}


def _results(board: Path, name: str) -> int:
    """How many results a snapshot has."""
    with contextlib.closing(connect(board, name)) as connection, _named(board, name), reading.undamaged():
        asked = "SELECT count(*) FROM results WHERE headline AND value IS NOT NULL"
        return int(connection.execute(asked).fetchone()[0])


def _record(board: Path, before: str, written: Written, published: Sequence[PublishedModel]) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        models = tuple(each.slug for each in published)
        history.append(board, history.Entry(at, written.name, before, models, written.cells, written.results))
    except OSError as error:
        raise BoardError(
            f"{written.name} is current, but {board / history.HISTORY} could not take it down: {error.strerror}; "
            "the next publish does"
        ) from error


def _entries(contributions: Sequence[Contribution]) -> dict[Identity, Entry]:
    """The runs by model: one model may come in several run files, of other tasks each."""
    by_model: dict[Identity, list[Contribution]] = {}
    for each in contributions:
        by_model.setdefault(each.identity, []).append(each)
    made = {}
    for identity, group in by_model.items():
        cells: dict[CellKey, Published] = {}
        ordered = sorted(group, key=lambda each: (each.facts.started, repr(each.facts)))
        for each in ordered:
            for key, published in each.cells.items():
                if key in cells and cells[key].cell != published.cell:
                    raise UsageError(
                        f"{each.path} and another run file have different numbers of {identity.model} for {key[0]} "
                        f"{key[2]}; publish one of them"
                    )
                cells[key] = published
        known = [each.model for each in ordered if each.model != Facts()]
        made[identity] = Entry(tuple(each.facts for each in ordered), cells, known[-1] if known else Facts())
    return made


def _merged(
    older: Older,
    contributions: Sequence[Contribution],
    fresh: dict[Identity, Entry],
    counted: dict[tokens.Key, Premiums],
) -> tuple[Content, Kept | None]:
    """The fresh models with what all models share, and those of the old board that stay."""
    kept = older.kept(fresh)
    tasks = {**older.tasks(), **{(task.name, task.version): task for each in contributions for task in each.tasks}}
    remaining = older.blocks(kept)
    used = remaining | {block_of(key) for entry in fresh.values() for key in entry.cells}
    stamps = Stamps(older, remaining, [(str(each.path), each.stamps) for each in contributions], used)
    told = {(place.task, place.version) for place in used}
    before = reading.read_premiums(older.connection) if older.connection is not None else {}
    content = Content(
        fresh, {name: task for name, task in tasks.items() if name in told}, stamps, tokens.merged(before, counted)
    )
    return content, kept


def is_name(text: str) -> bool:
    """Whether something looks like the name of a snapshot."""
    return _HASH.fullmatch(text) is not None


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


def no_board(board: Path) -> UsageError:
    """The error for a folder that is not there, or to which nothing was published."""
    return UsageError(f"no board in {board}; publish a run first: python -m bench publish RUN --board {board}")


def _way_out(board: Path) -> str:
    """How to go on where the board does not say, or does not have, what it shows."""
    return f"publish all runs to a new board, or write the name of one in {board / SNAPSHOTS}/ into {board / CURRENT}"


def snapshot_path(board: Path, name: str) -> Path:
    """Where the snapshot with that hash lies."""
    return board / SNAPSHOTS / f"{name}.db"


def connect(board: Path, name: str) -> sqlite3.Connection:
    """Opens a snapshot for reading. Raises `BoardError` where it is missing or damaged, `OtherFormat` for that."""
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
    if application != schema.APPLICATION_ID:
        connection.close()
        raise BoardError(f"{path} is no snapshot; {_way_out(board)}")
    if version != schema.FORMAT:
        connection.close()
        raise OtherFormat(path, version)
    return connection


@contextlib.contextmanager
def _named(board: Path, name: str) -> Iterator[None]:
    """One line for a snapshot that is damaged, with a way to go on."""
    try:
        yield
    except reading.Damaged as error:
        raise BoardError(f"the snapshot {snapshot_path(board, name)} {error}; {_way_out(board)}") from error


def write(content: Content, kept: Kept | None, board: Path, before: str) -> Written:
    """Writes the snapshot under its name, unless it is the one that is current."""
    temporary = board / SNAPSHOTS / f"{_TEMPORARY}{os.getpid()}"
    try:
        with _named(board, before):
            written = writing.write(content, temporary, kept)
        if written.name != before:
            path = snapshot_path(board, written.name)
            sync(temporary)
            temporary.chmod(0o444)
            temporary.rename(path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def point(board: Path, name: str) -> None:
    """Makes a snapshot the current one. Raises `OSError`; the old one is current then.

    Once it is renamed nothing fails any more: whoever reads sees the new one, and after a power cut either is whole.
    """
    temporary = board / f"{_TEMPORARY}{os.getpid()}"
    try:
        temporary.write_text(f"{name}\n", encoding="ascii")
        sync(temporary)
        temporary.replace(board / CURRENT)
        with contextlib.suppress(OSError):
            sync(board)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(board: Path) -> None:
    """Removes what a killed publish left unfinished; the lock says that no other is at work."""
    for folder in (board, board / SNAPSHOTS, board / copies.RUNS):
        for left in folder.glob(f"{_TEMPORARY}*"):
            left.unlink(missing_ok=True)
    _sweep_copies(board)


def _sweep_copies(board: Path) -> None:
    """Removes the copies of runs that no snapshot names: their publish was killed, or their snapshot is gone.

    Where a snapshot does not read, nobody knows what it names, and no copy goes.
    """
    orphans = copies.there(board)
    newest_first = sorted((board / SNAPSHOTS).glob("*.db"), key=lambda path: path.stat().st_mtime, reverse=True)
    for name in (path.stem for path in newest_first if is_name(path.stem)):
        if not orphans:
            return
        try:
            with contextlib.closing(connect(board, name)) as connection, reading.undamaged():
                named = connection.execute(_RUNS)
                orphans -= {run for (run,) in named}
        except (BoardError, reading.Damaged):
            return
    copies.remove(copies.path_of(board, run) for run in orphans)


def _locked(board: Path) -> contextlib.AbstractContextManager[None]:
    busy = BoardError(f"another process publishes to {board} now; run this again when it is done")
    return locking.held(board / ".lock", busy)


def _explain(board: Path, error: OSError | sqlite3.Error) -> str:
    """What went wrong with the folder, for somebody who wants to go on."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "full" in str(error):
        return f"no room left on the disk of {board}; the board still shows what it did; make room and publish again"
    if isinstance(error, OSError):
        return f"cannot write the board {board}: {error.strerror}; the board still shows what it did"
    return f"cannot write the board {board}: {error}; the board still shows what it did"
