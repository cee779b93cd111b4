"""Snapshots of another edition: their address says so, the board goes on, and files of theirs can be made before."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from bench.cli.board_site import freeze
from bench.records import UsageError
from leaderboard import freezing, history, openapi, schema, snapshot, walking
from leaderboard.app import create_app
from leaderboard.site import Site
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences

OLDER = schema.FORMAT - 1


def run_of(folder: Path, name: str, share: int) -> Path:
    return run_sib200(folder / f"{name}.run.db", Scripted(f"hf:{name}", knows(share)), [sentences("yor_Latn")])


def made_older(board: Path, name: str) -> None:
    """Gives a snapshot the mark of an older format, as its file would have it."""
    path = snapshot.snapshot_path(board, name)
    path.chmod(0o644)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {OLDER}")
    connection.close()
    path.chmod(0o444)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, str, str]:
    """A board with an older and a newer snapshot, both of today's format."""
    board = tmp_path / "board"
    old = publish([run_of(tmp_path, "first", 3)], board).snapshot
    return board, old, publish([run_of(tmp_path, "second", 5)], board).snapshot


def visitor(board: Path) -> FlaskClient:
    return create_app(board).test_client()


def test_the_address_of_an_older_format_says_which_and_leads_to_today(two: tuple[Path, str, str]) -> None:
    board, old, new = two
    made_older(board, old)
    client = visitor(board)
    for path in ("", "/", "/board", "/models/hf-first", "/languages/yor_Latn"):
        answer = client.get(f"/fr/snapshots/{old}{path}")
        page = answer.get_data(as_text=True)
        assert answer.status_code == 410 and "Retry-After" not in answer.headers
        assert f"snapshots/{old}.db" in page and f" {OLDER}" in page and f" {schema.FORMAT}" in page
        assert 'href="/fr/models/"' in page
        assert all("hreflang" in line for line in page.splitlines() if f"/snapshots/{old}" in line)
        assert str(board) not in page
    for address in (f"/snapshots/{old}/board.json", f"/snapshots/{old}.csv"):
        told = client.get(address)
        assert told.status_code == 410 and told.get_json().keys() == {"error", "near"}
    assert client.get("/board").status_code == client.get(f"/snapshots/{new}/board").status_code == 200
    assert client.get(f"/diff?from={old}&to={new}").status_code == 404
    assert client.get("/history").status_code == 200


def test_a_current_snapshot_of_another_format_stops_the_start_and_not_for_a_minute(two: tuple[Path, str, str]) -> None:
    board, _old, new = two
    client = visitor(board)
    made_older(board, new)
    for path in ("/board", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 503 and "Retry-After" not in answer.headers
    with pytest.raises(snapshot.OtherFormat, match=f"of format {OLDER}, .* format {schema.FORMAT}") as refused:
        create_app(board)
    assert "\n" not in str(refused.value)


def test_a_board_of_an_older_format_goes_on_in_its_folder(two: tuple[Path, str, str]) -> None:
    board, old, new = two
    for name in (old, new):
        made_older(board, name)
    copies = sorted((board / "runs").glob("*.run.db"))
    (board / snapshot.CURRENT).rename(board / "former")
    made = publish(copies, board)
    assert [each.model for each in made.published] == ["hf:first", "hf:second"]
    assert sorted((board / "runs").glob("*.run.db")) == copies
    assert [entry.snapshot for entry in history.read(board)][:2] == [old, new]
    client = visitor(board)
    assert client.get("/board").status_code == client.get("/history").status_code == 200


def test_an_older_snapshot_is_frozen_under_its_address(
    two: tuple[Path, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, old, new = two
    every = walking.stops

    def few(site: Site, name: str) -> list[walking.Stop]:
        return [stop for stop in every(site, name) if stop.page.rule in ("/models/", "/models/<slug>")]

    monkeypatch.setattr(walking, "stops", few)
    output = tmp_path / "files"
    given = ["--board", str(board), "--output", str(output), "--snapshot", old, "--root", f"/snapshots/{old}", "--json"]
    done = CliRunner().invoke(freeze, given)
    assert done.exit_code == 0 and json.loads(done.stdout)["snapshot"] == old
    live = visitor(board).get(f"/snapshots/{old}/models.json").get_json()
    assert json.loads((output / "models.json").read_bytes()) == live
    assert (output / "models/hf-first/index.html").is_file() and not (output / "models/hf-second").exists()
    assert f'href="/snapshots/{old}/models/hf-first/"' in (output / "models/index.html").read_text()
    site = walking.site_of(create_app(board))
    for wrong in ("f" * 16, "../current", f"{new}.db"):
        with pytest.raises(UsageError, match="has no snapshot .*; `python -m bench board history` lists them"):
            freezing.freeze(site, tmp_path / "none", name=wrong)
    assert not (tmp_path / "none").exists()


def test_the_description_knows_the_answer(client: FlaskClient) -> None:
    document = openapi.document(walking.site_of(client.application).pages)
    assert "410" in document["paths"]["/board.json"]["get"]["responses"]
