"""What a snapshot knows of energy: the cells that have some, and why the others have none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.records import Cell
from leaderboard.board import Board
from leaderboard.records import Badge, EnergyRank
from leaderboard.rows import RUN_OF_CELL, cell_of
from leaderboard.standings import INVALID


@dataclass(frozen=True, slots=True)
class Measured:
    """A headline cell with energy, its model's number, its ranks by figure, its run's id, how far that was checked."""

    model: int
    cell: Cell
    ranks: Mapping[str, EnergyRank]
    run: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Headline cells without energy: their model's number, their task, the languages by code, and the reason code."""

    model: int
    task: str
    version: str
    languages: tuple[str, ...]
    reason: str


def models(board: Board) -> set[int]:
    """The numbers of the models that have energy somewhere."""
    found = board.tuples("SELECT DISTINCT model_id FROM results WHERE headline AND energy_provenance != 'none'")
    return {number for (number,) in found}


def tasks(board: Board) -> dict[str, int]:
    """How many headline cells of each task have energy."""
    found = board.tuples(
        "SELECT task, count(*) FROM results WHERE headline AND energy_provenance != 'none' GROUP BY task ORDER BY task"
    )
    return dict(found.fetchall())


def of_board(board: Board, task: str | None = None) -> Iterator[Measured]:
    """Every headline cell that has energy, of one task where one is named."""
    return _measured(board, "task = coalesce(?, task)", task)


def of_language(board: Board, code: str) -> Iterator[Measured]:
    """Every headline cell of a language that has energy."""
    return _measured(board, "language = ?", code)


def of_model(board: Board, slug: str) -> Iterator[Measured]:
    """Every headline cell of a model that has energy."""
    return _measured(board, "model_id = (SELECT id FROM models WHERE slug = ?)", slug)


def _measured(board: Board, where: str, *values: str | None) -> Iterator[Measured]:
    chosen = f"(SELECT id FROM cells WHERE headline AND energy_provenance != 'none' AND {where})"  # noqa: S608 - never a visitor's words
    ranks: dict[int, dict[str, EnergyRank]] = {}
    found = f"SELECT * FROM energy_ranks WHERE cell IN {chosen}"  # noqa: S608 - as above
    for rank in (EnergyRank(*row) for row in board.tuples(found, *values)):
        ranks.setdefault(rank.cell, {})[rank.figure] = rank
    order = "ORDER BY task, task_version, language, variety, model_id"
    wrong, badges = board.wrong(), board.badges()
    for row in board.tuples(f"SELECT * FROM cells WHERE id IN {chosen} {order}", *values):  # noqa: S608 - as above
        cell, own, run = cell_of(row), ranks[row[1]], row[RUN_OF_CELL]
        if (cell.task, cell.task_version) in wrong:
            own = {
                figure: replace(rank, first=None, last=None, peers=0, reason=rank.reason or INVALID)
                for figure, rank in own.items()
            }
        yield Measured(row[0], cell, own, run, badges.get(run, "self_reported"))


def without(board: Board, *, model: str | None = None, task: str | None = None) -> list[Unmeasured]:
    """Which headline cells have no energy, and why: those of one model or task where one is named."""
    found = board.tuples(
        "SELECT model_id, task, version, languages, reason FROM without_energy"
        " WHERE task = coalesce(?, task) AND (? IS NULL OR model_id = (SELECT id FROM models WHERE slug = ?))",
        *(task, model, model),
    )
    return [
        Unmeasured(number, name, version, tuple(json.loads(codes)), why) for number, name, version, codes, why in found
    ]
