"""A snapshot -> what pages say of energy: tables of what may be compared, and the reasons for what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from leaderboard import energy_queries
from leaderboard.asking import Asked
from leaderboard.board import Board, ModelName
from leaderboard.efficiency import EQUIVALENT, GENERAL_REASONS, PER_CORRECT, missing, no_interval, rank_doubt
from leaderboard.energy_queries import Measured, Unmeasured
from leaderboard.naming import by_name, looked_for, named
from leaderboard.pages import Energy, EnergyPage, EnergyRow, EnergyTable, LanguageName, NoEnergy
from leaderboard.records import Outline, TaskFacts
from leaderboard.site import Site

Tasks = Mapping[tuple[str, str], TaskFacts]

SHOWN = (
    *(PER_CORRECT, EQUIVALENT, "output_tokens_per_joule", "joules_per_request", "joules_per_1000_words"),
    *("language_energy_ratio", "quality_per_kilojoule"),
)
"""The figures of a row, in the order of its fields."""
FACTORS = ("premium", "verbosity", "joules_per_token_ratio")
"""What stands beneath the Language Energy Ratio."""


MOST = 2_000
FEW = 5
"""Where more cells than that have energy, a page shows one task at a time, or a few languages."""


def page(board: Board, asked: Asked) -> EnergyPage:
    """All energy of the board, or that of the languages that answer to a name, or of one task."""
    language = asked.one("language")[:80]
    known = energy_queries.tasks(board)
    tasks = tuple(known) or tuple(dict.fromkeys(task.name for task in board.tasks()))
    task: str | None = asked.choice("task", tasks) or None
    codes = {code for code in board.languages() if looked_for(named(code), language)}
    if len(codes) <= FEW and task is None:
        found: Iterable[Measured] = chain.from_iterable(
            energy_queries.of_language(board, code) for code in sorted(codes)
        )
        without = [each for code in codes for each in _without(board.outlines_of_language(code))]
    else:
        task = task or (tasks[0] if sum(known.values()) > MOST else None)
        found = (each for each in energy_queries.of_board(board, task) if each.cell.language in codes)
        without = [
            replace(each, languages=own)
            for each in energy_queries.without(board, task=task)
            if (own := tuple(filter(codes.__contains__, each.languages)))
        ]
    return EnergyPage(board.name, language, task or "", tasks, _energy(board, found, without, _by_language))


def of_language(board: Board, code: str, outlines: Iterable[Outline]) -> Energy:
    """The energy in one language, of which these are the results."""
    return _energy(board, energy_queries.of_language(board, code), _without(outlines), _by_cost)


def _without(outlines: Iterable[Outline]) -> Iterator[Unmeasured]:
    """The headline results without energy, each with its reason."""
    for one in outlines:
        if one.headline and one.energy_provenance == "none":
            why = next((one.reasons[name] for name in GENERAL_REASONS if name in one.reasons), "not_stated")
            yield Unmeasured(one.model, one.task, one.task_version, (one.language,), why)


def of_model(board: Board, slug: str) -> Energy:
    """The energy of one model over languages."""
    return _energy(board, energy_queries.of_model(board, slug), energy_queries.without(board, model=slug), _by_language)


def _energy(
    board: Board,
    found: Iterable[Measured],
    without: Iterable[Unmeasured],
    order: Callable[[EnergyRow], tuple[object, ...]],
) -> Energy:
    names, tasks = board.model_names(), board.task_facts()
    lacking: dict[tuple[int, str, str, str], set[str]] = {}
    for each in without:
        # A floor is a rule and no model: nobody would measure what it takes.
        if not names[each.model].baseline:
            lacking.setdefault((each.model, each.task, each.version, each.reason), set()).update(each.languages)
    every = _named(set().union(*lacking.values()))
    spoken = {codes: tuple(one for one in every if one.code in codes) for codes in map(frozenset, lacking.values())}
    told = [
        NoEnergy(names[number], tasks[task, version], why, spoken[frozenset(codes)])
        for (number, task, version, why), codes in lacking.items()
    ]
    told.sort(key=lambda each: (each.model.slug, each.task.floor, each.task.name, each.task.version, each.reason))
    return Energy(_tables(found, names, tasks, order), tuple(told))


def _named(codes: Iterable[str]) -> tuple[LanguageName, ...]:
    return tuple(sorted(map(named, codes), key=by_name))


def _tables(
    found: Iterable[Measured],
    names: Mapping[int, ModelName],
    tasks: Tasks,
    order: Callable[[EnergyRow], tuple[object, ...]],
) -> tuple[EnergyTable, ...]:
    """Figures of two setups or scopes, tasks or ways of asking never share a table."""
    spoken: dict[str, LanguageName] = {}
    groups: dict[tuple[bool, str, str, str, str, int, str, str], list[EnergyRow]] = {}
    for each in found:
        cell = each.cell
        place = (cell.floor, cell.task, cell.task_version, cell.mode, cell.prompt_language, cell.shots)
        language = spoken.get(cell.language) or spoken.setdefault(cell.language, named(cell.language))
        ranks = each.ranks[PER_CORRECT], each.ranks[EQUIVALENT]
        row = EnergyRow(names[each.model], language, cell, *ranks, each.run, each.badge)
        groups.setdefault((*place, cell.energy_setup, cell.energy_scope or ""), []).append(row)
    return tuple(
        EnergyTable(tasks[task, version], mode, prompt_language, shots, setup, scope, rows, _notes(rows))
        for (_, task, version, mode, prompt_language, shots, setup, scope), rows in (
            (place, tuple(sorted(rows, key=order))) for place, rows in sorted(groups.items())
        )
    )


def _notes(rows: Iterable[EnergyRow]) -> tuple[str, ...]:
    """Every reason that a field of these rows refers to, once."""
    return tuple(dict.fromkeys(code for row in rows for code in _reasons(row) if code))


def _reasons(row: EnergyRow) -> Iterator[str]:
    cell = row.cell
    for figure in SHOWN:
        if getattr(cell, figure) is None:
            yield missing(cell, figure)
    for rank in (row.per_correct, row.equivalent):
        yield rank_doubt(cell, rank)
    yield no_interval(cell)
    if cell.language_energy_ratio is not None:
        yield from (missing(cell, factor) for factor in FACTORS if getattr(cell, factor) is None)


def _by_language(row: EnergyRow) -> tuple[object, ...]:
    return *by_name(row.language), row.cell.variety, *_by_cost(row)


def _by_cost(row: EnergyRow) -> tuple[object, ...]:
    """What is ranked comes first; the cheapest right answer first, what has no figure last."""
    figure = row.cell.joules_per_correct
    return row.per_correct.first is None, figure is None, figure or 0.0, row.model.slug


def register(site: Site) -> None:
    """Puts the page under its address."""
    site.page(
        "/energy",
        "energy.html",
        page,
        EnergyPage,
        rows=lambda page: [row for table in page.energy.tables for row in table.rows],
        row=EnergyRow,
        parameters=("language", "task"),
    )
