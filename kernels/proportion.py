"""Metrics that are a share of right answers: accuracy and exact match."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import References, Scores, Statistics, checked, ratio
from kernels.normalisation import described, normalise, tokens

__all__ = ["AnswerMatch", "Proportion", "normalise"]


class Proportion:
    """Right answers over all answers, 0 to 1. Statistics: right (0 or 1), counted (1)."""

    best = 1.0
    higher_is_better = True
    binary = True
    columns = 2

    def __init__(self, name: str, signature: str) -> None:
        self.name = name
        self._signature = signature

    def compared(self, text: str) -> Hashable:
        """What of a text has to be equal: here all that `normalise` leaves."""
        return normalise(text)

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """An answer is right if what is `compared` of it equals that of any of its references."""
        checked(hypotheses, references)
        right = [
            self.compared(hypothesis) in {self.compared(reference) for reference in segment if reference is not None}
            for hypothesis, segment in zip(hypotheses, zip(*references, strict=True), strict=True)
        ]
        return np.array([(int(hit), 1) for hit in right], dtype=np.int64).reshape(len(right), self.columns)

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Right over counted; nothing counted is not a number."""
        return ratio(sums)

    def segment_scores(self, statistics: Statistics) -> Scores:
        """1 or 0."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """The reference count is not part of it: a choice has one gold option, a text any accepted spelling."""
        return self._signature


class AnswerMatch(Proportion):
    """Exact match of answers in the manner of MLQA: the `tokens` of both are the same. 0 to 1.

    `language` is an id such as `eng_Latn`; it decides about articles. Spaces within a script that is written without
    them make no difference.
    """

    def __init__(self, language: str = "") -> None:
        self.language = language
        super().__init__("answer_match", f"{described(language)}|version:1")

    def compared(self, text: str) -> Hashable:
        """The tokens, which are none only for white space."""
        return tuple(tokens(text, self.language))
