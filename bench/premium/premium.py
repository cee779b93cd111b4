"""The tokenizer premium: what a sentence costs in a language, in units of the same sentence in English.

The premium is a ratio of sums (Petrov et al. 2023, "Language Model Tokenizers Introduce Unfairness Between
Languages"), so a long sentence counts for more than a short one. Tokens per word are no measure across languages: a
word is not one thing, and Thai or Chinese do not write where it ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.premium.counting import Counts, Tokenizer
from bench.premium.records import Premium, Premiums
from bench.premium.texts import ENGLISH, Corpus, Pairs
from bench.premium.tokenizers import Control
from bench.statistics import CLUSTERS_NEEDED, t_quantile
from bench.watch import Watch, unwatched
from kernels.resampling import numbered
from tasks.records import Variety

MOST_UNKNOWN = 0.1
"""With a larger share of unknown tokens there is no premium, as in Petrov et al.: what is not there costs little."""
_SPOILT = frozenset({"legacy_encoding", "doubtful_language", "misaligned", "damaged_text"})
"""Flaws of a corpus that change what its text costs."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums and its 95 % interval; what is None is so for `reason`."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


def premium(tokens: ArrayLike, english: ArrayLike, clusters: Sequence[str]) -> Ratio:
    """The sum of `tokens` over that of `english`, one number a sentence, sentences of one cluster drawn together.

    The interval is linearised on the log scale, with Student's t: with shares x and y of the two sums that a cluster
    has, the variance of the ratio's logarithm is C / (C - 1) times the sum of (x - y)^2 over the C clusters (Cochran
    1977, sections 6.4 and 9A.5). There is none under `CLUSTERS_NEEDED` clusters.
    """
    own, other = np.asarray(tokens, np.float64), np.asarray(english, np.float64)
    if not len(own):
        return Ratio(None, None, None, "no_sentences")
    if not own.sum() > 0 or not other.sum() > 0:
        return Ratio(None, None, None, "no_tokens")
    value = float(own.sum() / other.sum())
    place, count = numbered(clusters)
    if count < CLUSTERS_NEEDED:
        return Ratio(value, None, None, "too_few_clusters")
    apart = np.bincount(place, own / own.sum() - other / other.sum(), minlength=count)
    reach = t_quantile(count - 1) * math.sqrt(count / (count - 1) * float(apart @ apart))
    return Ratio(value, value * math.exp(-reach), value * math.exp(reach))


def gini(costs: ArrayLike) -> float | None:
    """The Gini coefficient of what languages cost: the sum of |ci - cj| over all pairs / (2 n^2 mean).

    0 where every language costs the same; the "tokenizer fairness Gini" of Foroutan et al. (2025, arXiv 2508.04796).
    None under two languages, and where the mean is not above 0.
    """
    values = np.sort(np.asarray(costs, np.float64))
    size = len(values)
    if size < 2 or not values.sum() > 0:
        return None
    return float(((2 * np.arange(1, size + 1) - size - 1) @ values) / (size * values.sum()))


def premiums(
    tokenizer: Tokenizer, corpus: Corpus, varieties: Sequence[Variety] | None = None, watch: Watch = unwatched
) -> Premiums:
    """One tokenizer over the corpus' languages, all unless told.

    Raises `UsageError`, and `ModelStopped` where a model counts.
    """
    return compare([tokenizer], corpus, varieties, watch)[0]


def compare(
    tokenizers: Sequence[Tokenizer],
    corpus: Corpus,
    varieties: Sequence[Variety] | None = None,
    watch: Watch = unwatched,
) -> tuple[Premiums, ...]:
    """`premiums` of several tokenizers. The corpus is read once, one language at a time."""
    chosen = corpus.varieties if varieties is None else tuple(varieties)
    utf8 = _Counted(Control("bytes"))
    counted = [_Counted(tokenizer) for tokenizer in tokenizers]
    made: list[list[Premium]] = [[] for _ in tokenizers]
    revision = corpus.revision(chosen)
    with watch(f"tokens of {corpus.name}", len(chosen)) as progress:
        for done, variety in enumerate(chosen, start=1):
            pairs = corpus.pairs(variety)
            written, english_written = utf8.own(pairs), utf8.english(pairs)
            byte_premium = premium(written.tokens, english_written, pairs.clusters)
            size = int(written.tokens.sum())
            for one, found in zip(counted, made, strict=True):
                found.append(_premium(variety, pairs, one.own(pairs), one.english(pairs), size, byte_premium))
            progress(done)
    return tuple(
        Premiums(tokenizer.name, tokenizer.revision, corpus.task.name, revision, _gini_of(found), tuple(found))
        for tokenizer, found in zip(tokenizers, made, strict=True)
    )


class _Counted:
    """A tokenizer that counts each English sentence once, however many languages it stands beside."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._english: dict[str, int] = {}

    def own(self, pairs: Pairs) -> Counts:
        return self._tokenizer.count(pairs.texts)

    def english(self, pairs: Pairs) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        unseen = [text for text in dict.fromkeys(pairs.english) if text not in self._english]
        if unseen:
            self._english.update(zip(unseen, self._tokenizer.count(unseen).tokens.tolist(), strict=True))
        return np.fromiter((self._english[text] for text in pairs.english), np.int64, len(pairs.english))


def _premium(
    variety: Variety,
    pairs: Pairs,
    own: Counts,
    english: np.ndarray[tuple[int], np.dtype[np.int64]],
    size: int,
    byte_premium: Ratio,
) -> Premium:
    tokens = int(own.tokens.sum())
    ratio = premium(own.tokens, english, pairs.clusters)
    if own.unknown is not None and own.unknown > MOST_UNKNOWN * tokens:
        ratio = Ratio(None, None, None, "mostly_unknown")
    figures = {
        "premium": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "bytes_per_token": size / tokens if tokens else None,
        "characters_per_token": sum(map(len, pairs.texts)) / tokens if tokens else None,
        "byte_premium": byte_premium.value,
        "unknown": own.unknown / tokens if own.unknown is not None and tokens else None,
        "fallback": own.fallback / tokens if own.fallback is not None and tokens else None,
    }
    why = {"premium": ratio.reason, "low": ratio.reason, "high": ratio.reason, "byte_premium": byte_premium.reason}
    why |= {name: own.reason for name in ("unknown", "fallback") if getattr(own, name) is None}
    reasons = {name: why.get(name) or "no_tokens" for name, figure in figures.items() if figure is None}
    if variety.flaw in _SPOILT:
        reasons["text"] = variety.flaw
    return Premium(
        language=variety.language,
        variety=variety.variety,
        sentences=len(pairs.texts),
        tokens=tokens,
        english_tokens=int(english.sum()),
        **figures,
        reasons=reasons,
    )


def _gini_of(found: Sequence[Premium]) -> float | None:
    """Over the languages that have a premium of sound text, and English, which is 1 on the same sentences."""
    costs = [
        one.premium
        for one in found
        if one.premium is not None and one.language != ENGLISH and "text" not in one.reasons
    ]
    return gini([1.0, *costs])
