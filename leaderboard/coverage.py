"""Which languages are evaluated in which vertical, and which are not: for those who decide what is paid for next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import languages
import tasks
from languages import Language
from leaderboard.asking import Asked, Part
from leaderboard.board import Board
from leaderboard.grid import Sheet, holders
from leaderboard.naming import by_name, looked_for, named
from leaderboard.site import Site

GENERAL = "general"
"""The vertical of tasks that belong to no profession."""

EVALUATED, UNTRIED, NO_TASK = "evaluated", "task", "none"
STATES = (EVALUATED, UNTRIED, NO_TASK)
WITHOUT = "without"
"""What the filter calls everything that is not evaluated."""

ROWS = 100
SORTS = ("speakers", "name")


@dataclass(frozen=True, slots=True)
class CoverageCell:
    """A language in a vertical.

    `state` is "evaluated" where `models` have a number that counts (floors and the self-test are none), "task" where
    a task exists and no number counts, "none" where no task exists, here or in the program. `board_tasks` and
    `program_tasks` are the benchmarks with sound text in the language: those on this board, and all.
    """

    vertical: str
    state: str
    models: int
    board_tasks: int
    program_tasks: int


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """A language over the verticals."""

    language: Language
    cells: tuple[CoverageCell, ...]


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """A language in a vertical, as a row of the data beside the page."""

    language: str
    name: str
    speakers: int | None
    family: str | None
    macroarea: str | None
    resource_class: str
    cell: CoverageCell


@dataclass(frozen=True, slots=True)
class CoverageCount:
    """How many languages are in each state in one vertical; the vertical is empty where all are taken together.

    `speakers` are those of the languages that are not evaluated, each language once whatever its scripts;
    `unknown` counts the languages among them whose speakers no source states.
    """

    vertical: str
    evaluated: int
    untried: int
    no_task: int
    speakers: int
    unknown: int


@dataclass(frozen=True, slots=True)
class CoveragePage:
    """What is evaluated and what is not: counts by vertical, `anywhere` over all of them, and every language."""

    snapshot: str
    languages: int
    anywhere: CoverageCount
    verticals: tuple[CoverageCount, ...]
    q: str
    vertical: str
    state: str
    sort: str
    rows: tuple[CoverageRow, ...]
    part: Part


def vertical_of(name: str) -> str:
    """A task's vertical as addresses write it."""
    return name or GENERAL


def verticals(board: Board) -> tuple[str, ...]:
    """Every vertical of the program and of the board: the general one first, the others by name."""
    known = {vertical_of(task.vertical) for task in tasks.all_tasks().values() if not task.floor}
    known |= {vertical_of(task.vertical) for task in board.tasks() if not task.floor}
    return tuple(sorted(known, key=lambda name: (name != GENERAL, name)))


def program_tasks() -> dict[tuple[str, str], set[str]]:
    """Language and vertical -> the program's benchmarks whose text in the language is sound, by name."""
    made: dict[tuple[str, str], set[str]] = {}
    for task in tasks.all_tasks().values():
        if not task.floor:
            for variety in task.varieties:
                if not variety.flaw:
                    made.setdefault((variety.language, vertical_of(task.vertical)), set()).add(task.name)
    return made


def cells(board: Board, codes: Collection[str]) -> dict[str, tuple[CoverageCell, ...]]:
    """The state of each language in every vertical."""
    models, declared = _on_board(board, set(codes))
    program, names = program_tasks(), verticals(board)
    nothing: set[str] = set()
    return {
        code: tuple(
            _cell(name, models.get((code, name), 0), declared.get((code, name), nothing), program.get((code, name)))
            for name in names
        )
        for code in codes
    }


def _cell(vertical: str, models: int, declared: set[str], program: set[str] | None) -> CoverageCell:
    every = declared | (program or set())
    state = EVALUATED if models else UNTRIED if every else NO_TASK
    return CoverageCell(vertical, state, models, len(declared), len(every))


def _on_board(
    board: Board, codes: Collection[str]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], set[str]]]:
    """By language and vertical: how many models have a number that counts, and the board's tasks with the language."""
    facts = board.task_facts()
    floors = {number for number, model in board.model_names().items() if model.baseline}
    sheets: dict[str, list[Sheet]] = {}
    declared: dict[tuple[str, str], set[str]] = {}
    for sheet in board.sheets():
        if sheet.floor:
            continue
        vertical = vertical_of(facts[sheet.way.task, sheet.way.version].vertical)
        sheets.setdefault(vertical, []).append(sheet)
        held = holders([sheet], codes, floors)
        for code, wanted in zip(sheet.languages, sheet.wanted.tolist(), strict=True):
            if code in codes and (wanted or held[code]):
                declared.setdefault((code, vertical), set()).add(sheet.way.task)
    models = {(code, name): held for name, own in sheets.items() for code, held in holders(own, codes, floors).items()}
    return models, declared


def page(board: Board, asked: Asked) -> CoveragePage:
    """The coverage page."""
    known = languages.all_languages()
    found = cells(board, [one.code for one in known])
    rows = [CoverageRow(one, found[one.code]) for one in known]
    names = verticals(board)
    vertical = asked.choice("vertical", names)
    state = asked.choice("state", (*STATES, WITHOUT))
    sort = asked.choice("sort", SORTS, SORTS[0])
    q = asked.one("q")
    chosen = [row for row in rows if looked_for(named(row.language.code), q) and _is(_overall(row, vertical), state)]
    chosen.sort(key=lambda row: by_name(row.language))
    if sort == "speakers":
        chosen.sort(key=lambda row: (row.language.speakers is None, -(row.language.speakers or 0)))
    shown, part = asked.part(chosen, ROWS)
    return CoveragePage(
        snapshot=board.name,
        languages=len(rows),
        anywhere=_count("", rows),
        verticals=tuple(_count(name, rows) for name in names),
        q=q,
        vertical=vertical,
        state=state,
        sort=sort,
        rows=tuple(shown),
        part=part,
    )


def _overall(row: CoverageRow, vertical: str) -> str:
    """A language's state in one vertical; the best over all where none is named."""
    states = {cell.state for cell in row.cells if vertical in ("", cell.vertical)}
    return next((state for state in STATES if state in states), NO_TASK)


def _is(state: str, wanted: str) -> bool:
    return not wanted or state == wanted or (wanted == WITHOUT and state != EVALUATED)


def _count(vertical: str, rows: Iterable[CoverageRow]) -> CoverageCount:
    states = {row.language: _overall(row, vertical) for row in rows}
    every = list(states.values())
    # Rows of one language repeat its speakers; it is served where one of its scripts is.
    served = {one.iso639_3 for one, state in states.items() if state == EVALUATED}
    left: Mapping[str, int | None] = {one.iso639_3: one.speakers for one in states if one.iso639_3 not in served}
    return CoverageCount(
        vertical=vertical,
        evaluated=every.count(EVALUATED),
        untried=every.count(UNTRIED),
        no_task=every.count(NO_TASK),
        speakers=sum(people or 0 for people in left.values()),
        unknown=sum(people is None for people in left.values()),
    )


def _lines(page: CoveragePage) -> Iterator[CoverageLine]:
    for row in page.rows:
        one = row.language
        facts = (one.code, one.name, one.speakers, one.family, one.macroarea, one.resource_class)
        for cell in row.cells:
            if page.vertical in ("", cell.vertical):
                yield CoverageLine(*facts, cell)


def register(site: Site) -> None:
    """Puts the page under its address."""
    parameters = ("page", "q", "sort", "state", "vertical")
    site.page("/coverage", "coverage.html", page, CoveragePage, rows=_lines, row=CoverageLine, parameters=parameters)
