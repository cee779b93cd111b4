"""What the pages of the desk show: the queue of submissions, and one submission with its history."""

# ruff: noqa: A002 - `id` is what a submission calls its own

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flask_babel import lazy_gettext as _l

from bench.records import UsageError
from leaderboard import reading, snapshot
from leaderboard.asking import Asked
from leaderboard.board import Board
from leaderboard.desk.records import STATES, DeskError, Event, Sent, State, Submission
from leaderboard.desk.store import DATABASE, ID, Desk

ROWS = 50
MOST_EVENTS = 200

_FILE = re.compile(r"(unpacked: )?sha256 ([0-9a-f]{64}), (\d+) bytes")

STATE_NAMES: Mapping[State, object] = {
    "received": _l("received"),
    "checking": _l("being checked"),
    "rejected": _l("rejected by the check"),
    "waiting": _l("waiting for a moderator"),
    "accepted": _l("accepted"),
    "declined": _l("declined by a moderator"),
    "withdrawn": _l("withdrawn by its sender"),
}

NEXT: Mapping[State, object] = {
    "received": _l("It waits for its check, which starts by itself. Look at this page again in some minutes."),
    "checking": _l("It is being checked. That takes from seconds to half an hour."),
    "rejected": _l("Mend what the reason says and send it again; it will be a new submission."),
    "waiting": _l("It passed the check. A moderator will decide whether it comes to the board."),
    "accepted": _l("It is on the board. Nothing is left to do."),
    "declined": _l("A moderator decided against it. If that was a mistake, write to whoever gave you the token."),
    "withdrawn": _l("Its sender took it back. Nothing is left to do."),
}
"""State -> what its sender is to do."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The newest submissions, in one state where `state` names one; `older` is the id to go on from, or empty."""

    state: str
    counts: dict[State, int]
    submissions: tuple[Submission, ...]
    older: str
    newest: bool


@dataclass(frozen=True, slots=True)
class File:
    """The file that an event names, as it was sent or as it was `unpacked`; `size` in bytes."""

    unpacked: bool
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the current snapshot has of an accepted submission: the address of its model; where others' results took its
    place, `model` is "" and `replaced_by` has their runs, none where the model is gone."""

    model: str
    replaced_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A submission, its events from the first on, whether they are all, and whether its sender may withdraw it.

    `outcome` is None where it was not accepted or the board cannot be read.
    """

    submission: Submission
    events: tuple[Event, ...]
    complete: bool
    under_way: bool
    withdrawable: bool
    outcome: Outcome | None


def queue(desk: Desk, asked: Asked) -> Queue:
    """The queue as the parameters `state` and `before` ask for it. Raises `problems.Wrong`."""
    state = asked.choice("state", STATES)
    before = asked.one("before")
    known = before if ID.fullmatch(before) else None
    chosen: State | None = next((each for each in STATES if each == state), None)
    found = desk.submissions(chosen, ROWS + 1, known)
    older = found[ROWS - 1].id if len(found) > ROWS else ""
    return Queue(state, desk.counts(), tuple(found[:ROWS]), older, known is None)


def case(desk: Desk, id: str) -> Case | None:
    """One submission; None where there is none."""
    if not ID.fullmatch(id):
        return None
    try:
        found = desk.submission(id)
    except UsageError:
        return None
    events = desk.events(id, MOST_EVENTS + 1)
    return Case(
        found,
        tuple(reversed(events[:MOST_EVENTS])),
        len(events) <= MOST_EVENTS,
        found.state in ("received", "checking"),
        found.state in ("received", "waiting"),
        _outcome(desk.board, found) if found.state == "accepted" and found.run else None,
    )


def _outcome(board: Path, found: Submission) -> Outcome | None:
    with contextlib.suppress(snapshot.BoardError, reading.Damaged), reading.undamaged():
        with Board.open(board, snapshot.current(board)) as shown:
            models = shown.models()
        own = [model.slug for model in models if any(run.id == found.run for run in model.runs)]
        if own:
            return Outcome(own[0])
        same = [model for model in models if (model.name, model.revision) == (found.model, found.revision)]
        return Outcome("", tuple(run.id for model in same for run in model.runs if run.id))
    return None


def file_of(event: Event) -> File | None:
    """The file that an event of the log names; None where it names none."""
    named = _FILE.fullmatch(event.detail)
    return File(bool(named[1]), named[2], int(named[3])) if named else None


def sent(board: Path, runs: Iterable[str]) -> tuple[Sent, ...] | None:
    """Who sent these runs, as far as they were accepted from a submission; none where the board has no desk.

    Gives None where its desk cannot be read.
    """
    if not (board / DATABASE).is_file():
        return ()
    with contextlib.suppress(DeskError), Desk.open(board) as desk:
        return tuple(
            Sent(run, one.id, one.sender) for run in runs for one in desk.of_run(run) if one.state == "accepted"
        )
    return None
