"""Intervals. Pure functions of score statistics; every one is seeded, so the same scores give the same interval.

Three kinds. A share of right answers gets Wilson's interval. Where its items share a passage or document it gets
Wilson's on the effective number of items: as many independent ones as say as much. Any other metric gets the bootstrap
over clusters, never narrower than Wilson's on the effective number that the bootstrap's spread tells of.
`benchmarks/interval_coverage.py` measures how often they hold the truth.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from kernels import Metric
from kernels.resampling import draws, multiplicities, numbered, resampled, summed

ROUNDS = 1000
CLUSTERS_NEEDED = 10
Z = 1.959963984540054  # the normal distribution's 97.5 % point
LARGEST_SHARED = 2000
"""Up to so many clusters the bootstrap's draws are kept for the next cell of that size: 4 MB at most, eight sizes."""
SAME = 1e-9
"""Bootstrapped scores that lie closer than this share of the largest are all the same but for rounding."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, or None on both sides and the reason."""

    low: float | None
    high: float | None
    reason: str = ""


def interval(metric: Metric, statistics: NDArray[np.int64], clusters: Sequence[str], seed: int) -> Interval:
    """The 95 % interval of a metric's corpus value.

    `statistics` has shape (items, columns). Items that share a cluster (a passage, a document) are drawn together; a
    share of right answers without clusters gets Wilson's interval. Otherwise there is none under `CLUSTERS_NEEDED`
    clusters. An item that was asked several times is a cluster of its answers.
    """
    if not metric.binary:
        return bootstrap(metric, statistics, clusters, seed)
    if len(set(clusters)) == len(clusters) and statistics[:, 1].max(initial=0) <= 1:
        right, counted = statistics.sum(axis=0).tolist()
        return wilson(right, counted)
    return clustered(statistics, clusters)


def wilson(right: float, counted: float) -> Interval:
    """Wilson's score interval (1927) for a proportion."""
    if not counted:
        return Interval(None, None, "no_items")
    low, high = score_interval(np.float64(right / counted), counted, Z)
    return Interval(float(low), float(high))


def score_interval(share: Any, items: Any, quantile: Any) -> tuple[Any, Any]:
    """Wilson's interval about a share of so many (effective) items at a quantile; numbers or arrays of one shape."""
    shrink = 1 + quantile**2 / items
    centre = (share + quantile**2 / (2 * items)) / shrink
    half = quantile * np.sqrt(share * (1 - share) / items + quantile**2 / (4 * items**2)) / shrink
    # At the ends the formula is exact on paper only: 0 right must not have a lower end of 1e-17.
    low = np.where(share <= 0, 0.0, np.maximum(0.0, centre - half))
    high = np.where(share >= 1, 1.0, np.minimum(1.0, centre + half))
    return low, high


def clustered(statistics: NDArray[np.int64], clusters: Sequence[str]) -> Interval:
    """The interval of a share whose items come in clusters; `statistics` are (right, counted), shape (items, 2)."""
    right, counted = _by_cluster(statistics, clusters).T.astype(np.float64)
    if len(counted) < CLUSTERS_NEEDED:
        return Interval(None, None, "too_few_clusters")
    low, high = clustered_shares(right, counted)
    return Interval(float(low), float(high))


def clustered_shares(right: Vector, counted: Vector) -> tuple[Vector, Vector]:
    """Wilson's interval on the effective number of items, of one share or of many at once.

    `right` has shape (..., clusters), `counted` (clusters,): the items of each cluster. This is the modified Wilson
    interval of Dean and Pagano (2015), but for the two places where few clusters make it too narrow:

    The design effect (how many items say as much as one independent one; Kish 1965) cannot be told from the few
    clusters that hold the rarer answer: five wrong answers in five clusters may be luck. So with k of those it is
    moved by 1/k, on a log scale, towards its largest value, where all items of a cluster are alike. With k = 0 or 1
    a cluster counts as one item.

    Student's t takes the normal quantile's place (Korn and Graubard 1998) as far as the variance is estimated from
    the differences between clusters, with Satterthwaite's degrees of freedom (1946): a part f of it is, the rest
    follows from the share, which gives (clusters - 1) / f**2.
    """
    clusters = len(counted)
    items = counted.sum()
    share = right.sum(axis=-1) / items
    alike = (counted**2).sum() / items
    effect = _design_effect(right, counted)
    rarer = np.minimum((right > 0).sum(axis=-1), (right < counted).sum(axis=-1))
    effect = effect * (np.maximum(alike, effect) / effect) ** (1 / np.maximum(1, rarer))
    between = np.maximum(1 - 1 / effect, SAME)
    return score_interval(share, items / effect, t_quantile((clusters - 1) / between**2))


def _design_effect(right: Vector, counted: Vector) -> Vector:
    """The larger of two estimates, never under 1.

    One takes the correlation within a cluster from the analysis of variance (Donner and Koval 1980), the other is the
    linearised variance of the ratio (Rao and Scott 1992), which also sees that longer clusters differ from short ones.
    """
    clusters, items = len(counted), counted.sum()
    share = right.sum(axis=-1) / items
    alike = (counted**2).sum() / items
    between = (counted * (right / counted - share[..., None]) ** 2).sum(axis=-1) / (clusters - 1)
    within = (right * (counted - right) / counted).sum(axis=-1) / max(1, items - clusters)
    total = between + ((items - alike) / (clusters - 1) - 1) * within
    naive = items * share * (1 - share)
    linear = ((right - share[..., None] * counted) ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.clip((between - within) / total, 0.0, 1.0)
        effect = np.maximum(1 + (alike - 1) * correlation, linear / naive)
    found: Vector = np.where(naive > 0, effect, alike)
    return found


def bootstrap(metric: Metric, statistics: NDArray[np.int64], clusters: Sequence[str], seed: int) -> Interval:
    """The bootstrap over clusters, fit for few of them: how often each was drawn, times its summed statistics.

    It reaches from the lower of two low ends to the higher of two high ones. The percentile interval (Efron 1979)
    follows the skew of the scores; it is stretched by Student's t over the normal quantile, and because a resample of
    c clusters spreads by (c - 1) / c of the variance. Wilson's, with the effective number of items that the
    bootstrap's variance tells of and the same t, knows the ends of the scale: where nearly all scores are at one end,
    few resamples hold the others. A score without an upper end (an error rate) has a variance in proportion to itself.
    """
    sums = _by_cluster(statistics, clusters)
    units = len(sums)
    if units < CLUSTERS_NEEDED:
        return Interval(None, None, "too_few_clusters")
    scores = _rounds(metric, sums, seed)
    value = float(metric.from_statistics(sums.sum(axis=0, keepdims=True))[0])
    if math.isnan(value):
        return Interval(None, None, "no_items")
    if metric.higher_is_better:
        value = min(value, metric.best)  # sacreBLEU's perfect BLEU is 100.00000000000004
    scores = scores[~np.isnan(scores)]  # rounds that drew nothing to count
    spread = bool(np.ptp(scores) > SAME * np.abs(scores).max())
    if not spread and not metric.higher_is_better:
        return Interval(None, None, "no_spread")
    quantile, more = t_quantile(units - 1), units / (units - 1)
    variance = float(scores.var(ddof=1)) * more
    if metric.higher_is_better:
        share = min(1.0, value / metric.best)
        certain = share * (1 - share) * metric.best**2
        effective = certain / variance if spread and certain > 0 else float(units)
        low, high = (float(end) * metric.best for end in score_interval(np.float64(share), effective, quantile))
    else:
        low, high = _rate_interval(value, variance, quantile)
    first, last = np.percentile(scores, [2.5, 97.5]).tolist()
    stretch = quantile / Z * math.sqrt(more)
    low = max(0.0, min(low, value, value - (value - first) * stretch))
    high = max(high, value, value + (last - value) * stretch)
    return Interval(low, min(metric.best, high) if metric.higher_is_better else high)


def _rate_interval(rate: float, variance: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval for a rate: where |rate - r| is `quantile` standard errors, whose square grows with r."""
    half = quantile**2 * variance / (2 * rate)
    reach = math.sqrt(half**2 + quantile**2 * variance)
    return rate + half - reach, rate + half + reach


def _rounds(metric: Metric, sums: NDArray[np.int64], seed: int) -> Vector:
    """The score of each resample. Cells of one size share draws; the seed says which cluster gets which column."""
    units = len(sums)
    if units <= LARGEST_SHARED:
        return resampled(metric, sums[np.random.default_rng(seed).permutation(units)], _shared_draws(units))
    scores = np.empty(ROUNDS)
    for block, counts in draws(units, ROUNDS, seed):
        scores[block] = resampled(metric, sums, counts)
    return scores


@functools.lru_cache(maxsize=8)
def _shared_draws(units: int) -> NDArray[Any]:
    counts = multiplicities(units, ROUNDS, seed=units).astype(np.uint16)
    counts.setflags(write=False)
    return counts


def _by_cluster(statistics: NDArray[np.int64], clusters: Sequence[str]) -> NDArray[np.int64]:
    """Statistics added up by cluster, in the order of the clusters' names, so that the items' order is all one."""
    return summed(statistics, *numbered(clusters))


@overload
def t_quantile(degrees: float) -> float: ...


@overload
def t_quantile(degrees: Vector) -> Vector: ...


def t_quantile(degrees: float | Vector) -> float | Vector:
    """The 97.5 % point of Student's t, to 2e-5 from 9 degrees of freedom; fewer are not asked for.

    The expansion about the normal quantile (Fisher and Cornish 1960; Abramowitz and Stegun 26.7.5).
    """
    terms = (
        79 * Z**9 + 776 * Z**7 + 1482 * Z**5 - 1920 * Z**3 - 945 * Z,
        240 * (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z),
        960 * (5 * Z**5 + 16 * Z**3 + 3 * Z),
        23040 * (Z**3 + Z),
        92160 * Z,
    )
    inverse, found = 1 / degrees, 0.0 * degrees
    for term in terms:
        found = found * inverse + term / 92160
    return found


def clopper_pearson(right: int, counted: int) -> Interval:
    """The exact 95 % interval of a proportion (Clopper and Pearson 1934): at least 95 % whatever the truth, often more.

    Raises `ValueError` unless 0 <= right <= counted.
    """
    if not counted:
        return Interval(None, None, "no_items")
    return Interval(1 - upper_bound(counted - right, counted, 0.975), upper_bound(right, counted, 0.975))


def upper_bound(right: int, counted: int, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a proportion (Clopper and Pearson 1934).

    It is the chance at which no more than `right` of `counted` would be seen with a probability of 1 - confidence.
    Raises `ValueError` unless 0 <= right <= counted and there is something to count.
    """
    if not 0 <= right <= counted or not counted:
        raise ValueError(f"no proportion: {right} of {counted}")
    if right == counted:
        return 1.0
    number = np.arange(right + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((counted - number[:-1]) / number[1:]))])
    low, high = right / counted, 1.0
    while high - low > 1e-15 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        terms = ways + number * math.log(middle) + (counted - number) * math.log1p(-middle)
        low, high = (middle, high) if np.exp(terms).sum() > 1 - confidence else (low, middle)
    return high
