"""What may be made at once: whole tables a few at a time, and the pages of a board by one process alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import portalocker
import pytest

from leaderboard import site as sites
from leaderboard import snapshot, walking
from leaderboard.app import create_app
from leaderboard.site import PAGES, TABLES, Site
from leaderboard.snapshot import BoardError

LARGE = ("/board.csv", "/tasks/sib200.parquet", "/plots/heatmap", "/plots/heatmap.json", "/languages/yor_Latn.csv")


@pytest.fixture
def site(board: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The pages of a board, where nobody waits for a turn."""
    monkeypatch.setattr(sites, "WAIT", 0.0)
    return walking.site_of(create_app(board))


@pytest.fixture
def taken(site: Site) -> Iterator[None]:
    """Every turn is another visitor's."""
    for _turn in range(TABLES):
        assert site._tables.acquire(blocking=False)
    yield
    for _turn in range(TABLES):
        site._tables.release()


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("path", LARGE)
def test_whoever_gets_no_turn_is_asked_to_come_back(site: Site, path: str) -> None:
    answer = site.app.test_client().get(path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0 and answer.headers["Cache-Control"] == "no-store"
    assert "large tables" in answer.text


@pytest.mark.usefixtures("taken")
def test_pages_and_their_records_need_no_turn(site: Site) -> None:
    client = site.app.test_client()
    for path in ("/board", "/board.json", "/languages/yor_Latn", "/tasks/sib200.json"):
        assert client.get(path).status_code == 200


def test_what_was_made_before_needs_no_turn(site: Site) -> None:
    client = site.app.test_client()
    made = client.get("/board.csv").data
    for _turn in range(TABLES):
        site._tables.acquire()
    assert client.get("/board.csv").data == made
    assert client.get("/models.csv").status_code == 503
    for _turn in range(TABLES):
        site._tables.release()


def test_a_turn_is_given_back_whatever_comes_of_it(site: Site) -> None:
    client = site.app.test_client()
    for number in range(TABLES + 1):
        assert client.get(f"/tasks/sib200.csv?version=none-{number}").status_code == 400
        assert client.get(f"/models/none-{number}.csv").status_code == 404
    assert client.get("/board.csv").status_code == 200


@pytest.fixture
def own(board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A board of which one page is made beforehand."""
    shutil.copytree(board, tmp_path / "board")
    site = walking.site_of(create_app(tmp_path / "board"))
    kept = [one for one in walking.stops(site, snapshot.current(site.folder)) if one.path == "/board"]
    monkeypatch.setattr(walking, "stops", lambda *_given: kept)
    return tmp_path / "board"


def test_what_a_killed_process_left_is_swept(own: Path) -> None:
    (own / PAGES).mkdir()
    for left in (".writing-0123-old.db", "0123-old.db"):
        (own / PAGES / left).write_bytes(b"half")
    assert walking.warm(walking.site_of(create_app(own)), ("en",)) == 1
    (kept,) = (own / PAGES).iterdir()
    assert kept.name.startswith(snapshot.current(own))


def test_two_processes_do_not_write_the_same_pages(own: Path) -> None:
    site = walking.site_of(create_app(own))
    flags = portalocker.LOCK_EX | portalocker.LOCK_NB
    with (
        portalocker.Lock(own / ".warming", "ab", timeout=0, flags=flags),
        pytest.raises(BoardError, match="another process makes the pages .*; run this again when it is done"),
    ):
        walking.warm(site, ("en",))
    assert walking.warm(site, ("en",)) == walking.warm(site, ("en",)) == 1
