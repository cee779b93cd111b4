"""Requests that nobody means well with. `benchmarks/hostile_requests.py` sends more of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leaderboard.app import create_app
from leaderboard.desk import reception
from tests.leaderboard.desk.visitors import place
from tests.leaderboard.hostile_requests import Maker, run


def test_no_request_makes_the_website_fail(board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reception.CHECK, "0")
    there = place(Path(shutil.copytree(board, tmp_path / "board")))
    found = run(there.app, 2000, secret=there.secret)
    assert not found.wrong, found.wrong[:3]
    assert found.statuses.keys() >= {200, 201, 400, 401, 403, 404, 405, 415}


def test_the_same_seed_makes_the_same_requests(board: Path) -> None:
    app = create_app(board)

    def made(seed: int) -> list[tuple[str, str]]:
        return [(one["PATH_INFO"], one["QUERY_STRING"]) for one in Maker(app, seed).requests(50)]

    assert made(1) == made(1) != made(2)
