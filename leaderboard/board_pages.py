"""The board: models by suite, over the tasks and languages that somebody chooses."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from leaderboard import facets
from leaderboard.asking import Asked, Part
from leaderboard.board import Board
from leaderboard.facets import Chip, Facet, Traits
from leaderboard.grid import Sheet
from leaderboard.invalidations import Invalidation
from leaderboard.site import Site
from leaderboard.standings import Group, Standing, group_of, standings

ROWS, COLUMNS, FLOORS = 50, 6, 8
"""Models, tasks and baselines that stand on one page."""

PARAMETERS = (*facets.NAMES, "group", "sort", "page", "cols")
SORTS = ("rank", "name", "size")


@dataclass(frozen=True, slots=True)
class Tab:
    """A group that can be shown: its name in the address, and how many models are ranked and have numbers in it."""

    name: str
    group: Group
    ranked: int
    models: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class TaskColumn:
    """A task that is shown as a column, and what was found wrong with it."""

    name: str
    version: str
    title: str
    invalid: str


@dataclass(frozen=True, slots=True)
class TaskValue:
    """A model's mean over the languages of one task; None with a `reason`."""

    task: str
    version: str
    normalised: float | None
    low: float | None
    high: float | None
    items: int
    covered: int
    cells: int
    reason: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A model, its standing over everything that is chosen, and its means in the tasks shown."""

    traits: Traits
    standing: Standing
    tasks: tuple[TaskValue, ...]

    @property
    def bar(self) -> tuple[str, str, str] | None:
        """Where the interval begins, how wide it is, and where the value lies, from 0 to 100; None without them."""
        one = self.standing
        if one.normalised is None or one.low is None or one.high is None:
            return None
        low, value, high = (min(max(each, 0.0), 1.0) * 100 for each in (one.low, one.normalised, one.high))
        return f"{low:.1f}", f"{high - low:.1f}", f"{value:.1f}"


@dataclass(frozen=True, slots=True)
class BoardPage:
    """The board as it was asked for.

    `languages` and `cells` are those of the block; `empty` is a code that says why there is no table: `no_language`,
    `no_task`, `no_model`, `no_results`. `sort` is what the rows are sorted by; `named` are the languages looked for.
    """

    snapshot: str
    tabs: tuple[Tab, ...]
    group: Group | None
    facets: tuple[Facet, ...]
    chips: tuple[Chip, ...]
    named: tuple[str, ...]
    sort: str
    columns: tuple[TaskColumn, ...]
    columns_part: Part
    ranked: tuple[BoardRow, ...]
    unranked: tuple[BoardRow, ...]
    floors: tuple[BoardRow, ...]
    part: Part
    ranked_models: int
    unranked_models: int
    hidden: int
    tasks: int
    languages: int
    cells: int
    empty: str


def name_of(group: Group) -> str:
    """What a group is called in an address."""
    parts = [group.metric, group.mode, group.prompt_language, str(group.shots), *(["floor"] if group.floor else [])]
    return "~".join(parts)


def over(
    board: Board, tasks: frozenset[tuple[str, str]] | None = None, languages: frozenset[str] | None = None
) -> Mapping[Group, tuple[Standing, ...]]:
    """Every model over some tasks and languages, as `Board.standings` has it; kept from the last time."""
    return _over(board.folder, board.name, board.invalid, tasks, languages)


@functools.lru_cache(maxsize=12)
def _over(
    folder: Path,
    name: str,
    invalid: tuple[Invalidation, ...],
    tasks: frozenset[tuple[str, str]] | None,
    languages: frozenset[str] | None,
) -> Mapping[Group, tuple[Standing, ...]]:
    with Board.open(folder, name, invalid) as board:
        return board.standings(tasks, languages)


def default(found: Mapping[Group, Sequence[Standing]]) -> Group | None:
    """The group that is shown where none is asked for: benchmarks before the self-test, the most ranked models."""

    def weight(group: Group) -> tuple[bool, int, int, int]:
        own = found[group]
        valued = sum(one.normalised is not None for one in own)
        return not group.floor, sum(one.first is not None for one in own), valued, max(one.cells for one in own)

    return max(sorted(found), key=weight, default=None)


def page(board: Board, asked: Asked) -> BoardPage:
    """The board as the address asks for it. Raises `Wrong`."""
    narrowed = facets.narrow(board, asked)
    sheets = board.sheets()
    wanted = asked.choice("group", {name_of(group_of(sheet)) for sheet in sheets})
    nothing = (narrowed.languages is not None and not narrowed.languages) or narrowed.tasks == frozenset()
    found = {} if nothing else over(board, narrowed.tasks, narrowed.languages)
    found = {group: own for group, own in found.items() if any(one.cells for one in own)}
    group = next((each for each in found if name_of(each) == wanted), None) or default(found)
    own = found[group] if group is not None else ()
    shown = facets.choose_models(board, asked, [one.model for one in own])
    traits = facets.traits(board)
    columns, columns_part = asked.part(_columns(board, sheets, group, narrowed.tasks), COLUMNS, "cols")
    tasks = {task.name for task in facets.board_tasks(board)} | facets.known("task")
    sort = asked.choice("sort", (*SORTS, *sorted(tasks)), "rank")
    kept = _sorted([one for one in own if one.model in shown.models], traits, sort, board, group, narrowed.languages)
    models = [one for one in kept if not traits[one.model].model.baseline]
    floors = [one for one in kept if traits[one.model].model.baseline]
    models.sort(key=lambda one: by_cells(one, sort))
    part_models, part = asked.part(models, ROWS)
    on_page = [*part_models, *(floors if asked.whole else floors[:FLOORS])]
    values = _values(board, group, columns, narrowed.languages, [one.model for one in on_page])
    rows = [
        BoardRow(
            traits[one.model],
            one,
            tuple(values[column.name, column.version].get(one.model, _absent(column)) for column in columns),
        )
        for one in on_page
    ]
    count = len(part_models)
    return BoardPage(
        snapshot=board.name,
        tabs=tuple(tab(each, found[each], each == group) for each in sorted(found, key=lambda one: (one.floor, one))),
        group=group,
        facets=(*narrowed.facets, *shown.facets),
        chips=(*narrowed.chips, *shown.chips),
        named=narrowed.chosen,
        sort=sort,
        columns=tuple(columns),
        columns_part=columns_part,
        ranked=tuple(row for row in rows[:count] if row.standing.first is not None),
        unranked=tuple(row for row in rows[:count] if row.standing.first is None),
        floors=tuple(rows[count:]),
        part=part,
        ranked_models=sum(one.first is not None for one in models),
        unranked_models=sum(one.first is None for one in models),
        hidden=len(own) - len(kept),
        tasks=own[0].tasks if own else 0,
        languages=_languages(sheets, group, narrowed) if own else 0,
        cells=own[0].cells if own else 0,
        empty=_empty(narrowed, any(one.covered for one in own), bool(models)),
    )


def _empty(narrowed: facets.Narrowed, results: bool, models: bool) -> str:
    if narrowed.tasks is not None and not narrowed.tasks:
        return "no_task"
    if narrowed.languages is not None and not narrowed.languages:
        return "no_language"
    if not results:
        return "no_results"
    return "" if models else "no_model"


def tab(group: Group, own: Iterable[Standing], chosen: bool) -> Tab:
    """A group as something to choose."""
    valued = [one for one in own if one.normalised is not None]
    return Tab(name_of(group), group, sum(one.first is not None for one in valued), len(valued), chosen)


def _own_sheets(sheets: Iterable[Sheet], group: Group | None, tasks: Collection[tuple[str, str]] | None) -> list[Sheet]:
    return [
        sheet
        for sheet in sheets
        if group_of(sheet) == group and (tasks is None or (sheet.way.task, sheet.way.version) in tasks)
    ]


def _languages(sheets: Iterable[Sheet], group: Group | None, narrowed: facets.Narrowed) -> int:
    """How many languages the block has."""
    names = {
        name
        for sheet in _own_sheets(sheets, group, narrowed.tasks)
        for name, wanted in zip(sheet.languages, sheet.wanted, strict=True)
        if wanted
    }
    return len(names if narrowed.languages is None else names & narrowed.languages)


def _columns(
    board: Board, sheets: Iterable[Sheet], group: Group | None, tasks: Collection[tuple[str, str]] | None
) -> list[TaskColumn]:
    there = {(sheet.way.task, sheet.way.version) for sheet in _own_sheets(sheets, group, tasks)}
    titles = [task for task in facets.board_tasks(board) if (task.name, task.version) in there]
    return [TaskColumn(one.name, one.version, one.title, board.why_invalid(one.name, one.version)) for one in titles]


def _values(
    board: Board,
    group: Group | None,
    columns: Iterable[TaskColumn],
    languages: Collection[str] | None,
    models: Collection[int],
) -> dict[tuple[str, str], dict[int, TaskValue]]:
    """The means of some models in each task, by model."""
    baselines = {number for number, one in facets.traits(board).items() if one.model.baseline}
    made = {}
    for column in columns:
        task = column.name, column.version
        own = [part for sheet in _own_sheets(board.sheets(), group, {task}) if (part := _rows_of(sheet, models))]
        invalid = {task} if column.invalid else set()
        found = standings(own, baselines, languages, invalid).values() if own else ()
        made[task] = {one.model: _value(column, one) for group_found in found for one in group_found}
    return made


def _rows_of(sheet: Sheet, models: Collection[int]) -> Sheet | None:
    """The rows of some models. A model's own mean does not depend on which others stand beside it."""
    rows = [place for place, number in enumerate(sheet.models) if number in models]
    return sheet.of(rows) if rows else None


def _value(column: TaskColumn, one: Standing) -> TaskValue:
    return TaskValue(
        column.name,
        column.version,
        one.normalised,
        one.low,
        one.high,
        one.items,
        one.covered,
        one.cells,
        one.reason if one.normalised is None or column.invalid else "",
    )


def _absent(column: TaskColumn) -> TaskValue:
    return TaskValue(column.name, column.version, None, None, None, 0, 0, 0, "not_run")


def by_cells(one: Standing, sort: str) -> tuple[bool, int]:
    """Ranked models first. Means over different cells give no order, so that the others come by how many they have."""
    return one.first is None, -one.covered if one.first is None and sort == "rank" else 0


def _sorted(
    own: Sequence[Standing],
    traits: Mapping[int, Traits],
    sort: str,
    board: Board,
    group: Group | None,
    languages: Collection[str] | None,
) -> list[Standing]:
    """By rank as they come, by name, by size, or by the mean in one task; those without come last, by rank."""
    if sort == "name":
        return sorted(own, key=lambda one: (traits[one.model].model.name.casefold(), one.model))
    if sort == "size":
        sizes = {one.model: traits[one.model].parameters for one in own}
        return sorted(own, key=lambda one: (sizes[one.model] is None, -(sizes[one.model] or 0), one.model))
    if sort != "rank":
        columns = [one for one in _columns(board, board.sheets(), group, None) if one.name == sort]
        found = _values(board, group, columns, languages, {one.model for one in own})
        points: dict[int, float] = {}
        for values in found.values():
            points.update({number: one.normalised for number, one in values.items() if one.normalised is not None})
        return sorted(own, key=lambda one: (one.model not in points, -points.get(one.model, 0.0)))
    return list(own)


class BoardLine(TypedDict):
    """A row of the board as data, without the columns of single tasks."""

    model: str
    name: str
    baseline: bool
    badge: str
    licence: str
    open: str
    parameters: int | None
    level: str
    energy: str
    metric: str
    mode: str
    prompt_language: str
    shots: int
    floor: bool
    rank_first: int | None
    rank_last: int | None
    ranked: int
    normalised: float | None
    low: float | None
    high: float | None
    worst_decile: float | None
    speaker_weighted: float | None
    covered: int
    cells: int
    items: int
    reason: str


def rows(record: BoardPage) -> Iterator[dict[str, object]]:
    """A line for each model, with a column for each task."""
    return lines((*record.ranked, *record.unranked, *record.floors))


def lines(rows: Iterable[BoardRow]) -> Iterator[dict[str, object]]:
    """Rows of the board as flat ones."""
    for row in rows:
        one, group = row.standing, row.standing.group
        own: BoardLine = {
            "model": row.traits.model.slug,
            "name": row.traits.model.name,
            "baseline": row.traits.model.baseline,
            "badge": row.traits.badge,
            "licence": row.traits.licence,
            "open": row.traits.open,
            "parameters": row.traits.parameters,
            "level": row.traits.level,
            "energy": row.traits.energy,
            "metric": group.metric,
            "mode": group.mode,
            "prompt_language": group.prompt_language,
            "shots": group.shots,
            "floor": group.floor,
            "rank_first": one.first,
            "rank_last": one.last,
            "ranked": one.peers,
            # Over several tasks a mean of a part of the cells is a mean of another block: it is not told.
            "normalised": one.normalised if shows_mean(one) else None,
            "low": one.low if shows_mean(one) else None,
            "high": one.high if shows_mean(one) else None,
            "worst_decile": one.worst_decile if shows_mean(one) else None,
            "speaker_weighted": one.speaker_weighted if shows_mean(one) else None,
            "covered": one.covered,
            "cells": one.cells,
            "items": one.items,
            "reason": one.reason,
        }
        yield {
            **own,
            **{
                f"{value.task}@{value.version}:{name}": told
                for value in row.tasks
                for name, told in (
                    ("normalised", value.normalised),
                    ("low", value.low),
                    ("high", value.high),
                    ("items", value.items),
                    ("covered", value.covered),
                    ("cells", value.cells),
                    ("reason", value.reason),
                )
            },
        }


def shows_mean(one: Standing) -> bool:
    """Whether the overall number may be shown: over the whole block, or over what there is of a single task."""
    return one.normalised is not None and (one.complete or one.tasks == 1)


def register(site: Site) -> None:
    """The board."""
    site.app.jinja_env.tests["shown_mean"] = shows_mean
    site.page("/board", "board.html", page, BoardPage, rows=rows, row=BoardLine, parameters=PARAMETERS)
