"""The invalidation list: what it takes, what falls under it, and that no line of it gets lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tasks
from bench.records import UsageError
from leaderboard import invalidations
from leaderboard.invalidations import FILE, Invalidation
from leaderboard.snapshot import BoardError

DAY = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


@pytest.fixture
def version() -> str:
    """The version of a task that this program knows."""
    return tasks.get("sib200").version


def test_a_board_without_a_list_has_none(tmp_path: Path) -> None:
    assert invalidations.read(tmp_path) == () and invalidations.digest(()) == ""


def test_what_is_added_is_read(tmp_path: Path, version: str) -> None:
    made = invalidations.add(tmp_path, "sib200", [version, version], "labels\nwere shifted", now=DAY)
    assert made == Invalidation("sib200", (version,), "labels were shifted", "2026-03-01", "", 1)
    other = invalidations.add(tmp_path, "cldr-names-write", [], "wrong gold", now=DAY)
    assert invalidations.read(tmp_path) == (made, other) and other.number == 2


def test_what_falls_under_it(tmp_path: Path, version: str) -> None:
    one = invalidations.add(tmp_path, "sib200", [version], "labels were shifted", fixed_in="next")
    every = invalidations.add(tmp_path, "cldr-names-write", [], "wrong gold")
    listed = invalidations.read(tmp_path)
    assert invalidations.of(listed, "sib200", version) == one
    assert invalidations.of(listed, "sib200", "next") is None
    assert invalidations.of(listed, "cldr-names-write", "whatever") == every
    assert invalidations.of(listed, "cldr-names", version) is None


def test_lifting_adds_a_line(tmp_path: Path) -> None:
    invalidations.add(tmp_path, "sib200", [], "a mistake")
    kept = invalidations.add(tmp_path, "cldr-names-write", [], "wrong gold")
    before = (tmp_path / FILE).read_text("utf-8")
    assert invalidations.lift(tmp_path, 1).task == "sib200"
    assert invalidations.read(tmp_path) == (kept,)
    assert (tmp_path / FILE).read_text("utf-8").startswith(before)
    for number in (1, 3, 99, 0, -1):
        with pytest.raises(UsageError, match=f"no invalidation {number} holds"):
            invalidations.lift(tmp_path, number)
    assert invalidations.add(tmp_path, "sib200", [], "after all").number == 4


def test_the_digest_changes_with_the_list(tmp_path: Path) -> None:
    seen = set()
    for task in ("sib200", "cldr-names-write"):
        invalidations.add(tmp_path, task, [], "wrong")
        seen.add(invalidations.digest(invalidations.read(tmp_path)))
    invalidations.lift(tmp_path, 1)
    seen.add(invalidations.digest(invalidations.read(tmp_path)))
    assert len(seen) == 3 and all(len(each) == 16 for each in seen)


def test_a_version_of_a_snapshot_is_known(board: Path, version: str) -> None:
    made = invalidations.add(board, "sib200", [version], "wrong")
    assert invalidations.lift(board, made.number) == made


@pytest.mark.parametrize(
    ("task", "versions", "reason", "fixed_in", "told"),
    [
        ("no-such-task", [], "wrong", "", "no task 'no-such-task'"),
        ("../../etc", [], "wrong", "", "no task"),
        ("sib200", ["none\u202e"], "wrong", "", "no version 'none\N{REPLACEMENT CHARACTER}' of sib200; there are"),
        ("sib200", [], " \n", "", "readers have to learn why"),
        ("sib200", [], "wrong", "2", "name the versions of sib200 that are wrong"),
        ("sib200", ["VERSION"], "wrong", "VERSION", "cannot be wrong and right again"),
    ],
)
def test_what_is_no_invalidation(
    tmp_path: Path, version: str, task: str, versions: list[str], reason: str, fixed_in: str, told: str
) -> None:
    given = [each.replace("VERSION", version) for each in versions]
    with pytest.raises(UsageError) as caught:
        invalidations.add(tmp_path, task, given, reason, fixed_in=fixed_in.replace("VERSION", version))
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / FILE).exists()


def test_there_has_to_be_a_board(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no board in"):
        invalidations.add(tmp_path / "nowhere", "sib200", [], "wrong")


@pytest.mark.parametrize(
    "damage",
    [
        '{"task": "sib200"',
        "[]",
        "7",
        '{"task": "sib200"}',
        '{"lifts": 7}',
        '{"lifts": []}',
        json.dumps({"task": "sib200", "versions": [1], "reason": "r", "since": "2026-01-01", "fixed_in": ""}),
        json.dumps({"task": "sib200", "versions": [], "reason": "r", "since": "yesterday", "fixed_in": ""}),
        json.dumps({"task": "sib200", "versions": None, "reason": "r", "since": "2026-01-01", "fixed_in": ""}),
        "\x00",
    ],
)
def test_a_damaged_list_is_one_line_and_no_empty_list(tmp_path: Path, damage: str) -> None:
    (tmp_path / FILE).write_text(f"{damage}\n", "utf-8")
    with pytest.raises(BoardError) as caught:
        invalidations.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\n")
    with pytest.raises(BoardError):
        invalidations.read(tmp_path)


def test_whoever_adds_at_one_moment_loses_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: invalidations.add(tmp_path, "sib200", [], f"reason {n}"), range(12)))
    assert sorted(each.number for each in made) == list(range(1, 13))
    assert {each.reason for each in invalidations.read(tmp_path)} == {f"reason {n}" for n in range(12)}


def test_a_full_disk_leaves_the_list_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invalidations.add(tmp_path, "sib200", [], "wrong")
    before = (tmp_path / FILE).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BoardError, match="No space left"):
        invalidations.add(tmp_path, "sib200", [], "again")
    assert (tmp_path / FILE).read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith("-writing")]
