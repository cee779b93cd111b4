"""A page for each language and vertical: which models understand this profession's questions in this language."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from bench.records import Cell
from languages import Language
from leaderboard import coverage, language_page
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName, Result
from leaderboard.coverage import CoverageCell
from leaderboard.language_page import Gaps
from leaderboard.problems import Link, Missing
from leaderboard.records import Badge, TaskFacts
from leaderboard.site import Site
from leaderboard.standings import Group, Standing, group_of
from leaderboard.versions import newest

LEAST_ROWS, MOST_ROWS, MOST_CELLS = 10, 50, 400
"""Rows of a page; with many tasks fewer, so that all its cells together stay below a number."""


@dataclass(frozen=True, slots=True)
class VerticalRow:
    """A model over the tasks of a vertical in one language.

    `results` are its cells, those of a task's varieties together, in the order of the table's tasks: empty where it was
    not asked.
    """

    model: ModelName
    standing: Standing
    results: tuple[tuple[Result, ...], ...]


@dataclass(frozen=True, slots=True)
class VerticalLine:
    """A model's cell in one task, or why there is none, beside its standing over the vertical, as a row of the data."""

    model: ModelName
    standing: Standing
    task: str
    task_version: str
    cell: Cell | None
    reason: str
    run: str
    badge: Badge | None
    invalid: str


@dataclass(frozen=True, slots=True)
class VerticalTable:
    """What may be averaged: one metric in one way of asking. `not_asked` counts the models asked none of the tasks."""

    group: Group
    tasks: tuple[TaskFacts, ...]
    models: tuple[VerticalRow, ...]
    floors: tuple[VerticalRow, ...]
    not_asked: int


@dataclass(frozen=True, slots=True)
class VerticalPage:
    """One vertical in one language. `others` are the states of all verticals there."""

    snapshot: str
    language: Language
    vertical: str
    state: CoverageCell
    others: tuple[CoverageCell, ...]
    tables: tuple[VerticalTable, ...]
    part: Part
    gaps: Gaps


def page(board: Board, asked: Asked, found: Language, vertical: str) -> VerticalPage:
    """One vertical in one language. Raises `Wrong` for a page that there is not."""
    every_task = board.tasks()
    latest = newest(every_task)  # nothing is averaged over versions of a task
    facts = {
        (task.name, task.version): task
        for task in every_task
        if latest[task.name] == task.version and not task.floor and coverage.vertical_of(task.vertical) == vertical
    }
    states = coverage.cells(board, [found.code])[found.code]
    numbers = _numbers(board, found.code, facts)
    every = _tables(board, found.code, facts, numbers)
    columns = max((len(table.tasks) for table in every), default=1)
    shown, part = _paged(every, asked, max(LEAST_ROWS, min(MOST_ROWS, MOST_CELLS // columns)))
    shown = _filled(board, shown, numbers)
    here = {(task.name, task.version) for table in every for task in table.tasks}
    return VerticalPage(
        snapshot=board.name,
        language=found,
        vertical=vertical,
        state=next(one for one in states if one.vertical == vertical),
        others=states,
        tables=shown,
        part=part,
        gaps=_gaps(board, found.code, vertical, [task for key, task in facts.items() if key not in here]),
    )


Numbers = Mapping[Group, Mapping[tuple[str, str, str], Sequence[int]]]
"""The numbers of results, by what may be averaged and then by model, task and version."""


def _numbers(board: Board, code: str, facts: Collection[tuple[str, str]]) -> Numbers:
    """The results of some tasks in a language, of which only those are read that the page shows."""
    names = board.model_names()
    found: dict[Group, dict[tuple[str, str, str], list[int]]] = {}
    for one in board.outlines_of_language(code):
        if one.headline and (one.task, one.task_version) in facts:
            group = Group(bool(one.floor), one.metric, one.mode, one.prompt_language, one.shots)
            own = found.setdefault(group, {})
            own.setdefault((names[one.model].slug, one.task, one.task_version), []).append(one.id)
    return found


def _filled(board: Board, found: Iterable[VerticalTable], numbers: Numbers) -> tuple[VerticalTable, ...]:
    """The tables with the results of their rows."""

    def own(table: VerticalTable, row: VerticalRow) -> list[Sequence[int]]:
        return [numbers[table.group].get((row.model.slug, one.name, one.version), ()) for one in table.tasks]

    known = tuple(found)
    results = board.results(
        number
        for table in known
        for row in (*table.models, *table.floors)
        for cells in own(table, row)
        for number in cells
    )

    def filled(table: VerticalTable, rows: Iterable[VerticalRow]) -> tuple[VerticalRow, ...]:
        return tuple(
            replace(row, results=tuple(tuple(results[number] for number in cells) for cells in own(table, row)))
            for row in rows
        )

    return tuple(
        replace(table, models=filled(table, table.models), floors=filled(table, table.floors)) for table in known
    )


def _tables(
    board: Board, code: str, facts: Mapping[tuple[str, str], TaskFacts], numbers: Numbers
) -> tuple[VerticalTable, ...]:
    """The tables in order; their rows have no results yet."""
    groups: dict[Group, dict[tuple[str, str], None]] = {}
    for sheet in board.sheets():
        key = sheet.way.task, sheet.way.version
        if key in facts and code in sheet.languages:
            groups.setdefault(group_of(sheet), {})[key] = None
    names = board.model_names()
    over = board.standings(facts.keys(), {code})
    made = []
    for group, keys in sorted(groups.items()):
        held = numbers.get(group, {})
        asked_here = {key[1:] for key in held}
        shown = tuple(facts[key] for key in keys if key in asked_here)
        if not shown:
            continue
        asked = {slug for slug, *place in held if tuple(place) in keys}
        rows = [
            VerticalRow(names[standing.model], standing, ())
            for standing in over.get(group, ())
            if names[standing.model].slug in asked
        ]
        made.append(
            VerticalTable(
                group=group,
                tasks=shown,
                models=tuple(row for row in rows if not row.model.baseline),
                floors=tuple(row for row in rows if row.model.baseline),
                not_asked=sum(not one.baseline for one in names.values()) - sum(not row.model.baseline for row in rows),
            )
        )
    return tuple(made)


def _paged(found: Sequence[VerticalTable], asked: Asked, size: int) -> tuple[tuple[VerticalTable, ...], Part]:
    rows = [(number, row) for number, table in enumerate(found) for row in (*table.models, *table.floors)]
    shown, part = asked.part(rows, size)
    own: dict[int, list[VerticalRow]] = {}
    for number, row in shown:
        own.setdefault(number, []).append(row)
    return tuple(
        replace(
            found[number],
            models=tuple(row for row in kept if not row.model.baseline),
            floors=tuple(row for row in kept if row.model.baseline),
        )
        for number, kept in own.items()
    ), part


def _gaps(board: Board, code: str, vertical: str, without: Sequence[TaskFacts]) -> Gaps:
    program = language_page.program_gaps(code, {task.name for task in board.tasks()})
    own = tuple(one for one in program if one.vertical == vertical)
    return Gaps(tuple(without), own[: language_page.PROGRAM_TASKS], len(own[language_page.PROGRAM_TASKS :]))


def view(board: Board, asked: Asked, code: str, vertical: str) -> VerticalPage | BaseResponse:
    """The page of a vertical in a language, under the language's canonical code. Raises `Missing`."""
    known = coverage.verticals(board)
    found = language_page.canonical(code, asked, f"/{quote(vertical)}")
    if not isinstance(found, Language):
        return found
    if vertical not in known:
        near = [Link(f"/languages/{found.code}/{name}", name) for name in known]
        raise Missing(_("No task on this board or in the program belongs to such a vertical."), near)
    return page(board, asked, found, vertical)


def _lines(page: VerticalPage) -> Iterator[VerticalLine]:
    for table in page.tables:
        for row in (*table.models, *table.floors):
            for task, results in zip(table.tasks, row.results, strict=True):
                own = (row.model, row.standing, task.name, task.version)
                for one in results:
                    reason = one.cell.reasons.get("value", "")
                    yield VerticalLine(*own, one.cell, reason, one.run, one.badge, one.invalid)
                if not results:
                    yield VerticalLine(*own, None, "not_run", "", None, "")


def _addresses(board: Board) -> Iterator[Mapping[str, str]]:
    """The pages that have something to show."""
    for code, states in coverage.cells(board, sorted(board.languages())).items():
        for one in states:
            if one.state == coverage.EVALUATED:
                yield {"code": code, "vertical": one.vertical}


def register(site: Site) -> None:
    """Puts the pages under their addresses."""
    site.page(
        "/languages/<code>/<vertical>",
        "language_vertical.html",
        view,
        VerticalPage,
        rows=_lines,
        row=VerticalLine,
        parameters=("page",),
        variables=_addresses,
    )
