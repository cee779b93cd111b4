"""Which runs the results of a model are from, and how far they were checked."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.board import Board
from leaderboard.grid import Way
from leaderboard.records import LADDER, Badge

_OF_MODEL = "FROM results WHERE headline AND model_id = (SELECT id FROM models WHERE slug = ?)"
_WAY = "task, task_version, metric, mode, prompt_language, shots"


@dataclass(frozen=True, slots=True)
class Sources:
    """The ids of the runs that some results are from, and the lowest of their badges."""

    runs: tuple[str, ...]
    badge: Badge


def of_model(board: Board, slug: str) -> dict[Way, Sources]:
    """The runs behind a model's results in each way of each task."""
    found: dict[Way, list[str]] = {}
    for *way, run in board.tuples(f"SELECT DISTINCT {_WAY}, run {_OF_MODEL} ORDER BY run", slug):
        found.setdefault(Way(*way), []).append(run)
    badges = board.badges()
    return {
        way: Sources(tuple(filter(None, runs)), min((badges.get(run, LADDER[0]) for run in runs), key=LADDER.index))
        for way, runs in found.items()
    }


def of_places(board: Board, slug: str, way: Way) -> dict[tuple[str, str], str]:
    """The id of the run behind a model's result in each language and variety of one way of a task."""
    chosen = f"SELECT language, variety, {_WAY}, run {_OF_MODEL} AND task = ?"
    found = board.tuples(chosen, slug, way.task)
    return {(language, variety): run for language, variety, *asked, run in found if Way(*asked) == way}
