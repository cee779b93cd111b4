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
from leaderboard.app import create_app
from leaderboard.board import Board
from leaderboard.collect import collect
from leaderboard.desk import intake, log, queue, review
from leaderboard.desk.access import Token
from leaderboard.desk.records import DeskError, Submission
from leaderboard.desk.store import DATABASE, Desk
from leaderboard.records import Badge
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.desks import send_file, token_of
from tests.leaderboard.markup import check, words

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


def sent_by(board: Path, sender: str, path: Path, badge: Badge = "re_scored") -> str:
    """A run file that waits, sent with a new token."""
    with Desk.open(board) as desk:
        found = send_file(desk, token_of(desk, sender), path)
        desk.move(found.id, "checking", actor="intake")
        run = collect(path)
        facts = {"model": "hf:a", "revision": run.identity.revision, "badge": badge, "run": run.facts.id}
        return desk.move(found.id, "waiting", actor="intake", **facts).id


def refused(board: Path, sent: str, why: str) -> None:
    """Accepting says why it does not, in one line, and changes nothing; with `replace` it does."""
    before = snapshot.current(board)
    with pytest.raises(UsageError, match=why) as told:
        review.accept(board, sent, "Mo")
    assert "\n" not in str(told.value) and "--replace" in str(told.value)
    assert (now(board, sent).state, snapshot.current(board)) == ("waiting", before)
    review.accept(board, sent, "Mo", replace=True)
    assert now(board, sent).state == "accepted"


def test_fewer_items_replace_more_only_where_the_moderator_says_so(
    board: Path, made: Path, waiting: Waiting, tmp_path: Path
) -> None:
    review.accept(board, waiting(made), "Mo")
    blocks = [sentences("yor_Latn", 30), sentences("amh_Ethi")]
    fewer = run_sib200(tmp_path / "fewer.run.db", Scripted("hf:a", knows(9)), blocks)
    refused(board, waiting(fewer), r"would replace 40 items of hf:a by 30 in sib200@\S+ yor_Latn")


def test_a_lower_badge_replaces_a_better_only_where_the_moderator_says_so(
    board: Path, made: Path, tmp_path: Path
) -> None:
    publish([made], board, badge="re_run")
    again = run_sib200(
        tmp_path / "again.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn"), sentences("amh_Ethi")]
    )
    refused(board, sent_by(board, "Ada", again), "that are re_run by results that are re_scored")


def test_another_senders_results_are_replaced_only_where_the_moderator_says_so(
    board: Path, made: Path, tmp_path: Path
) -> None:
    first = sent_by(board, "Ada", made)
    review.accept(board, first, "Mo")
    again = run_sib200(
        tmp_path / "again.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn"), sentences("amh_Ethi")]
    )
    # A namesake is another sender.
    refused(board, sent_by(board, "Ada", again), f"another sender, Ada, sent in submission {first}")


def test_who_sent_what_and_what_became_of_it_is_said(board: Path, made: Path, tmp_path: Path) -> None:
    first = sent_by(board, "Ada", made)
    run = now(board, first).run
    info = review.accept(board, first, "Mo")
    assert now(board, first).run == run  # accepting gives no other id
    visitor = create_app(board).test_client()
    shown_ = visitor.get(f"/submissions/{first}").get_data(as_text=True)
    check(shown_)
    assert "It is on the board" in shown_ and 'href="/models/hf-a"' in shown_ and "re_scored" not in words(shown_)
    assert "The file as it was sent: SHA-256" in words(shown_) and "the board’s program" in words(shown_)
    for path in (f"/runs/{run}", "/models/hf-a", f"/snapshots/{info.snapshot}/runs/{run}"):
        page = visitor.get(path).get_data(as_text=True)
        check(page)
        assert "Ada" in words(page) and f'href="/submissions/{first}"' in page, path
    assert visitor.get(f"/runs/{run}.json").get_json()["sent"] == [{"run": run, "submission": first, "sender": "Ada"}]

    again = run_sib200(
        tmp_path / "again.run.db", Scripted("hf:a", knows(9)), [sentences("yor_Latn"), sentences("amh_Ethi")]
    )
    second = sent_by(board, "Mallory", again)
    review.accept(board, second, "Mo", replace=True)
    page = visitor.get(f"/submissions/{first}").get_data(as_text=True)
    check(page)
    assert "It is on the board" not in page and "were replaced on the board by those of" in page
    assert f'href="/runs/{now(board, second).run}"' in page
    assert f'href="/snapshots/{info.snapshot}/runs/{run}"' in page
    gone = visitor.get(f"/runs/{run}")
    assert gone.status_code == 404 and f'href="/snapshots/{info.snapshot}/runs/{run}"' in gone.get_data(as_text=True)
    assert visitor.get(f"/snapshots/{info.snapshot}/runs/{run}").status_code == 200
    within = visitor.get(f"/snapshots/{snapshot.current(board)}/runs/{run}").get_data(as_text=True)
    assert info.snapshot in within and f"/snapshots/{info.snapshot}/runs" not in within


def test_a_board_without_a_desk_names_no_sender_and_gets_no_desk(tmp_path: Path, made: Path) -> None:
    publish([made], tmp_path / "alone")
    run = collect(made).facts.id
    answer = create_app(tmp_path / "alone").test_client().get(f"/runs/{run}")
    assert answer.status_code == 200 and "/submissions/" not in words(answer.get_data(as_text=True))
    assert not (tmp_path / "alone" / DATABASE).exists()


def test_a_desk_that_cannot_be_read_takes_no_page_away(board: Path, made: Path) -> None:
    review.accept(board, sent_by(board, "Ada", made), "Mo")
    visitor = create_app(board).test_client()
    for left in board.glob(f"{DATABASE}*"):
        left.unlink()
    (board / DATABASE).write_bytes(b"no database" * 1000)
    run = collect(made).facts.id
    assert queue.sent(board, [run]) is None
    for path in (f"/runs/{run}", "/models/hf-a"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "the list of submissions cannot be read" in words(answer.get_data(as_text=True)), path
