"""The map: each language once, in the state that the coverage page gives it."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

import languages
from tests.leaderboard.markup import check, tables, words


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_json()


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    page = answer.get_data(as_text=True)
    check(page)
    return page


def states(client: FlaskClient) -> dict[str, str]:
    return {row["language"]["code"]: row["state"] for row in data(client, "/map.json")["rows"]}


def test_every_language_has_one_state(client: FlaskClient) -> None:
    found = states(client)
    assert set(found) == {one.code for one in languages.all_languages()}
    counts = {one["state"]: one["languages"] for one in data(client, "/map.json")["counts"]}
    assert counts == {state: list(found.values()).count(state) for state in ("evaluated", "self_test", "none")}


def test_floors_are_no_evaluation_and_the_coverage_page_agrees(client: FlaskClient) -> None:
    found = states(client)
    rows = csv.DictReader(io.StringIO(client.get("/coverage.csv").get_data(as_text=True)))
    evaluated = {row["language"] for row in rows if row["cell.state"] == "evaluated"}
    assert {code for code, state in found.items() if state == "evaluated"} == evaluated
    assert found["yor_Latn"] == found["pes_Arab"] == "evaluated"
    assert found["zul_Latn"] == "none"


def test_a_dot_a_language_that_has_a_place(client: FlaskClient) -> None:
    page = text(client, "/map")
    assert page.count('class="chart chart-map') == 1
    drawn = sum(
        path.count("M") for path in re.findall(r'<path class="chart-(?:none|self-test|evaluated)" d="([^"]+)"', page)
    )
    placed = sum(one.latitude is not None for one in languages.all_languages())
    assert drawn == placed + 3  # the legend has each state once
    assert "4 languages of the table have no point" in words(page)


def test_the_table_has_a_hundred_rows_and_the_data_have_all(client: FlaskClient) -> None:
    (first,), (last,) = (tables(text(client, f"/map?page={number}")) for number in (1, 5))
    assert (len(first), len(last)) == (101, 63)
    assert len(client.get("/map.csv").get_data(as_text=True).splitlines()) == 463
    page = text(client, "/map?page=2")
    assert 'rel="prev"' in page and 'rel="next"' in page


def test_the_filters_are_in_the_address(client: FlaskClient) -> None:
    told = data(client, "/map.json?area=Africa&show=evaluated")
    assert {row["language"]["code"] for row in told["rows"]} == {"amh_Ethi", "yor_Latn"}
    assert sum(one["languages"] for one in told["counts"]) == sum(
        one.macroarea == "Africa" for one in languages.all_languages()
    )
    page = text(client, "/map?area=Africa&show=evaluated")
    assert '<bdi lang="yo" dir="ltr">' in page and 'href="/languages/yor_Latn"' in page
    assert "No language is like that" in words(text(client, "/map?area=Papunesia&show=self_test"))


@pytest.mark.parametrize("query", ["area=Atlantis", "show=all", "page=9", "page=x"])
def test_what_the_map_does_not_know_is_said(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/map?{query}")
    assert answer.status_code == 400
    check(answer.get_data(as_text=True))
