"""What every metric promises: integers a segment whose sums determine the corpus score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.text import Text

Statistics = NDArray[np.int64]
Scores = NDArray[np.float64]
References = Sequence[Sequence[str | None]]
"""Streams, each as long as the hypotheses. None where a segment has fewer references than others."""
Backend = Literal["auto", "gpu", "cpu"]
"""Where statistics are made; `auto` takes the GPU where there is one and the corpus is large enough to be worth it."""
UNIT = 10**9
"""A mean of fractions (a token F1, ROUGE-L) is summed in billionths: exact in int64, and the same in any order."""


@dataclass(frozen=True, slots=True)
class Result:
    """What scoring a corpus gave.

    `score` is the corpus score in the metric's unit, `segments` a score a segment (shape segments), `statistics` the
    integers (shape segments x columns), `signature` what makes the number comparable with another.
    """

    name: str
    score: float
    segments: Scores
    statistics: Statistics
    signature: str


class Metric(Protocol):
    """One metric with its options fixed.

    `name` is the name as sacreBLEU prints it, `columns` how many integers a segment has, `best` the best score there
    is, `higher_is_better` false for error rates, `binary` true where a segment's statistics are (0 or 1, 1).
    """

    name: str
    columns: int
    best: float
    higher_is_better: bool
    binary: bool

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Integers of shape (segments, columns). Raises `ValueError` for streams of unequal length."""

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Scores from sums of statistics, shape (rows, columns) -> (rows,)."""

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A score for each segment, as sacreBLEU's sentence score has it."""

    def signature(self, references: int) -> str:
        """The options and version behind a number; `references` is the number of streams, -1 where it varies."""


def score(metric: Metric, hypotheses: Sequence[str], references: References) -> Result:
    """Scores a corpus. Raises `ValueError` for an empty one or unequal lengths, `TypeError` for what is no text."""
    written, streams = checked(hypotheses, references)
    if not len(written):
        raise ValueError("nothing to score: no hypotheses")
    statistics = metric.statistics(written, streams)  # type: ignore[arg-type]
    (corpus,) = metric.from_statistics(statistics.sum(axis=0, keepdims=True))
    return Result(
        name=metric.name,
        score=float(corpus),
        segments=metric.segment_scores(statistics),
        statistics=statistics,
        signature=metric.signature(reference_count(streams)),
    )


def ratio(sums: NDArray[Any]) -> Scores:
    """The first column over the second, shape (rows, 2) -> (rows,): a share or a mean. Over nothing it is NaN."""
    part, whole = np.asarray(sums, dtype=np.float64).T
    with np.errstate(invalid="ignore"):
        shares: Scores = part / whole
    return shares


def on_cpu_only(metric: str, backend: str) -> None:
    """Raises `ValueError` where a metric that has no kernel for a GPU is asked for one, or for what is no backend."""
    if backend not in ("auto", "cpu"):
        raise ValueError(f"{metric} is computed on the CPU only; use backend auto or cpu, not {backend}")


def checked(hypotheses: Sequence[str], references: References) -> tuple[Text, list[Text]]:
    """Both sides as `Text`. Raises unless every stream is as long as the hypotheses and every segment has a reference.

    `ValueError` says which stream or segment is wrong; `TypeError` that something is no sequence of text.
    """
    written = _stream("the hypotheses", hypotheses)
    if isinstance(references, str) or not isinstance(references, Sequence):
        raise TypeError("references must be a list of streams, each a list of texts")
    if not references:
        raise ValueError("no references: at least one stream is needed")
    streams = [_stream(f"stream {number} of the references", s) for number, s in enumerate(references, start=1)]
    _check_types(written, "hypothesis", "; an empty answer is ''")
    for number, stream in enumerate(streams, start=1):
        _check_types(stream, f"in stream {number} reference", "", type(None))
        if len(stream) != len(written):
            raise ValueError(f"{len(written)} hypotheses but {len(stream)} references in stream {number}")
    missing = np.flatnonzero(~np.any([stream.present for stream in streams], axis=0))
    if len(missing):
        raise ValueError(f"segment {missing[0] + 1} has no reference")
    return written, streams


def _check_types(text: Text, what: str, hint: str, *more: type) -> None:
    """Raises `TypeError` naming the first segment that is no text."""
    if text.kinds <= {str, *more}:
        return
    for number, segment in enumerate(text, start=1):
        if not isinstance(segment, (str, *more)):
            found = "None" if segment is None else type(segment).__name__
            raise TypeError(f"{what} {number} is {found}, not text{hint if segment is None else ''}")


def _stream(what: str, segments: Sequence[str | None]) -> Text:
    if isinstance(segments, (str, bytes)) or not isinstance(segments, Sequence):
        hint = "; put it in a list: [references]" if isinstance(segments, str) and "stream" in what else ""
        raise TypeError(f"{what} must be a list of texts, not {type(segments).__name__}{hint}")
    return Text.of(segments)


def reference_count(streams: Sequence[Text]) -> int:
    """How many references each segment has; -1 where that varies."""
    counts = set(np.sum([stream.present for stream in streams], axis=0).tolist())
    return int(counts.pop()) if len(counts) == 1 else -1
