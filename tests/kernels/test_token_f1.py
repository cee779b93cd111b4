"""Token F1 is SQuAD's, in every script."""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base import UNIT, score
from kernels.token_f1 import TokenF1
from tests.kernels.test_normalisation import hostile, languages

WORDS = "The a an cat Dog's sat on the mat, NATO (1949) co-op 3.5 x! ... naïve".split()


def squad_f1(hypothesis: str, reference: str) -> float:
    """SQuAD 2.0's F1, punctuation a space as in `normalise_answer`."""

    def words(text: str) -> list[str]:
        spoken = "".join(" " if char in string.punctuation else char for char in text.lower())
        return re.sub(r"\b(a|an|the)\b", " ", spoken).split()

    written, gold = words(hypothesis), words(reference)
    if not written or not gold:
        return float(written == gold)
    shared = sum((Counter(written) & Counter(gold)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(written), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def test_f1_of_english_equals_squad() -> None:
    noise = random.Random(5)
    pairs = [[" ".join(noise.choices(WORDS, k=noise.randrange(1, 9))) + " cat" for _ in range(3)] for _ in range(2000)]
    hypotheses, one, other = map(list, zip(*pairs, strict=True))
    result = score(TokenF1("eng_Latn"), hypotheses, [one, other])
    expected = [max(squad_f1(h, a), squad_f1(h, b)) for h, a, b in pairs]
    assert result.segments.tolist() == pytest.approx(expected, abs=1e-9)
    assert result.score == pytest.approx(sum(expected) / len(expected), abs=1e-9)
    assert 0.2 < result.score < 0.9


def test_f1_of_a_few_answers() -> None:
    metric = TokenF1("eng_Latn")
    assert metric.statistics(["the cat sat"], [["a cat ran"]]).tolist() == [[UNIT // 2, UNIT]]
    assert metric.statistics(["x", "x"], [["y", "y"], [None, "x"]]).tolist() == [[0, UNIT], [UNIT, UNIT]]
    assert metric.statistics(["", "a", ""], [["", "", "a"]])[:, 0].tolist() == [UNIT, 0, 0]
    assert metric.statistics(["b b"], [["b"]])[0, 0] == round(2 / 3 * UNIT)


@pytest.mark.parametrize("text", ["አማርኛ ቋንቋ", "မြန်မာစာ", "中文", "ภาษาไทย", "བོད་ཡིག", "ߒߞߏ"])
def test_f1_works_in_every_script(text: str) -> None:
    metric = TokenF1()
    assert score(metric, [text], [[text]]).score == 1.0
    assert score(metric, [text], [["nothing alike"]]).score == 0.0


def test_real_answers_equal_themselves(data: Path) -> None:
    files = sorted((data / "ntrex128" / "NTREX-128").glob("newstest2019-ref.*.txt"))
    lines = [line for file in files for line in file.read_text("utf-8").split("\n")[:3]]
    assert len(lines) > 300 and score(TokenF1(), lines, [lines]).segments.tolist() == [1.0] * len(lines)


@given(st.lists(hostile, min_size=1, max_size=4), languages)
@settings(deadline=None, max_examples=100)
def test_f1_lies_between_nothing_and_identity(hypotheses: list[str], language: str) -> None:
    metric = TokenF1(language)
    assert score(metric, hypotheses, [hypotheses]).score == metric.best
    other = score(metric, hypotheses, [hypotheses[::-1], [None, *hypotheses[1:]]])
    assert (other.segments >= 0).all() and (other.segments <= 1).all() and 0 <= other.score <= 1


def test_the_signature_says_which_articles_are_dropped() -> None:
    signature = TokenF1("spa_Latn").signature(3)
    assert signature.startswith("case:folded|norm:NFC|punct:space|articles:dropped-spa_Latn|tok:words+graphemes-regex-")
    assert signature.endswith("|mean:segments|version:1")
