"""chrF and chrF++: counts, scores and signatures equal sacreBLEU's to the last bit, with every option."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from kernels.base import score
from kernels.chrf_score import Chrf
from kernels.ngrams import table_bits
from kernels.text import Text
from tests.hostile import WHITE, Corpus, References, corpora, pairs

OPTIONS: dict[str, dict[str, Any]] = {
    "chrF2": {},
    "chrF2++": {"word_order": 2},
    "short orders": {"char_order": 3, "word_order": 1, "beta": 3},
    "beyond packing": {"char_order": 8, "word_order": 4, "beta": 1},
    "words alone": {"char_order": 0, "word_order": 3},
    "one": {"char_order": 1},
    "lower case": {"lowercase": True, "word_order": 2},
    "white space": {"whitespace": True, "word_order": 2},
    "eps": {"eps_smoothing": True, "word_order": 2},
    "all": {"lowercase": True, "whitespace": True, "eps_smoothing": True, "char_order": 5, "word_order": 1, "beta": 4},
}


def same(options: dict[str, Any], hypotheses: Sequence[str], references: References) -> None:
    result = score(Chrf(**options), hypotheses, references)
    theirs = CHRF(**options)
    expected = theirs.corpus_score(hypotheses, references)  # type: ignore[arg-type]
    assert result.score == expected.score
    assert result.name == expected.name
    assert result.signature == str(theirs.get_signature())
    assert result.statistics.tolist() == theirs._extract_corpus_statistics(hypotheses, references)  # type: ignore[arg-type]
    for index, (found, hypothesis) in enumerate(zip(result.segments, hypotheses, strict=True)):
        present = [text for stream in references if (text := stream[index]) is not None]
        assert found == theirs.sentence_score(hypothesis, present).score


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@settings(max_examples=60, deadline=None)
@given(corpus=corpora())
def test_hostile_text(options: dict[str, Any], corpus: Corpus) -> None:
    same(options, *corpus)


@settings(max_examples=150, deadline=None)
@given(
    corpus=corpora(), chars=st.integers(0, 9), words=st.integers(0, 4), beta=st.integers(1, 5),
    lower=st.booleans(), white=st.booleans(), eps=st.booleans(),
)  # fmt: skip
def test_any_options(corpus: Corpus, chars: int, words: int, beta: int, lower: bool, white: bool, eps: bool) -> None:
    if chars + words:
        orders = {"char_order": chars, "word_order": words, "beta": beta}
        same({**orders, "lowercase": lower, "whitespace": white, "eps_smoothing": eps}, *corpus)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        ([""], [[""]]),
        (["abcdefgh"], [["abc"]]),
        (["a"], [["a።"]]),
        (["(hi)"], [["hi"]]),
        (["é"], [["e\u0301"]]),
        (["x"], [["a"], ["b"]]),
        (["a", "b"], [["a", "b"], [None, "b c"]]),
        (["a", "b"], [[None, "b"], ["a", None]]),
        (["a b c d"], [["a b c d"], [""]]),
        (["İΣ ΑΣ"], [["i̇ς ας"]]),
        (["ab " * 3000], [["ab " * 2000 + "".join(map(chr, range(0x4E00, 0x5600)))]]),
        (["a" + space + "b" for space in WHITE], [["a b" for _ in WHITE]]),
    ],
)
def test_known_traps(options: dict[str, Any], hypotheses: list[str], references: References) -> None:
    same(options, hypotheses, references)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_many_hostile_pairs(options: dict[str, Any]) -> None:
    hypotheses, references = pairs(400, seed=7)
    expected = CHRF(**options)._extract_corpus_statistics(hypotheses, [references])
    assert Chrf(**options).statistics(hypotheses, [references]).tolist() == expected


@pytest.mark.parametrize("options", [{}, {"word_order": 2}], ids=["chrF2", "chrF2++"])
def test_ntrex_in_all_its_languages(options: dict[str, Any], data: Path) -> None:
    files = sorted((data / "ntrex128" / "NTREX-128").glob("newstest2019-ref*.txt"))
    assert len(files) == 128
    hypotheses: list[str] = []
    references: list[str] = []
    for path in files:
        lines = path.read_text("utf-8").split("\n")[:25]
        drawn = random.Random(path.name)
        references += lines
        hypotheses += [" ".join(word for word in line.split(" ") if drawn.random() > 0.2) for line in lines]
    same(options, hypotheses, [[*references]])


def test_a_hash_table_for_the_longest_text_serves_every_shorter_one() -> None:
    sizes = [table_bits(entries) for entries in range(20_000)]
    assert sizes == sorted(sizes)
    assert all(2 * entries < 1 << bits for entries, bits in enumerate(sizes))


def test_a_line_of_ten_megabytes() -> None:
    drawn = random.Random(3)
    syllables = ["ka", "lo", "ti", "mu ", "re", "የሰው ", "ልጅ"]
    line = "".join(drawn.choices(syllables, k=4_000_000))
    metric = Chrf(char_order=2)
    (row,) = metric.statistics([line[:-10]], [[line]]).tolist()
    stripped = "".join(line.split())
    shorter = "".join(line[:-10].split())
    assert row[:3] == [len(shorter), len(stripped), len(shorter)]
    assert row[3:5] == [len(shorter) - 1, len(stripped) - 1]
    assert row[5] == len(shorter) - 1


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), top=st.sampled_from([1, 3, 200, 10**9]))
def test_scores_of_any_sums(options: dict[str, Any], seed: int, top: int) -> None:
    metric = Chrf(**options)
    rows = np.random.default_rng(seed).integers(0, top + 1, (8, metric.columns))
    rows[:, 2::3] = np.minimum(rows[:, 2::3], np.minimum(rows[:, 0::3], rows[:, 1::3]))
    theirs = CHRF(**options)
    assert metric.from_statistics(rows).tolist() == [theirs._compute_f_score(row) for row in rows.tolist()]


def test_blocks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hypotheses, references = pairs(1500, seed=11)
    metric = Chrf(word_order=2)
    monkeypatch.setenv("BENCH_THREADS", "1")
    alone = metric.statistics(hypotheses, [references])
    monkeypatch.setattr("kernels.parallel.SMALLEST", 100)
    monkeypatch.setattr("kernels.parallel.threads", lambda: 3)
    assert (metric.statistics(hypotheses, [references]) == alone).all()


def test_text_that_is_encoded_once_scores_the_same() -> None:
    hypotheses, references = pairs(600, seed=13)
    written, known = Text(hypotheses), Text(references)
    for options in ({}, {"word_order": 2}, {"lowercase": True}):
        metric = Chrf(**options)
        first = metric.statistics(written, [known])  # type: ignore[arg-type]
        again = metric.statistics(written, [known])  # type: ignore[arg-type]
        assert (first == metric.statistics(hypotheses, [references])).all()
        assert (first == again).all()
    assert known.units is known.units
    assert known[5:9].units.units is known.units.units


@pytest.mark.parametrize(
    "options", [{"char_order": 0}, {"char_order": -1}, {"char_order": 2, "word_order": -1}, {"beta": 0}]
)
def test_options_that_make_no_score(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="chrF"):
        Chrf(**options)
