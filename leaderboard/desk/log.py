"""The append-only log of the desk. Each event holds the hash of the one before, so that none can be changed unseen.

The log does not show that its newest events were cut off, unless somebody kept the hash of one of them (`head`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from leaderboard.desk.records import Event

if TYPE_CHECKING:
    from leaderboard.desk.store import Desk

ORIGIN = "0" * 64
"""What stands for the hash before the first event."""


def event_hash(event: Event) -> str:
    """SHA-256, in hex digits, over the event without its hash in canonical JSON: sorted keys, no spaces, UTF-8."""
    told = {field: value for field, value in asdict(event).items() if field != "hash"}
    return hashlib.sha256(_canonical(told).encode()).hexdigest()


def sealed(event: Event) -> Event:
    """The event with its hash."""
    return replace(event, hash=event_hash(event))


def verify(events: Iterable[Event], head: str = "") -> str | None:
    """One line on the first event, from the oldest on, that does not follow the one before; None where all do.

    With `head`, a hash that was read earlier, an event with that hash has to be among them.
    """
    previous, seen = ORIGIN, not head
    for number, event in enumerate(events, 1):
        if event.number != number:
            return f"event {number} is missing: {event.number} stands in its place"
        if event.previous != previous:
            return f"event {number} does not follow the one before it"
        if event.hash != event_hash(event):
            return f"event {number} is not what its hash says"
        previous = event.hash
        seen = seen or previous == head
    return None if seen else f"no event has the hash {head}: events were cut off or the log was written anew"


def check(desk: Desk, head: str = "") -> str | None:
    """One line on what is wrong with a desk's log: its chain, or a submission whose state is not that of its last
    event."""
    last: dict[str, str] = {}

    def read() -> Iterator[Event]:
        for event in desk.chain():
            last[event.submission] = event.state
            yield event

    fault = verify(read(), head)
    if fault is not None:
        return fault
    found = desk.states()
    return next(
        (
            f"submission {each} is {found.get(each, 'missing')}, and its last event says {last.get(each, 'nothing')}"
            for each in sorted(found.keys() | last.keys())
            if found.get(each) != last.get(each)
        ),
        None,
    )


def head(desk: Desk) -> str:
    """The hash of the newest event: who keeps it can tell later that the log still holds everything until now."""
    newest = desk.events(limit=1)
    return newest[0].hash if newest else ORIGIN


def export(desk: Desk) -> Iterator[str]:
    """The log as JSON lines, from the oldest event on."""
    return (f"{_canonical(asdict(event))}\n" for event in desk.chain())


def _canonical(told: dict[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
