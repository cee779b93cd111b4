"""Coverage: every language in every vertical has one state, and it is the true one."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import languages
import tasks
from leaderboard import coverage, snapshot
from leaderboard.asking import Asked
from leaderboard.board import Board
from tests.leaderboard.markup import check, words


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def rows(client: FlaskClient, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(client, path))))


def data(client: FlaskClient, path: str) -> Any:
    return client.get(path).get_json()


@pytest.mark.parametrize(
    "path", ["/coverage", "/coverage?state=without&vertical=legal", "/coverage?q=nobody-speaks-so"]
)
def test_pages_are_small_and_valid_in_both_directions(client: FlaskClient, path: str) -> None:
    for root in ("", "/ar"):
        assert len(check(text(client, root + path))) < 3000


def test_the_data_have_each_language_in_each_vertical(client: FlaskClient) -> None:
    made = rows(client, "/coverage.csv")
    names = {"general", "legal", "medical"}
    assert {(row["language"], row["cell.vertical"]) for row in made} == {
        (one.code, name) for one in languages.all_languages() for name in names
    }
    assert len(made) == len(names) * len(languages.all_languages())
    evaluated = {
        (row["language"], row["cell.vertical"], row["cell.models"]) for row in made if row["cell.state"] == "evaluated"
    }
    # Where ten items are too few they do not count, and neither do the floors.
    assert evaluated == {("yor_Latn", "general", "1"), ("pes_Arab", "general", "2"), ("amh_Ethi", "general", "1")}


def test_states_are_those_of_the_declarations(client: FlaskClient) -> None:
    having = {
        (one.language, task.vertical or "general")
        for task in tasks.all_tasks().values()
        if not task.floor
        for one in task.varieties
        if not one.flaw
    }
    for row in rows(client, "/coverage.csv"):
        if row["cell.state"] != "evaluated":
            place = row["language"], row["cell.vertical"]
            assert row["cell.state"] == ("task" if place in having else "none"), place
            assert (int(row["cell.program_tasks"]) > 0) == (place in having)


def test_the_counts_add_up_and_are_what_the_filters_leave(client: FlaskClient) -> None:
    told = data(client, "/coverage.json")
    for count in (*told["verticals"], told["anywhere"]):
        assert count["evaluated"] + count["untried"] + count["no_task"] == told["languages"]
        for state, name in (("evaluated", "evaluated"), ("task", "untried"), ("none", "no_task")):
            asked = f"/coverage.json?vertical={count['vertical']}&state={state}"
            assert data(client, asked)["part"]["total"] == count[name], asked
        left = data(client, f"/coverage.json?vertical={count['vertical']}&state=without")["part"]["total"]
        assert left == count["untried"] + count["no_task"]
    assert (told["anywhere"]["evaluated"], told["languages"]) == (3, len(languages.all_languages()))
    said = words(text(client, "/coverage"))
    assert f"Of {told['languages']} languages, 3 are evaluated on this board." in said
    assert f"For {told['anywhere']['untried']:,} a task exists" in said
    assert ("no task exists at all" in said) == bool(told["anywhere"]["no_task"])


def test_speakers_are_counted_once_whatever_their_scripts(board: Path) -> None:
    with Board.open(board, snapshot.current(board)) as opened:
        page = coverage.page(opened, Asked(whole=True))
    legal = next(count for count in page.verticals if count.vertical == "legal")
    people = {one.iso639_3: one.speakers for one in languages.all_languages()}
    assert legal.speakers == sum(number or 0 for number in people.values())
    assert legal.unknown == sum(number is None for number in people.values())
    served = {languages.get(code).iso639_3 for code in ("yor_Latn", "pes_Arab", "amh_Ethi")}
    assert page.anywhere.speakers == sum(number or 0 for code, number in people.items() if code not in served)


def test_the_table_can_be_narrowed_down_and_sorted(client: FlaskClient) -> None:
    told = data(client, "/coverage.json?state=without")
    speakers = [row["language"]["speakers"] for row in told["rows"]]
    assert speakers == sorted(speakers, reverse=True) and len(speakers) == 100
    assert "yor_Latn" not in {row["language"] for row in rows(client, "/coverage.csv?state=without")}
    assert {row["cell.vertical"] for row in rows(client, "/coverage.csv?vertical=legal")} == {"legal"}
    named = data(client, "/coverage.json?q=yor&sort=name")["rows"]
    assert [row["language"]["code"] for row in named] == ["yor_Latn"]
    for wrong in ("vertical=astrology", "state=good", "sort=size", "page=99"):
        assert client.get(f"/coverage?{wrong}").status_code == 400
    links = {
        a["href"]
        for tag, a in check(text(client, "/coverage?state=without&vertical=legal"))
        if "aria-label" in a and tag == "a"
    }
    assert links == {"/coverage?vertical=legal", "/coverage?state=without"}
