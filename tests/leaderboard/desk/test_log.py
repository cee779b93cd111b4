"""The hash-chained log: whatever is changed in it is found."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.desk import log
from leaderboard.desk.records import Event
from leaderboard.desk.store import DATABASE, Desk
from tests.leaderboard.desk.desks import send, token_of


def chain(length: int) -> list[Event]:
    """A chain that is right."""
    made: list[Event] = []
    for number in range(1, length + 1):
        previous = made[-1].hash if made else log.ORIGIN
        event = Event(number, f"2026-01-{number:02}T00:00:00Z", "s", "received", "", "détail", "Ada", previous, "")
        made.append(log.sealed(event))
    return made


def test_a_chain_that_is_whole_verifies() -> None:
    assert log.verify([]) is None
    assert log.verify(chain(5)) is None
    assert log.verify(chain(5), chain(5)[2].hash) is None
    assert log.verify(chain(5), log.ORIGIN) is not None


def test_the_hash_is_of_canonical_json() -> None:
    """A third party can compute it with nothing but this description."""
    import hashlib

    event = chain(2)[1]
    told = {field: getattr(event, field) for field in ("actor", "at", "detail", "number", "previous", "reason")}
    told |= {"state": event.state, "submission": event.submission}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert event.hash == hashlib.sha256(text.encode("utf-8")).hexdigest()


@given(
    where=st.integers(0, 4),
    field=st.sampled_from(["number", "at", "submission", "state", "reason", "detail", "actor", "previous", "hash"]),
    value=st.text(max_size=20),
)
def test_any_changed_field_is_found(where: int, field: str, value: str) -> None:
    events = chain(5)
    other: dict[str, Any] = {field: value if field != "number" else where + 7}
    changed = replace(events[where], **other)
    if changed == events[where]:
        return
    events[where] = changed
    fault = log.verify(events)
    assert fault is not None and f"event {where + 1} " in fault


@given(st.permutations(range(5)))
def test_events_in_another_order_are_found(order: list[int]) -> None:
    events = chain(5)
    assert (log.verify([events[place] for place in order]) is None) == (order == sorted(order))


@pytest.mark.parametrize("gone", range(4))
def test_an_event_that_is_missing_is_found(gone: int) -> None:
    events = chain(5)
    assert log.verify(events[:gone] + events[gone + 1 :]) is not None


def test_a_cut_end_is_found_by_a_hash_that_somebody_kept() -> None:
    events = chain(5)
    assert log.verify(events[:4]) is None
    assert "cut off" in (log.verify(events[:4], events[4].hash) or "")


def test_a_history_written_anew_is_found_by_a_hash_that_somebody_kept() -> None:
    kept = chain(5)[-1].hash
    forged: list[Event] = []
    for event in chain(5):
        previous = forged[-1].hash if forged else log.ORIGIN
        forged.append(log.sealed(replace(event, actor="Eve", previous=previous)))
    assert log.verify(forged) is None and log.verify(forged, kept) is not None


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board with some events."""
    with Desk.open(tmp_path) as desk:
        token = token_of(desk)
        for number in range(3):
            send(desk, token, bytes([number]))
        claimed = desk.next()
        assert claimed is not None
        desk.move(claimed.id, "rejected", "bad_file", "not a database", actor="intake")
    return tmp_path


def test_an_exported_log_can_be_verified_elsewhere(board: Path) -> None:
    with Desk.open(board) as desk:
        lines = list(log.export(desk))
        assert all(each.endswith("\n") for each in lines)
        assert log.verify(Event(**json.loads(each)) for each in lines) is None
        assert len(lines) == 5 and json.loads(lines[-1])["hash"] == log.head(desk)
        assert log.check(desk, log.head(desk)) is None


def test_a_desk_without_events_has_a_head_too(tmp_path: Path) -> None:
    with Desk.open(tmp_path) as desk:
        assert log.head(desk) == log.ORIGIN and log.check(desk) is None and list(log.export(desk)) == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE events SET actor = 'Eve' WHERE number = 2", "event 2 is not what its hash says"),
        ("DELETE FROM events WHERE number = 2", "event 2 is missing"),
        ("DELETE FROM events WHERE number = 5", "its last event says"),
        ("UPDATE submissions SET state = 'waiting'", "its last event says"),
    ],
)
def test_whoever_edits_the_file_itself_is_found(board: Path, sql: str, told: str) -> None:
    with sqlite3.connect(board / DATABASE) as raw:
        raw.execute("DROP TRIGGER events_stay")
        raw.execute("DROP TRIGGER events_remain")
        raw.execute(sql)
    raw.close()
    with Desk.open(board) as desk:
        assert told in (log.check(desk) or "")
