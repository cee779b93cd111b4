"""The premium, its interval and the Gini coefficient against hand counts, scipy's bootstrap and a simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.premium.counting import Counts
from bench.premium.premium import MOST_UNKNOWN, compare, gini, premium, premiums
from bench.premium.texts import Corpus, Pairs, corpus
from bench.premium.tokenizers import open_tokenizer
from tasks.records import Variety

costs = st.lists(st.integers(0, 10_000), min_size=2, max_size=30)


def test_the_premium_is_the_ratio_of_the_sums() -> None:
    # Petrov et al. (2023): the tokens of the corpus over those of the English one, not the mean of sentences' ratios.
    found = premium([10, 2], [5, 4], ["1", "2"])
    assert (found.value, found.low, found.high, found.reason) == (12 / 9, None, None, "too_few_clusters")


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500), st.integers(0, 14)), min_size=1, max_size=60))
def test_any_premium(rows: list[tuple[int, int, int]]) -> None:
    own, english, clusters = zip(*rows, strict=True)
    names = [f"document {number}" for number in clusters]
    found = premium(own, english, names)
    assert found.value == pytest.approx(sum(own) / sum(english))
    if len(set(clusters)) < 10:
        assert (found.low, found.high) == (None, None)
        return
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low <= found.value * (1 + 1e-12)
    assert found.value * (1 - 1e-12) <= found.high
    # The other way about it is the reciprocal, and the order of sentences is all one.
    other = premium(english[::-1], own[::-1], names[::-1])
    assert other.low == pytest.approx(1 / found.high)
    assert other.high == pytest.approx(1 / found.low)


def test_a_language_that_is_english_has_a_premium_of_exactly_one() -> None:
    tokens = [3, 5, 9] * 10
    found = premium(tokens, tokens, [str(number) for number in range(30)])
    assert (found.value, found.low, found.high) == (1, 1, 1)


@pytest.mark.parametrize(("own", "english", "why"), [([], [], "no_sentences"), ([0], [4], "no_tokens")])
def test_what_is_missing_has_a_reason(own: list[int], english: list[int], why: str) -> None:
    found = premium(own, english, ["1"] * len(own))
    assert (found.value, found.low, found.high, found.reason) == (None, None, None, why)


def documents(drawn: np.random.Generator, count: int) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """Sentences of documents that differ in length, and in how much longer the translation is; 1.5 on the whole."""
    sizes = drawn.integers(5, 30, count)
    english = drawn.poisson(25, sizes.sum()) + 3
    longer = np.repeat(1.5 * drawn.lognormal(-(0.1**2) / 2, 0.1, count), sizes)
    own = drawn.poisson(longer * english)
    return own, english, [str(number) for number in np.repeat(np.arange(count), sizes)]


def test_the_interval_is_as_wide_as_the_bootstrap_over_documents() -> None:
    stats = pytest.importorskip("scipy.stats")
    drawn = np.random.default_rng(7)
    own, english, names = documents(drawn, 120)
    sums = [np.bincount(np.array(names, np.int64), column) for column in (own, english)]

    def ratio(one: NDArray[Any], other: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        found: NDArray[Any] = one.sum(axis=axis) / other.sum(axis=axis)
        return found

    there = stats.bootstrap(sums, ratio, paired=True, n_resamples=9999, vectorized=True, rng=drawn).confidence_interval
    found = premium(own, english, names)
    assert found.low == pytest.approx(there.low, abs=0.06 * (there.high - there.low))
    assert found.high == pytest.approx(there.high, abs=0.06 * (there.high - there.low))
    # Without documents it would be too narrow by far.
    apart = premium(own, english, [str(number) for number in range(len(own))])
    assert apart.high is not None
    assert apart.low is not None
    assert apart.high - apart.low < 0.6 * (there.high - there.low)


@pytest.mark.parametrize("count", [10, 30, 123])
def test_19_of_20_intervals_hold_the_truth(count: int) -> None:
    drawn = np.random.default_rng(count)
    held = 0
    for _ in range(1000):
        found = premium(*documents(drawn, count))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.5 <= found.high
    assert 0.92 <= held / 1000 <= 0.975


@given(costs)
def test_gini_is_the_mean_difference_over_twice_the_mean(values: list[int]) -> None:
    found = gini(values)
    if not sum(values):
        assert found is None
        return
    pairs = sum(abs(one - other) for one in values for other in values)
    assert found == pytest.approx(pairs / (2 * len(values) ** 2 * (sum(values) / len(values))), abs=1e-12)


def test_gini_of_the_ends() -> None:
    assert gini([3, 3, 3]) == 0
    assert gini([0, 0, 0, 1]) == 0.75
    assert gini([1]) is None
    assert gini([]) is None


class Given(Corpus):
    """A corpus that holds what it was given."""

    def __init__(self, held: dict[Variety, Pairs]) -> None:
        super().__init__("ntrex", corpus("ntrex").task.with_varieties(held), ("test",))
        object.__setattr__(self, "held", held)

    def pairs(self, variety: Variety) -> Pairs:
        held: dict[Variety, Pairs] = self.held  # type: ignore[attr-defined]
        return held[variety]

    def revision(self, varieties: Any) -> str:
        return "sha256:0"


class Marks:
    """A token a letter; "?" is unknown."""

    name, revision = "hf:marks", "none"
    vocabulary: int | None = 30

    def __init__(self) -> None:
        self.seen: list[str] = []

    def count(self, texts: Any) -> Counts:
        self.seen += texts
        return Counts(np.array([len(text) for text in texts], np.int64), sum(text.count("?") for text in texts))


def pairs(own: str, english: str = "abcd") -> Pairs:
    made = Pairs()
    for number in range(12):
        made.add(english * (1 + number), own * (1 + number), str(number))
    return made


YORUBA, SHAN, BURMESE = (
    Variety("yor_Latn", code="yor"),
    Variety("shn_Mymr", code="shn"),
    Variety("mya_Mymr", code="mya", flaw="legacy_encoding"),
)
BRITISH = Variety("eng_Latn", "GB", "eng-GB")


def test_what_a_language_gets() -> None:
    held = {YORUBA: pairs("ọ̀kan" * 2), SHAN: pairs("a?"), BURMESE: pairs("ab" * 8), BRITISH: pairs("abcd")}
    tokenizer = Marks()
    made = premiums(tokenizer, Given(held))
    yoruba, shan, burmese, british = made.languages
    sentences = 12 * 13 // 2
    assert (yoruba.tokens, yoruba.english_tokens, yoruba.sentences) == (10 * sentences, 4 * sentences, 12)
    assert yoruba.premium == 10 / 4
    assert yoruba.byte_premium == len("ọ̀kan".encode()) * 2 / 4
    assert yoruba.bytes_per_token == len("ọ̀kan".encode()) / 5
    assert (yoruba.characters_per_token, yoruba.unknown, yoruba.fallback) == (1, 0, None)
    assert dict(yoruba.reasons) == {"fallback": "no_such_token"}
    # Half of the Shan tokens stand for nothing: that they are few is no saving.
    assert shan.unknown == 0.5 > MOST_UNKNOWN
    assert (shan.premium, shan.low, shan.high) == (None, None, None)
    assert {shan.reasons[name] for name in ("premium", "low", "high")} == {"mostly_unknown"}
    assert shan.byte_premium == 0.5
    # What is written in a legacy encoding has its figures, with the flaw beside them, and no say in the coefficient.
    assert burmese.premium == 4
    assert burmese.reasons["text"] == "legacy_encoding"
    assert british.premium == 1
    assert made.gini == pytest.approx(gini([1, 2.5]))
    assert (made.tokenizer, made.revision, made.corpus) == ("hf:marks", "none", "ntrex-from-eng")
    english = [text for text in tokenizer.seen if set(text) == set("abcd")]
    assert len(english) == 24  # once for all four languages, and once as the British text


def test_a_language_without_sentences() -> None:
    (only,) = premiums(Marks(), Given({YORUBA: Pairs(dropped=3)})).languages
    assert (only.sentences, only.premium, only.byte_premium, only.bytes_per_token) == (0, None, None, None)
    assert {name: only.reasons[name] for name in ("premium", "low", "byte_premium")} == dict.fromkeys(
        ("premium", "low", "byte_premium"), "no_sentences"
    )
    assert only.reasons.keys() == {
        *("premium", "low", "high", "byte_premium", "bytes_per_token", "characters_per_token", "unknown", "fallback")
    }


def test_several_tokenizers_get_what_each_gets_alone() -> None:
    held = Given({YORUBA: pairs("ọ̀kan"), SHAN: pairs("a?bcdefghijklm")})
    controls = [open_tokenizer("bytes"), open_tokenizer("codepoints")]
    assert compare(controls, held) == tuple(premiums(one, held) for one in controls)
    assert compare(controls, held, [SHAN])[0].languages == compare(controls, held)[0].languages[1:]
    assert all(math.isfinite(one.premium or math.nan) for made in compare(controls, held) for one in made.languages)
