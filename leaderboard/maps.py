"""The map of languages: a dot each, and how far it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import languages
from languages import Language
from leaderboard.asking import Asked, Part
from leaderboard.board import Board
from leaderboard.charts_map import STATES, State
from leaderboard.grid import holders
from leaderboard.naming import by_name
from leaderboard.site import Site

ROWS = 100


@dataclass(frozen=True, slots=True)
class MapRow:
    """A language on the map. `models` and `tasks` count those with a number that counts, of the benchmarks where the
    state is "evaluated" and of the self-test where it is "self_test"; floors are no models."""

    language: Language
    state: State
    models: int
    tasks: int


@dataclass(frozen=True, slots=True)
class MapCount:
    """How many languages are in a state, all filters but that of the state heeded."""

    state: State
    languages: int


@dataclass(frozen=True, slots=True)
class MapPage:
    """The languages by name, all of them; `start` is the number of the first in the part that a page's table shows.

    `area` is a macroarea and `show` a state, empty for all; `unplaced` counts languages without a point.
    """

    snapshot: str
    area: str
    areas: tuple[str, ...]
    show: str
    counts: tuple[MapCount, ...]
    rows: tuple[MapRow, ...]
    unplaced: int
    start: int
    part: Part


def page(board: Board, asked: Asked) -> MapPage:
    """The map that is asked for. Raises `Wrong`."""
    found = _states(board)
    every = [_row(one, found) for one in languages.all_languages()]
    areas = tuple(sorted({row.language.macroarea for row in every if row.language.macroarea}))
    area, show = asked.choice("area", areas), asked.choice("show", STATES)
    there = [row for row in every if area in ("", row.language.macroarea)]
    rows = [row for row in there if show in ("", row.state)]
    rows.sort(key=lambda row: by_name(row.language))
    part = asked.part(rows, ROWS)[1]
    return MapPage(
        snapshot=board.name,
        area=area,
        areas=areas,
        show=show,
        counts=tuple(MapCount(state, sum(row.state == state for row in there)) for state in reversed(STATES)),
        rows=tuple(rows),
        unplaced=sum(row.language.latitude is None for row in rows),
        start=(part.number - 1) * ROWS,
        part=part,
    )


Held = Mapping[tuple[str, bool], tuple[int, set[str]]]


def _states(board: Board) -> Held:
    """Language, and whether of the self-test -> how many models have a number that counts, and the tasks of these."""
    floors = {number for number, model in board.model_names().items() if model.baseline}
    made: dict[tuple[str, bool], tuple[int, set[str]]] = {}
    for self_test in (False, True):
        own = [sheet for sheet in board.sheets() if sheet.floor == self_test]
        codes = {code for sheet in own for code in sheet.languages}
        made |= {(code, self_test): (models, set()) for code, models in holders(own, codes, floors).items() if models}
        for sheet in own:
            for code, models in holders([sheet], codes, floors).items():
                if models:
                    made[code, self_test][1].add(sheet.way.task)
    return made


def _row(one: Language, found: Held) -> MapRow:
    choices: tuple[tuple[State, bool], ...] = (("evaluated", False), ("self_test", True))
    for state, floor in choices:
        if (one.code, floor) in found:
            models, tasks = found[one.code, floor]
            return MapRow(one, state, models, len(tasks))
    return MapRow(one, "none", 0, 0)


def register(site: Site) -> None:
    """Puts the page under its address."""
    site.page(
        "/map",
        "map.html",
        page,
        MapPage,
        rows=lambda page: page.rows,
        row=MapRow,
        parameters=("area", "page", "show"),
        undivided=True,
    )
