"""SIGKILL at any moment of a publish: the board shows a whole snapshot, and the next publish mends the rest."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from leaderboard import history, snapshot
from leaderboard.app import create_app
from leaderboard.snapshot import publish


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.2, 0.35, 0.5])
def test_a_killed_publish_leaves_a_board_that_serves(runs: list[Path], tmp_path: Path, moment: float) -> None:
    board = tmp_path / "board"
    before = publish(runs[:1], board).snapshot
    shown = create_app(board).test_client().get("/index.json").json
    told = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(board), *map(str, runs[1:])], stdout=subprocess.PIPE, text=True
    )
    assert told.stdout is not None
    assert told.stdout.readline() == "ready\n"  # what follows is the publish, and no import
    time.sleep(moment)
    told.kill()
    told.wait()
    told.stdout.close()
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


SCRIPT = """
import sys
from pathlib import Path
import leaderboard.app
from leaderboard.snapshot import publish
print("ready", flush=True)
publish([Path(run) for run in sys.argv[2:]], Path(sys.argv[1]))
"""
