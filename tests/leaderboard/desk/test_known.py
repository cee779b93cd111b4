"""What the board has already is found before anything is checked, and what only looks the same is checked."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from leaderboard.collect import collect
from leaderboard.desk import intake, known, limits, review
from leaderboard.desk.access import Token
from leaderboard.desk.limits import Ended
from leaderboard.desk.records import Submission
from leaderboard.desk.store import Desk
from leaderboard.snapshot import publish
from tests.leaderboard.desk.desks import send, send_file, token_of
from tests.leaderboard.desk.hostile_files import HOSTILE, edited


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each check that was made in a process of its own."""
    made: list[str] = []
    usual = limits.run

    def counted(*arguments: object, **more: object) -> Ended:
        made.append("check")
        return usual(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(limits, "run", counted)
    return made


@pytest.fixture
def ada(empty: Path) -> Token:
    with Desk.open(empty) as desk:
        return token_of(desk, "Ada")


def sent(board: Path, token: Token, path: Path) -> Submission:
    """What became of an upload."""
    with Desk.open(board) as desk:
        number = send_file(desk, token, path).id
    intake.work(board)
    with Desk.open(board) as desk:
        return desk.submission(number)


def test_the_same_bytes_are_checked_once(runs: list[Path], empty: Path, ada: Token, processes: list[str]) -> None:
    first = sent(empty, ada, runs[0])
    assert (first.state, len(processes)) == ("waiting", 1)
    again = sent(empty, ada, runs[0])
    assert (again.state, again.reason, again.duplicate_of) == ("rejected", "duplicate", first.id)
    assert again.detail == f"the same file waits as submission {first.id}"
    assert (again.model, again.run, again.badge, again.attempt) == ("baseline:random", first.run, "", 2)
    review.accept(empty, first.id, "Mo")
    again = sent(empty, ada, runs[0])
    assert (again.reason, again.duplicate_of, again.attempt) == ("duplicate", first.id, 3)
    assert f"submission {first.id}, and its run {first.run} is on the board as re_scored" in again.detail
    assert len(processes) == 1


def test_packed_bytes_are_known_again(
    runs: list[Path], empty: Path, ada: Token, processes: list[str], tmp_path: Path
) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(runs[0].read_bytes()))
    first = sent(empty, ada, packed)
    for path in (packed, runs[0]):  # as it was sent, and as the desk has it now
        assert sent(empty, ada, path).detail == f"the same file waits as submission {first.id}"
    assert len(processes) == 1


def test_a_rejected_file_is_judged_as_before(
    runs: list[Path], empty: Path, ada: Token, processes: list[str], tmp_path: Path
) -> None:
    forged = HOSTILE["scores of no answers"][0](runs[0], tmp_path / "forged.run.db")
    first = sent(empty, ada, forged)
    assert first.reason == HOSTILE["scores of no answers"][1] and first.reason in known.REPEATED
    for _ in range(2):  # the second repetition names the first submission too
        again = sent(empty, ada, forged)
        assert (again.state, again.reason, again.duplicate_of) == ("rejected", first.reason, first.id)
        assert again.detail == f"the same file was rejected as submission {first.id}: {first.detail}"
    assert len(processes) == 1


def test_another_program_judges_for_itself(
    runs: list[Path], empty: Path, ada: Token, processes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = HOSTILE["scores of no answers"][0](runs[0], tmp_path / "forged.run.db")
    first = sent(empty, ada, forged)
    monkeypatch.setattr(known, "program", lambda: "of-tomorrow")
    again = sent(empty, ada, forged)
    assert (again.reason, again.detail, again.duplicate_of) == (first.reason, first.detail, "")
    assert len(processes) == 2


@pytest.mark.parametrize("reason", ["disk_full", "check_memory", "check_failed", "wrong_data", "duplicate"])
def test_what_may_pass_another_time_is_checked_again(runs: list[Path], empty: Path, ada: Token, reason: str) -> None:
    with Desk.open(empty) as desk:
        first = send_file(desk, ada, runs[0])
        assert desk.next(known.by()) is not None
        desk.move(first.id, "rejected", reason, "it was so", actor="intake")
    assert sent(empty, ada, runs[0]).state == "waiting"


@pytest.mark.parametrize("declined", [True, False])
def test_what_somebody_took_away_is_checked_again(runs: list[Path], empty: Path, ada: Token, declined: bool) -> None:
    first = sent(empty, ada, runs[0])
    if declined:
        review.decline(empty, first.id, "Mo", "wrong_metadata", "its revision is another")
    else:
        review.withdraw(empty, first.id, ada)
    again = sent(empty, ada, runs[0])
    assert (again.state, again.duplicate_of) == ("waiting", "")


def test_what_came_in_self_reported_may_be_scored_anew(runs: list[Path], empty: Path, ada: Token) -> None:
    first = sent(empty, ada, runs[0])
    review.accept(empty, first.id, "Mo", "self_reported")
    again = sent(empty, ada, runs[0])
    assert (again.state, again.badge) == ("waiting", "re_scored")


def test_what_stays_self_reported_is_a_duplicate_of_what_is(runs: list[Path], empty: Path, ada: Token) -> None:
    publish([runs[3]], empty)  # of data that are not here
    run = collect(runs[3]).facts.id
    found = sent(empty, ada, runs[3])
    assert (found.reason, found.duplicate_of) == ("duplicate", run)
    assert found.detail == f"the same run is on the board as run {run} (self_reported)"


def test_the_same_run_in_other_bytes_is_not_scored_again(
    runs: list[Path], empty: Path, ada: Token, tmp_path: Path
) -> None:
    publish([runs[0]], empty, badge="re_scored")
    run = collect(runs[0]).facts.id
    with edited(runs[0], tmp_path / "other.run.db") as connection:
        connection.execute("INSERT INTO notes VALUES ('seen', 'twice')")
        # Scoring it again would find this; what the board has already is not looked at so closely.
        connection.execute("UPDATE cells SET cell = json_set(cell, '$.output_tokens', 1)")
    found = sent(empty, ada, tmp_path / "other.run.db")
    assert (found.reason, found.duplicate_of, found.model) == ("duplicate", run, "baseline:random")
    assert found.detail == f"the same run is on the board as run {run} (re_scored)"


def test_other_scores_of_the_same_answers_are_another_run(
    runs: list[Path], empty: Path, ada: Token, tmp_path: Path
) -> None:
    publish([runs[0]], empty, badge="re_scored")
    with edited(runs[0], tmp_path / "other.run.db") as connection:
        connection.execute(
            "UPDATE scores SET outcome = 'empty' WHERE request = (SELECT request FROM scores WHERE outcome = 'scored')"
        )
    assert sent(empty, ada, tmp_path / "other.run.db").reason == "forged_scores"


def test_the_log_says_which_program_checked(runs: list[Path], empty: Path, ada: Token) -> None:
    found = sent(empty, ada, runs[0])
    with Desk.open(empty) as desk:
        assert desk.checked_by(found.id) == f"by the program {known.program()}"
        assert desk.checked_by(send(desk, ada).id) == ""
    assert len(known.program()) == 12 and int(known.program(), 16) >= 0
