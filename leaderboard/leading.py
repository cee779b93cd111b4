"""The top of the board, for the start page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard import facets
from leaderboard.board import Board
from leaderboard.board_pages import BoardRow, by_cells, default, over, shows_mean
from leaderboard.grid import Sheet
from leaderboard.naming import named
from leaderboard.pages import LanguageName
from leaderboard.records import TaskFacts
from leaderboard.standings import Group, Standing
from leaderboard.versions import newest


@dataclass(frozen=True, slots=True)
class Leading:
    """The first rows of a block: all tasks and languages, or one task or one language, where only that ranks models.

    `floor` is the baseline with the highest mean over the same block, or where none is shown a mean, that with the
    most results of it.
    """

    group: Group
    task: TaskFacts | None
    language: LanguageName | None
    rows: tuple[BoardRow, ...]
    floor: BoardRow | None


def top(board: Board, count: int) -> Leading | None:
    """The top of the board; where no model has every cell, of the task or else the language that ranks the most."""
    found = over(board)
    group = default(found)
    if group is None or group.floor:
        return None
    if not _ranked(found[group]):
        every = facets.board_tasks(board)
        latest = newest(every)
        tasks = [task for task in every if not task.floor and latest[task.name] == task.version]
        by_task = [(task, board.standings({(task.name, task.version)})) for task in tasks]
        by_language = [(code, board.standings(None, {code})) for code in _fullest(board.sheets())]
        for task, own in sorted(by_task, key=lambda pair: -_most(pair[1]))[:1]:
            if _most(own):
                return _leading(board, own, count, task, None)
        for code, own in sorted(by_language, key=lambda pair: -_most(pair[1]))[:1]:
            if _most(own):
                return _leading(board, own, count, None, named(code))
    return _leading(board, found, count, None, None)


def _leading(
    board: Board,
    found: Mapping[Group, Sequence[Standing]],
    count: int,
    task: TaskFacts | None,
    language: LanguageName | None,
) -> Leading | None:
    group = default(found)
    if group is None:
        return None
    traits = facets.traits(board)
    own = [one for one in found[group] if not traits[one.model].model.baseline]
    own.sort(key=lambda one: by_cells(one, "rank"))
    floors = [one for one in found[group] if traits[one.model].model.baseline and one.covered]
    floor = max(floors, key=_height, default=None)
    return Leading(
        group=group,
        task=task,
        language=language,
        rows=tuple(BoardRow(traits[one.model], one, ()) for one in own[:count]),
        floor=None if floor is None else BoardRow(traits[floor.model], floor, ()),
    )


def _height(one: Standing) -> tuple[bool, float, int]:
    """What decides which floor is the highest. Over fewer languages a mean is of other questions: whole ones first."""
    return one.complete, (one.normalised or 0.0) if shows_mean(one) else -math.inf, one.covered


def _ranked(own: Iterable[Standing]) -> int:
    return sum(one.first is not None for one in own)


def _most(found: Mapping[Group, Sequence[Standing]]) -> int:
    return max((_ranked(own) for own in found.values()), default=0)


def _fullest(sheets: Iterable[Sheet], count: int = 5) -> list[str]:
    """The languages with the most numbers in benchmarks."""
    counted: Counter[str] = Counter()
    for sheet in sheets:
        if not sheet.floor:
            there = (~np.isnan(sheet.normalised)).sum(axis=0)
            counted.update(dict(zip(sheet.languages, there.tolist(), strict=True)))
    return [code for code, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:count]]
