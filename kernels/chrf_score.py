"""chrF and chrF++ (Popović 2015, 2017). sacreBLEU counts the n-grams; the F-score is its formula over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.chrf import CHRF

from kernels.base import References, Scores, Statistics, Streams, check


class Chrf:
    """chrF with its options. Statistics hold, order by order, the n-grams of hypothesis, reference and both."""

    best = 100.0

    def __init__(self, char_order: int = 6, word_order: int = 0, beta: int = 2) -> None:
        self._sacrebleu = CHRF(char_order=char_order, word_order=word_order, beta=beta)
        self._orders = char_order + word_order
        self._factor = float(beta**2)
        self.columns = 3 * self._orders
        self.name = f"chrF{beta}" + "+" * word_order

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of several references the one with the best F-score counts, as in sacreBLEU."""
        check(hypotheses, references)
        rows = self._sacrebleu._extract_corpus_statistics(hypotheses, cast("Streams", references))
        return np.array(rows, dtype=np.int64).reshape(len(hypotheses), self.columns)

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """The F-score of averaged precision and recall over those orders that both sides have (effective order)."""
        rows = np.asarray(sums, dtype=np.float64)
        precision = np.zeros(len(rows))
        recall = np.zeros(len(rows))
        effective = np.zeros(len(rows))
        with np.errstate(divide="ignore", invalid="ignore"):
            for order in range(self._orders):
                hypothesis, reference, match = rows[:, 3 * order : 3 * order + 3].T
                both = (hypothesis > 0) & (reference > 0)
                precision += np.where(both, match / hypothesis, 0.0)
                recall += np.where(both, match / reference, 0.0)
                effective += both
            precision = np.where(effective > 0, precision / effective, 0.0)
            recall = np.where(effective > 0, recall / effective, 0.0)
            f_score = (1 + self._factor) * precision * recall / (self._factor * precision + recall)
        scores: Scores = np.where(precision + recall > 0, 100 * f_score, 0.0)
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's score has the same formula as the corpus's."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """SacreBLEU's."""
        self._sacrebleu.num_refs = references
        return str(self._sacrebleu.get_signature())
