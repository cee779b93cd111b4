"""BLEU (Papineni et al. 2002) as sacreBLEU computes it (Post 2018): its options, statistics by blocks, signature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu import __version__ as sacrebleu_version

from kernels import bleu_cpu
from kernels.base import Backend, References, Scores, Statistics, checked, on_cpu_only
from kernels.bleu_cpu import SMOOTHING
from kernels.parallel import for_blocks
from kernels.text import Text
from kernels.tokenizers import tokenizer

OF_LANGUAGE = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
"""The tokenizer of a target language unless one is named; 13a for all others."""


class Bleu:
    """BLEU with its options, which are sacreBLEU's.

    Statistics: words, words of the closest reference, correct n-grams by order, all n-grams by order.
    `target_language` is sacreBLEU's `trg_lang`. `spm_model` and `spm_sha256` are as `kernels.tokenizers` has them.
    Raises `ValueError` for options that make no score and for a tokenizer that is not there.
    """

    best = 100.0
    higher_is_better = True
    binary = False
    name = "BLEU"

    def __init__(
        self,
        tokenize: str | None = None,
        *,
        lowercase: bool = False,
        smooth_method: str = "exp",
        smooth_value: float | None = None,
        max_ngram_order: int = 4,
        effective_order: bool = False,
        target_language: str = "",
        spm_model: Path | None = None,
        spm_sha256: str | None = None,
        backend: Backend = "auto",
    ) -> None:
        if smooth_method not in SMOOTHING:
            raise ValueError(f"unknown smoothing {smooth_method!r}; known are {', '.join(SMOOTHING)}")
        if smooth_value is not None and not 0 <= smooth_value < math.inf:
            raise ValueError(f"BLEU's smoothing value must be 0 or more, not {smooth_value}")
        if max_ngram_order < 1:
            raise ValueError(f"BLEU's largest order must be at least 1, not {max_ngram_order}")
        on_cpu_only("BLEU", backend)
        self.lowercase = lowercase
        self.smooth_method = smooth_method
        self.smooth_value = smooth_value
        self.max_ngram_order = max_ngram_order
        self.effective_order = effective_order
        self.backend = backend
        self.columns = 2 + 2 * max_ngram_order
        named = OF_LANGUAGE.get(target_language, "13a") if tokenize is None else tokenize
        self.tokenizer = tokenizer(named, spm_model, spm_sha256)

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Counts are clipped by the largest count of any reference; the closest length is the reference length."""
        written, streams = checked(hypotheses, references)
        if self.lowercase:
            written, streams = written.lower, [stream.lower for stream in streams]
        rows = np.empty((len(written), self.columns), dtype=np.int64)

        def work(block: slice) -> None:
            rows[block] = self._block(written[block], [stream[block] for stream in streams])

        for_blocks(len(written), work)
        return rows

    def _block(self, written: Text, streams: Sequence[Text]) -> Statistics:
        prepare = self.tokenizer.prepare
        return bleu_cpu.counts(
            prepare(written).units.wide(),
            [prepare(stream).units.wide() for stream in streams],
            np.stack([stream.present for stream in streams]),
            self.tokenizer.classes(),
            self.tokenizer.ends,
            self.max_ngram_order,
        )

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """With `effective_order` over those orders that the hypotheses have, else over all."""
        return self._scores(sums, self.effective_order)

    def segment_scores(self, statistics: Statistics) -> Scores:
        """With the effective order, as sacreBLEU advises for sentences."""
        return self._scores(statistics, effective_order=True)

    def _scores(self, sums: NDArray[Any], effective_order: bool) -> Scores:
        return bleu_cpu.scores(sums, self.max_ngram_order, self.smooth_method, self.smooth_value, effective_order)

    def signature(self, references: int) -> str:
        """SacreBLEU's."""
        default = SMOOTHING[self.smooth_method]
        value = default if self.smooth_value is None else self.smooth_value
        return "|".join(
            (
                f"nrefs:{'var' if references == -1 else references}",
                f"case:{'lc' if self.lowercase else 'mixed'}",
                f"eff:{'yes' if self.effective_order else 'no'}",
                f"tok:{self.tokenizer.signature}",
                f"smooth:{self.smooth_method}" + ("" if default is None else f"[{value:.2f}]"),
                f"version:{sacrebleu_version}",
            )
        )
