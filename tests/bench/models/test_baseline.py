"""Floors that never look at the gold."""

from __future__ import annotations

import dataclasses

import pytest

import tasks
from bench.models import Settings, load
from bench.plan import choose_languages
from bench.plan import load as load_blocks
from bench.records import Request, Response, UsageError
from bench.session import asker, training
from bench.text import LETTERS
from tests.plans import asked


def answers(name: str, task: str, *codes: str) -> list[tuple[Request, Response]]:
    model = load(name, Settings(training))
    blocks = load_blocks(choose_languages(tasks.select([task]), codes), None)
    made, _ = asked(blocks, model.capabilities, asker(model), None)
    return list(zip(made, model.respond(made), strict=True))


def test_random_takes_every_option_about_as_often() -> None:
    found = [
        response.text
        for _, response in answers("baseline:random", "cldr-territories", "yor_Latn", "fra_Latn", "swh_Latn")
    ]
    assert {text: found.count(text) > 5 for text in LETTERS[:4]} == dict.fromkeys(LETTERS[:4], True)
    again = [
        response.text
        for _, response in answers("baseline:random", "cldr-territories", "yor_Latn", "fra_Latn", "swh_Latn")
    ]
    assert again == found


def test_copy_repeats_the_input() -> None:
    assert all(
        response.text == request.input for request, response in answers("baseline:copy", "cldr-dates", "yor_Latn")
    )


def test_copy_picks_the_option_spelled_most_like_the_input() -> None:
    model = load("baseline:copy", Settings(training))
    request, _ = answers("baseline:copy", "cldr-territories", "fra_Latn")[0]
    made = dataclasses.replace(request, input="Gabon", options=("Suède", "Gabón", "Pérou", "Chine"))
    assert [response.text for response in model.respond([made])] == ["B"]


def test_majority_is_the_commonest_of_the_training_split() -> None:
    found = {response.text for _, response in answers("baseline:majority", "cldr-plurals", "pol_Latn")}
    gold = [sample.answer for sample in training("cldr-plurals", "pol_Latn", "") if sample.answer is not None]
    assert found == {LETTERS[max(set(gold), key=lambda answer: (gold.count(answer), -gold.index(answer)))]}


def test_without_a_training_split_majority_skips_with_the_reason(data: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_DATA", str(data))
    (first, *rest) = answers("baseline:majority", "ntrex-from-eng", "yor_Latn")
    assert (first[1].status, first[1].reason) == ("skipped", "no_training_split")
    assert len(rest) == 1996


def test_unknown_baselines_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'majority'"):
        load("baseline:majorty", Settings(training))
