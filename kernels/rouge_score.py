"""ROUGE-L (Lin 2004) in every script: the longest common subsequence of tokens that no script lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import edit_cpu
from kernels.base import UNIT, References, Scores, Statistics, checked, ratio
from kernels.normalisation import described, tokens
from kernels.numbering import Numbering
from kernels.parallel import for_blocks
from kernels.text import Text


class RougeL:
    """Sentence-level ROUGE-L: the F1 of the longest common subsequence, the mean over segments. 0 to 100.

    Precision and recall weigh the same, as in Google's `rouge_score`, but tokens are those of
    `kernels.normalisation.tokens` with articles kept: that package keeps `a-z0-9` alone, finds identical Amharic,
    Burmese or Chinese to share nothing, and Yoruba that differs in diacritics to be the same. `language`, an id such
    as `tur_Latn`, decides about case. Statistics: the F1 in billionths, `UNIT`.
    """

    name = "ROUGE-L"
    best = 100.0
    higher_is_better = True
    binary = False
    columns = 2

    def __init__(self, *, language: str = "") -> None:
        self.language = language

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of several references the best counts."""
        written, streams = checked(hypotheses, references)
        rows = np.full((len(written), self.columns), UNIT, dtype=np.int64)

        def work(block: slice) -> None:
            rows[block, 0] = self._block(written[block], [stream[block] for stream in streams])

        for_blocks(len(written), work)
        return rows

    def _block(self, written: Text, streams: Sequence[Text]) -> NDArray[np.int64]:
        numbers = Numbering()
        hypothesis = numbers.units(self._tokens(written))
        best = np.full(len(written), -1, dtype=np.int64)
        for stream in streams:
            reference = numbers.units(self._tokens(stream))
            shared = edit_cpu.subsequences(hypothesis, reference, len(numbers))
            total = np.diff(hypothesis.offsets) + np.diff(reference.offsets)
            found = np.where(total > 0, np.rint(2 * shared * UNIT / np.maximum(total, 1)).astype(np.int64), UNIT)
            best = np.where(stream.present, np.maximum(best, found), best)
        return best

    def _tokens(self, segments: Text) -> list[list[str]]:
        return [tokens(segment or "", self.language, keep_articles=True) for segment in segments]

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """The mean F1 times 100; nothing counted is not a number."""
        scores: Scores = 100 * ratio(sums)
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's F1 times 100."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """As sacreBLEU's begin; then what tokens are."""
        count = "var" if references == -1 else references
        return f"nrefs:{count}|{described(self.language, keep_articles=True)}|lcs:sentence|beta:1|version:1"
