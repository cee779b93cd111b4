"""A snapshot -> what pages say of energy: tables of what may be compared, and the reasons for what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from leaderboard.board import Board, Measured, ModelName
from leaderboard.efficiency import EQUIVALENT, PER_CORRECT, missing
from leaderboard.naming import looked_for, named
from leaderboard.pages import Energy, EnergyPage, EnergyRow, EnergyTable, NoEnergy
from leaderboard.records import TaskFacts

Tasks = Mapping[tuple[str, str], TaskFacts]


def page(board: Board, language: str = "") -> EnergyPage:
    """All energy of the board; that of the languages that answer to `language`, where something is looked for."""
    names, tasks = board.model_names(), _tasks(board)
    codes = {code for code in board.languages() if looked_for(named(code), language)}
    found = [each for each in board.energy_of_board() if each.cell.language in codes]
    without = [
        NoEnergy(names[number], tasks[task, version], why, count)
        for number, task, version, why, count in board.without_energy(codes)
    ]
    return EnergyPage(board.name, language, Energy(_tables(found, names, tasks, _by_language), _models_alone(without)))


def of_language(board: Board, code: str) -> Energy:
    """The energy in one language."""
    return _energy(board, board.energy_of_language(code), _by_cost)


def of_model(board: Board, slug: str) -> Energy:
    """The energy of one model over languages."""
    return _energy(board, board.energy_of_model(slug), _by_language)


def _energy(board: Board, cells: Iterable[Measured], order: Callable[[EnergyRow], tuple[object, ...]]) -> Energy:
    names, tasks, found = board.model_names(), _tasks(board), list(cells)
    counted = Counter(
        (each.model, each.cell.task, each.cell.task_version, missing(each.cell, "energy"))
        for each in found
        if each.cell.energy_provenance == "none"
    )
    without = [
        NoEnergy(names[number], tasks[task, version], why, count)
        for (number, task, version, why), count in counted.items()
    ]
    having = [each for each in found if each.cell.energy_provenance != "none"]
    return Energy(_tables(having, names, tasks, order), _models_alone(without))


def _tasks(board: Board) -> Tasks:
    return {(task.name, task.version): task for task in board.tasks()}


def _models_alone(without: Iterable[NoEnergy]) -> tuple[NoEnergy, ...]:
    """A floor is a rule and no model: nobody would measure what it takes."""
    kept = [each for each in without if not each.model.baseline]
    return tuple(sorted(kept, key=lambda each: (each.model.slug, each.task.floor, each.task.name, each.reason)))


def _tables(
    found: Iterable[Measured],
    names: Mapping[int, ModelName],
    tasks: Tasks,
    order: Callable[[EnergyRow], tuple[object, ...]],
) -> tuple[EnergyTable, ...]:
    """Figures of two setups or scopes, tasks or ways of asking never share a table."""
    groups: dict[tuple[bool, str, str, str, str, int, str, str], list[EnergyRow]] = {}
    for each in found:
        cell = each.cell
        place = (cell.floor, cell.task, cell.task_version, cell.mode, cell.prompt_language, cell.shots)
        row = EnergyRow(names[each.model], named(cell.language), cell, each.ranks[PER_CORRECT], each.ranks[EQUIVALENT])
        groups.setdefault((*place, cell.energy_setup, cell.energy_scope or ""), []).append(row)
    return tuple(
        EnergyTable(tasks[task, version], mode, prompt_language, shots, setup, scope, tuple(sorted(rows, key=order)))
        for (_, task, version, mode, prompt_language, shots, setup, scope), rows in sorted(groups.items())
    )


def _by_language(row: EnergyRow) -> tuple[object, ...]:
    return row.language.name.casefold(), row.language.code, row.cell.variety, *_by_cost(row)


def _by_cost(row: EnergyRow) -> tuple[object, ...]:
    """What is ranked comes first; the cheapest right answer first, what has no figure last."""
    figure = row.cell.joules_per_correct
    return row.per_correct.first is None, figure is None, figure or 0.0, row.model.slug
