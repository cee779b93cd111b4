"""The history of a board, and the difference between two snapshots."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.records import BenchError
from leaderboard import history, snapshot
from leaderboard.history import Difference
from leaderboard.snapshot import BoardError, connect, current, publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences

REPOSITORY = Path(__file__).parents[2]
YORUBA, PERSIAN = [sentences("yor_Latn")], [sentences("pes_Arab")]


def difference(board: Path, old: str, new: str, shown: int = history.SHOWN) -> Difference:
    """Between two snapshots of a board."""
    with ExitStack() as opened:
        one, other = (opened.enter_context(closing(connect(board, name))) for name in (old, new))
        return history.diff(one, other, shown)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board of two publishes: a and b; then a does better in another language, and c comes."""
    runs = {
        "a": Scripted("hf:a", knows(3)),
        "b": Scripted("hf:b", knows(4)),
    }
    first = [run_sib200(tmp_path / f"{name}.run.db", model, YORUBA) for name, model in runs.items()]
    publish(first, tmp_path / "board")
    second = [
        run_sib200(tmp_path / "a2.run.db", Scripted("hf:a", knows(8)), [*YORUBA, *PERSIAN]),
        run_sib200(tmp_path / "c.run.db", Scripted("hf:c", knows(5)), PERSIAN),
    ]
    publish(second, tmp_path / "board")
    return tmp_path / "board"


def test_every_publish_has_a_line(board: Path) -> None:
    one, two = history.read(board)
    assert (one.previous, one.models, one.cells, one.results) == ("", ("hf-a", "hf-b"), 2, 2)
    assert (two.previous, two.snapshot, two.models, two.cells) == (
        *(one.snapshot, current(board), ("hf-a", "hf-c")),
        4,
    )
    assert one.at <= two.at and one.at.endswith("+00:00")


def test_a_board_without_history_has_an_empty_one(tmp_path: Path) -> None:
    assert history.read(tmp_path) == ()


def test_a_torn_last_line_is_passed_over_and_mended(board: Path, tmp_path: Path) -> None:
    path = board / history.HISTORY
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert len(history.read(board)) == 1
    publish([run_sib200(tmp_path / "d.run.db", Scripted("hf:d", knows(5)), YORUBA)], board)
    assert [entry.models for entry in history.read(board)] == [("hf-a", "hf-b"), ("hf-a", "hf-c"), ("hf-d",)]


def test_a_line_that_does_not_read_is_one_clear_line(board: Path) -> None:
    path = board / history.HISTORY
    path.write_bytes(b"garbage\n" + path.read_bytes())
    with pytest.raises(BenchError, match=r"history.jsonl: line 1 is no publish .*; remove that line") as refused:
        history.read(board)
    assert "\n" not in str(refused.value)


def test_a_difference_names_models_and_counts_cells(board: Path) -> None:
    old, new = (entry.snapshot for entry in history.read(board))
    found = difference(board, old, new)
    assert (found.models_added, found.models_removed) == (("hf-c",), ())
    assert (found.added, found.removed, found.changed) == (2, 0, 1)
    assert [(each.slug, each.language) for each in found.cells_added] == [("hf-a", "pes_Arab"), ("hf-c", "pes_Arab")]
    assert (found.results_added, found.results_removed, found.results_changed) == (2, 0, 1)
    (changed,) = found.cells_changed
    assert (changed.slug, changed.language, changed.before, changed.after) == ("hf-a", "yor_Latn", 0.3, 0.8)
    back = difference(board, new, old)
    assert (back.models_removed, back.added, back.removed, back.changed) == (("hf-c",), 0, 2, 1)
    assert difference(board, new, new) == Difference((), (), 0, 0, 0, (), (), ())


def test_a_difference_lists_no_more_than_asked_for_and_counts_all(board: Path) -> None:
    old, new = (entry.snapshot for entry in history.read(board))
    found = difference(board, old, new, shown=1)
    assert (found.added, len(found.cells_added)) == (2, 1)


def test_the_same_answers_in_another_run_are_no_change(board: Path, tmp_path: Path) -> None:
    before = current(board)
    more = run_sib200(tmp_path / "b2.run.db", Scripted("hf:b", knows(4)), [*YORUBA, *PERSIAN])
    info = publish([more], board)
    found = difference(board, before, info.snapshot)
    assert (found.added, found.removed, found.changed) == (1, 0, 0)


@pytest.mark.parametrize("another", [True, False])
def test_killed_before_its_history_a_publish_is_current_and_the_next_takes_it_down(
    board: Path, tmp_path: Path, another: bool
) -> None:
    more = run_sib200(tmp_path / "d.run.db", Scripted("hf:d", knows(4)), YORUBA)
    program = f"""
import os, signal
from pathlib import Path
from leaderboard import history, snapshot
history.append = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
snapshot.publish([Path({str(more)!r})], Path({str(board)!r}))
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    between = current(board)
    known = history.read(board)
    assert known[-1].snapshot != between
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    os.utime(board / snapshot.CURRENT, (moment.timestamp(), moment.timestamp()))
    last = run_sib200(tmp_path / "e.run.db", Scripted("hf:e", knows(4)), YORUBA) if another else more
    publish([last], board)
    missing = history.Entry(moment.isoformat(), between, known[-1].snapshot, ("hf-d",), 5, 5)
    assert history.read(board)[: len(known) + 1] == (*known, missing)
    assert [each.previous for each in history.read(board)[len(known) + 1 :]] == ([between] if another else [])
    assert history.read(board)[-1].snapshot == current(board)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_history_that_cannot_be_written_says_what_is_current(board: Path, tmp_path: Path) -> None:
    (board / history.HISTORY).chmod(0o444)
    with pytest.raises(BoardError, match="is current, but .* could not take it down"):
        publish([run_sib200(tmp_path / "d.run.db", Scripted("hf:d", knows(4)), YORUBA)], board)
