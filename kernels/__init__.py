"""Scoring kernels. Hypotheses first, then a list of reference streams, as sacreBLEU has it.

Every metric turns each segment into integers whose sums determine the corpus score, so that resampling, pairing and
re-scoring need only the integers. This package knows nothing of tasks, models or languages. sacreBLEU is imported at
the first use of a metric that needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from kernels.base import Metric, References, Result, Scores, Statistics, score
from kernels.proportion import Proportion, normalise

__all__ = [
    "METRICS",
    "Metric",
    "References",
    "Result",
    "Scores",
    "Statistics",
    "bleu",
    "chrf",
    "exact_match",
    "metric",
    "normalise",
]

METRICS = ("accuracy", "exact_match", "chrf", "chrf++", "bleu")


@functools.cache
def metric(name: str) -> Metric:
    """The metric that a task or a user calls `name`, one of `METRICS`. Raises `KeyError`."""
    match name:
        case "accuracy":
            return Proportion("accuracy", "version:1")
        case "exact_match":
            return Proportion("exact_match", "case:mixed|norm:NFC|space:collapsed|version:1")
        case "chrf" | "chrf++":
            from kernels.chrf_score import Chrf

            return Chrf(word_order=2 if name == "chrf++" else 0)
        case "bleu":
            from kernels.bleu_score import Bleu

            return Bleu()
    raise KeyError(f"unknown metric {name!r}; known are {', '.join(METRICS)}")


def chrf(
    hypotheses: Sequence[str], references: References, *, char_order: int = 6, word_order: int = 0, beta: int = 2
) -> Result:
    """chrF; with `word_order=2` chrF++. 0 to 100. Raises `ValueError` for streams of unequal length or none."""
    from kernels.chrf_score import Chrf

    return score(Chrf(char_order, word_order, beta), hypotheses, references)


def bleu(hypotheses: Sequence[str], references: References, *, tokenize: str | None = None) -> Result:
    """BLEU with sacreBLEU's tokenizer of that name (13a unless told). 0 to 100. Raises `ValueError` as `chrf` does."""
    from kernels.bleu_score import Bleu

    return score(Bleu(tokenize), hypotheses, references)


def exact_match(hypotheses: Sequence[str], references: References) -> Result:
    """The share of hypotheses equal to a reference after `normalise`. 0 to 1. Raises `ValueError` as `chrf` does."""
    return score(metric("exact_match"), hypotheses, references)
