"""What the board showed before: every snapshot that was current, the newest first."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flask_babel import gettext as _

from bench.records import BenchError
from leaderboard import history, snapshot
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.history import Change, Difference, Entry
from leaderboard.problems import Missing
from leaderboard.site import Site
from leaderboard.snapshot import snapshot_path

ROWS, MODELS = 50, 10
"""Publishes on a page, and models that are named of each."""

NAME = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Line:
    """A publish in the list. `models` are those that the shown snapshot still has; `others` counts the rest.

    `there` says whether the snapshot's file is still at hand, `previous` is the snapshot before it, "" for the first.
    `results` is None where the list is from before they were counted.
    """

    at: str
    snapshot: str
    previous: str
    models: tuple[ModelName, ...]
    others: int
    cells: int
    results: int | None
    there: bool


@dataclass(frozen=True, slots=True)
class History:
    """Every snapshot that was current."""

    snapshot: str
    lines: tuple[Line, ...]
    part: Part


@dataclass(frozen=True, slots=True)
class Diff:
    """What the snapshot `new` has that `old` has not, and the other way; None where the board has had only one.

    `names` says what the models that were added and removed are called, by their addresses.
    """

    snapshot: str
    old: str
    new: str
    difference: Difference | None
    names: Mapping[str, str]


def newest(folder: Path) -> tuple[Entry, ...]:
    """Every publish of a board, the newest first; none where the list is damaged, so that other pages still show."""
    try:
        return tuple(reversed(history.read(folder)))
    except BenchError as error:
        logging.getLogger(__name__).warning("the history cannot be read: %s", error)
        return ()


def lines(board: Board, published: Sequence[Entry], names: Mapping[str, ModelName]) -> list[Line]:
    """Publishes with the names of their models and the snapshot before each."""
    made = []
    for one in published:
        known = tuple(names[slug] for slug in one.models if slug in names)[:MODELS]
        there = snapshot_path(board.folder, one.snapshot).is_file()
        others = len(one.models) - len(known)
        made.append(Line(one.at, one.snapshot, one.previous, known, others, one.cells, one.results, there))
    return made


def page(board: Board, asked: Asked) -> History:
    """The history. Raises `Wrong`."""
    names = {one.slug: one for one in board.model_names().values()}
    shown, part = asked.part(lines(board, newest(board.folder), names), ROWS)
    return History(board.name, tuple(shown), part)


def diff(board: Board, asked: Asked) -> Diff:
    """What changed between two snapshots; without names, between this one and the one before. Raises `Missing`."""
    new = asked.one("to") or board.name
    earlier = (one.previous for one in newest(board.folder) if one.snapshot == new)
    old = asked.one("from") or next(earlier, "")
    if not old:
        return Diff(board.name, "", new, None, {})
    for name in (old, new):
        if not NAME.fullmatch(name) or not snapshot_path(board.folder, name).is_file():
            raise Missing(_("This board has no snapshot of that name."))
    try:
        with (
            contextlib.closing(snapshot.connect(board.folder, old)) as before,
            contextlib.closing(snapshot.connect(board.folder, new)) as after,
        ):
            found = history.diff(before, after)
            came_and_went = {*found.models_added, *found.models_removed}
            names = {
                slug: name
                for side in (before, after)
                for slug, name in side.execute("SELECT slug, name FROM models")
                if slug in came_and_went
            }
            return Diff(board.name, old, new, found, names)
    except snapshot.BoardError as error:
        raise Missing(_("One of these snapshots is of an older format and cannot be compared.")) from error


def changes(record: Diff) -> Iterator[Change]:
    """The cells that were added, removed and changed."""
    if record.difference is not None:
        found = record.difference
        yield from (*found.cells_added, *found.cells_removed, *found.cells_changed)


def register(site: Site) -> None:
    """The history, and the difference of two snapshots."""
    site.page("/history", "history.html", page, History, rows=lambda page: page.lines, row=Line, parameters=("page",))
    site.page("/diff", "diff.html", diff, Diff, rows=changes, row=Change, parameters=("from", "to"))
