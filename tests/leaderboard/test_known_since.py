"""What was said after a snapshot was made: invalidations and the history. No page and no twin goes on saying before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import tasks
from leaderboard import history, invalidations, snapshot
from leaderboard.app import create_app
from leaderboard.history import Entry
from leaderboard.snapshot import publish
from tasks import Variety
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import words
from tests.leaderboard.powered import believing, measured, rewrite

RANKED = ("/tasks/sib200", "/models/hf-a", "/models/hf-a/sib200", "/languages/yor_Latn", "/energy", "/board", "/")


def ranks(value: Any) -> Iterator[dict[str, Any]]:
    """Every record with a rank, however deep."""
    if isinstance(value, dict):
        if value.get("first") is not None:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from ranks(each)


def data(client: FlaskClient, path: str) -> Any:
    """The record of a page."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_json()


@pytest.fixture(scope="module")
def measured_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with energy in two languages."""
    folder = tmp_path_factory.mktemp("known")
    blocks = [sentences("eng_Latn"), sentences("yor_Latn")]
    made = [
        rewrite(run_sib200(folder / f"{name}.run.db", Scripted(f"hf:{name}", knows(share)), blocks), measured(joules))
        for name, share, joules in (("a", 9, 20.0), ("b", 4, 90.0))
    ]
    with believing():
        publish(made, folder / "board")
    return folder / "board"


@pytest.fixture
def client_of(measured_board: Path, tmp_path: Path) -> tuple[Path, FlaskClient]:
    shutil.copytree(measured_board, tmp_path / "board")
    return tmp_path / "board", create_app(tmp_path / "board").test_client()


def test_no_twin_ranks_what_was_found_wrong(client_of: tuple[Path, FlaskClient]) -> None:
    board, client = client_of
    before = {path: list(ranks(data(client, twin(path)))) for path in RANKED}
    assert before["/tasks/sib200"] and before["/languages/yor_Latn"] and before["/energy"]
    made = invalidations.add(board, "sib200", [], "gold was wrong")
    for path in RANKED:
        assert list(ranks(data(client, twin(path)))) == [], path
        assert client.get(path).status_code == 200
    (mean, *_others) = data(client, "/models/hf-a.json")["benchmarks"]
    assert mean["mean"]["reason"] == mean["standing"]["reason"] == "invalidated"
    assert mean["mean"]["peers"] == 0
    (row, *_others) = data(client, "/tasks/sib200.json")["languages"]
    assert row["others"] == 0
    assert "invalidated" in client.get("/energy.csv").text
    invalidations.lift(board, made.number)
    assert {path: list(ranks(data(client, twin(path)))) for path in RANKED} == before


def twin(path: str) -> str:
    return f"{path.rstrip('/') or '/index'}.json"


def test_a_floor_stays_a_floor(board: Path, tmp_path: Path) -> None:
    shutil.copytree(board, tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    invalidations.add(tmp_path / "board", "sib200", [], "gold was wrong")
    said = {one["mean"]["model"]: one["mean"]["reason"] for one in data(client, "/tasks/sib200.json")["models"]}
    assert set(said.values()) == {"invalidated"}
    floors = data(client, "/tasks/sib200.json")["floors"]
    assert {one["mean"]["reason"] for one in floors} == {"baseline"}


def test_a_history_line_that_comes_late_is_shown(client_of: tuple[Path, FlaskClient]) -> None:
    board, client = client_of
    name = snapshot.current(board)
    seen = client.get("/history.json")
    told = [data(client, path) for path in ("/history.json", "/diff.json", "/index.json")]
    # As a publish that was asked for pages between the new snapshot and its line.
    history.append(board, Entry("2026-03-01T00:00:00+00:00", "0" * 16, name, ("hf-a",), 2))
    history.append(board, Entry("2026-03-02T00:00:00+00:00", name, "0" * 16, ("hf-b",), 2))
    assert len(data(client, "/history.json")["lines"]) == len(told[0]["lines"]) + 2
    assert len(data(client, "/index.json")["news"]) == len(told[2]["news"]) + 2
    assert words(client.get("/history").text).count("2026-03-0") >= 2
    again = client.get("/history.json", headers={"If-None-Match": seen.headers["ETag"]})
    assert again.status_code == 200


def test_pages_count_the_same_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A language whose text is flawed is in no mean and in no block, on whatever page."""
    codes = ("eng_Latn", "pes_Arab", "yor_Latn")
    path = run_sib200(tmp_path / "a.run.db", Scripted("hf:a", knows(8)), [sentences(code) for code in codes])
    varieties = (*map(Variety, codes[:2]), Variety(codes[2], flaw="legacy_encoding"))
    known = replace(tasks.get("sib200"), varieties=varieties)
    monkeypatch.setattr(tasks, "get", lambda _name: known)
    publish([path], tmp_path / "board")
    client = create_app(tmp_path / "board").test_client()
    (own,) = data(client, "/models/hf-a/sib200.json")["standings"]
    (row,) = data(client, "/tasks/sib200.json")["models"]
    assert own == row["row"]["standing"] and (own["covered"], own["cells"]) == (2, 2)
    assert "over 2 of 2 languages" in words(client.get("/models/hf-a/sib200").text)
    for page in ("/models/hf-a", "/tasks/sib200"):
        said = words(client.get(page).text)
        assert "2 of 2" in said and "2 of 3" not in said
