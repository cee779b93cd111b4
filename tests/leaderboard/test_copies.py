"""What a publish keeps of a run: its id, its badge, its model's facts, and a copy of its file."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cards import facts as cards
from bench.cards.facts import Facts, stated
from bench.records import UsageError
from bench.runfile import RunFile
from bench.runfile_records import Identity
from leaderboard import copies, rows, snapshot, writing
from leaderboard.collect import collect, run_id
from leaderboard.records import Badge, Model
from leaderboard.snapshot import connect, current, publish
from tests.leaderboard.conftest import TOPICS, Scripted, knows, run_sib200, sentences
from tests.plans import block_of

REPOSITORY = Path(__file__).parents[2]
KNOWN = stated("model file", licence="apache-2.0", parameters=7_000_000_000, base=("hf:a",), level="language")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One small run."""
    return run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])


def describe(path: Path, facts: object) -> None:
    """Writes what is known of the model into a run."""
    with RunFile.open(path, Identity("hf:a", "1", "none", "greedy")) as opened:
        opened.describe("facts", facts)


def models(board: Path) -> list[Model]:
    """Those of the current snapshot."""
    with contextlib.closing(connect(board, current(board))) as connection:
        return [rows.model_of(row) for row in connection.execute("SELECT * FROM models")]


def test_the_id_of_a_run_is_of_what_was_said(run: Path, tmp_path: Path) -> None:
    again = run_sib200(tmp_path / "again.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    other = run_sib200(tmp_path / "other.run.db", Scripted("hf:a", knows(4)), [sentences("yor_Latn")])
    renamed = run_sib200(tmp_path / "b.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn")])
    found = [collect(path).facts.id for path in (run, again, other, renamed)]
    assert found[0] == found[1] and len(set(found)) == 3
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in found)


def test_scored_on_mended_data_it_is_another_run_with_a_copy_of_its_own(run: Path, tmp_path: Path) -> None:
    board, block = tmp_path / "board", sentences("yor_Latn")
    mended = tuple(replace(each, answer=((each.answer or 0) + 1) % len(TOPICS)) for each in block.samples)
    model = Scripted("hf:a", knows(3))
    again = run_sib200(tmp_path / "b.run.db", model, [block_of(block.task, block.variety, mended)])
    publish([run], board)
    publish([again], board)
    with contextlib.closing(connect(board, current(board))) as connection:
        ((name, value),) = connection.execute("SELECT run, value FROM cells").fetchall()
    assert name == collect(again).facts.id != collect(run).facts.id
    with RunFile.read(copies.path_of(board, name)) as kept:
        assert [cell.value for cell in kept.cells()] == [value]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE scores SET outcome = 'other' WHERE request = (SELECT min(request) FROM scores)",
        "UPDATE scores SET statistics = '[7]' WHERE request = (SELECT min(request) FROM scores)",
        "UPDATE samples SET hash = substr(hash, 2) || '0' WHERE id = (SELECT min(id) FROM samples)",
        "UPDATE samples SET cluster = 'a' WHERE id = (SELECT min(id) FROM samples)",
        "UPDATE responses SET text = 'other' WHERE request = (SELECT min(request) FROM responses)",
    ],
)
def test_whatever_its_pages_show_of_a_run_is_in_its_id(run: Path, change: str) -> None:
    with RunFile.read(run) as opened:
        before = run_id(opened)
    with contextlib.closing(sqlite3.connect(run)) as connection, connection:
        assert connection.execute(change).rowcount == 1
    with RunFile.read(run) as opened:
        assert run_id(opened) != before


def test_what_is_current_keeps_its_copies(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = tmp_path / "board"
    usual = copies.sync

    def fail(path: Path) -> None:
        if path == board:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        usual(path)

    monkeypatch.setattr(snapshot, "sync", fail)
    info = publish([run], board)
    assert current(board) == info.snapshot
    assert copies.path_of(board, collect(run).facts.id).is_file()


def test_a_publish_that_is_broken_off_after_it_is_current_takes_nothing_back(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = snapshot.point

    def point(board: Path, name: str) -> None:
        usual(board, name)
        raise KeyboardInterrupt

    board = tmp_path / "board"
    monkeypatch.setattr(snapshot, "point", point)
    with pytest.raises(KeyboardInterrupt):
        publish([run], board)
    assert current(board)
    assert copies.path_of(board, collect(run).facts.id).is_file()


def test_every_cell_knows_its_run(run: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    publish([run], board)
    with contextlib.closing(connect(board, current(board))) as connection:
        assert {row["run"] for row in connection.execute("SELECT run FROM cells")} == {collect(run).facts.id}


@pytest.mark.parametrize("badge", ["self_reported", "re_scored", "re_run", "sealed_set"])
def test_the_badge_is_the_publishers_word(run: Path, tmp_path: Path, badge: Badge) -> None:
    publish([run], tmp_path / "board", badge=badge)
    (model,) = models(tmp_path / "board")
    assert [each.badge for each in model.runs] == [badge]


def test_the_facts_of_a_model_are_those_of_its_run(run: Path, tmp_path: Path) -> None:
    publish([run], tmp_path / "board")
    assert models(tmp_path / "board")[0].facts == Facts()
    describe(run, cards.to_json(KNOWN))
    publish([run], tmp_path / "board")
    assert models(tmp_path / "board")[0].facts == KNOWN


@pytest.mark.parametrize("facts", [[1], {"parameters": "many"}, "apache-2.0"])
def test_facts_that_do_not_read_are_one_clear_line(run: Path, tmp_path: Path, facts: object) -> None:
    describe(run, facts)
    with pytest.raises(UsageError, match="facts of a model that do not read") as refused:
        publish([run], tmp_path / "board")
    assert "\n" not in str(refused.value) and str(run) in str(refused.value)


def test_a_copy_of_the_run_is_kept_and_cannot_be_written(run: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    publish([run], board)
    copy = copies.path_of(board, collect(run).facts.id)
    assert [each.name for each in (board / copies.RUNS).iterdir()] == [copy.name]
    assert copy.stat().st_mode & 0o777 == 0o444
    with RunFile.read(copy) as kept, RunFile.read(run) as opened:
        assert run_id(kept) == run_id(opened)
        assert list(kept.responses()) == list(opened.responses())
    before = copy.stat().st_mtime_ns
    publish([copy], board)
    assert copy.stat().st_mtime_ns == before


def test_a_run_that_goes_on_while_it_is_published_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    with pytest.raises(UsageError, match="changed while it was published"):
        copies.keep(run, "0" * 16, tmp_path / "board")
    assert not list((tmp_path / "board" / copies.RUNS).iterdir())


@pytest.mark.parametrize("room", [4_096, 30_000])
def test_a_full_disk_leaves_the_old_board_and_nothing_half_written(run: Path, tmp_path: Path, room: int) -> None:
    board = tmp_path / "board"
    before = publish([run], board).snapshot
    other = run_sib200(tmp_path / "b.run.db", Scripted("hf:b", knows(3)), [sentences("yor_Latn")])
    files = {path for path in board.rglob("*") if path.is_file()}
    program = f"""
import resource
from pathlib import Path
from leaderboard import snapshot
from bench.records import BenchError
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
try:
    snapshot.publish([Path({str(other)!r})], Path({str(board)!r}))
except BenchError as error:
    print(error)
"""
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, timeout=60, check=True, capture_output=True, text=True
    ).stdout
    assert said.count("\n") == 1 and "the board still shows what it did" in said
    assert current(board) == before
    assert {path for path in board.rglob("*") if path.is_file()} == files
    publish([other], board)
    assert len(models(board)) == 2


def test_the_copy_of_a_publish_that_fails_is_taken_back(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    board = tmp_path / "board"
    monkeypatch.setattr(writing, "write", fail)
    with pytest.raises(Exception, match="no room left on the disk"):
        publish([run], board)
    assert not list((board / copies.RUNS).iterdir())


def test_a_sweep_takes_a_half_written_copy(run: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    (board / copies.RUNS).mkdir(parents=True)
    shutil.copy(run, board / copies.RUNS / f"{copies.TEMPORARY}1")
    publish([run], board)
    assert len(list((board / copies.RUNS).iterdir())) == 1
