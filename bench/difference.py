"""Two systems on the same items: interval, standard error and p of what one scores more than the other."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.statistics import Z, t_quantile
from kernels.base import Metric, Statistics
from kernels.resampling import approximate_randomisation, numbered, paired_bootstrap, sign_flip, summed

ROUNDS = 1000
TRIALS = 10_000
CLUSTERS_FOR_NORMAL = 30
"""With fewer clusters the quantile is Student's, not the normal distribution's."""
DETECTABLE = Z + 0.8416212335729143
"""Standard errors from 0 of the difference that a two-sided test at 5 % finds in 80 % of cases: z .975 + z .8 = 2.8."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs' statistics (items x columns) of the items that both scored; `units` says what is drawn together."""

    metric: Metric
    baseline: Statistics
    system: Statistics
    units: Sequence[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a pair's statistics say of the difference."""

    low: float
    high: float
    error: float
    test: str
    p: float


def difference(pair: Pair, seeded: int, trials: int = TRIALS) -> Evidence:
    """Interval, standard error and p of a system's score less the baseline's.

    Shares of right answers: McNemar's exact test, or where items share clusters the clusters' signs turned by chance,
    exactly too; the interval is Agresti and Min's (2005) on effective items. Other metrics, and items that were asked
    several times: approximate randomisation over clusters, and the percentile bootstrap, stretched for few clusters.
    """
    index, clusters = numbered(pair.units)
    if pair.metric.binary and pair.baseline[:, 1].max() <= 1:
        gained = pair.system[:, 0] - pair.baseline[:, 0]
        low, high, error = _of_shares(gained, index, clusters)
        if clusters == len(gained):
            p = mcnemar(int((gained < 0).sum()), int((gained > 0).sum()))
            return Evidence(low, high, error, "mcnemar_exact", p)
        by_cluster = summed(gained[:, None], index, clusters)[:, 0]
        return Evidence(low, high, error, "sign_flip_exact", sign_flip(by_cluster))
    both = (pair.baseline, [pair.system])
    (found,) = paired_bootstrap(pair.metric, *both, clusters=index, rounds=ROUNDS, seed=seeded)
    (p,) = approximate_randomisation(pair.metric, *both, clusters=index, rounds=trials, seed=seeded)
    low, high, error = stretched(found.difference, found.low, found.high, found.error, clusters)
    return Evidence(*within(pair.metric, found.difference, low, high), error, "approximate_randomisation", p)


def within(metric: Metric, value: float, low: float, high: float) -> tuple[float, float]:
    """An interval of a difference, no wider than the metric's scale, with the difference itself in it."""
    most = metric.best if metric.higher_is_better else math.inf
    return min(value, max(low, -most)), max(value, min(high, most))


def mcnemar(baseline_only: int, system_only: int, *, mid_p: bool = False) -> float:
    """McNemar's exact two-sided p (1947) of the items that only one of the two got right: binomial, one half.

    `mid_p` counts the observed table by half (Fagerland and others 2013): less conservative, and no longer exact.
    """
    discordant, fewer = baseline_only + system_only, min(baseline_only, system_only)
    below, ways = 0, 1  # ways: of choosing `number` out of the discordant ones; integers, so nothing is rounded
    for number in range(fewer + 1):
        below += ways
        ways = ways * (discordant - number) // (number + 1)
    if mid_p:
        return _chance(2 * below - math.comb(discordant, fewer), 2**discordant)
    return _chance(2 * below, 2**discordant)


def _chance(ways: int, of: int) -> float:
    """At most 1, and never 0: what is too small for a float is the smallest there is."""
    return float(min(1.0, max(sys.float_info.min, ways / of)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p (1979): at level a, the chance of any false rejection is at most a, however they depend."""
    ranked = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values)[ranked] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[ranked] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(one) for one in adjusted]


def _of_shares(gained: NDArray[np.int64], index: NDArray[np.int64], clusters: int) -> tuple[float, float, float]:
    """Interval and clustered standard error of a mean of -1, 0 and 1."""
    items, mean = len(gained), float(gained.mean())
    apart = np.bincount(index, weights=gained - mean, minlength=clusters)
    robust = clusters / (clusters - 1) * float((apart**2).sum()) / items**2
    naive = (float((gained**2).mean()) - mean**2) / (items - 1)
    if not naive:
        effective = float(clusters)  # all differ alike: that shows no spread, so a cluster counts as one item
    elif robust > naive:
        effective = items * naive / robust
    else:
        effective = float(items)
    up, down = (effective * float((gained == sign).mean()) for sign in (1, -1))
    centre = (up - down) / (effective + 2)
    half = quantile(clusters) * math.sqrt(up + down + 1 - (up - down) * centre) / (effective + 2)
    return max(-1.0, centre - half), min(1.0, centre + half), math.sqrt(robust)


def quantile(clusters: int) -> float:
    """The 97.5 % point: Student's with fewer than 30 clusters, which say less of their own spread."""
    return Z if clusters >= CLUSTERS_FOR_NORMAL else float(t_quantile(clusters - 1))


def stretched(centre: float, low: float, high: float, error: float, clusters: int) -> tuple[float, float, float]:
    """A bootstrap's interval and standard error, wider for few clusters: it takes them for the whole population."""
    unbiased = math.sqrt(clusters / (clusters - 1))
    wider = quantile(clusters) / Z * unbiased if clusters < CLUSTERS_FOR_NORMAL else 1.0
    return centre + wider * (low - centre), centre + wider * (high - centre), error * unbiased
