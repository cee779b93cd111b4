"""SIGKILL at any moment of a publish: the board shows a whole snapshot, and the next publish mends the rest."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leaderboard import copies, history, snapshot
from leaderboard.app import create_app
from leaderboard.collect import collect
from leaderboard.snapshot import publish
from tests.processes import started


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.2, 0.35, 0.5])
def test_a_killed_publish_leaves_a_board_that_serves(runs: list[Path], tmp_path: Path, moment: float) -> None:
    board = tmp_path / "board"
    before = publish(runs[:1], board).snapshot
    shown = create_app(board).test_client().get("/index.json").json
    command = [sys.executable, "-c", SCRIPT, str(board), *map(str, runs[1:])]
    with started(command, stdout=subprocess.PIPE) as told:
        assert told.stdout is not None
        assert told.stdout.readline() == "ready\n"  # what follows is the publish, and no import
        time.sleep(moment)
    now = snapshot.current(board)
    if now == before:
        assert create_app(board).test_client().get("/index.json").json == shown
    else:
        assert create_app(board).test_client().get("/board").status_code == 200
    for entry in history.read(board):
        assert snapshot.snapshot_path(board, entry.snapshot).is_file()
    done = publish(runs[1:], board)
    assert done.models == len(runs)
    assert not list(board.rglob(".writing-*"))
    assert snapshot.current(board) == done.snapshot


def killed_at(step: str, run: Path, board: Path) -> None:
    """A publish that SIGKILL ends where it would begin this step."""
    program = f"""
import os, signal
from pathlib import Path
from leaderboard import snapshot
snapshot.{step} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
snapshot.publish([Path({str(run)!r})], Path({str(board)!r}))
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL


def test_the_copy_that_a_killed_publish_left_goes_with_the_next(runs: list[Path], tmp_path: Path) -> None:
    board = tmp_path / "board"
    publish(runs[:1], board)
    killed_at("write", runs[3], board)
    kept, orphan = (collect(path).facts.id for path in (runs[0], runs[3]))
    assert copies.there(board) == {kept, orphan}
    (board / copies.RUNS / "notes.txt").write_text("somebody's own")
    publish(runs[1:2], board)
    assert copies.there(board) == {kept, collect(runs[1]).facts.id}
    assert (board / copies.RUNS / "notes.txt").is_file()
    publish([runs[3]], board)
    assert orphan in copies.there(board)


def test_a_copy_that_any_snapshot_names_stays(runs: list[Path], tmp_path: Path) -> None:
    """One that was replaced, and one of a publish that was killed before its snapshot was current."""
    board = tmp_path / "board"
    publish(runs[:1], board)
    killed_at("point", runs[3], board)
    first, second = (collect(path).facts.id for path in (runs[0], runs[3]))
    assert snapshot.current(board) and copies.there(board) == {first, second}
    publish(runs[1:2], board)
    assert {first, second} <= copies.there(board)
    for path in (board / snapshot.SNAPSHOTS).glob("*.db"):  # as who needs the room does it
        if path.stem != snapshot.current(board):
            path.unlink()
    publish(runs[2:3], board)
    assert first in copies.there(board) and second not in copies.there(board)


def test_where_a_snapshot_does_not_read_no_copy_goes(runs: list[Path], tmp_path: Path) -> None:
    board = tmp_path / "board"
    old = publish(runs[:1], board).path
    publish(runs[1:2], board)
    killed_at("write", runs[3], board)
    old.chmod(0o644)
    content = old.read_bytes()
    old.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    publish(runs[4:5], board)
    assert collect(runs[3]).facts.id in copies.there(board)


SCRIPT = """
import sys
from pathlib import Path
import leaderboard.app
from leaderboard.snapshot import publish
print("ready", flush=True)
publish([Path(run) for run in sys.argv[2:]], Path(sys.argv[1]))
"""
