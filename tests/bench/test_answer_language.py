"""The language of answers on its way into scores and cells: each fault is counted apart, and no verdict is no fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from bench.fidelity import identifiable
from bench.records import Cell, Mode, Response
from bench.scoring import FIDELITY, Answered, Verdicts, languages_of, score
from bench.summary import Group, cells
from languages import all_languages
from leaderboard import remarks
from leaderboard.wording import REASONS
from tasks.records import Sample, Task, Variety
from tests.hostile import segments

TEXT = tasks.get("ntrex-from-eng")
INTO = tasks.get("ntrex-into-eng")
CHOICE = tasks.get("sib200")
HINDI = "बच्चे धीरे-धीरे नदी की ओर चले गए क्योंकि उनकी माँ वहाँ उनका इंतज़ार कर रही थी और शाम हो चुकी थी।"
ENGLISH = "The children walked slowly to the river because their mother was waiting for them there."
STRAY = HINDI.replace("नदी", "river")


def said(task: Task, text: str, language: str = "hin_Deva", mode: Mode = "generate", number: int = 1) -> Answered:
    options = ("a", "b") if task.kind == "choice" else ()
    answer = 0 if options else None
    sample = Sample(task.name, "1", language, "", str(number), "x", {"text": "x"}, options, answer, ("12",))
    return Answered(sample, mode, Response(sample.id, "ok", text, finish="stop"))


def verdicts(task: Task, text: str, language: str = "hin_Deva") -> Verdicts | None:
    made = languages_of(task, [said(task, text, language)])
    return Verdicts(*made[0].statistics) if made else None


def cell(task: Task, answered: Sequence[Answered], language: str = "hin_Deva", mode: Mode = "generate") -> Cell:
    group = Group("m", task, Variety(language), mode, "english", 0, answered)
    return next(cells(group, score(task, answered)))


def counted(**more: int) -> Verdicts:
    """Verdicts that are nothing but what is told."""
    return Verdicts(
        **dict.fromkeys(("judged", "right", "clean", "pure", "native", "other", "scripted", "lettered"), 0) | more
    )


GOOD = {"judged": 1, "right": 1, "clean": 1, "pure": 1, "scripted": 1, "lettered": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HINDI, counted(**GOOD)),
        (ENGLISH, counted(judged=1, scripted=1)),
        (STRAY, counted(**GOOD | {"pure": 0})),
        (f"{HINDI} १२", counted(**GOOD, native=1)),
        (f"{HINDI} 12", counted(**GOOD, other=1)),
        (f"{HINDI} १2", counted(**GOOD, other=1)),
        ("१२", counted(native=1)),
        ("12", counted(other=1)),
        (f"<think>{ENGLISH}</think>{HINDI}", counted(**GOOD)),
        ("दिल्ली", counted(scripted=1, lettered=1)),
        ("Delhi", counted(scripted=1)),
        ("B", None),
        ("", None),
        (" \n", None),
        ("?!", None),
    ],
)
def test_what_one_answer_says_of_its_language(text: str, expected: Verdicts | None) -> None:
    assert verdicts(TEXT, text) == expected


def test_a_task_says_which_language_its_answers_should_be_in() -> None:
    assert verdicts(INTO, ENGLISH) == counted(judged=1, right=1, scripted=1, lettered=1), "into English, from Hindi"
    found = verdicts(INTO, HINDI)
    assert found is not None and (found.judged, found.right, found.lettered) == (1, 0, 0)
    any_language = replace(TEXT, answer_language="none")
    assert verdicts(any_language, ENGLISH) is None
    assert verdicts(any_language, f"{ENGLISH} १२") == counted(native=1), "digits are looked at all the same"
    made = cell(any_language, [said(any_language, f"{ENGLISH} १२")])
    assert (made.wrong_language, made.native_digits, made.reasons["wrong_language"]) == (None, 1, "no_language_wanted")


def test_a_short_answer_is_held_to_its_script_on_both_sides() -> None:
    """Half right and half in Latin letters is a half: a right short answer is never left out of what is counted."""
    made = cell(TEXT, [said(TEXT, text, number=number) for number, text in enumerate(["दिल्ली", "Delhi"] * 5)])
    assert (made.script_verdicts, made.wrong_script) == (10, 0.5)
    assert (made.language_verdicts, made.wrong_language) == (0, None)


@pytest.mark.parametrize("text", ["B", "b. science", "science/technology", "The answer is B.", "A"])
def test_an_option_that_was_named_has_no_language(text: str) -> None:
    options = ("science/technology", "travel and everything that goes with it")
    one = said(CHOICE, text)
    assert languages_of(CHOICE, [replace(one, sample=replace(one.sample, options=options))]) == []
    (told,) = languages_of(CHOICE, [said(CHOICE, f"B. {ENGLISH}")])
    assert Verdicts(*told.statistics) == counted(judged=1, scripted=1), "an explanation has one"


def test_options_that_are_scored_have_no_language() -> None:
    one = said(CHOICE, ENGLISH, mode="first_token")
    assert languages_of(CHOICE, [one]) == []
    made = cell(CHOICE, [one], mode="first_token")
    assert (made.wrong_language, made.language_verdicts) == (None, None)
    assert made.reasons["wrong_language"] == "not_generated"


def test_a_cell_tells_each_fault_apart() -> None:
    texts = [HINDI, ENGLISH, STRAY, f"{HINDI} १२", f"{HINDI} 12", "", "हाँ"]
    made = cell(TEXT, [said(TEXT, text, number=number) for number, text in enumerate(texts)])
    assert made.n == 7
    assert made.language_verdicts is not None and made.wrong_language is not None
    assert made.language_verdicts * made.wrong_language == pytest.approx(1)
    assert made.word_pass == pytest.approx((made.language_verdicts - 2) / (made.language_verdicts - 1))
    assert made.script_verdicts == 6 and made.wrong_script == pytest.approx(1 / 6)
    assert (made.native_digits, made.other_digits, made.empty, made.unparsed) == (1, 1, 1, 0)
    recall = identifiable("hin_Deva")[1]
    assert made.identifier_recall == recall and recall is not None and recall > 0.95
    assert "wrong_language" not in made.reasons
    told = "; ".join(remarks.of_cell(made))
    assert "1 empty" in told and "long answers in another language" in told and "6 answers in another script" in told
    assert "1 with native digits, 1 with others" in told


@pytest.mark.parametrize("metric", ["chrf++", "bleu"])
def test_the_language_is_the_same_for_every_metric_and_changes_no_value(metric: str) -> None:
    answered = [said(TEXT, text, number=number) for number, text in enumerate([HINDI, ENGLISH])]
    group = Group("m", TEXT, Variety("hin_Deva"), "generate", "english", 0, answered)
    scores = score(TEXT, answered)
    full = {one.metric: one for one in cells(group, scores)}
    bare = {one.metric: one for one in cells(group, [one for one in scores if one.metric != FIDELITY])}
    assert full[metric].wrong_language == 0.5 and bare[metric].wrong_language is None
    assert full[metric].value == bare[metric].value and full[metric].n == bare[metric].n


def test_no_verdict_is_neither_right_nor_wrong_and_has_its_reason() -> None:
    short = cell(TEXT, [said(TEXT, "१२")])
    assert (short.wrong_language, short.language_verdicts) == (None, 0)
    assert short.reasons["wrong_language"] == "too_short" and short.reasons["word_pass"] == "no_verdict"
    unknown = next(one.code for one in all_languages() if one.script == "Latn" and not identifiable(one.code)[0])
    made = cell(TEXT, [said(TEXT, ENGLISH, unknown)], unknown)
    assert (made.wrong_language, made.language_verdicts) == (None, 0)
    assert made.reasons["wrong_language"] == "identifier_recall"
    assert {*short.reasons.values(), *made.reasons.values()} <= {*REASONS, "not_reported"}


def test_a_wrong_script_is_told_even_where_the_identifier_does_not_know_the_language() -> None:
    unknown = next(one.code for one in all_languages() if one.script == "Deva" and not identifiable(one.code)[0])
    made = cell(TEXT, [said(TEXT, ENGLISH, unknown)], unknown)
    assert (made.wrong_script, made.wrong_language) == (1.0, None)
    assert made.reasons["wrong_language"] == "identifier_recall"


def test_a_failed_request_says_nothing_of_its_language() -> None:
    good = said(TEXT, HINDI)
    failed = replace(said(TEXT, "", number=2), response=Response("x", "error", reason="timeout"))
    made = cell(TEXT, [good, failed])
    assert (made.language_verdicts, made.wrong_language, made.errors) == (1, 0.0, 1)


@given(texts=st.lists(segments, min_size=1, max_size=4), language=st.sampled_from(["hin_Deva", "yor_Latn", "jpn_Jpan"]))
def test_counts_of_any_text_fit_together(texts: list[str], language: str) -> None:
    answered = [said(TEXT, text, language, number=number) for number, text in enumerate(texts)]
    rows = [Verdicts(*one.statistics) for one in languages_of(TEXT, answered)]
    assert len(rows) <= sum(bool(text.strip()) for text in texts)
    for one in rows:
        assert 0 <= one.pure <= one.clean <= one.right <= one.judged <= 1
        assert one.native + one.other <= 1
        assert one.judged or one.native or one.other or one.scripted
    made = cell(TEXT, answered, language)
    assert made.language_verdicts == sum(one.judged for one in rows)
    assert made.wrong_language is None or 0 <= made.wrong_language <= 1
