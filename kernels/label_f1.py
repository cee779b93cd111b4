"""Micro F1 over sets of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import References, Scores, Statistics, checked


class LabelF1:
    """2 right / (2 right + wrong + missed), summed over all questions: micro F1, 0 to 1.

    Statistics: right, wrong and missed labels. As texts, a segment's labels are separated by tabs. Where nothing is
    right, wrong or missed there is no score: it is not a number, as in scikit-learn with `zero_division=nan`.
    """

    name = "label_f1"
    columns = 3
    best = 1.0
    higher_is_better = True
    binary = False

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Labels of each hypothesis against those of its first reference."""
        checked(hypotheses, references)
        rows = []
        for hypothesis, segment in zip(hypotheses, zip(*references, strict=True), strict=True):
            named = _labels(hypothesis)
            gold = _labels(next(reference for reference in segment if reference is not None))
            rows.append((len(named & gold), len(named - gold), len(gold - named)))
        return np.array(rows, dtype=np.int64).reshape(len(rows), self.columns)

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """F1 of each row of sums."""
        right, wrong, missed = np.asarray(sums, dtype=np.float64).T
        with np.errstate(invalid="ignore"):
            scores: Scores = 2 * right / (2 * right + wrong + missed)
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """F1 of each segment."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """Nothing to choose."""
        return "average:micro|version:1"


def _labels(text: str) -> set[str]:
    return {label.strip() for label in text.split("\t") if label.strip()}
