"""Scores, statistics and signatures equal sacreBLEU's to the last bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

import kernels
from bench.cli.score import read_segments

References = list[list[str | None]]
Corpus = tuple[list[str], References]

WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace()) + "\u200b\ufeff\u180e"
PUNCTUATION = ".,-!?'\"()&;<>/%$።،؟۔।॥་།。、「」“”«»—€→"
LETTERS = "aAbß1٣ée\u0301İıςሀለမြန်中国𠀀🧬👩\u200d👩\u200d👧\u200fאب\u202e\ud800\udc00\udfff"
PIECES = (
    "<skipped>", "-\n", "&quot;", "&amp;", "&lt;", "&gt;", "1,000.5", "..", "a.b", "9-", "the cat", "ጤና ይስጥልኝ።", "(hi)",
)  # fmt: skip

segments = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(st.sampled_from(LETTERS + PUNCTUATION + WHITE), max_size=8),
        st.text(st.characters(), max_size=4),
        st.sampled_from([" "]),
    ),
    max_size=8,
).map("".join)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Hypotheses, each often near a reference, and one to three streams; each segment has a reference at least."""
    size = draw(st.integers(1, 4))
    first = draw(st.lists(segments, min_size=size, max_size=size))
    others = draw(st.lists(st.lists(st.none() | segments, min_size=size, max_size=size), max_size=2))
    near = [st.one_of(segments, st.just(text), segments.map(text.__add__)) for text in first]
    hypotheses = [draw(one) for one in near]
    return hypotheses, draw(st.permutations([[*first], *others]))


Pair = tuple[Callable[[Sequence[str], References], kernels.Result], Any, Any]
"""Ours, sacreBLEU's for a corpus and sacreBLEU's for a sentence."""
METRICS: dict[str, Pair] = {
    "chrf": (kernels.chrf, CHRF(), CHRF()),
    "chrf++": (lambda h, r: kernels.chrf(h, r, word_order=2), CHRF(word_order=2), CHRF(word_order=2)),
    "chrf-short": (
        lambda h, r: kernels.chrf(h, r, char_order=3, word_order=1, beta=3),
        CHRF(char_order=3, word_order=1, beta=3),
        CHRF(char_order=3, word_order=1, beta=3),
    ),
    "bleu": (kernels.bleu, BLEU(force=True), BLEU(force=True, effective_order=True)),
    "bleu-char": (
        lambda h, r: kernels.bleu(h, r, tokenize="char"),
        BLEU(force=True, tokenize="char"),
        BLEU(force=True, tokenize="char", effective_order=True),
    ),
}


def same(pair: Pair, hypotheses: list[str], references: References) -> None:
    ours, corpus, sentence = pair
    result = ours(hypotheses, references)
    expected = corpus.corpus_score(hypotheses, references)
    assert result.score == expected.score
    assert result.name == expected.name
    assert result.signature == str(corpus.get_signature())
    assert result.statistics.tolist() == corpus._extract_corpus_statistics(hypotheses, references)
    for index, (score, hypothesis) in enumerate(zip(result.segments, hypotheses, strict=True)):
        present = [text for stream in references if (text := stream[index]) is not None]
        assert score == sentence.sentence_score(hypothesis, present).score


@pytest.mark.parametrize("pair", METRICS.values(), ids=METRICS)
@settings(max_examples=60, deadline=None)
@given(corpus=corpora())
def test_hostile_text(pair: Pair, corpus: Corpus) -> None:
    same(pair, *corpus)


@pytest.mark.parametrize("pair", METRICS.values(), ids=METRICS)
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
        (["ab " * 3000], [["ab " * 2000 + "".join(map(chr, range(0x4E00, 0x5600)))]]),
        (["a" + space + "b" for space in WHITE], [["a b" for _ in WHITE]]),
    ],
)
def test_known_traps(pair: Pair, hypotheses: list[str], references: References) -> None:
    same(pair, hypotheses, references)


@pytest.mark.parametrize("pair", METRICS.values(), ids=METRICS)
def test_ntrex(pair: Pair, data: Path) -> None:
    folder = data / "ntrex128" / "NTREX-128"
    for code in ("amh", "mya", "yor", "zho-CN", "arb"):
        lines = (folder / f"newstest2019-ref.{code}.txt").read_text("utf-8").split("\n")[:60]
        other = (folder / "newstest2019-ref.fra.txt").read_text("utf-8").split("\n")[:60]
        drawn = random.Random(code)
        noisy = [" ".join(word for word in line.split(" ") if drawn.random() > 0.2) for line in lines]
        same(pair, noisy, [[*lines], [*other]])


@pytest.mark.parametrize("name", ["chrf", "chrf++"])
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), top=st.sampled_from([1, 3, 200, 10**9]))
def test_chrf_of_any_sums(name: str, seed: int, top: int) -> None:
    metric = kernels.metric(name)
    rows = np.random.default_rng(seed).integers(0, top + 1, (8, metric.columns))
    rows[:, 2::3] = np.minimum(rows[:, 2::3], np.minimum(rows[:, 0::3], rows[:, 1::3]))
    theirs = METRICS[name][1]
    assert metric.from_statistics(rows).tolist() == [theirs._compute_f_score(row) for row in rows.tolist()]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), top=st.sampled_from([1, 3, 200, 10**9]))
def test_bleu_of_any_sums(seed: int, top: int) -> None:
    metric = kernels.metric("bleu")
    rows = np.random.default_rng(seed).integers(0, top + 1, (8, metric.columns))
    rows[:, 2:6] = np.minimum(rows[:, 2:6], rows[:, 6:10])
    expected = [
        BLEU.compute_bleu(row[2:6], row[6:10], row[0], row[1], smooth_method="exp").score for row in rows.tolist()
    ]
    assert metric.from_statistics(rows).tolist() == expected


@pytest.mark.parametrize("name", kernels.METRICS)
def test_the_sum_of_segments_is_the_corpus(name: str) -> None:
    hypotheses, references = ["a b c d e", "f g", ""], [["a b c d f", "f g", "h"]]
    metric = kernels.metric(name)
    parts = [metric.statistics([h], [[r]]) for h, r in zip(hypotheses, references[0], strict=True)]
    assert np.vstack(parts).tolist() == metric.statistics(hypotheses, references).tolist()


@settings(max_examples=200)
@given(text=segments)
def test_normalise(text: str) -> None:
    once = kernels.normalise(text)
    assert kernels.normalise(once) == once
    assert kernels.normalise(f"\u3000{text}\n") == once
    assert once == once.strip()
    assert "  " not in once
    assert kernels.exact_match([text], [[once]]).score == 1.0


def test_exact_match_keeps_what_tells_words_apart() -> None:
    hypotheses = ["e\u0301", "a\u00a0 b", "A", "می\u200cخواهم", "ẹ", "١"]
    references = [["é", "a b", "a", "میخواهم", "e", "1"]]
    result = kernels.exact_match(hypotheses, references)
    assert result.segments.tolist() == [1, 1, 0, 0, 0, 0]
    assert result.score == pytest.approx(2 / 6)


def test_exact_match_takes_any_reference() -> None:
    references: References = [["a", None, "x"], ["b", "c", None]]
    assert kernels.exact_match(["b", "c", "y"], references).segments.tolist() == [1, 1, 0]


@pytest.mark.parametrize("function", [kernels.chrf, kernels.bleu, kernels.exact_match])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [[]], "no hypotheses"),
        (["a"], [], "no references"),
        (["a", "b", "c"], [["a", "b"]], "3 hypotheses but 2 references in stream 1"),
        (["a"], [["a"], ["a", "b"]], "1 hypotheses but 2 references in stream 2"),
    ],
)
def test_unequal_and_empty_input(
    function: Callable[..., kernels.Result], hypotheses: list[str], references: References, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(hypotheses, references)


@pytest.mark.parametrize("function", [kernels.chrf, kernels.bleu])
def test_a_segment_without_any_reference_is_refused(function: Callable[..., kernels.Result]) -> None:
    with pytest.raises(ValueError, match="segment 2 has no reference"):
        function(["a", "b"], [["a", None]])


@pytest.mark.parametrize("name", kernels.METRICS)
@pytest.mark.parametrize("wrong", [0, b"a", None, ["a"], 1.5, np.zeros(2)])
def test_what_is_no_text_is_named_by_its_place(name: str, wrong: object) -> None:
    lines: list[Any] = ["a b"] * 3000
    broken = [*lines[:1500], wrong, *lines[1501:]]
    with pytest.raises(TypeError, match="hypothesis 1501 is"):
        kernels.score(kernels.metric(name), broken, [lines])
    if wrong is not None:
        with pytest.raises(TypeError, match="in stream 2 reference 1501 is"):
            kernels.score(kernels.metric(name), lines, [lines, broken])


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(segments, max_size=6), part=st.slices(7), again=st.slices(7), touched=st.booleans())
def test_a_slice_of_a_text_is_that_of_its_list(texts: list[str], part: slice, again: slice, touched: bool) -> None:
    text = kernels.Text(texts)
    if touched:
        assert len(text.units) == len(text.lower.units)
    for sliced, expected in ((text[part], texts[part]), (text[part][again], texts[part][again])):
        assert list(sliced) == expected
        fresh = kernels.Text(expected)
        assert sliced.units.wide().units.tolist() == fresh.units.wide().units.tolist()
        assert sliced.lower.units.wide().offsets.tolist() == fresh.lower.units.wide().offsets.tolist()
    assert [text[np.int64(index)] for index in range(len(texts))] == texts  # type: ignore[call-overload]


def test_an_unknown_metric_names_those_known() -> None:
    with pytest.raises(KeyError, match="chrf"):
        kernels.metric("rouge")


def test_a_file_is_cut_where_sacrebleu_cuts_it(tmp_path: Path) -> None:
    from sacrebleu.utils import smart_open

    path = tmp_path / "written.txt"
    path.write_bytes("one\rstill one\ntwo\u2028\x85still two\r\nthree".encode())
    with smart_open(str(path)) as stream:  # type: ignore[no-untyped-call]
        assert [line.rstrip() for line in read_segments(path)] == [line.rstrip() for line in stream]
