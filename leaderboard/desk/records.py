"""The nouns of the desk: a submission, the states that it goes through, and the events of the log."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from bench.records import BenchError, UsageError
from leaderboard.records import Badge
from leaderboard.wording import plain

State = Literal["received", "checking", "rejected", "waiting", "accepted", "declined", "withdrawn"]

STATES: tuple[State, ...] = get_args(State)
ENDED: frozenset[State] = frozenset({"rejected", "accepted", "declined", "withdrawn"})
"""States that nothing follows."""

FOLLOWING: Mapping[State, frozenset[State]] = {
    "received": frozenset({"checking", "withdrawn"}),
    "checking": frozenset({"received", "rejected", "waiting"}),
    "waiting": frozenset({"waiting", "accepted", "declined", "withdrawn"}),
    **{state: frozenset() for state in ENDED},
}
"""State -> those that may follow. One that is being checked goes back where the check broke off; one that waits may get
another badge."""

REJECTIONS = {
    "bad_file": "the file is no whole run file of this program",
    "too_large": "the file, or something in it, is larger than the board takes",
    "wrong_structure": "the file holds tables, columns or values that no run file has",
    "wrong_plan": "it asks tasks, versions or languages that the board does not know",
    "wrong_data": "it was run on other data than the board has locked",
    "forged_scores": "its numbers are not those that its answers give",
    "forged_plan": "its questions are not those of the task",
    "picked_items": "it leaves out questions other than those at the end",
    "duplicate": "the same run is here already",
    "check_timeout": "checking it took too long",
    "check_memory": "checking it took too much memory",
    "check_failed": "checking it broke off again and again",
    "disk_full": "the board had no room left; send it again later",
}
"""Reason code of a rejection -> what it means."""

DECLINES = {
    "contamination": "the model has probably seen the questions or their answers before",
    "not_reproducible": "running it again gave other results",
    "wrong_metadata": "what it says of its model or of its run is not right",
    "spam": "no submission in earnest",
    "other": "the moderator's own words say why",
}
"""Reason code of a moderator's no -> what it means."""

REASONS = {**REJECTIONS, **DECLINES}

LONGEST_NAME, LONGEST_DETAIL = 80, 500


class DeskError(BenchError):
    """The desk cannot be read or written now. The message is one line."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A run file that somebody sent. What is not known yet is "" or None.

    `received` is a UTC time, `sender` the name on the token, `size` in bytes. `run` is the run's content id and
    `snapshot` the one that it came into. `attempt` counts this sender's submissions of that model, from 1, whatever
    became of them. `cells`, the results in headline metrics, `languages` and `tasks` count what it holds.
    """

    id: str
    received: str
    state: State
    reason: str
    detail: str
    sender: str
    sha256: str
    size: int
    model: str = ""
    revision: str = ""
    run: str = ""
    badge: Badge | Literal[""] = ""
    snapshot: str = ""
    duplicate_of: str = ""
    attempt: int | None = None
    cells: int | None = None
    languages: int | None = None
    tasks: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Who sent a run that is on the board: the name on the token, and the submission."""

    run: str
    submission: str
    sender: str


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log: at the UTC time `at`, `actor` brought a submission into a state.

    `number` counts from 1 without gaps. `previous` is the hash of the event before, and `hash` that of all the rest.
    """

    number: int
    at: str
    submission: str
    state: State
    reason: str
    detail: str
    actor: str
    previous: str
    hash: str


def stamp(moment: datetime | None = None) -> str:
    """A moment, now unless told, as the desk writes it: UTC, whole seconds."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def line(text: str, longest: int = LONGEST_DETAIL) -> str:
    """A text from anywhere as one line of limited length, without characters that could disguise it."""
    told = plain(" ".join(text[: 4 * longest].split()))
    return told if len(told) <= longest else f"{told[: longest - 1]}…"


def name(text: str, what: str) -> str:
    """A name of a sender or a moderator in its canonical form. Raises `UsageError` where it could pass for another."""
    made = unicodedata.normalize("NFC", " ".join(text[: 4 * LONGEST_NAME].split(" "))).strip()
    if not 0 < len(made) <= LONGEST_NAME:
        raise UsageError(f"{what} should have 1 to {LONGEST_NAME} characters")
    if plain(made) != made or not made.isprintable():
        raise UsageError(f"{what} {plain(made)!r} has characters that cannot be seen; write it without them")
    return made
