"""Models beside each other: differences against the reference computation, verdicts, and what cannot be compared."""

from __future__ import annotations

import csv
import dataclasses
import io
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from bench import comparison
from bench.difference import Pair, difference
from bench.runfile import RunFile
from leaderboard import compare, paired
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, words

PAIR = "model=hf-maker-good&model=hf-maker-gaps"


def page(client: FlaskClient, query: str) -> str:
    answer = client.get(f"/compare?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    check(answer.get_data(as_text=True))
    return words(answer.get_data(as_text=True))


def data(client: FlaskClient, query: str) -> Any:
    answer = client.get(f"/compare.json?{query}")
    assert answer.status_code == 200
    return answer.get_json()


def test_without_models_there_is_a_form_and_one_is_preselected(client: FlaskClient) -> None:
    assert "Choose at least two models" in page(client, "")
    elements = check(client.get("/compare?model=hf-maker-good").get_data(as_text=True))
    values = [a.get("value") for tag, a in elements if tag == "input" and a.get("name") == "model"]
    assert values == ["hf-maker-good", "", "", ""]
    assert sum(tag == "option" for tag, _ in elements) == 6


def test_differences_are_those_of_the_reference_computation(client: FlaskClient, runs: list[Path]) -> None:
    """`bench compare` works on the run files; the page on what the board keeps of them."""
    good, floor = (
        RunFile.read(next(run for run in runs if run.name == name)) for name in ("good.run.db", "sib-floor.run.db")
    )
    with good, floor:
        read = [comparison.read(run, run.cells(), "") for run in (floor, good)]
    told = {one.language: one for one in comparison.compare(read[0], [read[1]]) if one.scope == "language"}
    found = data(client, "model=hf-maker-good&model=baseline-majority&baseline=baseline-majority")
    assert [one["model"]["slug"] for one in found["chosen"]] == ["baseline-majority", "hf-maker-good"]
    assert len(found["rows"]) == len(told) == 3
    for row in found["rows"]:
        (own,), other = row["differences"], told[row["language"]["code"]]
        for name in ("n", "clusters", "difference", "p", "verdict"):
            assert own[name] == getattr(other, name), (row["language"]["code"], name)
        assert (own["low"], own["high"]) == (other.ci_low, other.ci_high)


def test_what_cannot_be_compared_says_why(client: FlaskClient) -> None:
    said = page(client, PAIR)
    assert "only the baseline was asked" not in said
    rows = {row["language"]["code"]: row["differences"][0] for row in data(client, PAIR)["rows"]}
    assert rows["amh_Ethi"]["verdict"] == "too_few_items" and rows["amh_Ethi"]["p"] is None
    assert rows["yor_Latn"]["reason"] == "too_many_errors" and rows["yor_Latn"]["difference"] is None
    assert rows["pes_Arab"]["verdict"] == "better"
    assert "withheld: more than 0.5 % of the requests failed" in said
    (task,) = data(client, PAIR)["tasks"]
    (result,) = task["results"]
    assert (result["macro"]["languages"], result["macro"]["n"]) == (1, 40)
    assert result["wins"] + result["ties"] + result["losses"] == 1


def test_models_of_different_tasks_have_nothing_in_common(client: FlaskClient) -> None:
    query = "model=hf-maker-good&model=baseline-random"
    assert "never asked the same task in the same way" in page(client, query)
    reasons = {one["task"]: one["reason"] for one in data(client, query)["unlike"]}
    assert set(reasons.values()) == {"only_in_baseline", "only_in_system"} and "sib200" in reasons


def test_other_ways_of_asking_are_never_compared(tmp_path: Path) -> None:
    paths = [
        run_sib200(tmp_path / f"{number}.run.db", Scripted(f"hf:{number}", knows(5)), [sentences("yor_Latn")])
        for number in range(2)
    ]
    with sqlite3.connect(paths[1]) as connection:
        connection.execute("UPDATE places SET prompt_language = 'native'")
        connection.execute("UPDATE cells SET cell = json_set(cell, '$.prompt_language', 'native')")
    connection.close()
    publish(paths, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    (one,) = data(visitor, "model=hf-0&model=hf-1")["unlike"]
    assert (one["task"], one["reason"]) == ("sib200", "other_prompt_language")
    assert "asked with prompts in different languages" in page(visitor, "model=hf-0&model=hf-1")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("model=nobody&model=hf-maker-good", "No model on this board is called nobody."),
        (f"{PAIR}&model=baseline-random&model=baseline-copy&model=baseline-majority", "At most 4 models"),
        (f"{PAIR}&task=nothing", "is no task that this page knows"),
        (f"{PAIR}&way=0&task=sib200", "whole number"),
        (f"{PAIR}&page=99", "whole number"),
        (f"{PAIR}&baseline=baseline-copy", "is no baseline that this page knows"),
        (f"{PAIR}&sort=colour", "is no sort that this page knows"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(client: FlaskClient, query: str, said: str) -> None:
    answer = client.get(f"/compare?{query}")
    assert answer.status_code == 400
    assert said in words(answer.get_data(as_text=True))


def test_a_name_nearly_right_is_pointed_at(client: FlaskClient) -> None:
    assert client.get("/compare?model=hf:maker/GOOD&model=hf-maker-gaps").status_code == 200
    answer = client.get("/compare?model=hf-maker-god&model=hf-maker-gaps")
    assert 'href="/compare?model=hf-maker-good"' in answer.get_data(as_text=True)


def test_the_order_of_models_in_the_address_does_not_matter(client: FlaskClient) -> None:
    one, other = (data(client, query) for query in (PAIR, "model=hf-maker-gaps&model=hf-maker-good"))
    assert one == other
    turned = data(client, f"{PAIR}&baseline=hf-maker-good")
    rows = {row["language"]["code"]: row["differences"][0]["difference"] for row in one["rows"]}
    for row in turned["rows"]:
        gained = rows[row["language"]["code"]]
        assert row["differences"][0]["difference"] == (None if gained is None else pytest.approx(-gained))


def test_rows_are_sorted_found_and_written(client: FlaskClient) -> None:
    query = "model=hf-maker-good&model=hf-maker-gaps&model=baseline-majority&task=sib200"
    rows = data(client, f"{query}&sort=difference")["rows"]
    values = [
        next((one["difference"] for one in row["differences"] if one["difference"] is not None), None) for row in rows
    ]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=True) and values[: len(known)] == known
    assert [row["language"]["code"] for row in data(client, f"{query}&language=amharic")["rows"]] == ["amh_Ethi"]
    text = client.get(f"/compare.csv?{query}").get_data(as_text=True)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(LANGUAGES) * 2
    assert {line["baseline"] for line in lines} == {"baseline-majority"}


def test_the_words_of_a_verdict() -> None:
    level = paired.Difference(n=40, difference=0.0, detectable=0.123, verdict="not_separable")
    assert compare.signed(0.4, "accuracy") == "+40.0" and compare.signed(-1.25, "chrf") == "\N{MINUS SIGN}1.2"
    assert compare.signed(0.0, "accuracy") == "0.0" and compare.signed(None, "accuracy") == "–"
    assert level.detectable is not None and compare.signed(level.detectable, "accuracy") == "+12.3"
    told = compare.verdict(level, "accuracy", 305)
    assert told == "cannot be told apart: the data could have shown a difference of 12.3"


def test_an_interval_that_leaves_0_out_and_a_verdict_over_many_comparisons_are_reconciled() -> None:
    alone = paired.Difference(difference=0.1, low=0.01, high=0.19, detectable=0.1, verdict="not_separable")
    told = compare.verdict(alone, "accuracy", 305)
    assert told.endswith("its own interval leaves 0 out, but that is not enough among 305 comparisons")
    assert "interval" not in compare.verdict(alone, "accuracy", 1)
    around = dataclasses.replace(alone, low=-0.01)
    assert "its own interval" not in compare.verdict(around, "accuracy", 305)


SHARES = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=30, max_size=60)


@settings(max_examples=40, deadline=None)
@given(SHARES)
def test_the_jackknife_of_a_share_is_the_standard_error_of_its_mean(answers: list[tuple[bool, bool]]) -> None:
    rows = np.array([[[right, 1] for right in both] for both in answers], dtype=np.int64)
    pair = Pair(kernels.metric("accuracy"), rows[:, 0], rows[:, 1], [f"{at:03}" for at in range(len(rows))])
    gained = (rows[:, 1, 0] - rows[:, 0, 0]).astype(float)
    error, _ = paired._jackknife({paired.WHOLE: pair}, {paired.WHOLE: 1.0})
    assert error == pytest.approx(gained.std(ddof=1) / np.sqrt(len(gained)))
    assert error == pytest.approx(difference(pair, 1).error, abs=1e-9)


def test_languages_that_ask_the_same_items_do_not_make_a_mean_more_certain() -> None:
    rng = np.random.default_rng(3)
    rows = [np.stack([rng.integers(0, 2, 100), np.ones(100, int)], axis=1) for _ in range(2)]
    units = [str(at) for at in range(100)]
    one = Pair(kernels.metric("accuracy"), rows[0], rows[1], units)
    alone, _ = paired._jackknife({("a", ""): one}, {("a", ""): 1.0})
    four = {(name, ""): one for name in "abcd"}
    together, _ = paired._jackknife(four, dict.fromkeys(four, 0.25))
    assert together == pytest.approx(alone)
    apart = {
        (name, ""): Pair(one.metric, one.baseline, one.system, [f"{name}{unit}" for unit in units]) for name in "abcd"
    }
    independent, _ = paired._jackknife(apart, dict.fromkeys(apart, 0.25))
    assert independent == pytest.approx(alone / 2, rel=0.02)


def test_students_two_sided_p() -> None:
    """Against tables: t of the 97.5 % point at 1, 4, 9 and 20 degrees of freedom."""
    for degrees, point in ((1, 12.7062), (4, 2.77645), (9, 2.26216), (20, 2.08596), (28, 2.04841)):
        assert paired.two_sided(point, degrees) == pytest.approx(0.05, abs=1e-5)
    assert paired.two_sided(1.959964, 1000) == pytest.approx(0.05, abs=1e-6)


def test_p_is_adjusted_over_all_comparisons() -> None:
    found = [paired.Difference(difference=0.1, p=p) for p in (0.01, 0.04, 0.03)] + [
        paired.Difference(reason="no_items")
    ]
    made = paired.adjusted(found, [True, True, False, True])
    assert [one.p_adjusted for one in made] == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06), None]
    assert [one.verdict for one in made] == ["better", "not_separable", "not_separable", "not_comparable"]
    (worse,) = paired.adjusted([paired.Difference(difference=0.1, p=0.001)], [False])
    assert worse.verdict == "worse"
