"""ROUGE-L is Lin's, and works where there are no spaces and no Latin letters."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import edit_cpu
from kernels.base import UNIT, score
from kernels.numbering import Numbering
from kernels.rouge_score import RougeL
from tests.kernels.test_normalisation import hostile, languages


def lcs(one: Sequence[object], other: Sequence[object]) -> int:
    """The longest common subsequence by the textbook's table."""
    row = [0] * (len(other) + 1)
    for symbol in one:
        diagonal = 0
        for j, against in enumerate(other, start=1):
            diagonal, row[j] = row[j], diagonal + 1 if symbol == against else max(row[j], row[j - 1])
    return row[-1]


def lengths(pairs: Sequence[tuple[str, str]]) -> list[int]:
    numbers = Numbering()
    ones, others = numbers.units(a for a, _ in pairs), numbers.units(b for _, b in pairs)
    found: list[int] = edit_cpu.subsequences(ones, others, len(numbers)).tolist()
    return found


def test_common_subsequences_equal_the_table() -> None:
    noise = random.Random(11)
    pairs = []
    for _ in range(1500):
        alphabet = noise.choice(["ab", "abcdef", "".join(map(chr, range(0x4E00, 0x4F00)))])
        one, other = ("".join(noise.choices(alphabet, k=noise.choice([0, 1, 5, 30, 63, 64, 65, 90]))) for _ in range(2))
        pairs.append((one, other))
    assert lengths(pairs) == [lcs(one, other) for one, other in pairs]


@pytest.mark.parametrize("length", [127, 128, 129, 200, 600])
def test_long_common_subsequences_equal_the_table(length: int) -> None:
    noise = random.Random(length)
    one = "".join(noise.choices("abcd", k=length))
    other = "".join(noise.choices("abcd", k=length // 2 + 70))
    dropped = "".join(char for char in one if noise.random() < 0.8)
    assert lengths([(one, other), (other, one), (one, dropped), (one, one)]) == [
        lcs(one, other), lcs(one, other), len(dropped), length,
    ]  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=4))
@settings(deadline=None, max_examples=100)
def test_common_subsequences_of_any_text_equal_the_table(pairs: list[tuple[str, str]]) -> None:
    assert lengths(pairs) == [lcs(one, other) for one, other in pairs]


def test_plain_english_has_the_score_of_googles_formula() -> None:
    noise = random.Random(4)
    words = "The police killed gunman ended the. siege, in Paris a 1999".split()
    hypotheses, references = (
        [" ".join(noise.choices(words, k=noise.randrange(1, 15))) for _ in range(500)] for _ in "ab"
    )
    expected = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        one, other = (re.sub(r"[^a-z0-9]+", " ", text.lower()).split() for text in (hypothesis, reference))
        shared = lcs(one, other)
        precision, recall = shared / len(one), shared / len(other)
        expected.append(200 * precision * recall / (precision + recall) if shared else 0.0)
    result = score(RougeL(), hypotheses, [references])
    assert result.segments.tolist() == pytest.approx(expected, abs=1e-6)
    assert result.score == pytest.approx(np.mean(expected), abs=1e-6)


def test_lins_own_example() -> None:
    reference = ["police killed the gunman", "police killed the gunman"]
    assert score(RougeL(), ["police kill the gunman", "the gunman kill police"], [reference]).segments.tolist() == [
        75,
        50,
    ]


@pytest.mark.parametrize("text", ["አማርኛ ቋንቋ ነው።", "မြန်မာဘာသာစကား", "中文句子。", "ภาษาไทย", "བོད་ཡིག་", "ភាសាខ្មែរ"])
def test_identical_text_is_perfect_in_every_script(text: str) -> None:
    assert score(RougeL(), [text], [[text]]).score == 100.0


def test_diacritics_tell_words_apart() -> None:
    assert score(RougeL(), ["ọkọ́ ń lọ"], [["ọkọ̀ n lọ"]]).score == pytest.approx(100 / 3)


def test_the_order_of_chinese_characters_matters() -> None:
    assert score(RougeL(), ["东京大学"], [["大学东京"]]).score == 50.0


def test_of_several_references_the_best_counts_and_articles_do() -> None:
    metric = RougeL(language="eng_Latn")
    assert metric.statistics(["the cat", "b"], [["x", "b c"], ["cat", None]])[:, 0].tolist() == [
        round(2 / 3 * UNIT), round(2 / 3 * UNIT),
    ]  # fmt: skip
    assert metric.statistics(["", "a", ""], [["", "", "a"]])[:, 0].tolist() == [UNIT, 0, 0]


@given(st.lists(hostile, min_size=1, max_size=4), languages)
@settings(deadline=None, max_examples=100)
def test_scores_lie_between_nothing_and_identity(hypotheses: list[str], language: str) -> None:
    metric = RougeL(language=language)
    assert score(metric, hypotheses, [hypotheses]).score == metric.best
    other = score(metric, hypotheses, [hypotheses[::-1], [None, *hypotheses[1:]]])
    assert (other.segments >= 0).all() and (other.segments <= 100).all() and 0 <= other.score <= 100


def test_the_signature_says_what_tokens_are() -> None:
    signature = RougeL(language="tur_Latn").signature(-1)
    assert signature.startswith(
        "nrefs:var|case:folded-dotless|norm:NFC|punct:space|articles:kept|tok:words+graphemes-regex-"
    )
    assert signature.endswith("|lcs:sentence|beta:1|version:1")
