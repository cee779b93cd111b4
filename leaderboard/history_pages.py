"""What the board showed before: every snapshot that was current, the newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.site import Site
from leaderboard.snapshot import snapshot_path

FILE = "history.jsonl"
ROWS = 50


@dataclass(frozen=True, slots=True)
class Published:
    """One publish: when (UTC, ISO 8601), the snapshot that it made, the slugs of the models, and how many cells."""

    at: str
    snapshot: str
    models: tuple[str, ...]
    cells: int


@dataclass(frozen=True, slots=True)
class Line:
    """A publish in the list. `models` are those that the shown snapshot still has; `others` counts the rest.

    `there` says whether the snapshot's file is still at hand, `previous` is the snapshot before it, "" for the first.
    """

    at: str
    snapshot: str
    previous: str
    models: tuple[ModelName, ...]
    others: int
    cells: int
    there: bool


@dataclass(frozen=True, slots=True)
class History:
    """Every snapshot that was current."""

    snapshot: str
    lines: tuple[Line, ...]
    part: Part


def newest(folder: Path) -> tuple[Published, ...]:
    """Every publish of a board, the newest first. A torn line, which a killed publish leaves, is passed over."""
    try:
        text = (folder / FILE).read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(one for each in reversed(text.splitlines()) if (one := _entry(each)) is not None)


def _entry(text: str) -> Published | None:
    try:
        entry = json.loads(text)
        return Published(
            str(entry["at"]), str(entry["snapshot"]), tuple(map(str, entry["models"])), int(entry["cells"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def lines(board: Board, published: tuple[Published, ...], names: Mapping[str, ModelName]) -> list[Line]:
    """Publishes with the names of their models and the snapshot before each."""
    made = []
    for place, one in enumerate(published):
        before = published[place + 1].snapshot if place + 1 < len(published) else ""
        known = tuple(names[slug] for slug in one.models if slug in names)
        there = one.snapshot == board.name or snapshot_path(board.folder, one.snapshot).is_file()
        made.append(Line(one.at, one.snapshot, before, known[:10], len(one.models) - len(known[:10]), one.cells, there))
    return made


def page(board: Board, asked: Asked) -> History:
    """The history. Raises `Wrong`."""
    names = {one.slug: one for one in board.model_names().values()}
    shown, part = asked.part(lines(board, newest(board.folder), names), ROWS)
    return History(board.name, tuple(shown), part)


def register(site: Site) -> None:
    """The history."""
    site.page("/history", "history.html", page, History, rows=lambda page: page.lines, parameters=("page",))
