"""TER's edits, lengths, scores and signatures equal sacreBLEU's, whatever the text, the options and the lengths."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.ter import TER

from kernels import ter_cpu
from kernels.base import Metric, score
from kernels.ter_score import WORD, Ter

References = list[list[str | None]]
Corpus = tuple[list[str], References]
OPTIONS: list[dict[str, Any]] = [
    dict(zip(("normalized", "no_punct", "asian_support", "case_sensitive"), values, strict=True))
    for values in itertools.product((False, True), repeat=4)
]
WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace()) + "\u200b\ufeff"
LETTERS = "aAbBß1٣éİıΣσς\u0301አ中文かカ𠀀🧬\ud800\udc00。、「」．，？（）.,-'!?\"()&;:"
PIECES = ("the cat", "'s ", "\n-", "1,000.5", "9-", "&quot;", "&amp;", "日本語カナ", "ΑΣ", "a b c d", "c d a b", "(a)")
segments = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(st.sampled_from(LETTERS + WHITE), max_size=6),
        st.text(st.characters(), max_size=3),
        st.just(" "),
    ),
    max_size=10,
).map("".join)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Hypotheses, each often near a reference, and one to three streams with gaps."""
    size = draw(st.integers(1, 4))
    first = draw(st.lists(segments, min_size=size, max_size=size))
    others = draw(st.lists(st.lists(st.none() | segments, min_size=size, max_size=size), max_size=2))
    near = [st.one_of(segments, st.just(text), segments.map(text.__add__)) for text in first]
    return [draw(one) for one in near], draw(st.permutations([[*first], *others]))


def same(hypotheses: list[str], references: References, **options: Any) -> None:
    """One reference: bit for bit. Several: the corpus score to 1e-9, since sacreBLEU adds rounded means."""
    ours: Metric = Ter(**options)
    theirs: Any = TER(**options)
    result = score(ours, hypotheses, references)
    expected: Any = theirs._extract_corpus_statistics(hypotheses, references)
    assert result.statistics[:, 0].tolist() == [edits for edits, _ in expected]
    assert (result.statistics[:, 1] / WORD).tolist() == [length for _, length in expected]
    assert result.segments.tolist() == [theirs._compute_score_from_stats(row).score for row in expected]
    corpus = theirs.corpus_score(hypotheses, references)
    if len(references) == 1:
        assert result.score == corpus.score
    assert result.score == pytest.approx(corpus.score, rel=1e-9, abs=1e-9)
    assert result.name == corpus.name
    assert result.signature == str(theirs.get_signature())


@settings(max_examples=100, deadline=None)
@given(corpus=corpora())
def test_hostile_text(corpus: Corpus) -> None:
    same(*corpus)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "".join(name[0] for name in options if options[name]))
@settings(max_examples=25, deadline=None)
@given(corpus=corpora())
def test_every_combination_of_options(options: dict[str, Any], corpus: Corpus) -> None:
    same(*corpus, **options)


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        ([""], [[""]]),
        (["a b"], [[""]]),
        ([""], [["a b"]]),
        (["a b", ""], [["", ""], ["a", None]]),
        (["a", "b"], [[None, "b"], ["a", None]]),
        (["b c a"], [["a b c"], ["b c a d e f"], ["x"]]),
        (["a" + space + "b" for space in WHITE], [["b a" for _ in WHITE]]),
        ([f"ΑΣ{space}" for space in WHITE], [["ας" for _ in WHITE]]),
        (["ΑΣ\u0301 ΑΣ. a"], [["ας ασ. A"]]),
    ],
)
def test_known_traps(hypotheses: list[str], references: References) -> None:
    same(hypotheses, references)
    same(hypotheses, references, normalized=True, asian_support=True)


def shifted(drawn: random.Random, words: list[str], shifts: int, longest: int, replaced: int, letters: int) -> str:
    """The words with phrases moved and words replaced."""
    words = list(words)
    for _ in range(drawn.randrange(shifts)):
        at = drawn.randrange(len(words))
        phrase = words[at : at + drawn.randint(1, longest)]
        del words[at : at + len(phrase)]
        to = drawn.randrange(len(words) + 1)
        words[to:to] = phrase
    for _ in range(drawn.randrange(replaced)):
        words[drawn.randrange(len(words))] = str(drawn.randrange(letters))
    return " ".join(words)


def test_shifts_of_small_vocabularies() -> None:
    """Repeated words make many equal candidates, where the order among equals decides."""
    drawn = random.Random(7)
    hypotheses, references = [], []
    for _ in range(1000):
        letters = drawn.choice([2, 3, 5, 10, 30, 200])
        words = [str(drawn.randrange(letters)) for _ in range(drawn.choice([0, 1, 2, 3, 5, 8, 12, 20]))]
        other = [str(drawn.randrange(letters)) for _ in range(drawn.choice([0, 1, 2, 3, 5, 8, 12, 20, 30]))]
        near = len(words) > 3 and drawn.random() < 0.6
        hypotheses.append(shifted(drawn, words, 4, 5, 4, letters) if near else " ".join(other))
        references.append(" ".join(words))
    same(hypotheses, [[*references]])


@pytest.mark.parametrize(
    ("words", "against", "letters"),
    [(45, 50, 3), (40, 70, 2), (150, 3, 5), (3, 150, 5), (1, 700, 9), (400, 1, 2), (2, 101, 40), (2, 100, 40)],
)
def test_long_pairs_reach_the_beam_and_the_limits(words: int, against: int, letters: int) -> None:
    drawn = random.Random(words)
    hypothesis = " ".join(str(drawn.randrange(letters)) for _ in range(words))
    same([hypothesis], [[" ".join(str(drawn.randrange(letters)) for _ in range(against))]])


def test_long_pairs_with_few_shifts() -> None:
    drawn = random.Random(3)
    for letters in (60, 400):
        words = [str(drawn.randrange(letters)) for _ in range(150)]
        same([shifted(drawn, words, 5, 15, 6, letters)], [[" ".join(words)]])


def test_a_pair_that_has_more_candidates_than_the_limit() -> None:
    """Without the limit sacreBLEU would find 8 edits."""
    drawn = random.Random(0)
    hypothesis, reference = (" ".join(str(drawn.randrange(2)) for _ in range(45)) for _ in range(2))
    same([hypothesis], [[reference]])
    assert Ter().statistics([hypothesis], [[reference]])[0, 0] == 15


@pytest.mark.parametrize(
    ("length", "distance", "edits"),
    [(10, 20, 1), (11, 20, 2), (21, 30, 3), (1, 50, 1), (1, 51, 2), (3, 50, 1), (3, 51, 6)],
)
def test_a_phrase_is_shifted_ten_words_at_a_time_and_fifty_words_far(length: int, distance: int, edits: int) -> None:
    words = [f"w{number}" for number in range(120)]
    moved = [*words[length : length + distance], *words[:length], *words[length + distance :]]
    same([" ".join(words)], [[" ".join(moved)]])
    assert Ter().statistics([" ".join(words)], [[" ".join(moved)]])[0, 0] == edits


def test_lines_of_ten_thousand_words_take_little_memory() -> None:
    low, high = np.empty((2, 10_001), dtype=np.int64)
    assert ter_cpu._beam(10_000, 10_000, low, high) * 10_001 * 8 < 5e6
    words = [f"w{number}" for number in range(10_000)]
    moved = [*words[:5000], *words[5003:5030], *words[5000:5003], *words[5030:]]
    moved[77] = moved[9000] = "x"
    result = score(Ter(), [" ".join(moved)], [[" ".join(words)]])
    assert result.statistics.tolist() == [[3, 10_000 * WORD]]
    same(["w0", "w6000", " ".join(words)], [[" ".join(words), " ".join(words), "w1"]])


def test_pairs_of_very_different_lengths_share_work_arrays() -> None:
    """A short pair after a long one finds what the long one left there."""
    drawn = random.Random(2)
    sizes = [0, 5, 90, 1, 30, 2, 60, 8, 0, 45, 3]
    texts = [" ".join(str(drawn.randrange(12)) for _ in range(size)) for size in sizes]
    same(texts, [[*reversed(texts)]])
    wide = " ".join(map(str, range(4097)))
    narrow = " ".join(map(str, range(4096)))
    assert Ter().statistics([wide, narrow], [[narrow, narrow]])[:, 0].tolist() == [1, 0]


def test_ntrex(data: Path) -> None:
    folder = data / "ntrex128" / "NTREX-128"
    other = (folder / "newstest2019-ref.fra.txt").read_text("utf-8").split("\n")[:40]
    for code in ("amh", "yor", "zho-CN", "arb"):
        lines = (folder / f"newstest2019-ref.{code}.txt").read_text("utf-8").split("\n")[:40]
        drawn = random.Random(code)
        noisy = [shifted(drawn, line.split(" "), 3, 4, 4, 9) for line in lines]
        same(noisy, [[*lines]])
        same(noisy, [[*lines], [*other]], normalized=True, no_punct=True, asian_support=True)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 11, 13, 16])
def test_the_mean_length_of_up_to_sixteen_references_is_exact(count: int) -> None:
    references: References = [["a " * (number % 3)] for number in range(count)]
    same(["b a"], references)
    (row,) = Ter().statistics(["b a"], references)
    assert row[1] * count == WORD * sum(number % 3 for number in range(count))


def test_the_mean_length_of_seventeen_references_is_rounded() -> None:
    (row,) = Ter().statistics(["b"], [["a"], *(["a a"] for _ in range(16))])
    assert row.tolist() == [2 - 1, round(WORD * 33 / 17)]


def test_the_sum_of_segments_is_the_corpus() -> None:
    drawn = random.Random(4)
    texts = [" ".join(str(drawn.randrange(5)) for _ in range(drawn.randrange(12))) for _ in range(1200)]
    references: References = [[*reversed(texts)], [*texts[1:], None]]
    whole = Ter().statistics(texts, references)
    parts = [Ter().statistics([h], [[a], [b]]) for h, a, b in zip(texts, *references, strict=True)]
    assert whole.tolist() == np.vstack(parts).tolist()


def test_no_kernel_for_a_gpu() -> None:
    with pytest.raises(ValueError, match="CPU only"):
        Ter(backend="gpu")


def test_references_are_tokenized_twice_as_sacrebleu_does_it() -> None:
    hypotheses, references = ["the CEO of Sainsbury's he said"], ["the CEO of Sainsbury's, he said"]
    expected = TER(normalized=True).corpus_score(hypotheses, [references]).score
    assert score(Ter(normalized=True), hypotheses, [references]).score == expected == 12.5
