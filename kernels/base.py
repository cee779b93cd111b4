"""What every metric promises: integers a segment whose sums determine the corpus score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Statistics = NDArray[np.int64]
Scores = NDArray[np.float64]
References = Sequence[Sequence[str | None]]
"""Streams, each as long as the hypotheses. None where a segment has fewer references than others."""
Streams = Sequence[Sequence[str]]
"""What sacreBLEU's annotations say of references, although it takes None as well."""


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

    `name` is the name as sacreBLEU prints it, `columns` how many integers a segment has, `best` the largest score.
    """

    name: str
    columns: int
    best: float

    def statistics(self, hypotheses: Sequence[str], references: References) -> Statistics:
        """Integers of shape (segments, columns). Raises `ValueError` for streams of unequal length."""

    def from_statistics(self, sums: NDArray[Any]) -> Scores:
        """Scores from sums of statistics, shape (rows, columns) -> (rows,)."""

    def segment_scores(self, statistics: Statistics) -> Scores:
        """A score for each segment, as sacreBLEU's sentence score has it."""

    def signature(self, references: int) -> str:
        """The options and version behind a number; `references` is the number of streams, -1 where it varies."""


def score(metric: Metric, hypotheses: Sequence[str], references: References) -> Result:
    """Scores a corpus. Raises `ValueError` for an empty corpus or streams of unequal length."""
    if not hypotheses:
        raise ValueError("nothing to score: no hypotheses")
    statistics = metric.statistics(hypotheses, references)
    (corpus,) = metric.from_statistics(statistics.sum(axis=0, keepdims=True))
    counts = {sum(reference is not None for reference in segment) for segment in zip(*references, strict=True)}
    return Result(
        name=metric.name,
        score=float(corpus),
        segments=metric.segment_scores(statistics),
        statistics=statistics,
        signature=metric.signature(counts.pop() if len(counts) == 1 else -1),
    )


def check(hypotheses: Sequence[str], references: References) -> None:
    """Raises `ValueError` unless every stream of references is as long as the hypotheses."""
    if not references:
        raise ValueError("no references: at least one stream is needed")
    for number, stream in enumerate(references, start=1):
        if len(stream) != len(hypotheses):
            raise ValueError(f"{len(hypotheses)} hypotheses but {len(stream)} references in stream {number}")
    for number, segment in enumerate(zip(*references, strict=True), start=1):
        if all(reference is None for reference in segment):
            raise ValueError(f"segment {number} has no reference")
