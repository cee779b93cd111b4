"""The tasks: lists, facts, standings, and which samples may be shown."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from leaderboard import examples, invalidations, snapshot
from leaderboard.app import create_app
from leaderboard.board import Board
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, words


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    page = answer.get_data(as_text=True)
    check(page)
    return page


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), path
    return answer.get_json()


def test_tasks_are_listed_by_what_they_are(client: FlaskClient) -> None:
    told = data(client, "/tasks.json")
    assert [line["task"]["name"] for line in told["benchmarks"]] == ["sib200"]
    assert [line["task"]["name"] for line in told["self_test"]] == ["cldr-calendar", "cldr-names-write"]
    assert told["benchmarks"][0]["models"] == 3
    counts = {facet["name"]: {one["value"]: one["count"] for one in facet["choices"]} for facet in told["facets"]}
    assert counts["licence"] == {"CC-BY-SA-4.0": 1, "Unicode-3.0": 2}
    narrowed = words(text(client, "/tasks/?licence=CC-BY-SA-4.0"))
    assert "SIB-200 topic classification" in narrowed and "CLDR months" not in narrowed
    assert client.get("/tasks/?licence=none-such").status_code == 400


def test_every_way_of_asking_stands_on_the_task_page(tmp_path: Path) -> None:
    paths = [
        run_sib200(tmp_path / f"{number}.run.db", Scripted("hf:a", knows(share)), [sentences("yor_Latn")])
        for number, share in enumerate((3, 8))
    ]
    with sqlite3.connect(paths[1]) as connection:
        connection.execute("UPDATE places SET mode = 'first_token'")
        connection.execute(
            "UPDATE cells SET cell = json_set(cell, '$.mode', 'first_token', '$.language_verdicts', NULL,"
            " '$.script_verdicts', NULL, '$.wrong_script', NULL,"
            " '$.native_digits', NULL, '$.other_digits', NULL, '$.identifier_recall', NULL)"
        )
    connection.close()
    publish(paths, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    told = data(visitor, "/tasks/sib200.json")
    modes = {line["row"]["standing"]["group"]["mode"]: line["row"]["standing"]["items"] for line in told["models"]}
    assert modes == {"first_token": 40, "generate": 40}
    page = words(text(visitor, "/tasks/sib200"))
    assert "likelihood of letters" in page and "writes the answer" in page
    for tab in told["tabs"]:
        own = data(visitor, f"/tasks/sib200.json?group={tab['name']}")
        (yoruba,) = [row for row in own["languages"] if row["language"]["code"] == "yor_Latn"]
        share = 0.8 if tab["group"]["mode"] == "first_token" else 0.3
        assert yoruba["normalised"] == pytest.approx((share - 1 / 7) / (6 / 7))
        assert (yoruba["name"], yoruba["first"], yoruba["last"], yoruba["items"]) == ("hf:a", 1, 1, 40)


def test_what_keeps_a_number_from_counting_is_said(client: FlaskClient) -> None:
    page = words(text(client, "/tasks/sib200"))
    assert "1 more with too few items, not counted" in page and "1 without a number" in page
    assert "languages in which no model was asked, or has a number that counts" in page
    assert "The sentences are FLORES-200's" in page and "CC-BY-SA-4.0" in page
    assert "translated by people" in page and "accuracy" in page


def test_languages_come_in_pages(client: FlaskClient) -> None:
    told = data(client, "/tasks/sib200.json")
    assert (len(told["languages"]), told["languages_part"]["pages"], told["languages_part"]["total"]) == (75, 3, 205)
    last = data(client, "/tasks/sib200.json?languages=3")["languages"]
    assert len(last) == 55 and last[-1]["language"]["name"] == "Zulu"
    best = {row["language"]["code"]: row for row in told["languages"] + last}
    assert best["amh_Ethi"]["name"] == "hf:maker/good" and best["amh_Ethi"]["items"] == 40
    assert client.get("/tasks/sib200?languages=4").status_code == 400


def test_languages_without_a_number_come_last_and_no_model_is_blamed(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    publish([run], tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    told = data(visitor, "/tasks/sib200.json")["languages"]
    assert told[0]["language"]["code"] == "yor_Latn" and told[0]["normalised"] is not None
    assert {row["reason"] for row in told[1:]} <= {"not_run", "flawed"}
    assert all(row["normalised"] is None for row in told[1:])
    page = words(text(visitor, "/tasks/sib200"))
    assert "languages in which no model was asked" in page and "has a number that counts" not in page


def test_an_invalid_version_wears_its_reason(tmp_path: Path) -> None:
    run = run_sib200(tmp_path / "1.run.db", Scripted("hf:a", knows(3)), [sentences("yor_Latn")])
    publish([run], tmp_path / "board")
    invalidations.add(tmp_path / "board", "sib200", ["1"], "the key of the third label was wrong")
    visitor = create_app(tmp_path / "board").test_client()
    for path in ("/tasks/sib200", "/tasks/", "/board?language=yo"):
        assert "the key of the third label was wrong" in words(text(visitor, path)), path
    told = data(visitor, "/board.json?language=yo")
    assert told["ranked"] == [] and told["unranked"][0]["standing"]["reason"] == "invalidated"
    assert "a task was found wrong" in words(text(visitor, "/board?language=yo"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"access": "gated"}, "access"),
        ({"notes": "The card has a canary string."}, "access"),
        ({"licence": "CC-BY-NC-4.0"}, "licence"),
        ({"licence": "unknown"}, "licence"),
        ({"version": "0"}, "not_here"),
        ({"name": "nothing-known"}, "not_here"),
    ],
)
def test_samples_are_shown_only_where_they_may_be(board: Path, changes: dict[str, str], reason: str) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        (facts,) = opened.task("sib200")
    found = examples.of(replace(facts, **changes))  # type: ignore[arg-type]
    assert (found.samples, found.reason) == ((), reason)


def test_samples_of_the_embedded_suite_are_at_hand(client: FlaskClient) -> None:
    told = data(client, "/tasks/cldr-calendar.json")["examples"]
    assert told["language"]["code"] == "eng_Latn" and len(told["samples"]) == 2
    page = text(client, "/tasks/cldr-calendar")
    for one in told["samples"]:
        assert one["answers"][0] in one["options"] and one["answers"][0] in words(page)
    assert "<details" in page
