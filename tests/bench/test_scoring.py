"""Answers -> scores -> cells, on two tasks small enough to count by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from bench.records import Cell, Finish, Mode, Response
from bench.scoring import FIDELITY, Answered, chance, score, streams
from bench.summary import TOO_FEW_ITEMS, Group, cells
from tasks.records import Prompt, Row, Sample, Split, Task, Variety

YORUBA = Variety("yor_Latn")
ANIMALS = ("cat", "dog", "horse", "cow")
DESIGNED = (
    "model, task, task_version, language, variety, vertical, area, metric, signature, value, normalised, chance, n, "
    "ci_low, ci_high, mode, prompt_language, shots, errors, truncated, unparsed, wrong_language, output_tokens, "
    "output_tokens_per_joule, energy_scope, energy_provenance, reasons"
).split(", ")


class Nothing:
    """A source without rows: the samples here are made by hand."""

    dataset = "hand"
    splits: tuple[Split, ...] = ("test",)

    def rows(self, variety: Variety, split: Split) -> Iterator[Row]:
        return iter(())

    def fingerprint(self, variety: Variety, split: Split) -> Mapping[str, str]:
        return {}

    def is_locked(self, name: str) -> bool:
        return True


CHOICE = Task(
    name="animals",
    version="1",
    title="Animals",
    area="reading",
    kind="choice",
    source=Nothing(),
    varieties=(YORUBA,),
    sample=lambda task, variety, row: None,
    prompt=Prompt("Which animal is {text}?"),
    metrics=("accuracy",),
    origin="native",
    licence="CC0-1.0",
    citation="",
    vertical="medical",
)
GENERATION = replace(CHOICE, name="words", kind="generation", metrics=("chrf++", "bleu", "exact_match"), vertical="")


def question(item: int, answer: int = 0, options: tuple[str, ...] = ANIMALS, cluster: str = "") -> Sample:
    return Sample(
        "animals", "1", "yor_Latn", "", str(item), "x", {"text": "x"}, options, answer, cluster=cluster
    )  # fmt: skip


def sentence(item: int, *references: str) -> Sample:
    return Sample("words", "1", "yor_Latn", "", str(item), "x", {"text": "x"}, references=references)


def said(
    sample: Sample, text: str, mode: Mode = "generate", finish: Finish = "stop", tokens: int | None = 3
) -> Answered:
    return Answered(sample, mode, Response(sample.id, "ok", text, finish=finish, output_tokens=tokens))


def likely(sample: Sample, *loglikelihoods: float) -> Answered:
    return Answered(sample, "loglikelihood", Response(sample.id, "ok", loglikelihoods=loglikelihoods))


def failed(sample: Sample) -> Answered:
    return Answered(sample, "generate", Response(sample.id, "error", reason="timeout"))


def skipped(sample: Sample) -> Answered:
    return Answered(sample, "generate", Response(sample.id, "skipped", reason="no_training_split"))


def summed(task: Task, answered: Sequence[Answered], flaw: str = "") -> list[Cell]:
    group = Group("m", task, Variety("yor_Latn", flaw=flaw), "generate", "english", 0, answered)
    return list(cells(group, score(task, answered)))


def number(value: float | None) -> float:
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("text", "outcome", "right"),
    [
        ("A", "scored", 1),
        ("cat", "scored", 1),
        ("B", "scored", 0),
        ("", "empty", 0),
        (" \n", "empty", 0),
        ("A or B", "unparsed", 0),
        ("a fish", "unparsed", 0),
    ],
)
def test_outcomes_of_a_choice(text: str, outcome: str, right: int) -> None:
    (made,) = score(CHOICE, [said(question(1), text)])
    assert (made.metric, made.outcome, made.statistics) == ("accuracy", outcome, (right, 1))


@pytest.mark.parametrize(
    ("text", "outcome"), [("ab cd", "scored"), ("zzz", "scored"), ("", "empty"), ("\r\n ", "empty")]
)
def test_outcomes_of_a_text(text: str, outcome: str) -> None:
    made = score(GENERATION, [said(sentence(1, "ab cd"), text)])
    made = [one for one in made if one.metric != FIDELITY]
    assert [one.metric for one in made] == list(GENERATION.metrics)
    assert {one.outcome for one in made} == {outcome}


@pytest.mark.parametrize("task", [CHOICE, GENERATION])
def test_what_a_filter_stopped_is_refused(task: Task) -> None:
    sample = question(1) if task is CHOICE else sentence(1, "ab")
    assert {one.outcome for one in score(task, [said(sample, "", finish="filter")])} == {"refused"}


@pytest.mark.parametrize(("best", "right"), [((-1.0, -2.0, -3.0, -4.0), 1), ((-9.0, -2.0, -3.0, float("-inf")), 0)])
def test_the_likeliest_option_is_the_answer(best: tuple[float, ...], right: int) -> None:
    (made,) = score(CHOICE, [likely(question(1), *best)])
    assert (made.outcome, made.statistics) == ("scored", (right, 1))


@pytest.mark.parametrize(
    "wrong",
    [(), (-1.0, -2.0), (float("nan"),) * 4, (float("nan"), -1.0, -2.0, -3.0), (float("-inf"),) * 4],
)
def test_likelihoods_that_say_nothing_are_unparsed(wrong: tuple[float, ...]) -> None:
    (made,) = score(CHOICE, [likely(question(1), *wrong)])
    assert (made.outcome, made.statistics) == ("unparsed", (0, 1))


def test_errors_and_skips_are_no_answers() -> None:
    assert score(CHOICE, [failed(question(1)), skipped(question(2))]) == []
    assert score(GENERATION, [failed(sentence(1, "a"))]) == []
    assert score(GENERATION, []) == []


def test_line_breaks_are_no_mistake() -> None:
    answered = [said(sentence(1, "ab\rcd ef"), "\nab\r\ncd ef\n")]
    assert [one.statistics for one in score(GENERATION, answered) if one.metric == "exact_match"] == [(1, 1)]


def test_references_become_streams() -> None:
    assert streams([sentence(1, "a", "b"), sentence(2, "c")]) == [["a", "c"], ["b", None]]
    assert streams([]) == []


def test_several_references() -> None:
    answered = [said(sentence(1, "ab cd ef gh", "xy z"), "xy z"), said(sentence(2, "ij kl mn op"), "ij kl mn op")]
    chrf, bleu, exact = summed(GENERATION, answered)
    expected = kernels.chrf(["xy z", "ij kl mn op"], [["ab cd ef gh", "ij kl mn op"], ["xy z", None]], word_order=2)
    assert (chrf.value, exact.value) == (expected.score, 1.0)
    assert chrf.signature == f"{expected.name}|{expected.signature}"
    assert "nrefs:var" in bleu.signature


def test_a_cell_of_a_choice() -> None:
    samples = [question(item) for item in range(5)]
    texts = ["A", "B", "", "A or B", "A"]
    answered = [said(one, text) for one, text in zip(samples, texts, strict=True)]
    answered[4] = said(samples[4], "A", finish="length")
    (cell,) = summed(CHOICE, answered)
    assert (cell.value, cell.n, cell.empty, cell.unparsed, cell.truncated) == (0.4, 5, 1, 1, 1)
    assert cell.chance == 0.25
    assert cell.normalised == pytest.approx((0.4 - 0.25) / 0.75)
    assert number(cell.ci_low) < 0.4 < number(cell.ci_high)
    assert (cell.worst, cell.best) == (0.4, 0.4)
    assert (cell.vertical, cell.area, cell.output_tokens) == ("medical", "reading", 15)
    assert cell.reasons["rank"] == "too_few_items"
    assert cell.wrong_language is None
    assert cell.reasons["wrong_language"] == "too_short"


def test_enough_items_have_no_reason_against_a_rank() -> None:
    (cell,) = summed(CHOICE, [said(question(item), "A") for item in range(TOO_FEW_ITEMS)])
    assert "rank" not in cell.reasons
    assert cell.normalised == 1.0


def test_the_headline_is_first_and_alone() -> None:
    made = summed(GENERATION, [said(sentence(1, "ab cd"), "ab cd")])
    assert [cell.metric for cell in made] == list(GENERATION.metrics)
    assert [cell.headline for cell in made] == [True, False, False]
    assert [cell.chance for cell in made] == [0.0, 0.0, 0.0]


def test_chance() -> None:
    mixed = [question(1), question(2, options=("yes", "no"))]
    assert chance(CHOICE, mixed) == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert chance(replace(CHOICE, chance=0.1), mixed) == 0.1
    assert chance(GENERATION, [sentence(1, "a")]) == 0.0


def test_one_option_is_no_choice_to_normalise() -> None:
    (cell,) = summed(CHOICE, [said(question(1, options=("only",)), "A")])
    assert cell.value == 1.0
    assert cell.normalised is None
    assert "normalised" in cell.reasons


def test_tokens_that_one_answer_does_not_report_are_unknown() -> None:
    (cell,) = summed(CHOICE, [said(question(1), "A"), said(question(2), "A", tokens=None)])
    assert cell.output_tokens is None
    assert cell.reasons["output_tokens"] == "not_reported"


@pytest.mark.parametrize(
    ("answered", "reason"),
    [
        ([skipped(question(1)), skipped(question(2))], "no_training_split"),
        ([failed(question(1))], "errors"),
    ],
)
def test_no_answer_is_no_value(answered: list[Answered], reason: str) -> None:
    (cell,) = summed(CHOICE, answered)
    assert (cell.value, cell.normalised, cell.ci_low, cell.ci_high, cell.n) == (None, None, None, None, 0)
    assert cell.reasons["value"] == reason
    assert cell.errors + cell.skipped == len(answered)


def test_a_cell_that_was_skipped_in_part_says_so() -> None:
    (cell,) = summed(CHOICE, [said(question(1), "A"), skipped(question(2))])
    assert (cell.n, cell.skipped) == (1, 1)
    assert cell.reasons["value"] == "incomplete"


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(st.tuples(st.sampled_from("ABZ"), st.booleans()), min_size=2, max_size=12))
def test_bounds_of_a_choice_hold_the_complete_value(texts: list[tuple[str, bool]]) -> None:
    everything = [said(question(item), text) for item, (text, _) in enumerate(texts)]
    partly = [failed(one.sample) if lost else one for one, (_, lost) in zip(everything, texts, strict=True)]
    (complete,), (cell,) = summed(CHOICE, everything), summed(CHOICE, partly)
    if cell.value is not None:
        assert number(cell.worst) <= number(complete.value) <= number(cell.best)
        assert ("incomplete" in cell.reasons.values()) == any(lost for _, lost in texts)


WORDS = st.lists(st.sampled_from(["ab", "cd", "efg", "z"]), max_size=8).map(" ".join)


def both(texts: Sequence[tuple[str, str, bool]]) -> Iterator[tuple[Cell, Cell]]:
    """The cells of (answer, gold, lost) when every answer came, and when those lost did not."""
    everything = [said(sentence(item, gold), text) for item, (text, gold, _) in enumerate(texts)]
    partly = [failed(one.sample) if lost else one for one, (*_, lost) in zip(everything, texts, strict=True)]
    for complete, cell in zip(summed(GENERATION, everything), summed(GENERATION, partly), strict=True):
        if cell.value is not None:
            yield complete, cell


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.tuples(WORDS, WORDS.filter(bool), st.booleans()), min_size=2, max_size=4))
def test_bounds_of_a_share_of_texts_hold_the_complete_value(texts: list[tuple[str, str, bool]]) -> None:
    for complete, cell in both(texts):
        if cell.metric == "exact_match":
            assert number(cell.worst) <= number(complete.value) <= number(cell.best)


def test_a_corpus_score_has_no_bounds_and_says_so() -> None:
    """One more text can move chrF or BLEU anywhere, also past what an empty or a perfect one would."""
    texts = [("ab cd ef gh ij", "ab cd ef gh ij", False), ("zq " * 60, "kl mn op", True)]
    cells = [cell for _, cell in both(texts) if cell.metric != "exact_match"]
    assert cells
    for cell in cells:
        assert (cell.worst, cell.best) == (None, None)
        assert (cell.reasons["worst"], cell.reasons["value"]) == ("corpus_metric", "incomplete")


def test_items_of_one_passage_are_drawn_together() -> None:
    answered = [said(question(item, cluster=f"p{item // 5}"), "AB"[item // 5 % 2]) for item in range(100)]
    alone = [said(replace(one.sample, cluster=""), one.response.text) for one in answered]
    (together,), (apart,) = summed(CHOICE, answered), summed(CHOICE, alone)
    assert together.value == apart.value
    assert number(together.ci_high) - number(together.ci_low) > number(apart.ci_high) - number(apart.ci_low)


def test_an_item_without_a_passage_joins_none_of_that_name() -> None:
    named = [said(question(item, cluster="1" if item >= 20 else ""), "A" if item % 3 else "B") for item in range(21)]
    free = [said(question(item), "A" if item % 3 else "B") for item in range(21)]
    (cell,), (expected,) = summed(CHOICE, named), summed(CHOICE, free)
    assert (cell.ci_low, cell.ci_high) == (expected.ci_low, expected.ci_high)


def test_the_json_of_a_cell() -> None:
    (cell,) = summed(CHOICE, [said(question(1), "A")])
    fields = json.loads(json.dumps(dataclasses.asdict(cell), allow_nan=False))
    assert set(DESIGNED) <= set(fields)
    assert [name for name in fields if name in DESIGNED[:-1]] == DESIGNED[:-1]
    assert (fields["energy_provenance"], fields["energy_scope"], fields["mode"]) == ("none", None, "generate")


def test_data_with_a_flaw_are_scored_and_not_ranked() -> None:
    (cell,) = summed(CHOICE, [said(question(item), "A") for item in range(30)], flaw="legacy_encoding")
    assert cell.value is not None
    assert cell.reasons["rank"] == "legacy_encoding"
