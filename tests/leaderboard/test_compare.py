"""Models beside each other: differences against the reference computation, verdicts, and what cannot be compared."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
import sqlite3
from collections.abc import Sequence
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
from leaderboard import arrays, common_ways, compare_words, paired
from leaderboard.app import create_app
from leaderboard.records import Scored
from leaderboard.snapshot import publish
from tests.leaderboard.conftest import LANGUAGES, Scripted, knows, run_sib200, sentences
from tests.leaderboard.markup import check, words
from tests.leaderboard.test_standings import sheet, way

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
    assert rows["pes_Arab"]["verdict"] == "worse"
    assert "withheld: more than 0.5% of the requests failed" in said
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
        (f"{PAIR}&way=0&task=sib200", "is no way that this page knows"),
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
    assert 'href="/compare?model=hf-maker-good&amp;model=hf-maker-gaps"' in answer.get_data(as_text=True)
    assert 'href="/compare?model=hf-maker-gaps&amp;model=hf-maker-gaps"' not in answer.get_data(as_text=True)


def chosen(found: Any) -> list[str]:
    return [one["model"]["slug"] for one in found["chosen"]]


TRIO = ("hf-maker-good", "baseline-majority", "hf-maker-gaps")


@pytest.mark.parametrize("order", list(itertools.permutations(TRIO)))
def test_models_are_held_against_the_first_one_that_was_asked_for(client: FlaskClient, order: Sequence[str]) -> None:
    asked = "&".join(f"model={slug}" for slug in order)
    found = data(client, asked)
    assert chosen(found) == list(order)
    assert {line["baseline"] for line in csv.DictReader(io.StringIO(client.get(f"/compare.csv?{asked}").text))} == {
        order[0]
    }
    assert chosen(data(client, f"{asked}&baseline={order[2]}")) == [order[2], *order[:2]]
    assert chosen(data(client, f"{asked}&baseline={order[0]}")) == list(order)
    assert chosen(data(client, f"{asked}&model={order[1]}&model={order[0]}")) == list(order)


def test_a_comparison_has_one_canonical_address_and_links_that_keep_its_order(client: FlaskClient) -> None:
    good, floor, gaps = (f"model={slug}" for slug in TRIO)
    for query in (f"{good}&{floor}&{gaps}", f"baseline=hf-maker-good&{floor}&{good}&{gaps}"):
        elements = check(client.get(f"/compare?{query}&sort=difference").text)
        (canonical,) = [a["href"] for tag, a in elements if tag == "link" and a.get("rel") == "canonical"]
        assert canonical == f"/compare?{good}&{floor}&{gaps}&sort=difference"
        links = [a.get("href") or "" for tag, a in elements if tag == "a"]
        assert f"/compare?{floor}&{good}&{gaps}&sort=difference" in links
        assert f"/compare?{gaps}&{good}&{floor}&sort=difference" in links
        (twin,) = [href for href in links if href.startswith("/compare.json")]
        assert chosen(client.get(twin).get_json()) == list(TRIO)
        values = [a["value"] for tag, a in elements if tag == "input" and a.get("name") == "model" and "list" in a]
        assert values == [*TRIO, ""]


def test_ways_of_asking_have_numbers_that_no_choice_of_models_changes() -> None:
    few, many = sheet([[0.5, 0.6], [math.nan, 0.4]]), sheet([[0.5, 0.6], [0.7, math.nan], [0.1, 0.2]])
    shots = dataclasses.replace(few, way=dataclasses.replace(few.way, shots=5), models=(1, 2))
    sheets = [shots, many, sheet([[0.5]], task="other")]
    assert list(common_ways.common(sheets, [1, 2])) == [many.way, shots.way]
    assert list(common_ways.common(sheets, [0, 1])) == [many.way]
    assert common_ways.numbered(sheets) == {many.way: 1, shots.way: 2, way("other"): 1}
    assert list(common_ways.apart(sheets, 0, [1, 2])) == [
        (1, "other", "only_in_baseline"),
        (2, "other", "only_in_baseline"),
    ]


def test_models_that_answer_alike_are_level_and_have_no_winner(tmp_path: Path) -> None:
    blocks = [sentences("yor_Latn"), sentences("pes_Arab")]
    paths = [run_sib200(tmp_path / f"{at}.run.db", Scripted(f"hf:{at}", knows(6)), blocks[: at + 1]) for at in range(2)]
    publish(paths, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    found = data(visitor, "model=hf-0&model=hf-1")
    (result,) = found["tasks"][0]["results"]
    assert (result["wins"], result["ties"], result["losses"]) == (0, 1, 0)
    assert (result["macro"]["difference"], result["macro"]["reason"]) == (0.0, "no_spread")
    assert result["macro"]["verdict"] == "not_separable" and result["macro"]["low"] is None
    rows = {row["language"]["code"]: row["differences"][0] for row in found["rows"]}
    assert rows["pes_Arab"]["reason"] == "only_in_system" and rows["pes_Arab"]["difference"] is None
    level = rows["yor_Latn"]
    assert (level["difference"], level["p"], level["verdict"]) == (0.0, 1.0, "not_separable")
    assert level["low"] == pytest.approx(-level["high"]) and level["detectable"] is None
    assert "the baseline was not asked" in page(visitor, "model=hf-0&model=hf-1")


def test_only_items_that_both_answered_count() -> None:
    """Of 300 items two have no score of one model; whether they would have been right changes nothing."""
    rng = np.random.default_rng(1)
    first, second = (np.stack([rng.integers(0, 2, 300), np.ones(300, int)], axis=1).astype(np.int32) for _ in range(2))
    second[[3, 4]] = arrays.MISSING
    items = tuple(f"{at:03}" for at in range(300))
    pair = paired._pair(kernels.metric("accuracy"), Scored(items, first), Scored(items, second), items)
    assert list(pair.units) == [items[0], items[1], items[2], *items[5:]]
    kept = np.delete(np.arange(300), [3, 4])
    assert (pair.baseline == first[kept]).all() and (pair.system == second[kept]).all()


def test_the_other_way_round_the_differences_are_the_same_with_the_other_sign(client: FlaskClient) -> None:
    one, turned = (data(client, query) for query in (PAIR, "model=hf-maker-gaps&model=hf-maker-good"))
    rows = {row["language"]["code"]: row["differences"][0]["difference"] for row in one["rows"]}
    assert sorted(rows) == sorted(row["language"]["code"] for row in turned["rows"])
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
    assert {line["baseline"] for line in lines} == {"hf-maker-good"}
    assert {(line["baseline_badge"], line["system_badge"]) for line in lines} == {("self_reported", "self_reported")}
    shown = page(client, query)
    assert shown.count("Self-reported") == 3


def test_the_words_of_a_verdict() -> None:
    level = paired.Difference(n=40, difference=0.0, detectable=0.123, verdict="not_separable")
    assert (
        compare_words.signed(0.4, "accuracy") == "+40.0" and compare_words.signed(-1.25, "chrf") == "\N{MINUS SIGN}1.2"
    )
    assert compare_words.signed(0.0, "accuracy") == "0.0" and compare_words.signed(None, "accuracy") == "–"
    assert level.detectable is not None and compare_words.signed(level.detectable, "accuracy") == "+12.3"
    told = compare_words.verdict(level, "accuracy", 305)
    assert told == "cannot be told apart: the data could have shown a difference of 12.3"


def test_an_interval_that_leaves_0_out_and_a_verdict_over_many_comparisons_are_reconciled() -> None:
    alone = paired.Difference(difference=0.1, low=0.01, high=0.19, detectable=0.1, verdict="not_separable")
    told = compare_words.verdict(alone, "accuracy", 305)
    assert told.endswith("its own interval leaves 0 out, but that is not enough among 305 comparisons")
    assert "interval" not in compare_words.verdict(alone, "accuracy", 1)
    around = dataclasses.replace(alone, low=-0.01)
    assert "its own interval" not in compare_words.verdict(around, "accuracy", 305)


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
    made = paired.adjusted(found, ["accuracy", "chrf", "cer", "of another program"])
    assert [one.p_adjusted for one in made] == [pytest.approx(0.03), pytest.approx(0.06), pytest.approx(0.06), None]
    assert [one.verdict for one in made] == ["better", "not_separable", "not_separable", "not_comparable"]
    (worse,) = paired.adjusted([paired.Difference(difference=0.1, p=0.001)], ["wer"])
    assert worse.verdict == "worse"
