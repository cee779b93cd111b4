"""Required terms are found as words, and inside a line where a script has no spaces."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base import References, score
from kernels.glossary import GlossaryRecall
from tests.kernels.test_normalisation import hostile, languages


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("fever", "A high Fever, then", True),
        ("fever", "feverish", False),
        ("fever", "no yellow-fever", True),
        ("ever", "fever", False),
        ("ever", "fever ever", True),
        ("high fever", "a high\u00a0 fever", True),
        ("HIV-1", "(hiv-1)", True),
        ("HIV-1", "HIV-12", False),
        ("C++", "C++11", True),
        ("é", "e\u0301", True),
        ("e", "e\u0301", False),
        ("oko", "oko\u0323", False),
        ("कम", "कमी", False),
        ("می", "می\u200cخواهم", False),
        ("سل", "السل", False),
        ("STRASSE", "straße", True),
        ("病毒", "冠状病毒的", True),
        ("COVID-19", "患COVID-19的", True),
        ("ไข้", "มีไข้สูง", True),
        ("กา", "กา\u0e49", False),
        ("က", "ကို", False),
        ("ម", "ខ្មែរ", False),
        ("ខ្មែរ", "ភាសាខ្មែរ", True),
        ("ትኩሳት", "ትኩሳት።", True),
        ("flu\tinfluenza", "the influenza", True),
        ("flu\tinfluenza", "influenzas", False),
        ("\tflu\t", "flu", True),
    ],
)
def test_terms_are_found_as_words(term: str, text: str, found: bool) -> None:
    assert GlossaryRecall().statistics([text], [[term]]).tolist() == [[int(found), 1]]


def test_each_stream_is_one_required_term_and_an_empty_one_requires_nothing() -> None:
    references: References = [["fever", "", "fever"], ["cough\tcoughing", None, "rash"], [None, None, " \t "]]
    result = score(GlossaryRecall(), ["fever and coughing", "whatever", "a rash"], references)
    assert result.statistics.tolist() == [[2, 2], [0, 0], [1, 2]]
    assert result.score == 0.75
    assert np.isnan(result.segments[1]) and result.segments[[0, 2]].tolist() == [1.0, 0.5]


def test_a_segment_without_any_term_is_refused_with_its_number() -> None:
    with pytest.raises(ValueError, match="segment 2"):
        score(GlossaryRecall(), ["a", "b"], [["a", None]])


def test_case_is_the_languages() -> None:
    assert score(GlossaryRecall("tur_Latn"), ["ısı"], [["ISI"]]).score == 1.0
    assert score(GlossaryRecall(), ["ısı"], [["ISI"]]).score == 0.0


@given(st.lists(hostile, min_size=1, max_size=4), languages)
@settings(deadline=None, max_examples=150)
def test_a_text_contains_itself_and_no_share_leaves_its_bounds(hypotheses: list[str], language: str) -> None:
    metric = GlossaryRecall(language)
    itself = score(metric, hypotheses, [hypotheses])
    required = itself.statistics[:, 1]
    assert itself.statistics[:, 0].tolist() == required.tolist()
    assert required.tolist() == [int(bool(text.split())) for text in hypotheses]
    assert itself.score == metric.best or not required.any()
    other = score(metric, hypotheses, [hypotheses[::-1], ["e" for _ in hypotheses]])
    assert (other.statistics[:, 0] >= 0).all() and (other.statistics[:, 0] <= other.statistics[:, 1]).all()
    assert 0 <= other.score <= 1


def test_every_term_of_tico_19_is_found_between_quotation_marks_and_not_inside_a_word(data: Path) -> None:
    terms = []
    for file in sorted((data / "tico19_terminology").glob("f_en-*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            terms += [row["targetString"] for row in csv.DictReader(lines) if (row.get("targetString") or "").strip()]
    assert len(terms) > 5000
    metric = GlossaryRecall()
    assert score(metric, [f"„{term}” 1" for term in terms], [terms]).score == 1.0
    assert score(metric, ["" for _ in terms], [terms]).score == 0.0
    latin = [term for term in terms if term.isascii() and term.isalpha()]
    assert score(metric, [f"x{term}x" for term in latin], [latin]).score == 0.0


def test_the_signature_names_the_matching() -> None:
    assert GlossaryRecall().signature(3) == (
        "case:folded|norm:NFC|space:collapsed|forms:tab|match:whole-words|version:1"
    )
    assert GlossaryRecall("tur_Latn").signature(1).startswith("case:folded-dotless|")
