"""What accepting a submission would take off the board, and whether a moderator has to want that expressly."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leaderboard import snapshot
from leaderboard.board import Board, Result
from leaderboard.collect import CellKey, Contribution, key
from leaderboard.desk.records import Submission, line
from leaderboard.desk.store import Desk
from leaderboard.records import LADDER, Badge, RunFacts
from leaderboard.snapshot import BoardError


@dataclass(frozen=True, slots=True)
class Fewer:
    """A cell, in words, whose number would be of fewer items."""

    cell: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """A run of the same model on the board, which the submission's would take the place of.

    `sender` is the name on the token and `submission` the id, both "" where it was published here; `another` says that
    somebody else sent it. `cells` are its cells with a value, `items` those of its headline cells together, `date` when
    it ended (UTC). `fewer` are the cells in which the submission has fewer items.
    """

    run: str
    sender: str
    submission: str
    another: bool
    badge: Badge
    cells: int
    items: int
    date: str
    fewer: tuple[Fewer, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What accepting a submission with `badge` would do: the runs that give way, and the cells that have no successor.

    `why` says what a moderator has to want expressly (`--replace`), "" where nothing.
    """

    badge: Badge
    replaces: tuple[Replaced, ...]
    dropped: tuple[str, ...]
    why: str


def outlook(board: Path, desk: Desk, found: Submission, handed_in: Contribution, worn: Badge) -> Outlook:
    """What publishing a submission with this badge would replace of its model. Raises `BenchError`."""
    runs, there = _there(board, handed_in)
    mine = {each: published.cell.n for each, published in handed_in.cells.items() if published.cell.value is not None}
    dropped = tuple(place(each) for each in sorted(there.keys() - mine.keys()))
    replaces = []
    for run in runs:
        own = {each: result for each, result in sorted(there.items()) if result.run == run.id}
        if own:
            replaces.append(_replaced(desk, found, run, own, mine))
    return Outlook(worn, tuple(replaces), dropped, _why(line(handed_in.identity.model, 100), replaces, dropped, worn))


def _replaced(
    desk: Desk, found: Submission, run: RunFacts, own: dict[CellKey, Result], mine: dict[CellKey, int]
) -> Replaced:
    sent = [other for other in desk.of_run(run.id) if other.state == "accepted"]
    token = desk.token_of(found.id)
    others = [other for other in sent if desk.token_of(other.id) != token]
    by = (others or sent)[-1:]
    cells = [result.cell for result in own.values()]
    fewer = ((place(each), result.cell.n, mine.get(each, result.cell.n)) for each, result in own.items())
    return Replaced(
        run.id,
        by[0].sender if by else "",
        by[0].id if by else "",
        bool(others),
        run.badge,
        len(cells),
        sum(cell.n for cell in cells if cell.headline),
        run.ended or run.started,
        tuple(Fewer(cell, before, after) for cell, before, after in fewer if after < before),
    )


def _why(model: str, replaces: Sequence[Replaced], dropped: Sequence[str], worn: Badge) -> str:
    if dropped:
        return f"drop {len(dropped):,} results that {model} has on the board, {dropped[0]} for one"
    for one in replaces:
        if one.another:
            return f"replace results of {model} that another sender, {one.sender}, sent in submission {one.submission}"
    for one in replaces:
        if one.fewer:
            first = one.fewer[0]
            return f"replace {first.before:,} items of {model} by {first.after:,} in {first.cell}"
        if LADDER.index(worn) < LADDER.index(one.badge):
            return f"replace results of {model} that are {one.badge} by results that are {worn}, those of run {one.run}"
    return ""


def _there(board: Path, handed_in: Contribution) -> tuple[list[RunFacts], dict[CellKey, Result]]:
    """The runs, and the results with a value, that the current snapshot has of a run's very model.

    Raises `BoardError`.
    """
    current = snapshot.current(board)
    if not current:
        return [], {}
    mine = handed_in.identity
    try:
        with contextlib.closing(Board.open(board, current)) as shown:
            same = [
                model
                for model in shown.models()
                if (model.name, model.revision, model.template, model.decoding)
                == (mine.model, mine.revision, mine.template, mine.decoding)
            ]
            found = {
                key(result.cell): result
                for model in same
                for result in shown.results_of_model(model.slug)
                if result.cell.value is not None
            }
            return [run for model in same for run in model.runs], found
    except sqlite3.Error as error:
        raise BoardError(f"the snapshot {snapshot.snapshot_path(board, current)} is damaged: {error}") from error


def place(cell: CellKey) -> str:
    """A cell's task, language and metric in words."""
    task, version, language, variety, *_, metric = cell
    return f"{task}@{version} {language}{variety and '-' + variety} {metric}"
