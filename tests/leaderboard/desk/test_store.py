"""The desk's database: states, the files of uploads, and what survives a process that dies."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import UsageError
from leaderboard.desk import log, uploads
from leaderboard.desk.records import ENDED, FOLLOWING, REASONS, STATES, DeskError, State, Submission
from leaderboard.desk.store import DATABASE, UPLOADS, Desk
from tests.leaderboard.desk.desks import send, token_of
from tests.processes import started

REPOSITORY = Path(__file__).parents[3]
WAYS: dict[State, tuple[State, ...]] = {
    "received": (),
    "checking": ("checking",),
    "rejected": ("checking", "rejected"),
    "waiting": ("checking", "waiting"),
    "accepted": ("checking", "waiting", "accepted"),
    "declined": ("checking", "waiting", "declined"),
    "withdrawn": ("withdrawn",),
}


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """An empty board."""
    folder = tmp_path / "board"
    folder.mkdir()
    return folder


def reason_for(state: State) -> str:
    return {"rejected": "bad_file", "declined": "spam"}.get(state, "")


def brought(desk: Desk, state: State) -> Submission:
    """A submission in that state."""
    found = send(desk, token_of(desk))
    for each in WAYS[state]:
        found = desk.move(found.id, each, reason_for(each), actor="intake")
    return found


def test_what_is_received_waits_to_be_checked(board: Path) -> None:
    with Desk.open(board) as desk:
        token = token_of(desk, "Ada")
        made = send(desk, token, b"bytes")
        assert (made.state, made.sender, made.size) == ("received", "Ada", 5)
        assert (made.sha256, made.attempt, made.cells) == (hashlib.sha256(b"bytes").hexdigest(), None, None)
        assert desk.upload_path(made.id).read_bytes() == b"bytes"
        assert desk.submission(made.id) == made
        (event,) = desk.events(made.id)
        assert made.sha256 in event.detail and (event.state, event.actor) == ("received", "Ada")


def test_only_its_owner_reads_the_desk(board: Path) -> None:
    with Desk.open(board) as desk:
        made = send(desk, token_of(desk))
        for path in (board / DATABASE, desk.upload_path(made.id), *board.glob(f"{DATABASE}-*")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((board / UPLOADS).stat().st_mode) == 0o700


def test_a_file_is_moved_and_a_link_is_refused(board: Path, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"bytes")
    link = tmp_path / "link"
    link.symlink_to(upload)
    digest = hashlib.sha256(b"bytes").hexdigest()
    with Desk.open(board) as desk:
        token = token_of(desk)
        with pytest.raises(UsageError, match="plain file"):
            desk.receive(link, 5, digest, token)
        with pytest.raises(UsageError, match="5 bytes, not 6"):
            desk.receive(upload, 6, digest, token)
        made = desk.receive(upload, 5, digest, token)
        assert desk.upload_path(made.id).read_bytes() == b"bytes" and not upload.exists()
        assert desk.counts()["received"] == 1


@pytest.mark.parametrize(("size", "content"), [(5, b"byte"), (5, b"bytes and more"), (5, b"other"), (0, b"x")])
def test_a_stream_that_is_not_what_was_said_leaves_nothing(board: Path, size: int, content: bytes) -> None:
    with Desk.open(board) as desk:
        token = token_of(desk)
        with pytest.raises(UsageError, match="did not arrive"):
            desk.receive(io.BytesIO(content), size, hashlib.sha256(b"bytes"[:size]).hexdigest(), token)
        assert list((board / UPLOADS).iterdir()) == []
        assert not any(desk.counts().values()) and desk.events() == []


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_only_some_states_follow(board: Path, before: State, after: State) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, before)
        if after in FOLLOWING[before]:
            assert desk.move(found.id, after, reason_for(after), actor="intake").state == after
        else:
            with pytest.raises(UsageError, match=f"is {before} and cannot be {after}"):
                desk.move(found.id, after, reason_for(after), actor="intake")
            assert desk.submission(found.id) == found
        assert log.check(desk) is None


@pytest.mark.parametrize("state", STATES)
def test_a_file_goes_when_nobody_needs_it_any_more(board: Path, state: State) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, state)
        # An accepted one stays until the board has its own copy of the run.
        assert desk.upload_path(found.id).exists() == (state not in ENDED or state == "accepted")


def test_an_accepted_file_goes_once_the_board_has_the_run(board: Path) -> None:
    (board / "runs").mkdir()
    (board / "runs" / "0123456789abcdef.run.db").touch()
    with Desk.open(board) as desk:
        found = brought(desk, "waiting")
        desk.move(found.id, "accepted", actor="m", run="0123456789abcdef")
        assert not desk.upload_path(found.id).exists()


@pytest.mark.parametrize(("state", "reason"), [("rejected", ""), ("rejected", "made_up"), ("waiting", "spam")])
def test_a_refusal_and_only_that_has_a_reason(board: Path, state: State, reason: str) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, "checking")
        with pytest.raises(UsageError, match="reason"):
            desk.move(found.id, state, reason, actor="intake")
        assert desk.submission(found.id).state == "checking"


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_can_be_given(board: Path, reason: str) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, "checking")
        assert desk.move(found.id, "rejected", reason, actor="intake").reason == reason


@pytest.mark.parametrize(
    "facts", [{"sender": "Eve"}, {"id; --": "x"}, {"cells": "3"}, {"cells": True}, {"badge": "gold"}]
)
def test_nothing_else_is_kept(board: Path, facts: dict[str, Any]) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, "checking")
        with pytest.raises(UsageError):
            desk.move(found.id, "waiting", actor="intake", **facts)
        assert desk.submission(found.id) == found


def test_what_an_upload_says_of_itself_is_made_harmless(board: Path) -> None:
    with Desk.open(board) as desk:
        found = brought(desk, "checking")
        detail = "first\nsecond\u202e\x00" + "x" * 10_000
        made = desk.move(found.id, "waiting", detail=detail, actor="intake", model="a\u202eb'; DROP TABLE events;--")
        assert made.model == "a\N{REPLACEMENT CHARACTER}b'; DROP TABLE events;--"
        assert made.detail.startswith("first second\N{REPLACEMENT CHARACTER}") and len(made.detail) == 500
        assert log.check(desk) is None


def test_every_attempt_counts_whatever_became_of_it(board: Path) -> None:
    with Desk.open(board) as desk:
        ada, eve = token_of(desk, "Ada"), token_of(desk, "Eve")
        again = token_of(desk, "Ada")  # another token of the same sender
        attempts = []
        for token, model, state in (
            (ada, "a", "rejected"),
            (eve, "a", "waiting"),
            (ada, "b", "waiting"),
            (again, "a", "waiting"),
            (ada, "a", "waiting"),
        ):
            send(desk, token)
            claimed = desk.next()
            assert claimed is not None
            state_of: State = "rejected" if state == "rejected" else "waiting"
            attempts.append(desk.move(claimed.id, state_of, reason_for(state_of), actor="intake", model=model).attempt)
        assert attempts == [1, 1, 1, 2, 3]
        newest = desk.submissions(limit=1)[0]
        assert desk.move(newest.id, "waiting", actor="m", model="a").attempt == 3


def test_the_oldest_is_checked_first_and_by_one(board: Path) -> None:
    with Desk.open(board) as desk:
        token = token_of(desk)
        sent = [send(desk, token, bytes([number])).id for number in range(6)]

    def claim(_: int) -> str:
        with Desk.open(board) as own:
            found = own.next()
            return found.id if found else ""

    with ThreadPoolExecutor(4) as pool:
        claimed = list(pool.map(claim, range(8)))
    assert sorted(filter(None, claimed)) == sorted(sent) and claimed.count("") == 2
    with Desk.open(board) as desk:
        order = [event.submission for event in desk.chain() if event.state == "checking"]
        assert order == sent and log.check(desk) is None


def test_uploads_at_one_moment_keep_the_chain_and_the_limit(board: Path) -> None:
    with Desk.open(board) as desk:
        token = token_of(desk)

    def upload(number: int) -> bool:
        with Desk.open(board) as own:
            try:
                send(own, token, bytes([number]), limit=5)
            except UsageError:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(upload, range(12)))
    with Desk.open(board) as desk:
        assert sum(taken) == 5 == desk.counts()["received"] == len(list((board / UPLOADS).iterdir()))
        assert log.check(desk) is None


def test_what_a_dead_process_was_checking_is_checked_again(board: Path) -> None:
    with Desk.open(board) as desk:
        sent = send(desk, token_of(desk))
        for _ in range(2):
            assert desk.next() is not None
            assert [each.state for each in desk.recover()] == ["received"]
        assert desk.next() is not None
        (given_up,) = desk.recover()
        assert (given_up.id, given_up.state, given_up.reason) == (sent.id, "rejected", "check_failed")
        assert not desk.upload_path(sent.id).exists() and desk.next() is None


def test_recovering_removes_what_belongs_to_nobody(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Desk.open(board) as desk:
        ended, waiting = brought(desk, "rejected"), brought(desk, "waiting")
        folder = board / UPLOADS
        for name in (ended.id, f"{waiting.id}-wal", "0" * 20, "whatever"):
            (folder / name).write_bytes(b"x")
        desk.recover()
        # What came a moment ago may be an upload in the making.
        assert {path.name for path in folder.iterdir()} == {waiting.id, f"{waiting.id}-wal", "0" * 20, "whatever"}
        monkeypatch.setattr(uploads, "ORPHAN_SECONDS", -1)
        desk.recover()
        assert {path.name for path in folder.iterdir()} == {waiting.id, f"{waiting.id}-wal"}


def test_an_upload_that_came_packed_is_replaced_and_the_log_says_so(board: Path, tmp_path: Path) -> None:
    file = tmp_path / "unpacked"
    with Desk.open(board) as desk:
        found = brought(desk, "checking")
        file.write_bytes(b"the run file")
        made = desk.unpacked(found.id, file)
        assert (made.sha256, made.size) == (hashlib.sha256(b"the run file").hexdigest(), 12)
        assert desk.upload_path(found.id).read_bytes() == b"the run file" and not file.exists()
        newest = desk.events(found.id)[0]
        assert made.sha256 in newest.detail and newest.state == "checking" and log.check(desk) is None
        waiting = desk.move(found.id, "waiting", actor="intake")
        file.write_bytes(b"another")
        with pytest.raises(UsageError, match="is waiting"):
            desk.unpacked(waiting.id, file)
        assert desk.upload_path(found.id).read_bytes() == b"the run file"


@pytest.mark.parametrize("made_up", ["", "../../etc/passwd", "0" * 19, "0" * 20 + "\n", "A" * 20, "0/0", "\x00"])
def test_no_path_comes_from_outside(board: Path, made_up: str) -> None:
    with Desk.open(board) as desk:
        with pytest.raises(UsageError, match="no submission"):
            desk.upload_path(made_up)
        with pytest.raises(UsageError, match="no submission"):
            desk.submission(made_up)


def test_pages_of_submissions_and_events(board: Path) -> None:
    with Desk.open(board) as desk:
        token = token_of(desk)
        sent = [send(desk, token, bytes([number])).id for number in range(5)]
        claimed = desk.next()
        assert claimed is not None
        assert [each.id for each in desk.submissions(limit=2)] == sent[:2:-1]
        assert [each.id for each in desk.submissions(limit=9, before=sent[2])] == sent[1::-1]
        assert [each.id for each in desk.submissions("checking")] == sent[:1]
        assert [each.number for each in desk.events(limit=2)] == [6, 5]
        assert [each.number for each in desk.events(before=3)] == [2, 1]
        assert [each.state for each in desk.events(sent[0])] == ["checking", "received"]
        desk.move(claimed.id, "waiting", actor="intake", run="abc")
        assert [each.id for each in desk.of_run("abc")] == sent[:1] and desk.of_run("") == []


def test_no_row_is_ever_deleted(board: Path) -> None:
    with Desk.open(board) as desk:
        brought(desk, "rejected")
    with sqlite3.connect(board / DATABASE) as raw:
        for table in ("events", "submissions"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only|every attempt"):
                raw.execute(f"DELETE FROM {table}")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute("UPDATE events SET detail = ''")
    raw.close()


def test_where_there_is_no_board_no_desk_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no board in"):
        Desk.open(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_another_file_in_its_place_is_one_line(board: Path, content: bytes) -> None:
    (board / DATABASE).write_bytes(content)
    with pytest.raises(DeskError) as caught:
        Desk.open(board)
    assert "\n" not in str(caught.value)


def test_many_may_make_the_desk_at_once(board: Path) -> None:
    def opened(_: int) -> int:
        with Desk.open(board) as desk:
            return sum(desk.counts().values())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(opened, range(16))) == [0] * 16
    assert sorted(path.name for path in board.iterdir() if path.name.startswith(".")) == []


@pytest.mark.skipif(os.name != "posix", reason="the limit on a file's size is one of POSIX")
def test_a_full_disk_is_one_line_and_leaves_nothing(board: Path) -> None:
    with Desk.open(board) as desk:
        token_of(desk)
    script = (
        "import hashlib, io, resource, signal, sys; from pathlib import Path\n"
        "from bench.records import BenchError\n"
        "from leaderboard.desk import access; from leaderboard.desk.store import Desk\n"
        "desk = Desk.open(Path(sys.argv[1])); token = access.listed(desk)[0]\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "content = bytes(4 << 20)\n"
        "try: desk.receive(io.BytesIO(content), len(content), hashlib.sha256(content).hexdigest(), token)\n"
        "except BenchError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, board], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "cannot use the desk" in done.stdout and done.stdout.count("\n") == 1
    assert list((board / UPLOADS).iterdir()) == []
    with Desk.open(board) as desk:
        assert not any(desk.counts().values())


def test_a_kill_at_any_moment_leaves_a_whole_desk(board: Path) -> None:
    """A process that is killed while it moves submissions on: every state is that of the last event."""
    with Desk.open(board) as desk:
        token_of(desk)
    script = (
        "import hashlib, io, sys; from pathlib import Path\n"
        "from leaderboard.desk import access; from leaderboard.desk.store import Desk\n"
        "desk = Desk.open(Path(sys.argv[1])); token = access.listed(desk)[0]\n"
        "while True:\n"
        "    desk.receive(io.BytesIO(b'x'), 1, hashlib.sha256(b'x').hexdigest(), token, limit=10**6)\n"
        "    desk.move(desk.next().id, 'rejected', 'bad_file', actor='intake')\n"
        "    print(flush=True)\n"
    )
    for rounds in range(1, 4):
        command = [sys.executable, "-c", script, str(board)]
        with started(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in itertools.islice(process.stdout, rounds):
                pass
            process.kill()
        with Desk.open(board) as desk:
            assert log.check(desk) is None
            desk.recover()
            assert desk.counts()["checking"] == 0 and log.check(desk) is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(STATES), st.text(max_size=30)), max_size=12))
def test_whatever_is_tried_the_log_says_what_is(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[State, str]]
) -> None:
    with Desk.open(tmp_path_factory.mktemp("board")) as desk:
        sent = send(desk, token_of(desk))
        state: State = "received"
        for target, detail in steps:
            allowed = target in FOLLOWING[state]
            try:
                state = desk.move(sent.id, target, reason_for(target), detail, actor="intake", model=detail).state
            except UsageError:
                assert not allowed
            else:
                assert allowed and state == target
        assert desk.submission(sent.id).state == state and log.check(desk) is None
