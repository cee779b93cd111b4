"""Families: counted once, ranked by the one function, found where an address is nearly right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import languages
from leaderboard import snapshot, wording
from leaderboard.board import Board
from tests.leaderboard.markup import check, words


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def data(client: FlaskClient, path: str) -> Any:
    return client.get(path).get_json()


def test_every_language_is_in_one_family_or_said_to_have_none(client: FlaskClient) -> None:
    told = data(client, "/families.json")
    known = languages.all_languages()
    assert sum(row["languages"] for row in told["rows"]) + told["unknown"] == len(known)
    assert told["unknown"] == sum(one.family_id is None for one in known)
    found = {row["glottocode"]: row for row in told["rows"]}
    niger = [one for one in known if one.family_id == "atla1278"]
    assert found["atla1278"]["languages"] == len(niger)
    assert (found["atla1278"]["with_benchmarks"], found["indo1319"]["with_benchmarks"]) == (1, 1)
    people = {one.iso639_3: one.speakers for one in niger}
    assert found["atla1278"]["speakers"] == sum(number or 0 for number in people.values())
    assert found["atla1278"]["unknown"] == sum(number is None for number in people.values())


@pytest.mark.parametrize("path", ["/families/", "/families/?sort=speakers", "/families/atla1278", "/families/basq1248"])
def test_pages_are_small_and_valid_in_both_directions(client: FlaskClient, path: str) -> None:
    for root in ("", "/ar"):
        assert len(check(text(client, root + path))) < 3000


@pytest.mark.parametrize(
    ("sort", "field"), [("languages", "languages"), ("results", "with_benchmarks"), ("speakers", "speakers")]
)
def test_families_can_be_sorted(client: FlaskClient, sort: str, field: str) -> None:
    values = [row[field] for row in data(client, f"/families.json?sort={sort}")["rows"]]
    assert values == sorted(values, reverse=True)


def test_a_family_has_the_standing_of_the_one_function(client: FlaskClient, board: Path) -> None:
    told = data(client, "/families/atla1278.json")
    codes = {one.code for one in languages.all_languages() if one.family_id == "atla1278"}
    with Board.open(board, snapshot.current(board)) as opened:
        names = opened.model_names()
        expected = {
            (group.metric, names[one.model].slug): one.normalised
            for group, own in opened.standings(languages=codes).items()
            for one in own
            if not group.floor and one.covered and not names[one.model].baseline
        }
    shown = {
        (table["group"]["metric"], row["model"]["slug"]): row["standing"]["normalised"]
        for table in told["tables"]
        for row in table["models"]
    }
    assert shown == expected and len(shown) == 1
    said = words(text(client, "/families/atla1278"))
    assert wording.points(next(iter(shown.values()))) in said
    assert told["tables"][0]["floor"]["model"]["slug"] == "baseline-majority"
    cells = told["tables"][0]["models"][0]["standing"]["cells"]
    assert f"1 of {cells}" in said and cells > 10
    assert told["tables"][0]["models"][0]["standing"]["reason"] == "partial"


def test_a_family_names_the_tasks_of_its_means_and_who_checked_the_models(client: FlaskClient) -> None:
    (table,) = client.get("/families/atla1278.json").get_json()["tables"]
    assert [(task["name"], task["version"]) for task in table["tasks"]] == [("sib200", "1")]
    assert {one["badge"] for one in table["models"]} == {"self_reported"}
    page = client.get("/families/atla1278").get_data(as_text=True)
    assert 'href="/tasks/sib200">SIB-200' in page and page.count('class="badge self-reported"') >= 2


def test_a_family_lists_its_languages_those_with_results_first(client: FlaskClient) -> None:
    told = data(client, "/families/atla1278.json")
    assert told["rows"][0]["language"]["code"] == "yor_Latn"
    assert {row["language"]["family_id"] for row in told["rows"]} == {"atla1278"}
    assert told["part"]["total"] == told["family"]["languages"]
    assert "No benchmark result in a language of this family" in words(text(client, "/families/basq1248"))


def test_an_address_nearly_right_leads_on(client: FlaskClient) -> None:
    for path in ("/families/atla127", "/families/atlantic-congo"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert 'href="/families/atla1278"' in answer.get_data(as_text=True)
    assert client.get("/families/<script>").status_code == 404
