"""The intake in earnest: real uploads, a real process for each, and what the desk says of them afterwards."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import BenchError, Cell, Request, Response
from bench.runfile import RunFile
from leaderboard import copies, locking
from leaderboard.board import Board
from leaderboard.collect import collect
from leaderboard.desk import checking, intake, known, limits, review
from leaderboard.desk.limits import DEFAULT, Limits
from leaderboard.desk.records import REASONS, Submission
from leaderboard.desk.store import Desk
from leaderboard.desk.verdicts import FINGERPRINT, RUN, UPLOAD, Verdict
from leaderboard.snapshot import current, publish
from tests.leaderboard.conftest import LANGUAGES, TOPICS, Scripted, knows, run_sib200, sentences
from tests.leaderboard.desk.desks import send, send_file, token_of
from tests.leaderboard.desk.hostile_files import HOSTILE, edited
from tests.plans import block_of


def handed_in(board: Path, *paths: Path) -> list[Submission]:
    """What became of these uploads."""
    with Desk.open(board) as desk:
        token = token_of(desk)
        sent = [send_file(desk, token, path).id for path in paths]
    assert intake.work(board) == len(paths)
    with Desk.open(board) as desk:
        return [desk.submission(each) for each in sent]


def test_a_run_on_data_of_the_program_itself_is_scored_again(runs: list[Path], empty: Path) -> None:
    (found,) = handed_in(empty, runs[0])
    assert (found.state, found.reason, found.detail) == ("waiting", "", "")
    assert (found.model, found.badge) == ("baseline:random", "re_scored")
    with RunFile.read(runs[0]) as run:
        cells = [cell for cell in run.cells() if cell.value is not None]
    assert found.cells == sum(cell.headline for cell in cells)
    assert (found.languages, found.tasks) == (len({one.language for one in cells}), len({one.task for one in cells}))
    assert not list(empty.glob(".checking-*"))


def test_a_run_on_data_that_are_not_here_stays_self_reported(runs: list[Path], empty: Path) -> None:
    (found,) = handed_in(empty, runs[3])
    assert (found.state, found.badge) == ("waiting", "self_reported")
    assert "sib200" in found.detail and "\n" not in found.detail


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_run_wrote_is_rejected(
    name: str, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = HOSTILE[name]
    monkeypatch.delenv("BENCH_DATA", raising=False)
    make(runs[0], tmp_path / UPLOAD)
    monkeypatch.chdir(tmp_path)
    found = checking.check(tmp_path, None, DEFAULT)
    assert found.reason == reason, found.detail
    assert found.detail and "\n" not in found.detail
    assert str(tmp_path) not in found.detail
    assert not (tmp_path / FINGERPRINT).exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_flipped_bit_changes_no_number(
    place: int, bit: int, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    content = bytearray(runs[3].read_bytes())
    content[place % len(content)] ^= 1 << bit
    for name in (UPLOAD, RUN, FINGERPRINT):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / UPLOAD).write_bytes(content)
    found = checking.check(tmp_path, None, DEFAULT)
    if found.reason:
        assert found.reason in REASONS and found.detail and "\n" not in found.detail
        return
    before, after = (
        {key: (each.cell.value, each.cell.n, each.cell.ci_low, each.cell.ci_high) for key, each in made.cells.items()}
        for made in (collect(runs[3]), collect(Path(RUN)))
    )
    assert before == after


def test_what_no_run_wrote_never_waits(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    names = ["zero bytes", "a trigger", "deep JSON", "a gzip bomb", "scores of no answers", "items of its choice"]
    made = [HOSTILE[name][0](runs[0], tmp_path / f"{number}.run.db") for number, name in enumerate(names)]
    for name, found in zip(names, handed_in(empty, *made), strict=True):
        assert (found.state, found.reason) == ("rejected", HOSTILE[name][1]), found.detail
        assert found.detail and "\n" not in found.detail
        with Desk.open(empty) as desk:
            assert not desk.upload_path(found.id).exists()


def test_a_link_in_the_folder_of_uploads_leads_nowhere(runs: list[Path], empty: Path) -> None:
    (found,) = in_the_folder(empty, runs[0])
    assert (found.state, found.reason) == ("rejected", "bad_file")
    assert runs[0].is_file()


def in_the_folder(board: Path, path: Path) -> list[Submission]:
    with Desk.open(board) as desk:
        sent = send(desk, token_of(desk))
        desk.upload_path(sent.id).unlink()
        desk.upload_path(sent.id).symlink_to(path.resolve())
    assert intake.work(board) == 1
    with Desk.open(board) as desk:
        return [desk.submission(sent.id)]


def test_a_packed_run_waits_unpacked(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(runs[0].read_bytes()))
    (found,) = handed_in(empty, packed)
    assert found.state == "waiting"
    with Desk.open(empty) as desk:
        assert desk.upload_path(found.id).read_bytes() == runs[0].read_bytes()
    assert found.size == runs[0].stat().st_size


def test_one_content_is_taken_once(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.run.db"
    with edited(runs[0], copy) as connection:  # the same run, though not the same bytes
        connection.execute("INSERT INTO notes VALUES ('seen', 'twice')")
    first, second = handed_in(empty, runs[0], copy)
    assert first.state == "waiting"
    assert (second.state, second.reason, second.duplicate_of) == ("rejected", "duplicate", first.id)


def test_the_same_run_is_what_waits_or_is_published(runs: list[Path], empty: Path) -> None:
    verdict = Verdict("", "", run=collect(runs[0]).facts.id)
    with Desk.open(empty) as desk:
        token = token_of(desk)
        first, second = send(desk, token, b"one"), send(desk, token, b"other")

        def same(found: Verdict = verdict) -> str:
            made = known.same_run(known.held(empty, desk, second), found)
            assert made.reason == ("duplicate" if made.duplicate_of else "")
            return made.duplicate_of

        assert desk.next() is not None
        assert same() == ""
        desk.move(first.id, "waiting", actor="intake", run=verdict.run)
        assert same() == same(replace(verdict, badge="re_scored")) == first.id
        desk.move(first.id, "declined", "spam", "no run in earnest", actor="moderator")
        assert same() == ""
        copies.keep(runs[0], verdict.run, empty)  # which a publish leaves that is killed before it is current
        assert same() == ""
        publish([runs[0]], empty)
        assert same() == verdict.run
        assert same(replace(verdict, badge="re_scored")) == ""
        publish([runs[0]], empty, badge="re_run")
        assert same(replace(verdict, badge="re_scored")) == verdict.run


def test_a_published_run_is_not_taken_again(runs: list[Path], empty: Path) -> None:
    publish([runs[0]], empty, badge="re_scored")
    (found,) = handed_in(empty, runs[0])
    assert (found.state, found.reason) == ("rejected", "duplicate")


def test_a_published_run_may_come_to_be_scored_again(runs: list[Path], empty: Path) -> None:
    publish([runs[0]], empty)
    (found,) = handed_in(empty, runs[0])
    assert (found.state, found.badge) == ("waiting", "re_scored")
    review.accept(empty, found.id, "Mo")
    with Board.open(empty, current(empty)) as shown:
        assert shown.badges() == {found.run: "re_scored"}


def test_a_run_on_mended_data_is_another_run(empty: Path, tmp_path: Path) -> None:
    model = Scripted("hf:a", knows(6))
    publish([run_sib200(tmp_path / "a.run.db", model, [sentences("yor_Latn")])], empty)
    before = sentences("yor_Latn")
    mended = tuple(replace(each, answer=((each.answer or 0) + 1) % len(TOPICS)) for each in before.samples)
    again = run_sib200(tmp_path / "b.run.db", model, [block_of(before.task, before.variety, mended)])
    (found,) = handed_in(empty, again)
    assert (found.state, found.reason) == ("waiting", ""), found.detail


def test_an_error_over_one_upload_does_not_hold_up_the_others(
    runs: list[Path], empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Desk.open(empty) as desk:
        token = token_of(desk)
        first, second = (send_file(desk, token, path).id for path in (runs[3], runs[4]))
    twin = intake._twin

    def damaged(board: Path, desk: Desk, submission: Submission, folder: Path) -> str:
        if submission.id == first:
            raise BenchError("the current snapshot is damaged")
        return twin(board, desk, submission, folder)

    monkeypatch.setattr(intake, "_twin", damaged)
    with pytest.raises(BenchError, match=f"submission {first} is not checked yet: .* is damaged"):
        intake.work(empty)
    with Desk.open(empty) as desk:
        assert desk.states() == {first: "checking", second: "waiting"}
    monkeypatch.setattr(intake, "_twin", twin)
    assert intake.work(empty) == 1
    with Desk.open(empty) as desk:
        assert desk.states() == {first: "waiting", second: "waiting"}


def test_the_scores_of_another_model_count_and_not_its_values(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    """As many right answers, though to other questions."""

    def answer(request: Request) -> Response:
        number = int(request.sample.rsplit("/", 1)[1])
        right = number % len(TOPICS)
        chosen = right if number % 10 > 0 else (right + 1) % len(TOPICS)
        return Response(request.id, "ok", TOPICS[chosen], finish="stop", output_tokens=3)

    other = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", answer), [sentences(each) for each in LANGUAGES])
    assert [cell.value for cell in _cells(other)] == [cell.value for cell in _cells(runs[3])]
    publish([runs[3]], empty)
    (found,) = handed_in(empty, other)
    assert (found.state, found.duplicate_of) == ("waiting", "")


def _cells(path: Path) -> list[Cell]:
    with RunFile.read(path) as run:
        return run.cells()


def renamed(good: Path, target: Path, model: str) -> Path:
    with edited(good, target) as connection:
        (old,) = connection.execute("SELECT value FROM manifest WHERE key = 'model'").fetchone()
        connection.execute("UPDATE manifest SET value = ? WHERE key = 'model'", (f'"{model}"',))
        connection.execute("UPDATE cells SET cell = replace(cell, ?, ?)", (f'"model": {old}', f'"model": "{model}"'))
    return target


def test_the_scores_of_another_model_are_noticed(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    twin = renamed(runs[3], tmp_path / "twin.run.db", "hf:other/name")
    publish([runs[3]], empty)
    (found,) = handed_in(empty, twin)
    assert (found.state, found.reason, found.duplicate_of) == ("waiting", "", "hf-maker-good")
    assert "hf-maker-good" in found.detail


def test_the_scores_of_a_waiting_submission_are_noticed(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    twin = renamed(runs[3], tmp_path / "twin.run.db", "hf:other/name")
    first, second, third = handed_in(empty, runs[3], twin, runs[4])
    assert first.duplicate_of == third.duplicate_of == ""
    assert (second.state, second.duplicate_of) == ("waiting", first.id)


def test_a_baseline_may_be_anybodys(runs: list[Path], empty: Path, tmp_path: Path) -> None:
    twin = renamed(runs[5], tmp_path / "twin.run.db", "hf:other/name")
    publish([runs[5]], empty)
    (found,) = handed_in(empty, twin)
    assert (found.state, found.duplicate_of) == ("waiting", "")


def test_the_check_is_held_to_its_limits(runs: list[Path], empty: Path) -> None:
    with Desk.open(empty) as desk:
        token = token_of(desk)
        sent = [send_file(desk, token, runs[0]).id for _ in range(2)]
    for most, reason in (
        (replace(DEFAULT, wall=0.01), "check_timeout"),
        (replace(DEFAULT, size=4096), "too_large"),
    ):
        with Desk.open(empty) as desk:
            submission = desk.next()
            assert submission is not None
            intake._handle(empty, desk, submission, None, most)
            found = desk.submission(submission.id)
        assert submission.id in sent
        assert (found.state, found.reason) == ("rejected", reason), most


@pytest.mark.parametrize(
    ("most", "script", "end"),
    [
        (replace(DEFAULT, processor=1), "while True: pass", "timeout"),
        (replace(DEFAULT, wall=0.2), "import time; time.sleep(600)", "timeout"),
        (replace(DEFAULT, memory=1 << 30), f"bytearray({8 << 30})", "memory"),
        (DEFAULT, "import os; os.kill(os.getpid(), 9)", "memory"),
        (DEFAULT, "import os; os.abort()", "crash"),
        (replace(DEFAULT, size=1 << 10), "open('file', 'wb').write(bytes(1 << 20))", "done"),
    ],
    ids=["processor", "wall", "memory", "killed", "crash", "file"],
)
def test_a_process_ends_at_its_limits(most: Limits, script: str, end: str, tmp_path: Path) -> None:
    text = f"""
import sys
from leaderboard.desk import limits
limits.impose(limits.Limits({most.size}, {most.ratio}, {most.memory}, {most.processor}))
try:
    {script}
except MemoryError:
    sys.exit(limits.OUT_OF_MEMORY)
"""
    ended = limits.run([sys.executable, "-I", "-c", text], most, tmp_path, limits.environment(tmp_path, None))
    assert ended.end == end
    if (tmp_path / "file").exists():
        assert ended.code == 1
        assert (tmp_path / "file").stat().st_size <= 2 * most.size


def test_what_a_killed_intake_was_checking_is_checked_again(runs: list[Path], empty: Path) -> None:
    left = empty / ".checking-left"
    left.mkdir()
    with Desk.open(empty) as desk:
        sent = send_file(desk, token_of(desk), runs[0])
        claimed = desk.next()
        assert claimed is not None and claimed.id == sent.id
    assert intake.work(empty) == 1
    with Desk.open(empty) as desk:
        assert desk.submission(sent.id).state == "waiting"
    assert not left.exists()


def test_one_intake_works_at_a_time(runs: list[Path], empty: Path) -> None:
    with Desk.open(empty) as desk:
        send_file(desk, token_of(desk), runs[0])
    with locking.held(empty / ".intake", AssertionError()):
        assert intake.work(empty) == 0
    assert intake.work(empty) == 1
    assert intake.work(empty) == 0


def test_the_check_knows_nothing_of_the_servers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_SECRET", "s3cret")
    script = "import os, pathlib; pathlib.Path('said').write_text(repr(dict(os.environ)))"
    ended = limits.run([sys.executable, "-I", "-c", script], DEFAULT, tmp_path, limits.environment(tmp_path, None))
    assert ended.end == "done"
    said = (tmp_path / "said").read_text()
    assert "s3cret" not in said and "BENCH_DATA" not in said


def test_the_whole_group_ends_with_the_check(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "pathlib.Path('child').write_text(str(child.pid))"
    )
    ended = limits.run([sys.executable, "-I", "-c", script], DEFAULT, tmp_path, limits.environment(tmp_path, None))
    assert ended.end == "done"
    child = int((tmp_path / "child").read_text())
    for _ in range(600):  # a signal takes a moment
        if not running(child):
            break
        time.sleep(0.05)
    assert not running(child)


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_command_works_on_a_board(runs: list[Path], empty: Path) -> None:
    with Desk.open(empty) as desk:
        sent = send_file(desk, token_of(desk), runs[0])
    command = [sys.executable, "-m", "leaderboard.desk.intake", str(empty)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    with Desk.open(empty) as desk:
        assert desk.submission(sent.id).state == "waiting"
    ended = subprocess.run([*command[:-1], str(empty / "none")], check=False, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
