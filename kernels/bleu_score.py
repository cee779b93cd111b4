"""BLEU (Papineni et al. 2002) as sacreBLEU computes it (Post 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from kernels.base import References, Scores, Statistics, Streams, check

ORDER = 4


class Bleu:
    """BLEU with its options. Statistics: length, reference length, correct n-grams 1 to 4, all n-grams 1 to 4."""

    best = 100.0
    name = "BLEU"
    columns = 2 + 2 * ORDER

    def __init__(self, tokenize: str | None = None) -> None:
        self._corpus = BLEU(tokenize=tokenize, force=True)
        self._sentence = BLEU(tokenize=tokenize, force=True, effective_order=True)

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Counts are clipped by the largest count of any reference; the closest length is the reference length."""
        check(hypotheses, references)
        rows = self._corpus._extract_corpus_statistics(hypotheses, cast("Streams", references))
        return np.array(rows, dtype=np.int64).reshape(len(hypotheses), self.columns)

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Row by row through sacreBLEU: its logarithms are libm's, and NumPy's differ in the last bit."""
        return _scores(self._corpus, sums)

    def segment_scores(self, statistics: Statistics) -> Scores:
        """With the effective order, as sacreBLEU advises for sentences."""
        return _scores(self._sentence, statistics)

    def signature(self, references: int) -> str:
        """SacreBLEU's."""
        self._corpus.num_refs = references
        return str(self._corpus.get_signature())


def _scores(bleu: BLEU, sums: NDArray[Any]) -> Scores:
    return np.array([bleu._compute_score_from_stats(row).score for row in np.asarray(sums).tolist()], dtype=np.float64)
