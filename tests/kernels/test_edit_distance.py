"""Edit distances equal rapidfuzz's, and error rates are what speech recognition means by CER and WER."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from kernels.base import score
from kernels.edit_score import EditRate, Unit, edit_distance
from kernels.normalisation import graphemes

LETTERS = "aAbß1 ٣ée\u0301İሀለမြန်中国𠀀🧬👩\u200d👩\u200d👧\u200f\u202e\ud800\udc00\udfff\r\n\t\u3000\x1c\u200b"
SPLIT: dict[Unit, Callable[[str], list[str]]] = {"character": list, "grapheme": graphemes, "word": str.split}

texts = st.one_of(
    st.text(st.sampled_from(LETTERS), max_size=30),
    st.text(st.characters(), max_size=20),
    st.text(st.sampled_from("ab "), min_size=60, max_size=140),
)


def edited(text: str, chance: float, noise: random.Random) -> str:
    """The text with characters dropped, doubled, replaced and moved."""
    written = []
    for char in text:
        drawn = noise.random()
        if drawn < chance / 3:
            continue
        written.append(noise.choice(LETTERS) if drawn < chance / 2 else char)
        if chance / 2 < drawn < chance:
            written.append(char)
    cut = noise.randrange(len(written) + 1) if noise.random() < 0.2 else 0
    return "".join(written[cut:] + written[:cut])


def fuzz(pairs: int, seed: int) -> tuple[list[str], list[str]]:
    """Pairs of lengths about the edges of words and groups, near to each other and far, of few and many symbols."""
    noise = random.Random(seed)
    alphabets = ["ab", "abc ", LETTERS, "".join(map(chr, range(0x4E00, 0x5200))), "𠀀𠀁𠀂a"]
    hypotheses, references = [], []
    for _ in range(pairs):
        alphabet = noise.choice(alphabets)
        longest = noise.choice([3, 20, 66, 130, 200, 300])
        reference = "".join(noise.choices(alphabet, k=noise.randrange(longest + 1)))
        near = noise.random() < 0.7
        other = "".join(noise.choices(alphabet, k=noise.randrange(longest + 1)))
        hypotheses.append(edited(reference, noise.choice([0.02, 0.2, 0.6]), noise) if near else other)
        references.append(reference)
    return hypotheses, references


@pytest.mark.parametrize("unit", SPLIT)
def test_distances_of_twenty_thousand_hostile_pairs_equal_rapidfuzz(unit: Unit) -> None:
    hypotheses, references = fuzz(20_000, seed=7)
    split = SPLIT[unit]
    expected = [Levenshtein.distance(split(a), split(b)) for a, b in zip(hypotheses, references, strict=True)]
    assert edit_distance(hypotheses, references, unit).tolist() == expected


@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129, 191, 192, 193, 256, 257, 511, 512, 513, 640, 1025, 3000])
@pytest.mark.parametrize("chance", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_distances_of_long_pairs_equal_rapidfuzz(length: int, chance: float) -> None:
    noise = random.Random(length)
    pairs = []
    for alphabet in ("ab", LETTERS, "".join(map(chr, range(0x4E00, 0x6000)))):
        text = "".join(noise.choices(alphabet, k=length))
        pairs += [(edited(text, chance, noise), text), (text, edited(text, chance, noise)), (text[: length // 3], text)]
    hypotheses, references = map(list, zip(*pairs, strict=True))
    for unit, split in SPLIT.items():
        expected = [Levenshtein.distance(split(a), split(b)) for a, b in pairs]
        assert edit_distance(hypotheses, references, unit).tolist() == expected


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_distances_of_any_text_equal_rapidfuzz(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = map(list, zip(*pairs, strict=True))
    for unit, split in SPLIT.items():
        expected = [Levenshtein.distance(split(a), split(b)) for a, b in pairs]
        assert edit_distance(hypotheses, references, unit).tolist() == expected


def test_two_lines_of_a_hundred_thousand_characters_are_compared() -> None:
    noise = random.Random(3)
    one, other = ("".join(noise.choices("abcdefgh ", k=100_000)) for _ in range(2))
    near = one[:50_000] + "x" + one[50_001:99_990]
    assert edit_distance([one, near], [other, one]).tolist() == [Levenshtein.distance(one, other), 11]


def test_real_text_in_every_script_equals_rapidfuzz(data: Path) -> None:
    files = sorted((data / "ntrex128" / "NTREX-128").glob("newstest2019-ref.*.txt"))
    references = [line for file in files for line in file.read_text("utf-8").split("\n")[:40]]
    noise = random.Random(1)
    hypotheses = [edited(line, 0.2, noise) for line in references]
    for unit, split in SPLIT.items():
        expected = [Levenshtein.distance(split(a), split(b)) for a, b in zip(hypotheses, references, strict=True)]
        assert edit_distance(hypotheses, references, unit).tolist() == expected


def test_rates_are_edits_over_reference_units() -> None:
    hypotheses, references = ["the cat sat", "a b"], [["the cat sat down", "b"]]
    assert score(EditRate("word"), hypotheses, references).score == 100 * (1 + 1) / (4 + 1)
    assert score(EditRate("character"), hypotheses, references).score == 100 * (5 + 2) / (16 + 1)
    assert EditRate("word").statistics(hypotheses, references).tolist() == [[1, 4], [1, 1]]


def test_graphemes_count_what_is_written_and_characters_what_is_encoded() -> None:
    hypothesis, reference = ["किताब"], [["कताब"]]
    assert EditRate("grapheme").statistics(hypothesis, reference).tolist() == [[1, 3]]
    assert EditRate("character").statistics(hypothesis, reference).tolist() == [[1, 4]]
    assert EditRate("grapheme").statistics(["👩\u200d👩\u200d👧"], [["👩"]]).tolist() == [[1, 1]]


def test_of_several_references_the_lowest_rate_counts_and_the_first_of_equals() -> None:
    rate = EditRate("character")
    assert rate.statistics(["abcd"], [["abxx"], ["abcdefgh"], ["abcx"]]).tolist() == [[1, 4]]
    assert rate.statistics(["ab"], [["ax"], ["axbx"]]).tolist() == [[1, 2]]
    assert rate.statistics(["ab"], [["axbx"], ["ax"]]).tolist() == [[2, 4]]
    assert rate.statistics(["ab", "ab"], [[None, "ax"], ["xy", None]]).tolist() == [[2, 2], [1, 2]]


def test_an_empty_reference_is_met_by_an_empty_hypothesis_only() -> None:
    rate = EditRate("word")
    result = score(rate, ["", "a b", "a"], [["", " ", "a"]])
    assert result.statistics.tolist() == [[0, 0], [2, 0], [0, 1]]
    assert result.segments.tolist() == [0.0, 100.0, 0.0]
    assert score(rate, ["a b"], [[""]]).score == 100.0
    assert rate.statistics(["a b", ""], [["", ""], ["x y z", "x"]]).tolist() == [[3, 3], [0, 0]]


def test_case_may_be_ignored_and_nothing_else_is() -> None:
    assert EditRate("character", lowercase=True).statistics(["ÀB"], [["àb"]]).tolist() == [[0, 2]]
    assert EditRate("character").statistics([" a", "e\u0301"], [["a", "é"]]).tolist() == [[1, 1], [2, 1]]


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(list(SPLIT)), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_text_is_without_error_against_itself_and_no_rate_is_negative(
    hypotheses: list[str], unit: Unit, lowercase: bool
) -> None:
    rate = EditRate(unit, lowercase=lowercase)
    assert score(rate, hypotheses, [hypotheses]).score == rate.best
    other = score(rate, hypotheses, [hypotheses[::-1], ["x" for _ in hypotheses]])
    assert other.score >= 0 and (other.segments >= 0).all() and np.isfinite(other.segments).all()


def test_signatures_say_what_is_compared() -> None:
    assert EditRate("character").signature(1) == "nrefs:1|case:mixed|unit:codepoints|norm:none|space:yes|version:1"
    words = EditRate("word", lowercase=True)
    assert words.signature(-1) == "nrefs:var|case:lc|unit:whitespace-words|norm:none|space:no|version:1"
    assert "unit:graphemes-regex-20" in EditRate("grapheme").signature(1)
    assert [EditRate(unit).name for unit in SPLIT] == ["CER", "CER-grapheme", "WER"]


@pytest.mark.parametrize(
    ("wrong", "says"), [({"unit": "byte"}, "character"), ({"unit": "word", "backend": "gpu"}, "cpu")]
)
def test_what_there_is_not_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EditRate(**wrong)


def test_rates_of_ordinary_text_equal_jiwer(data: Path) -> None:
    jiwer = pytest.importorskip("jiwer")
    references = (data / "ntrex128" / "NTREX-128" / "newstest2019-ref.fra.txt").read_text("utf-8").split("\n")[:300]
    references = [" ".join(line.split()) for line in references]
    noise = random.Random(2)
    hypotheses = [" ".join(edited(line, 0.2, noise).split()) for line in references]
    ours = [score(EditRate(unit), hypotheses, [references]).score for unit in ("word", "character")]
    theirs = [100 * jiwer.wer(references, hypotheses), 100 * jiwer.cer(references, hypotheses)]
    assert ours == pytest.approx(theirs, rel=1e-12)
