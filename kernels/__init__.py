"""Scoring kernels. Hypotheses first, then a list of reference streams, as sacreBLEU has it.

Every metric turns each segment into integers whose sums determine the corpus score, so that resampling, pairing and
re-scoring need only the integers. This package knows nothing of tasks, models or languages. What a metric needs is
imported at its first use.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from kernels.base import Backend, Metric, References, Result, Scores, Statistics, score
from kernels.proportion import normalise
from kernels.text import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "METRICS",
    "Backend",
    "Metric",
    "References",
    "Result",
    "Scores",
    "Statistics",
    "Text",
    "all_pairs_chrf",
    "bleu",
    "chrf",
    "edit_distance",
    "exact_match",
    "metric",
    "normalise",
    "score",
    "ter",
]

_EXACT = "case:mixed|norm:NFC|space:collapsed|version:1"
_NAMED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "accuracy": ("proportion", "Proportion", {"name": "accuracy", "signature": "version:1"}),
    "exact_match": ("proportion", "Proportion", {"name": "exact_match", "signature": _EXACT}),
    "chrf": ("chrf_score", "Chrf", {}),
    "chrf++": ("chrf_score", "Chrf", {"word_order": 2}),
    "bleu": ("bleu_score", "Bleu", {}),
    "ter": ("ter_score", "Ter", {}),
    "cer": ("edit_score", "EditRate", {"unit": "character"}),
    "cer-grapheme": ("edit_score", "EditRate", {"unit": "grapheme"}),
    "wer": ("edit_score", "EditRate", {"unit": "word"}),
    "exact_set": ("proportion", "Proportion", {"name": "exact_set", "signature": "version:1"}),
    "obeyed": ("proportion", "Proportion", {"name": "obeyed", "signature": "version:1"}),
    "label_f1": ("label_f1", "LabelF1", {}),
    "token_f1": ("token_f1", "TokenF1", {}),
    "rouge_l": ("rouge_score", "RougeL", {}),
    "answer_match": ("proportion", "AnswerMatch", {}),
    "glossary_recall": ("glossary", "GlossaryRecall", {}),
}
"""Of every metric with a name: the module, the class and its options."""
METRICS = tuple(_NAMED)
"""Names of metrics with their usual options, as a task or a user gives them."""


@functools.cache
def metric(name: str, **options: Any) -> Metric:
    """The metric that a task or a user calls `name`, one of `METRICS`, with options of its class besides.

    Raises `KeyError` for another name.
    """
    if name not in _NAMED:
        raise KeyError(f"unknown metric {name!r}; known are {', '.join(METRICS)}")
    module, kind, usual = _NAMED[name]
    found: Metric = getattr(importlib.import_module(f"kernels.{module}"), kind)(**usual | options)
    return found


def chrf(hypotheses: Sequence[str], references: References, **options: Any) -> Result:
    """chrF; with `word_order=2` chrF++. 0 to 100.

    Options are those of `kernels.chrf_score.Chrf`. Raises `ValueError` for streams of unequal length or none,
    `TypeError` for what is no text.
    """
    from kernels.chrf_score import Chrf

    return score(Chrf(**options), hypotheses, references)


def bleu(hypotheses: Sequence[str], references: References, **options: Any) -> Result:
    """BLEU with sacreBLEU's tokenizer of the name `tokenize` (13a unless told). 0 to 100.

    Options are those of `kernels.bleu_score.Bleu`. Raises as `chrf` does.
    """
    from kernels.bleu_score import Bleu

    return score(Bleu(**options), hypotheses, references)


def ter(hypotheses: Sequence[str], references: References, **options: Any) -> Result:
    """TER in percent; lower is better. Options are those of `kernels.ter_score.Ter`. Raises as `chrf` does."""
    from kernels.ter_score import Ter

    return score(Ter(**options), hypotheses, references)


def edit_distance(
    hypotheses: Sequence[str], references: Sequence[str], unit: Literal["character", "grapheme", "word"] = "character"
) -> NDArray[np.int64]:
    """Levenshtein's distance of each pair, in code points, grapheme clusters or words. Shape (segments,)."""
    from kernels.edit_score import edit_distance as distances

    return distances(hypotheses, references, unit=unit)


def all_pairs_chrf(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    char_order: int = 6,
    word_order: int = 0,
    beta: int = 2,
    backend: Backend = "auto",
) -> Scores:
    """Sentence chrF of every hypothesis against every reference, shape (hypotheses, references).

    For minimum-Bayes-risk decoding and near-duplicates see `kernels.all_pairs`.
    """
    from kernels.all_pairs import all_pairs_chrf as compared

    return compared(hypotheses, references, char_order=char_order, word_order=word_order, beta=beta, backend=backend)


def exact_match(hypotheses: Sequence[str], references: References) -> Result:
    """The share of hypotheses equal to a reference after `normalise`. 0 to 1. Raises as `chrf` does."""
    return score(metric("exact_match"), hypotheses, references)
