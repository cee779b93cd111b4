"""The start page: what the board is, how to read it, and the way in for every language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

import languages
from leaderboard import board_pages, facets, history_pages, leading
from leaderboard.board import Board, ModelName
from leaderboard.grid import counts
from leaderboard.history_pages import Line
from leaderboard.leading import Leading
from leaderboard.site import Site

FIRST, NEWS = 5, 4
"""Models and publishes that the start page shows."""


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the world: its languages, and how many have benchmark results. `name` is "" for no single place."""

    name: str
    languages: int
    covered: int


@dataclass(frozen=True, slots=True)
class Home:
    """What is on the board in numbers that count, the benchmarks and the self-test apart, and its first rows.

    A result is a task in a language by its headline metric; a task that was found wrong has none.
    """

    snapshot: str
    models: int
    floors: tuple[ModelName, ...]
    tasks: int
    floor_tasks: int
    languages: int
    floor_languages: int
    known_languages: int
    cells: int
    floor_cells: int
    items: int
    floor_items: int
    areas: tuple[Area, ...]
    top: Leading | None
    news: tuple[Line, ...]


def page(board: Board) -> Home:
    """The start page."""
    names = board.model_names()
    coverage = board.coverage().values()
    every = facets.board_tasks(board)
    invalid = [task for task in every if board.why_invalid(task.name, task.version)]
    tasks = [task for task in every if task not in invalid]
    wrong = [
        result.cell
        for task in invalid
        for result in board.results_of_task(task.name, task.version)
        if counts(result.cell)
    ]
    covered = {floor: _covered(board, floor) for floor in (False, True)}
    known = languages.all_languages()
    places = Counter(one.macroarea or "" for one in known)
    there = Counter(one.macroarea or "" for one in known if one.code in covered[False])
    by_slug = {one.slug: one for one in names.values()}
    return Home(
        snapshot=board.name,
        models=sum(not one.baseline for one in names.values()),
        floors=tuple(one for one in names.values() if one.baseline),
        tasks=sum(not task.floor for task in tasks),
        floor_tasks=sum(task.floor for task in tasks),
        languages=len(covered[False]),
        floor_languages=len(covered[True]),
        known_languages=len(known),
        cells=sum(one.cells for one in coverage) - sum(not one.floor for one in wrong),
        floor_cells=sum(one.floor_cells for one in coverage) - sum(one.floor for one in wrong),
        items=sum(one.items for one in coverage) - sum(one.n for one in wrong if not one.floor),
        floor_items=sum(one.floor_items for one in coverage) - sum(one.n for one in wrong if one.floor),
        areas=tuple(
            Area(name, number, there[name])
            for name, number in sorted(places.items(), key=lambda pair: (not pair[0], pair[0]))
        ),
        top=leading.top(board, FIRST),
        news=tuple(history_pages.lines(board, history_pages.newest(board.folder)[:NEWS], by_slug)),
    )


def _covered(board: Board, floor: bool) -> set[str]:
    """The languages with numbers that count, of tasks that nothing was found wrong with."""
    return {
        name
        for sheet in board.sheets()
        if sheet.floor == floor and not board.why_invalid(sheet.way.task, sheet.way.version)
        for place, name in enumerate(sheet.languages)
        if not np.isnan(sheet.normalised[:, place]).all()
    }


class Over(TypedDict):
    """What a row of the start page is over."""

    task: str
    version: str
    language: str


class TopLine(Over, board_pages.BoardLine):
    """A row of the start page as data."""


def rows(page: Home) -> Iterator[dict[str, object]]:
    """The first rows of the board and the highest floor, each with the task and the language that it is over.

    These are empty where it is over all of them.
    """
    if page.top is not None:
        task, language = page.top.task, page.top.language
        over: Over = {
            "task": task.name if task else "",
            "version": task.version if task else "",
            "language": language.code if language else "",
        }
        floor = () if page.top.floor is None else (page.top.floor,)
        yield from ({**over, **line} for line in board_pages.lines((*page.top.rows, *floor)))


def register(site: Site) -> None:
    """The start page."""
    site.page("/", "home.html", page, Home, rows=rows, row=TopLine)
