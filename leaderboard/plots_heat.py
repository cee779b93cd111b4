"""Models x languages in one task as a heat map, paged both ways, with every number beneath."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.summary import TOO_FEW_ITEMS
from leaderboard import board_pages, facets
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.charts_heat import MOST
from leaderboard.grid import NOT_COUNTED, WIDTH_95, Sheet, Way, way_of, way_of_mean
from leaderboard.naming import by_name, named
from leaderboard.pages import LanguageName
from leaderboard.plots import TaskChoice, choices
from leaderboard.records import Badge, Outline
from leaderboard.site import Site
from leaderboard.standings import Group, group_of

NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A model in a language: the normalised value with its 95 % interval, and n; None with a reason's code."""

    normalised: float | None
    low: float | None
    high: float | None
    items: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A model over the languages of this page. `badge` is the lowest of its runs."""

    model: ModelName
    badge: Badge
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatLine:
    """One cell as a row of the data beside the page: everything that its number needs to be read apart from the others.

    `badge` is the lowest of the model's runs.
    """

    model: ModelName
    badge: Badge
    task: str
    version: str
    group: Group
    language: str
    cell: HeatCell


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One task asked in one way: ranked models by value, then the others, then floors; languages by name,
    those without any number last.

    `reasons` are those of the cells on this page that have no number.
    """

    snapshot: str
    task: TaskChoice | None
    tasks: tuple[TaskChoice, ...]
    group: Group | None
    groups: tuple[tuple[str, Group], ...]
    chosen: str
    languages: tuple[LanguageName, ...]
    rows: tuple[HeatRow, ...]
    reasons: tuple[str, ...]
    part: Part
    columns_part: Part


def page(board: Board, asked: Asked) -> HeatMap:
    """The heat map that is asked for. Raises `Wrong`."""
    every = choices(board, facets.board_tasks(board))
    wanted = asked.choice("task", every)
    sheets: dict[tuple[str, str], dict[str, Sheet]] = {}
    for sheet in board.sheets():
        own = sheets.setdefault((sheet.way.task, sheet.way.version), {})
        own[board_pages.name_of(group_of(sheet))] = sheet
    task = every[wanted] if wanted else max(every.values(), key=lambda one: _weight(one, sheets), default=None)
    of_task = sheets.get((task.name, task.version), {}) if task else {}
    chosen = asked.one("group")
    if chosen not in of_task:
        chosen = max(sorted(of_task), key=lambda name: len(of_task[name].models), default="")
    chosen_sheet = of_task.get(chosen)
    columns = _columns(chosen_sheet) if chosen_sheet else []
    columns_shown, columns_part = asked.part(columns, MOST, "cols")
    rows_shown, part = asked.part(_rows(board, chosen_sheet) if chosen_sheet else [], MOST)
    rows = _cells(board, chosen_sheet, rows_shown, [place for place, _name in columns_shown]) if chosen_sheet else ()
    return HeatMap(
        snapshot=board.name,
        task=task,
        tasks=tuple(every.values()),
        group=group_of(chosen_sheet) if chosen_sheet else None,
        groups=tuple((name, group_of(sheet)) for name, sheet in sorted(of_task.items())),
        chosen=chosen,
        languages=tuple(name for _place, name in columns_shown),
        rows=rows,
        reasons=tuple(sorted({cell.reason for row in rows for cell in row.cells if cell.reason})),
        part=part,
        columns_part=columns_part,
    )


def _weight(one: TaskChoice, sheets: Mapping[tuple[str, str], Mapping[str, Sheet]]) -> tuple[bool, int]:
    own = sheets.get((one.name, one.version), {})
    return not one.floor, max((len(sheet.models) * len(sheet.languages) for sheet in own.values()), default=0)


def _columns(sheet: Sheet) -> list[tuple[int, LanguageName]]:
    """Columns of a sheet: those with a number of any model first, then by the names of their languages."""
    known = [(place, named(code)) for place, code in enumerate(sheet.languages)]
    empty = (np.isnan(sheet.normalised).sum(axis=0) == len(sheet.models)).tolist()
    return sorted(known, key=lambda pair: (empty[pair[0]], *by_name(pair[1])))


def _rows(board: Board, sheet: Sheet) -> list[int]:
    """Rows of a sheet: ranked models in the order of their standing, the others by how many languages they have,
    floors last."""
    found = board_pages.over(board, frozenset({(sheet.way.task, sheet.way.version)}))
    names = board.model_names()
    order = {one.model: place for place, one in enumerate(found[group_of(sheet)])}
    ranked = {one.model for one in found[group_of(sheet)] if one.first is not None}
    held = (sheet.items > 0).sum(axis=1)

    def key(row: int) -> tuple[bool, bool, int, int]:
        number = sheet.models[row]
        own = number in ranked
        return names[number].baseline, not own, 0 if own else -int(held[row]), order[number]

    return sorted(range(len(sheet.models)), key=key)


def _cells(board: Board, sheet: Sheet, rows: Sequence[int], columns: Sequence[int]) -> tuple[HeatRow, ...]:
    known, why = facets.traits(board), _reasons(board, sheet, rows, columns)
    chosen = np.ix_(rows, columns)
    parts = (part[chosen].tolist() for part in (sheet.normalised, sheet.error, sheet.high, sheet.items))
    made = []
    for row, *numbers in zip(rows, *parts, strict=True):
        cells = []
        for column, value, error, high, items in zip(columns, *numbers, strict=True):
            if math.isnan(value):
                cells.append(HeatCell(None, None, None, 0, why[row, column]))
            elif math.isnan(error):
                cells.append(HeatCell(value, None, None, items, ""))
            else:
                top = min(1.0, high)
                cells.append(HeatCell(value, max(sheet.bottom, top - WIDTH_95 * error), top, items, ""))
        own = known[sheet.models[row]]
        made.append(HeatRow(own.model, own.badge, tuple(cells)))
    return tuple(made)


def _reasons(board: Board, sheet: Sheet, rows: Sequence[int], columns: Sequence[int]) -> dict[tuple[int, int], str]:
    """Why each of these cells that is empty has no number, by row and column.

    A model's cells are read only where its mean says that some are there and do not count. A flaw lies in the text and
    is the same for all: models that were asked in all flawed languages are told by one of them.
    """
    names = board.model_names()
    means = {mean.model: mean for mean in board.means(task=sheet.way.task) if way_of_mean(mean) == sheet.way}
    unsound = int((~sheet.wanted).sum())
    flaws: dict[str, str] = {}
    made = {}
    for row in rows:
        lacking = [column for column in columns if np.isnan(sheet.normalised[row, column])]
        if not lacking:
            continue
        slug = names[sheet.models[row]].slug
        mean = means.get(slug)
        if mean is not None and not (mean.too_few or mean.missing) and mean.flawed in (0, unsound):
            if mean.flawed and not flaws:
                flaws = _told(board, slug, sheet.way)
            known = {code: flaws[code] for code in _unsound(sheet)} if mean.flawed else {}
        else:
            known = _told(board, slug, sheet.way)
        for column in lacking:
            made[row, column] = known.get(sheet.languages[column], NOT_RUN)
    return made


def _unsound(sheet: Sheet) -> list[str]:
    """The languages whose text is flawed."""
    return [code for code, sound in zip(sheet.languages, sheet.wanted, strict=True) if not sound]


def _told(board: Board, slug: str, way: Way) -> dict[str, str]:
    """What a model's cells say of why they do not count, by language."""
    return {one.language: _reason(one) for one in board.outlines_of_model(slug, way.task) if way_of(one) == way}


def _reason(cell: Outline) -> str:
    if cell.value is None:
        return cell.reasons.get("value", "no_items")
    if cell.reasons.get("rank") in NOT_COUNTED:
        return cell.reasons["rank"]
    return "too_few_items" if cell.n < TOO_FEW_ITEMS else cell.reasons.get("normalised", "not_stated")


def lines(found: HeatMap) -> Iterator[HeatLine]:
    """The cells one by one, as CSV and Parquet have them."""
    if found.task is None or found.group is None:
        return
    for row in found.rows:
        for language, cell in zip(found.languages, row.cells, strict=True):
            yield HeatLine(row.model, row.badge, found.task.name, found.task.version, found.group, language.code, cell)


def register(site: Site) -> None:
    """Puts the page under its address."""
    parameters = ("cols", "group", "page", "task")
    site.page(
        "/plots/heatmap", "heatmap.html", page, HeatMap, rows=lines, row=HeatLine, parameters=parameters, wide=True
    )
