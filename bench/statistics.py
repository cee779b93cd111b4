"""Intervals. Pure functions of score statistics; every one is seeded, so the same scores give the same interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import Metric

ROUNDS = 1000
CLUSTERS_NEEDED = 10
Z = 1.959963984540054  # the normal distribution's 97.5 % point


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, or None on both sides and the reason."""

    low: float | None
    high: float | None
    reason: str = ""


def interval(metric: Metric, statistics: NDArray[np.int64], clusters: Sequence[str], seed: int) -> Interval:
    """The 95 % interval of a metric's corpus value.

    `statistics` has shape (items, columns). Items that share a cluster (a passage, a document) are drawn together; a
    share of right answers without clusters gets Wilson's interval. Under `CLUSTERS_NEEDED` clusters there is none.
    """
    if metric.columns == 2:
        right, counted = statistics.sum(axis=0).tolist()
        if len(set(clusters)) == len(clusters):
            return wilson(right, counted)
        return clustered(statistics, clusters)
    return bootstrap(metric, statistics, clusters, seed)


def wilson(right: float, counted: float) -> Interval:
    """Wilson's score interval (1927) for a proportion."""
    if not counted:
        return Interval(None, None, "no_items")
    share = right / counted
    shrink = 1 + Z**2 / counted
    centre = (share + Z**2 / (2 * counted)) / shrink
    half = Z * math.sqrt(share * (1 - share) / counted + Z**2 / (4 * counted**2)) / shrink
    # At the ends the formula is exact on paper only: 0 right must not have a lower end of 1e-17.
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == counted else min(1.0, centre + half)
    return Interval(low, high)


def clustered(statistics: NDArray[np.int64], clusters: Sequence[str]) -> Interval:
    """Wilson's interval on the effective number of items: fewer, as far as those of a cluster are alike.

    The percentile bootstrap is too narrow for a share near 0 or 1, and has no width where all are right.
    """
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    number = int(index.max()) + 1
    if number < CLUSTERS_NEEDED:
        return Interval(None, None, "too_few_clusters")
    sums = np.zeros((number, 2), dtype=np.int64)
    np.add.at(sums, index, statistics)
    right, counted = sums.sum(axis=0).tolist()
    share = right / counted
    naive = share * (1 - share) / counted
    robust = number / (number - 1) * float(((sums[:, 0] - share * sums[:, 1]) ** 2).sum()) / counted**2
    # All right or all wrong shows no spread at all: then a cluster counts as one item.
    effective = counted * min(1.0, naive / robust) if robust else (number if naive == 0 else counted)
    return wilson(share * effective, effective)


def bootstrap(
    metric: Metric, statistics: NDArray[np.int64], clusters: Sequence[str], seed: int, rounds: int = ROUNDS
) -> Interval:
    """The percentile bootstrap over clusters (Efron 1979): how often each was drawn, times its summed statistics."""
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    drawn_from = int(index.max()) + 1 if len(index) else 0
    if drawn_from < CLUSTERS_NEEDED:
        return Interval(None, None, "too_few_clusters")
    sums = np.zeros((drawn_from, metric.columns), dtype=np.int64)
    np.add.at(sums, index, statistics)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(drawn_from, np.full(drawn_from, 1 / drawn_from), size=rounds)
    scores = metric.from_statistics(counts @ sums)
    low, high = np.percentile(scores, [2.5, 97.5])
    return Interval(float(low), float(high))
