"""The means of one model, each with where it stands in its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leaderboard.board import Board
from leaderboard.grid import Sheet, way_of_mean
from leaderboard.records import Mean
from leaderboard.standings import Standing, standings


def of_model(board: Board, slug: str, task: str | None = None) -> Iterator[tuple[Mean, Standing | None]]:
    """The means of a model, in one task where one is named, each with its standing within the task."""
    number = board.number(slug)
    sheets = {sheet.way: sheet for sheet in board.sheets()}
    for mean in board.means(model=slug, task=task):
        sheet = sheets.get(way_of_mean(mean))
        yield mean, None if sheet is None else _standing(sheet, number, mean)


def _standing(sheet: Sheet, number: int, mean: Mean) -> Standing | None:
    """Where a model stands in one way of a task. Its ranks among the others are those that its mean has of them."""
    if number not in sheet.models:
        return None
    ((own,),) = standings([sheet.of([sheet.models.index(number)])], ()).values()
    return replace(own, first=mean.first, last=mean.last, peers=mean.peers, reason=mean.reason)
