"""Moderation on real run files: what is accepted is on the board, and whatever goes wrong leaves both as they were."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import portalocker
import pytest

from bench.records import BenchError, Cell, Request, Response, UsageError
from bench.runfile import RunFile
from leaderboard import snapshot
from leaderboard.board import Board
from leaderboard.collect import collect
from leaderboard.desk import intake, log, review
from leaderboard.desk.access import Token
from leaderboard.desk.records import DeskError, Submission
from leaderboard.desk.store import Desk
from leaderboard.records import Badge
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.desks import send_file, token_of

REPOSITORY = Path(__file__).parents[3]

Waiting = Callable[[Path], str]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A run of two languages."""
    return run_sib200(
        tmp_path / "made.run.db", Scripted("hf:a", knows(6)), [sentences("yor_Latn"), sentences("amh_Ethi")]
    )


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board with another model."""
    floor = run_sib200(tmp_path / "floor.run.db", Scripted("baseline:x", knows(2)), [sentences("yor_Latn")])
    publish([floor], tmp_path / "board")
    return tmp_path / "board"


@pytest.fixture
def token(board: Path) -> Token:
    """Ada's."""
    with Desk.open(board) as desk:
        return token_of(desk, "Ada")


@pytest.fixture
def waiting(board: Path, token: Token) -> Waiting:
    """Sends a run file and has it checked."""

    def sent(path: Path) -> str:
        with Desk.open(board) as desk:
            found = send_file(desk, token, path)
            desk.move(found.id, "checking", actor="intake")
            facts = {"model": "hf:a", "badge": "re_scored", "run": collect(path).facts.id}
            return desk.move(found.id, "waiting", actor="intake", **facts).id

    return sent


def now(board: Path, id: str) -> Submission:  # noqa: A002
    with Desk.open(board) as desk:
        assert log.check(desk) is None
        return desk.submission(id)


def _cells(path: Path) -> list[Cell]:
    with RunFile.read(path) as run:
        return run.cells()


def shown(board: Path) -> dict[str, set[str]]:
    """Model -> badges of its runs in the current snapshot."""
    with Board.open(board, snapshot.current(board)) as current:
        return {model.name: {run.badge for run in model.runs} for model in current.models()}


def test_what_is_accepted_is_on_the_board_with_its_badge(board: Path, made: Path, waiting: Waiting) -> None:
    sent = waiting(made)
    before = snapshot.current(board)
    info = review.accept(board, sent, "Mo")
    found = now(board, sent)
    assert (found.state, found.snapshot, found.badge) == ("accepted", info.snapshot, "re_scored")
    assert before != info.snapshot == snapshot.current(board)
    assert shown(board) == {"baseline:x": {"self_reported"}, "hf:a": {"re_scored"}}
    with Desk.open(board) as desk:
        assert (desk.events(sent)[0].actor, desk.events(sent)[0].state) == ("Mo", "accepted")
    with pytest.raises(UsageError, match="is accepted; only one that waits"):
        review.accept(board, sent, "Mo")


def test_a_moderator_may_give_another_badge(board: Path, made: Path, waiting: Waiting) -> None:
    sent = waiting(made)
    with pytest.raises(UsageError, match="no badge 'gold'"):
        review.accept(board, sent, "Mo", "gold")  # type: ignore[arg-type]
    review.accept(board, sent, "Mo", "self_reported")
    assert shown(board)["hf:a"] == {"self_reported"} and now(board, sent).badge == "self_reported"


def test_results_are_not_dropped_in_silence(board: Path, made: Path, waiting: Waiting, tmp_path: Path) -> None:
    publish([made], board)
    before = snapshot.current(board)
    part = run_sib200(tmp_path / "part.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn")])
    sent = waiting(part)
    with pytest.raises(UsageError, match=r"would drop 1 results that hf:a has on the board, sib200@\S+ amh_Ethi"):
        review.accept(board, sent, "Mo")
    assert (now(board, sent).state, snapshot.current(board)) == ("waiting", before)
    assert review.accept(board, sent, "Mo", replace=True).published[0].dropped == 1


def test_the_same_results_again_drop_nothing(board: Path, made: Path, waiting: Waiting) -> None:
    publish([made], board)
    assert review.accept(board, waiting(made), "Mo").published[0].dropped == 0


def test_another_revision_is_another_model(board: Path, made: Path, waiting: Waiting, tmp_path: Path) -> None:
    publish([made], board)
    model = Scripted("hf:a", knows(9), revision="2")
    review.accept(board, waiting(run_sib200(tmp_path / "b.run.db", model, [sentences("yor_Latn")])), "Mo")
    with Board.open(board, snapshot.current(board)) as current:
        assert sorted(each.revision for each in current.models() if each.name == "hf:a") == ["1", "2"]


def test_where_publishing_fails_it_goes_on_waiting(board: Path, waiting: Waiting, tmp_path: Path) -> None:
    other = [sentences("yor_Latn", shift=1)]  # other texts under the same names: no board takes them together
    sent = waiting(run_sib200(tmp_path / "b.run.db", Scripted("hf:a", knows(6)), other))
    before = snapshot.current(board)
    with pytest.raises(BenchError, match="asks another text"):
        review.accept(board, sent, "Mo")
    assert (now(board, sent).state, snapshot.current(board)) == ("waiting", before)


def test_one_that_was_published_and_not_marked_yet_is_accepted_again(board: Path, made: Path, waiting: Waiting) -> None:
    """As a process leaves it that is killed in between."""
    sent = waiting(made)
    with Desk.open(board) as desk:
        publish([desk.upload_path(sent)], board, badge="re_scored")
    info = review.accept(board, sent, "Mo")
    assert not info.changed and now(board, sent).state == "accepted"


def broken_off(board: Path, sent: str, badge: Badge = "re_scored") -> None:
    """What accepting leaves that is killed between the board and the desk."""
    program = f"""
import os, signal
from pathlib import Path
from leaderboard.desk import review
publish = review.publish
def killed(*runs, **more):
    publish(*runs, **more)
    os.kill(os.getpid(), signal.SIGKILL)
review.publish = killed
review.accept(Path({str(board)!r}), {sent!r}, "Mo", {badge!r})
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert now(board, sent).state == "waiting"


@pytest.mark.parametrize("badge", ["re_scored", "self_reported"])
def test_what_is_on_the_board_is_neither_withdrawn_nor_declined(
    board: Path, made: Path, waiting: Waiting, token: Token, badge: Badge
) -> None:
    sent = waiting(made)
    broken_off(board, sent, badge)
    with pytest.raises(UsageError, match="is on the board already, so it is accepted now"):
        review.withdraw(board, sent, token)
    found = now(board, sent)
    assert (found.state, found.snapshot, found.badge) == ("accepted", snapshot.current(board), badge)
    with pytest.raises(UsageError, match="is accepted"):
        review.decline(board, sent, "Mo", "spam", "no")


def test_declining_what_is_on_the_board_finishes_its_acceptance(board: Path, made: Path, waiting: Waiting) -> None:
    sent = waiting(made)
    broken_off(board, sent)
    with pytest.raises(UsageError, match="is on the board already"):
        review.decline(board, sent, "Mo", "spam", "no")
    assert now(board, sent).state == "accepted"


def test_the_intake_finishes_what_broke_off_and_nothing_else(board: Path, made: Path, waiting: Waiting) -> None:
    sent = waiting(made)
    review.finish(board)
    assert now(board, sent).state == "waiting"
    publish([made], board)  # with a lower badge: the sender goes on waiting for the better one
    review.finish(board)
    assert now(board, sent).state == "waiting"
    broken_off(board, sent)
    assert intake.work(board) == 0
    assert now(board, sent).state == "accepted"


def test_a_damaged_snapshot_is_one_line(board: Path, made: Path, waiting: Waiting) -> None:
    sent, path = waiting(made), snapshot.snapshot_path(board, snapshot.current(board))
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(BenchError, match="is damaged"):
        review.accept(board, sent, "Mo")
    assert now(board, sent).state == "waiting"


def test_a_moderator_without_a_name_publishes_nothing(board: Path, made: Path, waiting: Waiting) -> None:
    sent, before = waiting(made), snapshot.current(board)
    with pytest.raises(UsageError, match="moderator's name"):
        review.accept(board, sent, "Mo\u202e")
    assert (now(board, sent).state, snapshot.current(board)) == ("waiting", before)


def test_only_the_file_that_was_checked_is_published(board: Path, made: Path, waiting: Waiting) -> None:
    sent, before = waiting(made), snapshot.current(board)
    with Desk.open(board) as desk, desk.upload_path(sent).open("ab") as file:
        file.write(b"\0" * 4096)
    with pytest.raises(DeskError, match="is not the one that was sent"):
        review.accept(board, sent, "Mo")
    assert (now(board, sent).state, snapshot.current(board)) == ("waiting", before)


def test_one_decision_at_a_time(board: Path, made: Path, waiting: Waiting, token: Token) -> None:
    sent = waiting(made)
    with portalocker.Lock(board / ".deciding", "ab", flags=portalocker.LOCK_EX | portalocker.LOCK_NB):
        for decide in (
            lambda: review.accept(board, sent, "Mo"),
            lambda: review.decline(board, sent, "Mo", "spam", "no"),
            lambda: review.withdraw(board, sent, token),
        ):
            with pytest.raises(DeskError, match="being decided on"):
                decide()
    assert review.withdraw(board, sent, token).state == "withdrawn"


def test_declining_says_why(board: Path, made: Path, waiting: Waiting) -> None:
    sent = waiting(made)
    with pytest.raises(UsageError, match="no reason 'forged_scores' to decline"):
        review.decline(board, sent, "Mo", "forged_scores", "no")
    with pytest.raises(UsageError, match="has to learn why"):
        review.decline(board, sent, "Mo", "spam", " \n ")
    found = review.decline(board, sent, "Mo", "contamination", "trained on\nthe test split")
    assert (found.state, found.reason, found.detail) == (
        *("declined", "contamination"),
        "trained on the test split",
    )
    with Desk.open(board) as desk:
        assert not desk.upload_path(sent).exists()


def test_only_its_sender_withdraws_a_submission(board: Path, made: Path, waiting: Waiting, token: Token) -> None:
    sent = waiting(made)
    with Desk.open(board) as desk:
        eve, namesake = token_of(desk, "Eve"), token_of(desk, token.name)
        received = send_file(desk, token, made).id
        checking = send_file(desk, token, made).id
        desk.move(checking, "checking", actor="intake")
    with pytest.raises(UsageError, match="sent with another token"):
        review.withdraw(board, sent, eve)
    with pytest.raises(UsageError, match="sent with another token"):
        review.withdraw(board, sent, namesake)
    with pytest.raises(DeskError, match="is being checked"):
        review.withdraw(board, checking, token)
    assert review.withdraw(board, sent, token).state == "withdrawn"
    assert review.withdraw(board, received, token).state == "withdrawn"
    with pytest.raises(UsageError, match="is withdrawn"):
        review.withdraw(board, sent, token)


def test_a_rerun_that_agrees_gives_the_badge(
    board: Path, made: Path, waiting: Waiting, tmp_path: Path, later: Callable[[], None]
) -> None:
    sent = waiting(made)
    later()
    usual = knows(6)

    def answer(request: Request) -> Response:
        """Fails one of 40 items that the other run had right: well within the interval."""
        given = usual(request)
        return replace(given, text="nothing") if request.sample.endswith("yor_Latn//1") else given

    again = run_sib200(
        tmp_path / "again.run.db", Scripted("hf:a", answer), [sentences("yor_Latn"), sentences("amh_Ethi")]
    )
    found = review.mark_rerun(board, sent, again, "Mo")
    assert (found.compared, found.differing, found.submission.badge) == (2, (), "re_run")
    values = [[cell.value for cell in _cells(path)] for path in (made, again)]
    assert values[0] != values[1]
    review.accept(board, sent, "Mo")
    assert shown(board)["hf:a"] == {"re_run"}


@pytest.mark.parametrize(
    ("share", "languages", "told"),
    [
        (9, ("yor_Latn", "amh_Ethi"), {"yor_Latn": "in the re-run", "amh_Ethi": "in the re-run"}),
        (6, ("yor_Latn",), {"amh_Ethi": "only the submission has it"}),
        (6, ("yor_Latn", "amh_Ethi", "pes_Arab"), {"pes_Arab": "only the re-run has it"}),
    ],
)
def test_a_rerun_that_differs_says_where(
    board: Path,
    made: Path,
    waiting: Waiting,
    tmp_path: Path,
    later: Callable[[], None],
    share: int,
    languages: tuple[str, ...],
    told: dict[str, str],
) -> None:
    sent = waiting(made)
    later()
    model = Scripted("hf:a", knows(share))
    again = run_sib200(tmp_path / "again.run.db", model, [sentences(language) for language in languages])
    found = review.mark_rerun(board, sent, again, "Mo")
    assert {each.language for each in found.differing} == told.keys()
    assert all(told[each.language] in each.why for each in found.differing)
    kept = now(board, sent)
    assert (kept.badge, kept.state) == ("re_scored", "waiting") and f"in {len(told)} of" in kept.detail


def test_fewer_items_are_no_rerun(
    board: Path, made: Path, waiting: Waiting, tmp_path: Path, later: Callable[[], None]
) -> None:
    sent = waiting(made)
    later()
    blocks = [sentences("yor_Latn", 30), sentences("amh_Ethi")]
    again = run_sib200(tmp_path / "again.run.db", Scripted("hf:a", knows(6)), blocks)
    (differing,) = review.mark_rerun(board, sent, again, "Mo").differing
    assert differing.why == "40 items sent in, 30 in the re-run"


def test_its_own_file_is_no_rerun(board: Path, made: Path, waiting: Waiting, tmp_path: Path) -> None:
    sent = waiting(made)
    with pytest.raises(UsageError, match="is the run that was sent in"):
        review.mark_rerun(board, sent, made, "Mo")
    other = run_sib200(tmp_path / "other.run.db", Scripted("hf:b", knows(6)), [sentences("yor_Latn")])
    with pytest.raises(UsageError, match="model, revision, template and decoding should be the same"):
        review.mark_rerun(board, sent, other, "Mo")
    assert now(board, sent).badge == "re_scored"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the next run start at another time than the last one."""

    def turn() -> None:
        monkeypatch.setattr("bench.runfile._now", lambda: "2030-01-01T00:00:00+00:00")

    return turn
