"""BLEU's counts, scores and signatures are sacreBLEU's to the last bit, for every option."""

from __future__ import annotations

import itertools
import logging
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from kernels import bleu_cpu
from kernels.base import References, score
from kernels.bleu_score import Bleu
from kernels.text import Text

TOKENIZERS = ("13a", "intl", "zh", "char", "none")
LETTERS = "aAb1٣é\u0301İΑΣςሀ中𠀀🧬\u200d\u200fא\ud800\udfff"
MARKS = ".,-!'\"&;<>%$።،。、«—€→ \u3000\x85\n\t"
PIECES = (
    "<skipped>",
    "-\n",
    "&quot;",
    "&amp;",
    "1,000.5",
    "..",
    "a.b",
    "9-",
    "the cat",
    "ጤና ይስጥልኝ።",
    "the cat sat on",
    " ",
)

segments = st.lists(
    st.sampled_from(PIECES) | st.text(st.sampled_from(LETTERS + MARKS), max_size=6) | st.text(max_size=3), max_size=8
).map(lambda parts: " ".join(parts) if len(parts) % 2 else "".join(parts))


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[str], list[list[str | None]]]:
    """Hypotheses near their references, and one to four streams; each segment has a reference at least."""
    size = draw(st.integers(1, 4))
    first = draw(st.lists(segments, min_size=size, max_size=size))
    others = draw(st.lists(st.lists(st.none() | segments, min_size=size, max_size=size), max_size=3))
    hypotheses = [draw(segments | st.just(text) | segments.map(text.__add__)) for text in first]
    return hypotheses, draw(st.permutations([[*first], *others]))


def same(hypotheses: Sequence[str], references: References, tokenize: str | None = None, **options: Any) -> None:
    """Statistics, corpus score, each sentence's score and signature."""
    peer = BLEU(tokenize=tokenize, force=True, **options)
    sentence = BLEU(tokenize=tokenize, force=True, **{**options, "effective_order": True})
    result = score(Bleu(tokenize, **options), hypotheses, references)
    rows = peer._extract_corpus_statistics(hypotheses, references)  # type: ignore[arg-type]
    assert result.statistics.tolist() == rows
    assert result.statistics.dtype == np.int64
    assert result.score == peer._aggregate_and_compute(rows).score
    assert result.signature == str(peer.get_signature())
    assert result.name == "BLEU"
    assert result.segments.tolist() == [sentence._compute_score_from_stats(row).score for row in rows]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"lowercase": True},
    {"smooth_method": "floor"},
    {"smooth_method": "floor", "smooth_value": 0.0},
    {"smooth_method": "add-k", "lowercase": True},
    {"smooth_method": "add-k", "smooth_value": 0.37, "effective_order": True},
    {"smooth_method": "none", "max_ngram_order": 2},
    {"max_ngram_order": 1},
    {"max_ngram_order": 6, "effective_order": True},
    {"max_ngram_order": 9},
]


@pytest.mark.parametrize("tokenize", TOKENIZERS)
@settings(max_examples=40, deadline=None)
@given(corpus=corpora(), options=st.sampled_from(OPTIONS))
def test_hostile_text(tokenize: str, corpus: tuple[list[str], list[list[str | None]]], options: dict[str, Any]) -> None:
    same(*corpus, tokenize, **options)


@pytest.mark.parametrize("tokenize", TOKENIZERS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_with_every_tokenizer(tokenize: str, options: dict[str, Any]) -> None:
    hypotheses = ["The Cat sat on the mat.", "", "a b", "the the the the", "İ 1.5 中国，x", "a b c d e f g h i j k"]
    references: References = [
        ["the cat is on the mat.", "x", "a b", "the cat", "i 1.5 中 国x", "a b c d e f g h i j k"],
        ["The cat, the mat", None, "", "the the", None, "b c d e f g h i j a b c d e"],
    ]
    same(hypotheses, references, tokenize, **options)
    same(hypotheses, references[:1], tokenize, **options)


def test_counts_are_clipped_by_the_reference_that_has_most_of_it() -> None:
    metric = Bleu("none", max_ngram_order=2)
    rows = metric.statistics(["a a a b b b"], [["a a b"], ["a b b"], ["b a"]])
    assert rows.tolist() == [[6, 3, 4, 3, 6, 5]]


@pytest.mark.parametrize(
    ("references", "closest"),
    [([["a b", "a"], ["a b c d", "a b"]], 2), ([["a b c d"], ["a b"]], 2), ([["x" * 9], [""]], 1)],
)
def test_of_two_lengths_as_close_the_shorter_counts(references: list[list[str]], closest: int) -> None:
    hypotheses = ["a b c", "a"][: len(references[0])]
    assert Bleu("none").statistics(hypotheses, references)[0, 1] == closest
    same(hypotheses, references, "none")


def test_an_empty_reference_counts_and_a_missing_one_does_not() -> None:
    assert Bleu().statistics(["a"], [["a b c"], [""]])[0, :2].tolist() == [1, 0]
    assert Bleu().statistics(["a"], [["a b c"], [None]])[0, :2].tolist() == [1, 3]
    assert Bleu().signature(-1).startswith("nrefs:var|")


@pytest.mark.parametrize(("language", "tokenize"), [("zh", "zh"), ("en", "13a"), ("", "13a"), ("ZH", "13a")])
def test_the_target_language_picks_a_tokenizer(language: str, tokenize: str) -> None:
    assert Bleu(target_language=language).tokenizer.signature == tokenize
    assert BLEU(trg_lang=language).tokenizer.signature() == tokenize
    assert Bleu("char", target_language=language).tokenizer.signature == "char"


# Corpora


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("sacrebleu")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def noised(line: str, drawn: random.Random, words: Sequence[str]) -> str:
    """The line with words dropped, replaced and doubled, and now and then nothing at all."""
    kept = [drawn.choice(words) if drawn.random() < 0.1 else word for word in line.split(" ") if drawn.random() > 0.1]
    if drawn.random() < 0.3 and kept:
        kept.insert(drawn.randrange(len(kept)), drawn.choice(kept))
    text = " ".join(kept)
    cut = drawn.randrange(len(text) + 1)
    return "" if drawn.random() < 0.01 else text[:cut] + text[cut + drawn.randrange(3) :]


@pytest.fixture(scope="module")
def ntrex(data: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Noised lines and a hundred lines of each of the 128 files."""
    corpora = {}
    for path in sorted((data / "ntrex128" / "NTREX-128").glob("newstest2019-ref*.txt")):
        drawn = random.Random(path.name)
        lines = path.read_text("utf-8").split("\n")
        start = 700  # the same passage, so that languages stand against each other
        chosen = lines[start : start + 100]
        words = " ".join(chosen).split(" ")
        corpora[path.stem.removeprefix("newstest2019-ref").removeprefix(".")] = (
            [noised(line, drawn, words) for line in chosen],
            chosen,
        )
    assert len(corpora) == 128
    return corpora


@pytest.mark.parametrize("tokenize", TOKENIZERS)
def test_every_language_of_ntrex(tokenize: str, ntrex: dict[str, tuple[list[str], list[str]]]) -> None:
    for hypotheses, references in ntrex.values():
        same(hypotheses, [references], tokenize)


@pytest.mark.parametrize("tokenize", TOKENIZERS)
def test_several_references(tokenize: str, ntrex: dict[str, tuple[list[str], list[str]]]) -> None:
    for codes in (("spa", "-2.spa", "spa-MX"), ("zho-CN", "zho-TW", "yue"), ("hrv", "bos", "slv")):
        same(ntrex[codes[0]][0], [ntrex[code][1] for code in codes], tokenize, lowercase=True)


@pytest.mark.parametrize("tokenize", TOKENIZERS)
def test_a_line_of_a_hundred_kilobytes(tokenize: str) -> None:
    drawn = random.Random(1)
    words = ["".join(drawn.choices("abc1.,-ሀ中", k=drawn.randint(1, 6))) for _ in range(3000)]
    long, other = (" ".join(drawn.choices(words, k=25_000))[:100_000] for _ in range(2))
    same([long, "a b", other[:4000]], [[other, "a b c", other[:5000]]], tokenize)
    same([long[:5000], "a b"], [[other, "a"], ["a b c", None], [long[5000:9000], "b"]], tokenize)


def test_neither_blocks_nor_threads_change_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = random.Random(2)
    references = [
        " ".join(drawn.choices("a b c, d. &amp; 1,5 \ud800 中".split(" "), k=drawn.randrange(9))) for _ in range(9000)
    ]
    hypotheses = references[1:] + references[:1]
    alone = np.vstack([Bleu().statistics([h], [[r]]) for h, r in zip(hypotheses[:50], references[:50], strict=True)])
    for threads in ("1", "4"):
        monkeypatch.setenv("BENCH_THREADS", threads)
        rows = Bleu().statistics(hypotheses, [Text(references)])
        assert rows[:50].tolist() == alone.tolist()
        assert rows[4000:5000].tolist() == Bleu().statistics(hypotheses[4000:5000], [references[4000:5000]]).tolist()


# Scores


def statistics_like(generator: np.random.Generator, rows: int, order: int, top: int) -> NDArray[np.int64]:
    """Rows with every kind of zero: orders without matches, without n-grams, empty hypotheses and references."""
    sums = np.zeros((rows, 2 + 2 * order), dtype=np.int64)
    sums[:, 0] = generator.integers(0, top + 1, rows)
    sums[:, 1] = generator.integers(0, top + 1, rows)
    total = np.maximum(sums[:, :1] - np.arange(order) * generator.integers(0, 2 + top // 5, (rows, 1)), 0)
    shares = np.sort(generator.random((rows, order)), axis=1)[:, ::-1] * generator.choice([0.05, 1.0, 1.2], (rows, 1))
    sums[:, 2 + order :] = total
    sums[:, 2 : 2 + order] = np.minimum(total * shares, total)
    return sums


@pytest.mark.parametrize("order", range(1, 7))
@pytest.mark.parametrize("effective", [False, True])
@pytest.mark.parametrize(
    ("method", "value"),
    [("exp", None), ("none", None), ("floor", None), ("floor", 0.03), ("add-k", None), ("add-k", 0.3)],
)
def test_scores_of_any_sums(order: int, effective: bool, method: str, value: float | None) -> None:
    generator = np.random.default_rng(order)
    sums = np.vstack([statistics_like(generator, 100, order, top) for top in (1, 4, 12, 300, 10**6, 10**12)])
    before = sums.copy()
    metric = Bleu(smooth_method=method, smooth_value=value, max_ngram_order=order, effective_order=effective)
    for ours, option in ((metric.from_statistics(sums), effective), (metric.segment_scores(sums), True)):
        expected = [
            BLEU.compute_bleu(row[2 : 2 + order], row[2 + order :], row[0], row[1], method, value, option, order).score
            for row in sums.tolist()
        ]
        assert ours.tolist() == expected
    assert (sums == before).all()
    assert len(set(expected)) > 50


def test_no_rows_have_no_scores() -> None:
    assert Bleu().from_statistics(np.zeros((0, 10), dtype=np.int64)).shape == (0,)


def test_the_sum_that_carries_errors_is_right_where_the_plain_one_is_not() -> None:
    """Python 3.12's: the exact sum, rounded once, but for rare ties."""
    drawn = np.random.default_rng(3).uniform(0.01, 100.0, (3000, 6))
    exact = [math.fsum(map(math.log, row)) for row in drawn.tolist()]
    plain, carried = (
        np.mean([bleu_cpu._log_sum(row, 6, carry) == right for row, right in zip(drawn, exact, strict=True)])
        for carry in (False, True)
    )
    assert plain < 0.9
    assert carried > 0.999
    here = [sum(map(math.log, row)) for row in drawn.tolist()]
    assert [bleu_cpu._log_sum(row, 6, bleu_cpu.NEUMAIER) for row in drawn] == here


# Options


@pytest.mark.parametrize(
    ("tokenize", "lowercase", "smoothing", "effective", "streams"),
    list(
        itertools.product(
            [None, *TOKENIZERS],
            [False, True],
            [
                ("exp", None),
                ("exp", 3.0),
                ("none", None),
                ("floor", None),
                ("floor", 0.126),
                ("add-k", None),
                ("add-k", 2),
            ],
            [False, True],
            [1, 2],
        )
    ),
)
def test_signatures(
    tokenize: str | None, lowercase: bool, smoothing: tuple[str, float | None], effective: bool, streams: int
) -> None:
    method, value = smoothing
    options: dict[str, Any] = {
        "lowercase": lowercase,
        "smooth_method": method,
        "smooth_value": value,
        "effective_order": effective,
    }
    peer = BLEU(tokenize=tokenize, **options)
    peer.corpus_score(["a"], [["a"]] * streams)
    assert Bleu(tokenize, **options).signature(streams) == str(peer.get_signature())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"smooth_method": "add"}, "unknown smoothing 'add'; known are none, floor, add-k, exp"),
        ({"smooth_method": "floor", "smooth_value": -1.0}, "smoothing value must be 0 or more, not -1.0"),
        ({"smooth_method": "floor", "smooth_value": math.nan}, "smoothing value must be 0 or more, not nan"),
        ({"max_ngram_order": 0}, "largest order must be at least 1, not 0"),
        ({"tokenize": "14a"}, "unknown tokenizer '14a'"),
        ({"spm_sha256": "00"}, "13a has no SentencePiece model"),
    ],
)
def test_options_that_make_no_score(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bleu(**options)
