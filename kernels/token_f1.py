"""Token F1 of short answers (Rajpurkar et al. 2016, Lewis et al. 2020)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.base import UNIT, References, Scores, Statistics, checked, ratio
from kernels.normalisation import described, tokens


class TokenF1:
    """The F1 of the tokens that answer and reference share, the mean over segments. 0 to 1.

    Tokens are those of `kernels.normalisation.tokens`; `language`, an id such as `eng_Latn`, decides about articles.
    Statistics: the F1 in billionths, `UNIT`.
    """

    name = "token_f1"
    best = 1.0
    higher_is_better = True
    binary = False
    columns = 2

    def __init__(self, language: str = "") -> None:
        self.language = language

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of several references the best counts."""
        checked(hypotheses, references)
        rows = np.full((len(hypotheses), self.columns), UNIT, dtype=np.int64)
        for i, (hypothesis, segment) in enumerate(zip(hypotheses, zip(*references, strict=True), strict=True)):
            written = Counter(tokens(hypothesis, self.language))
            accepted = {reference for reference in segment if reference is not None}
            rows[i, 0] = max(_billionths(written, Counter(tokens(text, self.language))) for text in accepted)
        return rows

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """The mean F1; nothing counted is not a number."""
        return ratio(sums)

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's F1."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """The reference count is not part of it: references are accepted spellings."""
        return f"{described(self.language)}|mean:segments|version:1"


def _billionths(written: Counter[str], reference: Counter[str]) -> int:
    """The F1 of two bags of tokens, rounded. Two empty ones are equal, as in SQuAD 2.0; one is not like any other."""
    total = written.total() + reference.total()
    if not total:
        return UNIT
    shared = (written & reference).total()
    return round(2 * shared * UNIT / total)
