"""Metrics that are a share of right answers: accuracy and exact match."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import References, Scores, Statistics, check


class Proportion:
    """Right answers over all answers, 0 to 1. Statistics: right (0 or 1), counted (1)."""

    best = 1.0
    columns = 2

    def __init__(self, name: str, signature: str) -> None:
        self.name = name
        self._signature = signature

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """An answer is right if it equals any of its references after `normalise`."""
        check(hypotheses, references)
        right = [
            any(normalise(hypothesis) == normalise(reference) for reference in segment if reference is not None)
            for hypothesis, segment in zip(hypotheses, zip(*references, strict=True), strict=True)
        ]
        return np.array([(int(hit), 1) for hit in right], dtype=np.int64).reshape(len(right), self.columns)

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Right over counted; nothing counted is not a number."""
        right, counted = np.asarray(sums, dtype=np.float64).T
        with np.errstate(invalid="ignore"):
            scores: Scores = right / counted
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """1 or 0."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """The reference count is not part of it: a choice has one gold option, a text any accepted spelling."""
        return self._signature


def normalise(text: str) -> str:
    """NFC, every run of white space (the no-break ones too) one space, none at the ends. Case and script stay."""
    return " ".join(unicodedata.normalize("NFC", text).split())
