"""chrF and chrF++ (Popović 2015, 2017): the statistics of a corpus by blocks, and sacreBLEU's F-score over arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu import __version__ as sacrebleu_version

from kernels import chrf_cpu, chrf_gpu, gpu
from kernels.base import Backend, References, Scores, Statistics, checked
from kernels.parallel import for_blocks
from kernels.text import Text

EPSILON = 1e-16
GPU_BLOCK = 1 << 17
"""Segments of several references that go to the GPU at a time; each stream's counts stand beside the best so far."""


class Chrf:
    """chrF with its options, which are sacreBLEU's. Statistics: n-grams of hypothesis, reference and both, by order.

    Raises `ValueError` for orders or a beta that make no score.
    """

    best = 100.0
    higher_is_better = True
    binary = False

    def __init__(
        self,
        char_order: int = 6,
        word_order: int = 0,
        beta: int = 2,
        *,
        lowercase: bool = False,
        whitespace: bool = False,
        eps_smoothing: bool = False,
        backend: Backend = "auto",
    ) -> None:
        if min(char_order, word_order) < 0 or char_order + word_order < 1:
            raise ValueError(f"chrF needs an order of at least 1, not {char_order} characters and {word_order} words")
        if not 0 < beta < math.inf:
            raise ValueError(f"chrF's beta must be above 0, not {beta}")
        self.char_order = char_order
        self.word_order = word_order
        self.lowercase = lowercase
        self.whitespace = whitespace
        self.eps_smoothing = eps_smoothing
        self.backend = backend
        self.columns = 3 * (char_order + word_order)
        self.name = f"chrF{beta}" + "+" * word_order
        self.beta = beta
        self._factor = beta**2

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of several references the one with the best F-score counts, the first of equals, as in sacreBLEU."""
        written, streams = checked(hypotheses, references)
        if self.lowercase:
            written, streams = written.lower, [stream.lower for stream in streams]
        device = gpu.chosen(self.backend, len(written))
        if device and len(streams) == 1:  # it streams by itself, and computes while it uploads
            return self._block(written, streams, device)
        rows = np.empty((len(written), self.columns), dtype=np.int64)

        def work(block: slice) -> None:
            rows[block] = self._block(written[block], [stream[block] for stream in streams], device)

        if device:
            for start in range(0, len(written), GPU_BLOCK):
                work(slice(start, min(start + GPU_BLOCK, len(written))))
        else:
            for_blocks(len(written), work)
        return rows

    def _block(self, written: Text, streams: Sequence[Text], device: gpu.Device | None) -> Statistics:
        options = self.char_order, self.word_order, self.whitespace
        hypothesis = written.units if device else written.units.wide()
        best: Statistics | None = None
        for stream in streams:
            if device:
                rows = chrf_gpu.counts(hypothesis, stream.units, *options, device)
            else:
                rows = chrf_cpu.counts(hypothesis, stream.units.wide(), *options)
            if len(streams) == 1:
                return rows
            scores = np.where(stream.present, self.from_statistics(rows), -1.0)
            if best is None:
                best, top = rows, scores
            else:
                better = scores > top
                best[better], top[better] = rows[better], scores[better]
        assert best is not None
        return best

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """The F-score of precision and recall, averaged over those orders that both sides have (effective order).

        With `eps_smoothing` the mean over all orders of each one's F-score, as chrF++.py, NLTK and Moses have it.
        Every operation is in sacreBLEU's order, so every bit is its.
        """
        rows = np.asarray(sums, dtype=np.float64)
        precision, recall, effective, smoothed = np.zeros((4, len(rows)))
        with np.errstate(divide="ignore", invalid="ignore"):
            for order in range(self.columns // 3):
                hypothesis, reference, match = rows[:, 3 * order : 3 * order + 3].T
                found = np.where(hypothesis > 0, match / hypothesis, EPSILON)
                wanted = np.where(reference > 0, match / reference, EPSILON)
                both = (hypothesis > 0) & (reference > 0)
                precision += np.where(both, found, 0.0)
                recall += np.where(both, wanted, 0.0)
                effective += both
                if self.eps_smoothing:
                    below = self._factor * found + wanted
                    smoothed += np.where(below > 0, (1 + self._factor) * found * wanted / below, EPSILON)
            if self.eps_smoothing:
                eased: Scores = 100 * smoothed / (self.columns // 3)
                return eased
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
        return "|".join(
            (
                f"nrefs:{'var' if references == -1 else references}",
                f"case:{'lc' if self.lowercase else 'mixed'}",
                f"eff:{'no' if self.eps_smoothing else 'yes'}",
                f"nc:{self.char_order}",
                f"nw:{self.word_order}",
                f"space:{'yes' if self.whitespace else 'no'}",
                f"version:{sacrebleu_version}",
            )
        )
