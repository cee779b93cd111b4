"""Normalisation takes case, punctuation and articles away, and never a script."""

from __future__ import annotations

import random
import unicodedata

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels.base import References, score
from kernels.normalisation import ARTICLES, PREFIXED, fold, graphemes, normalise, normalise_answer, tokens
from kernels.proportion import AnswerMatch, Proportion

LANGUAGES = ["", *ARTICLES, PREFIXED, "tur_Latn", "zho_Hans", "mya_Mymr", "amh_Ethi"]
PIECES = (
    "the", "A", "el", "La", "ال", "الال", "اَلْ", "là", "!", "…", "።", "፡", "་", "I", "İ", "ı\u0307", "ſ", "ß", "ΐ",
    "ᾳ\u0345\u0301", "က်", "中文", "ๆ", "٣", "๒๕", "\u200d", "\u200c", "\u200b", "\ufeff", "\ud800", "👩\u200d👩", " ",
    "\u3000", "\x1c", "\u0301", "𞤀",
)  # fmt: skip
hostile = st.one_of(st.text(st.characters(), max_size=12), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
languages = st.sampled_from(LANGUAGES)


@given(hostile, languages, st.booleans())
@settings(deadline=None, max_examples=500)
def test_a_second_normalisation_changes_nothing(text: str, language: str, keep: bool) -> None:
    once = normalise_answer(text, language, keep_articles=keep)
    assert normalise_answer(once, language, keep_articles=keep) == once
    assert tokens(once, language, keep_articles=keep) == tokens(text, language, keep_articles=keep)
    assert normalise(normalise(text)) == normalise(text)


@given(hostile, languages)
@settings(deadline=None, max_examples=300)
def test_only_white_space_vanishes(text: str, language: str) -> None:
    assert bool(normalise_answer(text, language)) == bool(tokens(text, language)) == bool(text.split())


@given(hostile)
@settings(deadline=None, max_examples=300)
def test_letters_marks_digits_and_joiners_stay(text: str) -> None:
    def kept(written: str) -> list[str]:
        return [char for char in written if unicodedata.category(char)[0] in "LMN" or char in "\u200c\u200d"]

    assert kept(normalise_answer(text)) == kept(fold(text))
    assert kept("".join(tokens(text))) == kept(fold(text))


def test_every_code_point_that_is_not_white_space_survives_alone() -> None:
    gone = [code for code in range(0x110000) if not normalise_answer(chr(code)) and not chr(code).isspace()]
    assert gone == []


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("The Nobel Prize, (in) A.D. 1901!", "eng_Latn", "nobel prize in d 1901"),
        ("The Nobel Prize", "", "the nobel prize"),
        ("The Nobel Prize", "hau_Latn", "the nobel prize"),
        ("¿El niño y la niña?", "spa_Latn", "niño y niña"),
        ("Des Königs Straße", "deu_Latn", "königs strasse"),
        ("Những ngôi nhà của tôi", "vie_Latn", "ngôi nhà tôi"),
        ("الكتاب في البيت", "arb_Arab", "كتاب في بيت"),
        ("اَلْكِتَابُ", "arb_Arab", "كِتَابُ"),
        ("حال ال", "arb_Arab", "حال ال"),
        ("ሰላም፡ዓለም።", "amh_Ethi", "ሰላም ዓለም"),
        ("می\u200cخواهم", "pes_Arab", "می\u200cخواهم"),
        ("ก็ ๒๕๖๘", "tha_Thai", "ก็ ๒๕๖๘"),
        ("İSTANBUL IRAK", "tur_Latn", "istanbul ırak"),
        ("E\u0301TE\u0301", "fra_Latn", "été"),
        ("C++ < C#", "", "c++ < c"),
        ("the", "eng_Latn", "the"),
        ("?!", "eng_Latn", "?!"),
        ("a!", "eng_Latn", "a"),
        (" \u3000\n", "eng_Latn", ""),
    ],
)
def test_what_normalisation_leaves(text: str, language: str, expected: str) -> None:
    assert normalise_answer(text, language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two words", ["two", "words"]),
        ("東京タワー、2021年", ["東", "京", "タ", "ワ", "ー", "2021", "年"]),
        ("USB接続", ["usb", "接", "続"]),
        ("ကိုကို ၂၅၆", ["ကို", "ကို", "၂၅၆"]),
        ("ខ្មែរ\u200bខ្មែរ", [*graphemes("ខ្មែរ"), *graphemes("ខ្មែរ")]),
        ("བོད་ཡིག", ["བོ", "ད", "ཡི", "ག"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("ọjọ́ ọ̀la", ["ọjọ́", "ọ̀la"]),
    ],
)
def test_scripts_without_spaces_are_cut_into_grapheme_clusters(text: str, expected: list[str]) -> None:
    assert tokens(text) == [unicodedata.normalize("NFC", token) for token in expected]


@given(hostile)
@settings(deadline=None, max_examples=200)
def test_grapheme_clusters_are_those_of_the_rule_with_or_without_the_short_way(text: str) -> None:
    assert graphemes(text) == regex.findall(r"\X", text)
    assert "".join(graphemes(text)) == text


def test_characters_that_never_join_make_up_most_scripts_and_are_told_apart_exactly() -> None:
    noise = random.Random(8)
    codes = [code for code in range(0x110000) if noise.random() < 0.2]
    for start in range(0, len(codes), 3):
        text = "".join(map(chr, codes[start : start + 3]))
        assert graphemes(text) == regex.findall(r"\X", text)
    for text in ("한국어" * 9, "Привет, été!", "中文。日本語カナ", "አማርኛ", "👍🏽👍", "🇫🇷🇩🇪", "각ᆨ"):
        assert graphemes(text) == regex.findall(r"\X", text)


def test_carriage_return_and_line_feed_are_one_cluster() -> None:
    assert graphemes("a\r\nb") == ["a", "\r\n", "b"]


def test_answers_match_without_case_punctuation_and_articles() -> None:
    match = AnswerMatch("eng_Latn")
    hypotheses = ["the U.N.!", "東京 都", "é", "", "?"]
    references: References = [["u n", "東京都", "e", "a", "!"], [None, None, "É", None, None]]
    assert score(match, hypotheses, references).segments.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert match.statistics(["the cat"], [["cat"]]).tolist() == [[1, 1]]
    assert AnswerMatch().statistics(["the cat"], [["cat"]]).tolist() == [[0, 1]]
    assert match.signature(2).startswith(
        "case:folded|norm:NFC|punct:space|articles:dropped-eng_Latn|tok:words+graphemes"
    )
    assert "articles:dropped-none" in AnswerMatch("hau_Latn").signature(1)


@given(st.lists(hostile, min_size=1, max_size=4), languages)
@settings(deadline=None, max_examples=100)
def test_every_answer_matches_itself(hypotheses: list[str], language: str) -> None:
    for metric in (AnswerMatch(language), Proportion("exact_match", "version:1")):
        assert score(metric, hypotheses, [hypotheses]).score == metric.best
        other = score(metric, hypotheses, [hypotheses[::-1]])
        assert set(other.segments.tolist()) <= {0.0, 1.0}


def test_exact_match_keeps_case_and_punctuation() -> None:
    assert kernels.exact_match([" a\u00a0b", "A", "a."], [["a b", "a", "a"]]).segments.tolist() == [1.0, 0.0, 0.0]
    assert kernels.normalise is normalise
