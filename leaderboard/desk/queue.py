"""What the pages of the desk show: the queue of submissions, and one submission with its history."""

# ruff: noqa: A002 - `id` is what a submission calls its own

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l

from bench.records import UsageError
from leaderboard.asking import Asked
from leaderboard.desk.records import STATES, Event, State, Submission
from leaderboard.desk.store import ID, Desk

ROWS = 50
MOST_EVENTS = 200

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
class Case:
    """A submission, its events from the first on, whether they are all, and whether its sender may withdraw it."""

    submission: Submission
    events: tuple[Event, ...]
    complete: bool
    under_way: bool
    withdrawable: bool


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
    )
