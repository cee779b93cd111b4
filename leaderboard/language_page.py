"""A page for each language: what is known of it, its best models in each task, and what nobody has measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flask import request
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as BaseResponse

import languages
import tasks
from bench.premium.records import Premium
from languages import Language
from leaderboard import cell_tables, coverage, energy, lookup, premium_queries, tokens
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, Count
from leaderboard.cell_tables import CellTable, Draft, Line
from leaderboard.coverage import CoverageCell
from leaderboard.language_list import state_of
from leaderboard.naming import named
from leaderboard.nearby import Kind, Near, nearby
from leaderboard.pages import Energy, FlawedText, LanguageName
from leaderboard.records import TaskFacts, Tokenizer
from leaderboard.site import Site

TOP = 10
"""So many models are shown of each task."""

ALL_ROWS, FEWEST_ROWS, MOST_TABLES = 80, 3, 20
"""Rows of all tasks together, by which a language with many tasks shows fewer models of each; the fewest that it shows;
and tables on one page: so a page never has more elements than a browser handles well."""

ENERGY_TABLES, ENERGY_ROWS, PREMIUM_ROWS, WITHOUT_ROWS = 3, 9, 20, 10
NEIGHBOURS, PROGRAM_TASKS = 24, 30


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A language nearby, how far off its point is in kilometres (None where one has no point), and its results."""

    language: LanguageName
    kilometres: int | None
    cells: int
    state: str


@dataclass(frozen=True, slots=True)
class ProgramTask:
    """A task that the program has and the board does not."""

    name: str
    title: str
    vertical: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing: tasks of the board without a result here, and tasks of the program on no board, `more` unnamed.

    A task of the program counts where it has the language and its text in it is sound.
    """

    board: tuple[TaskFacts, ...]
    program: tuple[ProgramTask, ...]
    more: int


@dataclass(frozen=True, slots=True)
class LanguagePage:
    """One language: its best models by task, what it costs, its relatives, and its gaps.

    Where one `task` is asked for, the page has all of its tables and nothing else; otherwise each table of a headline
    metric has the first rows alone, and of long lists the first: `more_energy`, `more_without` and `more_premiums` rows
    are left out, which `/energy` and `/costs` have, and `more_neighbours`, which the page of the family has.
    `neighbours_of` is "family" where they are of its family, and "anywhere" where it has no relative in the registry.
    """

    snapshot: str
    language: Language
    task: str
    part: Part
    verticals: tuple[CoverageCell, ...]
    benchmarks: tuple[CellTable, ...]
    self_test: tuple[CellTable, ...]
    second_metrics: tuple[str, ...]
    neighbours_of: Kind
    neighbours: tuple[Neighbour, ...]
    more_neighbours: int
    gaps: Gaps
    energy: Energy
    more_energy: int
    more_without: int
    premiums: tuple[tuple[Tokenizer, Premium], ...]
    more_premiums: int
    flawed: tuple[FlawedText, ...]


def page(board: Board, asked: Asked, found: Language) -> LanguagePage:
    """One language. Raises `Wrong` for a task without results in it, and for a page that there is not."""
    known = cell_tables.known(board)
    outlines = board.outlines_of_language(found.code)
    every = cell_tables.drafts(outlines, known)
    every = tuple(sorted(every, key=lambda draft: draft.task.floor))
    task = asked.choice("task", {draft.task.name for draft in every})
    if task:
        chosen, part = cell_tables.paged([draft for draft in every if draft.task.name == task], asked, known)
    elif asked.whole:
        chosen, part = every, Part(1, 1, len(every))
    else:
        some, part = asked.part([draft for draft in every if draft.first.headline], MOST_TABLES)
        rows = max(FEWEST_ROWS, min(TOP, ALL_ROWS // max(1, len(some))))
        chosen = tuple(cell_tables.top(draft, rows) for draft in some)
    shown = cell_tables.drawn(board, chosen, known)
    energies, more_energy, more_without = _brief(energy.of_language(board, found.code, outlines))
    premiums = premium_queries.of_language(board, found.code)
    kind, near = nearby(found)
    return LanguagePage(
        snapshot=board.name,
        language=found,
        task=task,
        part=part,
        verticals=coverage.cells(board, [found.code])[found.code],
        benchmarks=tuple(table for table in shown if not table.task.floor),
        self_test=tuple(table for table in shown if table.task.floor),
        second_metrics=tuple(dict.fromkeys(draft.task.name for draft in every if not draft.first.headline)),
        neighbours_of=kind,
        neighbours=_neighbours(board.counts(), near[:NEIGHBOURS]),
        more_neighbours=len(near[NEIGHBOURS:]) if kind == "family" else 0,
        gaps=_gaps(found.code, known.facts, every),
        energy=energies,
        more_energy=more_energy,
        more_without=more_without,
        premiums=tuple(premiums[:PREMIUM_ROWS]),
        more_premiums=len(premiums[PREMIUM_ROWS:]),
        flawed=tokens.flawed(one for _, one in premiums),
    )


def _brief(found: Energy) -> tuple[Energy, int, int]:
    """The first rows of each table of energy, and how many rows and missing figures are left out."""
    shown = found.tables[:ENERGY_TABLES]
    each = ENERGY_ROWS // max(1, len(shown))
    made = tuple(replace(table, rows=table.rows[:each]) for table in shown)
    left = sum(len(table.rows) for table in found.tables) - sum(len(table.rows) for table in made)
    return Energy(made, found.without[:WITHOUT_ROWS]), left, len(found.without[WITHOUT_ROWS:])


def _neighbours(counts: Mapping[str, Count], near: Iterable[Near]) -> tuple[Neighbour, ...]:
    """What the board has of the languages nearby."""

    def neighbour(one: Near) -> Neighbour:
        count = counts.get(one.language.code)
        far = None if one.kilometres is None else round(one.kilometres)
        return Neighbour(named(one.language.code), far, count.cells if count else 0, state_of(count))

    return tuple(map(neighbour, near))


def _gaps(code: str, facts: Mapping[tuple[str, str], TaskFacts], every: tuple[Draft, ...]) -> Gaps:
    present = {(draft.task.name, draft.task.version) for draft in every}
    program = program_gaps(code, {name for name, _version in facts})
    without = tuple(task for name, task in facts.items() if name not in present)
    return Gaps(without, program[:PROGRAM_TASKS], len(program[PROGRAM_TASKS:]))


def program_gaps(code: str, on_board: Collection[str]) -> tuple[ProgramTask, ...]:
    """The benchmarks of the program that have a language and are not on the board, by name."""
    wanted = {name for (language, _), names in coverage.program_tasks().items() if language == code for name in names}
    known = tasks.all_tasks()
    return tuple(
        ProgramTask(one.name, one.title, coverage.vertical_of(one.vertical))
        for one in (known[name] for name in sorted(wanted - set(on_board)))
    )


def canonical(code: str, asked: Asked, below: str = "") -> Language | BaseResponse:
    """The language at an address, or the way to the address under its own code. Raises `Missing`."""
    found = lookup.language(code)
    if found.code == code:
        return found
    suffix = next((end for end in (".json", ".csv", ".parquet") if request.path.endswith(end)), "")
    return redirect(f"{request.script_root}/languages/{found.code}{below}{suffix}{asked.query()}", 301)


def view(board: Board, asked: Asked, code: str) -> LanguagePage | BaseResponse:
    """The page of a language, under its canonical code."""
    found = canonical(code, asked)
    return page(board, asked, found) if isinstance(found, Language) else found


def _lines(page: LanguagePage) -> Iterator[Line]:
    for table in (*page.benchmarks, *page.self_test):
        yield from (line for line in (*table.models, *table.floors) if line.cell is not None)


def register(site: Site) -> None:
    """Puts the pages under their addresses."""
    site.page(
        "/languages/<code>",
        "language.html",
        view,
        LanguagePage,
        rows=_lines,
        row=Line,
        parameters=("page", "task"),
        variables=lambda _board: ({"code": one.code} for one in languages.all_languages()),
    )
