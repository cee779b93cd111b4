"""What moderators and senders decide: accepting into a snapshot, declining, withdrawing, comparing with a re-run."""

# ruff: noqa: A002 - `id` is what a submission calls its own

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.records import Cell, UsageError
from leaderboard import locking, snapshot
from leaderboard.board import Board
from leaderboard.collect import CellKey, Contribution, collect
from leaderboard.desk import uploads
from leaderboard.desk.access import Token
from leaderboard.desk.outlook import Outlook, outlook
from leaderboard.desk.records import DECLINES, DeskError, Submission, line, name
from leaderboard.desk.store import Desk
from leaderboard.records import LADDER, Badge
from leaderboard.snapshot import BoardError, Info, publish

_ROUNDING = 1e-9  # two sums of the same numbers in another order may differ by less


class Busy(DeskError):
    """Somebody else decides on a submission at this moment."""


@dataclass(frozen=True, slots=True)
class Differing:
    """A cell in which a re-run and a submission are not one result, and why, in words."""

    task: str
    language: str
    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """What comparing a re-run with a submission gave: of `compared` cells these differ."""

    compared: int
    differing: tuple[Differing, ...]
    submission: Submission


def accept(board: Path, id: str, moderator: str, badge: Badge | None = None, *, replace: bool = False) -> Info:
    """Publishes a submission that waits, with its badge or another, and marks it as accepted.

    Raises `UsageError` where results of the model's former self would be lost, or would give way to fewer items, a
    lower badge or another sender's, and `replace` does not say so, and `BenchError` where publishing fails: the
    submission goes on waiting then, and the board shows what it did.
    """
    if badge is not None and badge not in LADDER:
        raise UsageError(f"no badge {line(badge, 40)!r}; there are {', '.join(LADDER)}")
    # Before anything is published: the log would refuse it after.
    by = name(moderator, "the moderator's name")
    with _deciding(board), Desk.open(board) as desk:
        found = _waiting(desk, id)
        path = _unchanged(desk, found)
        handed_in = collect(path)
        worn = badge or found.badge or "self_reported"
        there = outlook(board, desk, found, handed_in, worn)
        if there.why and not replace:
            raise UsageError(f"submission {id} would {there.why}; accept it with --replace, or decline it")
        if worn != found.badge:  # known before it is published, so that what breaks off in between can be finished
            desk.move(id, "waiting", detail=f"to be accepted as {worn}", actor=by, badge=worn)
        info = publish([path], board, badge=worn)
        desk.move(
            id,
            "accepted",
            detail=f"snapshot {info.snapshot}, {worn}",
            actor=by,
            snapshot=info.snapshot,
            badge=worn,
            run=handed_in.facts.id or found.run,
        )
    return info


def decline(board: Path, id: str, moderator: str, reason: str, detail: str) -> Submission:
    """A moderator's no, with a reason of `DECLINES` and a line for the sender. Raises `UsageError`."""
    if reason not in DECLINES:
        raise UsageError(f"no reason {line(reason, 40)!r} to decline; there are {', '.join(DECLINES)}")
    if not line(detail).strip():
        raise UsageError("the sender has to learn why; say it in one line")
    with _deciding(board), Desk.open(board) as desk:
        _undecided(board, desk, _waiting(desk, id))
        return desk.move(id, "declined", reason, detail, actor=moderator)


def withdraw(board: Path, id: str, token: Token) -> Submission:
    """The sender takes a submission back that nobody has decided on, with the token that sent it.

    Raises `UsageError`.
    """
    with _deciding(board), Desk.open(board) as desk:
        found = desk.submission(id)
        if desk.token_of(id) != token.id:
            raise UsageError(f"submission {id} was sent with another token")
        if found.state == "checking":
            raise DeskError(f"submission {id} is being checked; withdraw it when that is done")
        _undecided(board, desk, found)
        return desk.move(id, "withdrawn", actor=token.name)


def mark_rerun(board: Path, id: str, rerun: Path, moderator: str) -> Rerun:
    """Compares a submission with a run of the same plan that the moderator made; where all cells agree, it is `re_run`.

    Two cells agree that have the same n and whose values differ by no more than half the wider of their 95 %
    intervals. Raises `UsageError` where the other run is of another model, or the submission's own file.
    """
    with _deciding(board), Desk.open(board) as desk:
        found = _waiting(desk, id)
        path = _unchanged(desk, found)
        ours, theirs = collect(rerun), collect(path)
        if ours.identity != theirs.identity:
            raise UsageError(
                f"{rerun} is a run of {line(ours.identity.model, 100)}, and submission {id} one of "
                f"{line(theirs.identity.model, 100)}: model, revision, template and decoding should be the same"
            )
        if uploads.file_hash(rerun) == found.sha256 or ours.facts.started == theirs.facts.started:
            raise UsageError(f"{rerun} is the run that was sent in; run the model again")
        differing = _differing(_cells(ours), _cells(theirs))
        compared = len(_cells(ours).keys() | _cells(theirs).keys())
        if differing:
            of = f"{len(differing):,} of {compared:,} cell{'s' * (compared != 1)}"
            detail = f"a re-run differs in {of}; {_told(differing[0])}"
            marked = desk.move(id, "waiting", detail=detail, actor=moderator)
        else:
            detail = "a re-run agrees in " + ("the only cell" if compared == 1 else f"all {compared:,} cells")
            marked = desk.move(id, "waiting", detail=detail, actor=moderator, badge="re_run")
    return Rerun(compared, tuple(differing), marked)


def foreseen(board: Path, desk: Desk, found: Submission) -> Outlook | None:
    """What accepting a submission with its badge would do; None where it does not wait. Raises `BenchError`."""
    if found.state != "waiting":
        return None
    return outlook(board, desk, found, collect(_unchanged(desk, found)), found.badge or "self_reported")


def badge_of(board: Path, run: str) -> Badge | Literal[""]:
    """The badge of a run in the board's current snapshot; "" where it is not in it. Raises `BoardError`."""
    return badges(board).get(run, "") if run else ""


def badges(board: Path) -> dict[str, Badge]:
    """Run -> its badge, of every run in the board's current snapshot. Raises `BoardError`."""
    current = snapshot.current(board)
    if not current:
        return {}
    try:
        with Board.open(board, current) as shown:
            return shown.badges()
    except sqlite3.Error as error:
        raise BoardError(f"the snapshot {snapshot.snapshot_path(board, current)} is damaged: {error}") from error


def finish(board: Path) -> None:
    """Marks as accepted what waits and is on the board: a process that was killed had published it and not said so.

    Does nothing while something is being decided on. Raises `BenchError`.
    """
    with contextlib.suppress(Busy), _deciding(board), Desk.open(board) as desk:
        for each, state in desk.states().items():
            if state == "waiting":
                _finished(board, desk, desk.submission(each))


def _finished(board: Path, desk: Desk, found: Submission) -> bool:
    """Whether a submission that waits was on the board with its badge; then it is accepted now."""
    if found.state != "waiting" or not found.badge or badge_of(board, found.run) != found.badge:
        return False
    current = snapshot.current(board)
    detail = f"snapshot {current}, {found.badge}: it was on the board already"
    desk.move(found.id, "accepted", detail=detail, actor="intake", snapshot=current)
    return True


def _undecided(board: Path, desk: Desk, found: Submission) -> None:
    """Raises `UsageError` where a submission is on the board, although its acceptance was not written down."""
    if _finished(board, desk, found):
        raise UsageError(f"submission {found.id} is on the board already, so it is accepted now")


def _cells(run: Contribution) -> dict[CellKey, Cell]:
    return {each: published.cell for each, published in run.cells.items()}


def _differing(ours: dict[CellKey, Cell], theirs: dict[CellKey, Cell]) -> list[Differing]:
    found = []
    for each in sorted(ours.keys() | theirs.keys()):
        why = _why(ours.get(each), theirs.get(each))
        if why:
            task, _, language, *_, metric = each
            found.append(Differing(task, language, metric, why))
    return found


def _why(ours: Cell | None, theirs: Cell | None) -> str:
    """Why two cells are not one result; "" where they are."""
    if ours is None or theirs is None:
        return "only the submission has it" if ours is None else "only the re-run has it"
    if ours.n != theirs.n:
        return f"{theirs.n:,} items sent in, {ours.n:,} in the re-run"
    if ours.value is None or theirs.value is None:
        return "" if ours.value is theirs.value else "one of the two has no value"
    if abs(ours.value - theirs.value) <= max(_half_width(ours), _half_width(theirs)) + _ROUNDING:
        return ""
    return f"{theirs.value:.4g} sent in, {ours.value:.4g} in the re-run"


def _half_width(cell: Cell) -> float:
    """Half of a cell's interval; where it has none, only the same value is the same."""
    return 0.0 if cell.ci_low is None or cell.ci_high is None else (cell.ci_high - cell.ci_low) / 2


def _told(one: Differing) -> str:
    return f"{one.task} {one.language} {one.metric}: {one.why}"


def _waiting(desk: Desk, id: str) -> Submission:
    found = desk.submission(id)
    if found.state != "waiting":
        raise UsageError(f"submission {id} is {found.state}; only one that waits can be decided on")
    return found


def _unchanged(desk: Desk, found: Submission) -> Path:
    """The submission's file, which has to be the one that was checked."""
    path = desk.upload_path(found.id)
    if not path.is_file() or uploads.file_hash(path) != found.sha256:
        raise DeskError(f"the file of submission {found.id} is gone or is not the one that was sent; decline it")
    return path


def _deciding(board: Path) -> contextlib.AbstractContextManager[None]:
    """One decision at a time: what is being published must not be withdrawn meanwhile."""
    if not board.is_dir():
        raise snapshot.no_board(board)
    return locking.held(board / ".deciding", Busy("another submission is being decided on; try again in a moment"))
