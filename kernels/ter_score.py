"""Translation edit rate (Snover et al. 2006): the statistics of a corpus by blocks, and sacreBLEU's score from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sacrebleu import __version__ as sacrebleu_version
from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

from kernels import ter_cpu
from kernels.base import Backend, References, Scores, Statistics, checked, on_cpu_only
from kernels.parallel import for_blocks
from kernels.text import Text

WORD = 720_720
"""Reference lengths are stored in this part of a word. It is the least common multiple of 1 to 16, so that the mean
length of up to 16 references is an integer and nothing is rounded; that of more is rounded to the nearest."""


class Ter:
    """TER with its options, which are sacreBLEU's. Statistics: edits, mean reference length in 1/`WORD` words.

    0 is a perfect score and there is no worst. With several references the fewest edits count, and their lengths'
    mean. `asian_support` says what `normalized` and `no_punct` do, and nothing without them. There is no kernel for a
    GPU: raises `ValueError` for that backend.
    """

    name = "TER"
    columns = 2
    best = 0.0
    higher_is_better = False
    binary = False

    def __init__(
        self,
        *,
        normalized: bool = False,
        no_punct: bool = False,
        asian_support: bool = False,
        case_sensitive: bool = False,
        backend: Backend = "auto",
    ) -> None:
        on_cpu_only("TER", backend)
        self.normalized = normalized
        self.no_punct = no_punct
        self.asian_support = asian_support
        self.case_sensitive = case_sensitive
        self.backend = backend

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Of an empty reference every word of the hypothesis is one edit, and its length is 0, as in sacreBLEU."""
        written, streams = checked(hypotheses, references)
        tokenized: Callable[[Text], Text] = _same
        if self.normalized or self.no_punct:
            tokenized = functools.partial(Text.mapped, function=self._tokenizer())
            streams = [tokenized(stream) for stream in streams]  # twice in all, as sacreBLEU does: it is not idempotent
        elif not self.case_sensitive:
            written, streams = written.lower, [stream.lower for stream in streams]
        rows = np.empty((len(written), self.columns), dtype=np.int64)

        def work(block: slice) -> None:
            rows[block] = _block(tokenized(written[block]), [tokenized(stream[block]) for stream in streams])

        for_blocks(len(written), work)
        return rows

    def _tokenizer(self) -> Callable[[str], str]:
        """SacreBLEU's own, past its cache, which would keep the last 65,536 segments in memory for good."""
        tokenizer = TercomTokenizer(
            normalized=self.normalized,
            no_punct=self.no_punct,
            asian_support=self.asian_support,
            case_sensitive=self.case_sensitive,
        )
        tokenized = TercomTokenizer.__call__.__wrapped__
        return lambda segment: str(tokenized(tokenizer, segment.rstrip()))

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """100 times edits over length. With no length 100 if there are edits, else 0."""
        edits, length = np.asarray(sums, dtype=np.float64).T
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(length > 0, edits / (length / WORD), edits > 0)
        scores: Scores = 100 * rate
        return scores

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A segment's score has the same formula as the corpus's."""
        return self.from_statistics(statistics)

    def signature(self, references: int) -> str:
        """SacreBLEU's."""
        return "|".join(
            (
                f"nrefs:{'var' if references == -1 else references}",
                f"case:{'mixed' if self.case_sensitive else 'lc'}",
                "tok:tercom",
                f"norm:{'yes' if self.normalized else 'no'}",
                f"punct:{'no' if self.no_punct else 'yes'}",
                f"asian:{'yes' if self.asian_support else 'no'}",
                f"version:{sacrebleu_version}",
            )
        )


def _same(text: Text) -> Text:
    return text


def _block(written: Text, streams: Sequence[Text]) -> Statistics:
    hypothesis = written.units.wide()
    fewest = np.full(len(written), np.iinfo(np.int64).max)
    total, count = np.zeros((2, len(written)), dtype=np.int64)
    for stream in streams:
        edits, lengths = ter_cpu.edits(hypothesis, stream.units.wide())
        present = stream.present
        fewest = np.where(present, np.minimum(fewest, edits), fewest)
        total += np.where(present, lengths, 0)
        count += present
    return np.stack([fewest, (total * WORD + count // 2) // count], axis=1)
