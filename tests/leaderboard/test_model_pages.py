"""The list of models, the page of each, and a model in one task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from leaderboard import fact_words, model_task
from leaderboard.grid import Sheet, Way
from tests.leaderboard.markup import check, words


def data(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def said(client: FlaskClient, path: str) -> str:
    text = client.get(path).get_data(as_text=True)
    check(text)
    return words(text)


ALL = ["command-script-alert-x-script", "hf-maker-gaps", "hf-maker-good"]
FLOORS = ["baseline-copy", "baseline-majority", "baseline-random"]


def test_floors_come_last_however_the_list_is_sorted(client: FlaskClient) -> None:
    address = "/models.json"
    for sort in ("name", "size", "languages", "results"):
        found = [one["model"]["slug"] for one in data(client, f"{address}?sort={sort}")["models"]]
        assert sorted(found[:3]) == ALL and sorted(found[3:]) == FLOORS
        check(client.get(f"/models/?sort={sort}").get_data(as_text=True))
    best = data(client, f"{address}?sort=languages")["models"][0]
    assert (best["model"]["slug"], best["coverage"]["languages"]) == ("hf-maker-good", 3)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=MAKER", ["hf-maker-gaps", "hf-maker-good"]),
        ("q=nobody", []),
        ("badge=self_reported", ALL + FLOORS),
        ("badge=re_run", []),
        ("level=vertical", []),
    ],
)
def test_the_list_is_narrowed_down(client: FlaskClient, query: str, expected: list[str]) -> None:
    found = data(client, f"/models.json?{query}")
    assert sorted(one["model"]["slug"] for one in found["models"]) == sorted(expected)
    assert (found["part"]["total"], found["all"]) == (len(expected), 6)
    page = said(client, f"/models/?{query}")
    assert f"{len(expected)} of 6 models" in page
    assert ("No model on this board is like that." in page) == (not expected)


@pytest.mark.parametrize(
    "query", ["sort=colour", "size=huge", "level=x", "badge=gold", "open=maybe", "licence=none", "page=2"]
)
def test_filters_that_mean_nothing_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/models/?{query}").status_code == 400


def test_models_are_ticked_to_be_compared(client: FlaskClient) -> None:
    elements = check(client.get("/models/").get_data(as_text=True))
    boxes = [a for tag, a in elements if tag == "input" and a.get("type") == "checkbox"]
    assert [a["value"] for a in boxes] == [*ALL, *FLOORS] and {a["name"] for a in boxes} == {"model"}
    assert ("form", {"method": "get", "action": "/compare"}) in elements
    assert client.get("/compare?model=hf-maker-gaps&model=hf-maker-good").status_code == 200


def test_a_model_shows_standing_interval_and_coverage(client: FlaskClient) -> None:
    found = data(client, "/models/hf-maker-good.json")
    (mean,) = found["benchmarks"]
    assert mean["standing"]["covered"] == 3 and mean["standing"]["cells"] == 205
    assert mean["standing"]["normalised"] == pytest.approx(mean["mean"]["normalised"])
    assert mean["standing"]["low"] < mean["standing"]["normalised"] < mean["standing"]["high"]
    page = said(client, "/models/hf-maker-good")
    assert "not ranked: 3 of 205 results" in page and ": nobody says" in page
    assert "The model was not asked these tasks:" in page and 'href="/compare?model=hf-maker-good"' in client.get(
        "/models/hf-maker-good"
    ).get_data(as_text=True)


def test_a_model_in_a_task_has_a_rank_in_each_language(client: FlaskClient) -> None:
    (table,) = data(client, "/models/hf-maker-good/sib200.json")["tables"]
    ranks = {
        line["language"]["code"]: (line["first"], line["last"], line["peers"])
        for line in table["lines"]
        if line["cell"]
    }
    assert ranks["yor_Latn"] == (1, 1, 1)
    assert ranks["pes_Arab"] == (1, 1, 2)
    (other,) = data(client, "/models/hf-maker-gaps/sib200.json")["tables"]
    ranks = {
        line["language"]["code"]: (line["first"], line["last"], line["peers"])
        for line in other["lines"]
        if line["cell"]
    }
    assert ranks["pes_Arab"] == (2, 2, 2) and ranks["yor_Latn"] == (None, None, 0) == ranks["amh_Ethi"]
    (floor,) = data(client, "/models/baseline-majority/sib200.json")["tables"]
    assert all(line["first"] is None for line in floor["lines"])


def test_a_long_table_is_paged_and_whole_in_its_data(client: FlaskClient) -> None:
    path = "/models/hf-maker-good/sib200"
    found = data(client, f"{path}.json")
    assert found["part"] == {"number": 1, "pages": 4, "total": 205}
    assert [bool(line["cell"]) for line in found["tables"][0]["lines"][:4]] == [True, True, True, False]
    assert client.get(f"{path}?page=4").status_code == 200 and client.get(f"{path}?page=5").status_code == 400
    assert len(client.get(f"{path}.csv").get_data(as_text=True).splitlines()) == 206


@pytest.mark.parametrize(("query", "told"), [("version=0", "0 is no version"), ("metric=chrf", "chrf is no metric")])
def test_a_version_or_metric_that_the_model_lacks_is_not_called_not_run(
    client: FlaskClient, query: str, told: str
) -> None:
    answer = client.get(f"/models/hf-maker-good/sib200?{query}")
    assert answer.status_code == 400 and told in words(answer.text)


def test_ranks_leave_out_floors_and_what_is_doubted() -> None:
    way = Way("task", "1", "accuracy", "generate", "english", 0)
    values = np.array([[0.9, np.nan], [0.1, 0.5], [0.5, 0.5], [0.99, 0.9]])
    sheet = Sheet(
        way,
        False,
        (1, 2, 3, 4),
        ("a", "b"),
        values,
        np.full(values.shape, 0.01),
        values + 0.02,
        np.full(values.shape, 50),
        np.array([True, True]),
        np.array([[0, 0], [0, 0], [1, 1], [0, 0]], dtype=np.int8),
        ("", "unlocked_data"),
        1.0,
        0.0,
    )
    assert model_task.ranks_of(sheet, 1, {4}) == ({"a": (1, 1)}, {"a": 2})
    assert model_task.ranks_of(sheet, 2, {4}) == ({"a": (2, 2), "b": (1, 1)}, {"a": 2, "b": 1})
    assert model_task.ranks_of(sheet, 3, {4}) == ({}, {})


def test_reasons_of_facts_are_words() -> None:
    assert fact_words.fact_reason("not_declared") == fact_words.fact_reason("") == "nobody says"
    told = fact_words.fact_reason("contradicted: model file says 24")
    assert told == "contradicted by another source (model file says 24)"
    assert fact_words.fact_reason("new_code: \u202eodd").startswith("new_code (\N{REPLACEMENT CHARACTER}odd")
