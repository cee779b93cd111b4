"""Means over languages and their intervals, from draws that all languages share.

Parallel benchmarks ask the same items in every language, and what is hard in one is hard in most. A round of resampling
therefore draws units (items, or passages) once for all languages and models of a task; drawn for each language alone,
what they share would cancel out and the interval come out several times too narrow. Pure functions of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.difference import stretched
from bench.statistics import CLUSTERS_NEEDED
from kernels import Metric
from kernels.resampling import draws as multiplicities
from kernels.resampling import resampled, summed

CLOSE = 1e-9
"""Normalised scores closer than this differ by rounding alone."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A cell's scores: `statistics` (items x columns) and, item by item, its id and the unit it is drawn with."""

    items: tuple[str, ...]
    units: tuple[str, ...]
    statistics: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over languages with its 95 % interval; `reason` says why the ends, or all three, are None."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""


def draws(metric: Metric, scored: Sequence[Scored], units: Sequence[str], rounds: int, seed: int) -> Matrix:
    """The corpus score of each array of scores in every round, shape (arrays, rounds), all from the same draws.

    `units` names everything that is drawn from, in order. A round that draws nothing of an array gives its own score.
    """
    places = {unit: number for number, unit in enumerate(units)}
    own_units, sums = [], []  # each array's own units alone: languages that share nothing would make a matrix of zeros
    for one in scored:
        own, index = np.unique([places[unit] for unit in one.units], return_inverse=True)
        own_units.append(own)
        sums.append(summed(one.statistics, index, len(own)))
    known = metric.from_statistics(np.stack([one.statistics.sum(axis=0) for one in scored]))
    scores = np.empty((len(scored), rounds))
    for block, counts in multiplicities(len(units), rounds, seed):
        for number, (own, rows) in enumerate(zip(own_units, sums, strict=True)):
            drawn = counts if len(own) == len(units) else counts[:, own]
            scores[number, block] = np.where(drawn.any(axis=1), resampled(metric, rows, drawn), known[number])
    return scores


def weighted(values: Vector, drawn: Matrix, weights: Vector, units: int, floors: Vector | None = None) -> Estimate:
    """The weighted mean over languages with the percentile interval of its draws (Efron 1979).

    `values` has shape (languages,), `drawn` (languages, rounds); `units` is how many a language has, `floors` is what
    a language scores at worst, chance being 0.
    """
    shares = weights / weights.sum()
    value = float(shares @ values)
    if units < CLUSTERS_NEEDED:
        return Estimate(value, None, None, "too_few_clusters")
    rounds = shares @ drawn
    if np.ptp(rounds) < CLOSE:
        return Estimate(value, None, None, "no_spread")
    low, high = np.percentile(rounds, [2.5, 97.5]).tolist()
    return _within(value, low, high, units, -math.inf if floors is None else float(shares @ floors))


def worst_decile(values: Vector, drawn: Matrix, units: int, floors: Vector | None = None) -> Estimate:
    """The mean of the lowest tenth of the languages, of at least one, with its interval.

    Which languages are lowest is chance in part, and the lowest scores are low by bad luck too: the percentile interval
    of each round's lowest tenth, biased twice, can miss the truth four times in five. With e the noise of a language's
    score, the observed mean lies below the true one by no more than the mean of the lowest e of all languages that may
    be among the lowest, and above it by no more than the e of those that truly are. Languages may be among the lowest
    where they are within sqrt(log languages) standard errors of the last that is (Andrews and Soares 2010).
    """
    number = max(1, len(values) // 10)
    order = np.argsort(values, kind="stable")
    lowest, last = order[:number], order[number - 1]
    value = float(values[lowest].mean())
    if units < CLUSTERS_NEEDED:
        return Estimate(value, None, None, "too_few_clusters")
    noise = drawn - values[:, None]
    room = math.sqrt(math.log(max(3, len(values)))) * (drawn - drawn[last]).std(axis=1)
    candidates = values <= values[last] + room + CLOSE
    above = noise[lowest].mean(axis=0)
    below = np.partition(noise[candidates], number - 1, axis=0)[:number].mean(axis=0)
    if max(np.ptp(above), np.ptp(below)) < CLOSE:
        return Estimate(value, None, None, "no_spread")
    low = value - max(0.0, float(np.percentile(above, 97.5)))
    high = value - min(0.0, float(np.percentile(below, 2.5)))
    return _within(value, low, high, units, -math.inf if floors is None else float(floors.min()))


def _within(value: float, low: float, high: float, units: int, floor: float) -> Estimate:
    """The interval, wider for few units, and cut where no score can be: at 1 and at the floor."""
    low, high, _ = stretched(value, low, high, 0.0, units)
    return Estimate(value, min(value, max(floor, low)), max(value, min(1.0, high)))
