"""Resampling from sufficient statistics: the bootstrap and approximate randomisation, as products of matrices.

A round of the bootstrap draws units (items, or clusters of items that share a passage) with replacement. What it needs
is how often each unit was drawn, and that times the units' statistics is the round's sums: one product for all rounds,
systems and columns, and no text is scored twice (Koehn 2004; Riezler and Maxwell 2005). Units are drawn as sacreBLEU
draws them, so a seed that is sacreBLEU's gives its samples; sums are exact integers here and float32 there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import gpu
from kernels.base import Backend, Metric, Scores, Statistics
from kernels.gpu import Device

Clusters = Sequence[str] | NDArray[np.int64]
"""The name or number of each item's cluster: what is drawn together."""
BLOCK = 1 << 22
"""How many numbers of a matrix of draws are held at a time."""
EXACT = 2.0**53
"""Below it every integer is a float64, so that a product of matrices rounds nothing."""
CLOSE = 1e-9
"""Differences closer than this are equal: on paper they are, and in floating point the last bit is any."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A system's score less the baseline's, with what resampling says of it.

    `low` and `high` are the 95 % percentile interval, `error` the standard error, `p` two-sided.
    """

    difference: float
    low: float
    high: float
    error: float
    p: float


def multiplicities(units: int, rounds: int, seed: int) -> NDArray[np.int64]:
    """How often each unit is drawn in each round; shape (rounds, units), and every row adds up to `units`.

    The same arguments give the same draws, and fewer rounds give the first ones. Raises `ValueError` for no units.
    """
    drawn = np.empty((rounds, units), dtype=np.int64)
    for block, counts in draws(units, rounds, seed):
        drawn[block] = counts
    return drawn


def draws(units: int, rounds: int, seed: int) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """`multiplicities` by blocks of rounds, for so many units that all rounds at once would not fit in memory."""
    _check(rounds)
    if units < 1:
        raise ValueError("nothing to draw from: no items")
    generator = np.random.default_rng(seed)
    for block in _blocks(units, rounds):
        size = block.stop - block.start
        drawn = generator.integers(units, size=(size, units))
        drawn += units * np.arange(size)[:, None]
        yield block, np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


def _check(rounds: int) -> None:
    if rounds < 1:
        raise ValueError(f"at least 1 round is needed, not {rounds}")


def _blocks(units: int, rounds: int) -> Iterator[slice]:
    # Sizes that 32 divides: NumPy makes 32 random bits at a time and drops those left over at the end of a call.
    size = max(32, BLOCK // max(1, units) // 32 * 32)
    for start in range(0, rounds, size):
        yield slice(start, min(start + size, rounds))


def summed(statistics: Statistics, index: NDArray[np.int64], units: int) -> Statistics:
    """Statistics added up by unit, shape (units, columns); `index` says of each item (row) which unit it belongs to."""
    sums = np.zeros((units, statistics.shape[1]), dtype=np.int64)
    np.add.at(sums, index, statistics)
    return sums


def resampled(metric: Metric, sums: Statistics, counts: NDArray[np.int64], *, backend: Backend = "auto") -> Scores:
    """The corpus score of each round, shape (rounds,), from sums by unit and `multiplicities`."""
    scores = np.empty(len(counts))
    for block in _blocks(counts.shape[1], len(counts)):
        scores[block] = metric.from_statistics(_product(counts[block], sums, backend))
    return scores


def _product(counts: NDArray[Any], sums: Statistics, backend: Backend) -> Statistics:
    """The product of two matrices of integers, exactly: in floating point where no sum is too large for that.

    `auto` is the CPU, where the draws are made.
    """
    device = gpu.chosen("cpu" if backend == "auto" else backend, 0)
    if float(counts.sum(axis=1).max(initial=0)) * float(np.abs(sums).max(initial=0)) >= EXACT:
        exact: Statistics = counts.astype(np.int64) @ sums
        return exact
    one, other = counts.astype(np.float64), sums.astype(np.float64)
    product = gpu.or_else(lambda: _on(device, one, other), lambda: one @ other) if device else one @ other
    return product.astype(np.int64)


def _on(device: Device, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(one), other.shape[1]))
    device.download(device.upload(one) @ device.upload(other), out)
    return out


def paired_bootstrap(
    metric: Metric,
    baseline: Statistics,
    systems: Sequence[Statistics],
    *,
    clusters: Clusters | None = None,
    rounds: int = 1000,
    seed: int,
    backend: Backend = "auto",
) -> list[Difference]:
    """Each system against the baseline on the same items (Koehn 2004), items of a cluster drawn together.

    Statistics have shape (items, columns). p is two-sided: how often a round's difference lies as far from their mean
    as the difference from 0. sacreBLEU and multeval centre |difference| instead, which halves p where the difference is
    clear. Raises `ValueError` for systems of unequal length or no items.
    """
    scores = paired_scores(metric, [baseline, *systems], clusters=clusters, rounds=rounds, seed=seed, backend=backend)
    found = []
    for difference, gained in zip(_differences(metric, baseline, systems), scores[1:] - scores[0], strict=True):
        drawn = gained if np.isnan(difference) else gained[~np.isnan(gained)]  # a round may draw nothing to count
        low, high = np.percentile(drawn, [2.5, 97.5])
        p = _p_value(np.abs(drawn - drawn.mean()), difference)
        found.append(Difference(difference, float(low), float(high), float(drawn.std(ddof=1)), p))
    return found


def paired_scores(
    metric: Metric,
    systems: Sequence[Statistics],
    *,
    clusters: Clusters | None = None,
    rounds: int = 1000,
    seed: int,
    backend: Backend = "auto",
) -> Scores:
    """The score of every system in every round, shape (systems, rounds), all from the same draws."""
    _check(rounds)
    by_unit = _by_unit(systems, clusters)
    units, width = len(by_unit), metric.columns
    scores = np.empty((len(systems), rounds))
    for block, counts in draws(units, rounds, seed):
        sums = _product(counts, by_unit, backend)
        for number in range(len(systems)):
            scores[number, block] = metric.from_statistics(sums[:, number * width : (number + 1) * width])
    return scores


def approximate_randomisation(
    metric: Metric,
    baseline: Statistics,
    systems: Sequence[Statistics],
    *,
    clusters: Clusters | None = None,
    rounds: int = 10_000,
    seed: int,
    backend: Backend = "auto",
) -> list[float]:
    """The two-sided p of each system against the baseline: answers of the two are swapped by chance (Noreen 1989).

    A cluster is swapped whole. Where the models are interchangeable p is right for any number of items. Equal
    differences count as at least as large, so identical systems have p 1; sacreBLEU counts larger ones only. Raises
    `ValueError` for systems of unequal length or no items.
    """
    _check(rounds)
    by_unit = _by_unit([baseline, *systems], clusters)
    width = metric.columns
    totals = by_unit.sum(axis=0)
    first, others = by_unit[:, :width], by_unit[:, width:]
    swap = np.tile(first, len(systems)) - others
    found = np.empty((len(systems), rounds))
    generator = np.random.default_rng(seed)
    for block in _blocks(len(by_unit), rounds):
        swapped = generator.integers(2, size=(block.stop - block.start, len(by_unit)), dtype=np.bool_)
        made = _product(swapped, swap, backend) + totals[width:]
        for number in range(len(systems)):
            one = made[:, number * width : (number + 1) * width]
            both = totals[:width] + totals[(number + 1) * width : (number + 2) * width]
            found[number, block] = np.abs(metric.from_statistics(one) - metric.from_statistics(both - one))
    differences = _differences(metric, baseline, systems)
    return [_p_value(drawn, one) for drawn, one in zip(found, differences, strict=True)]


def sign_flip(differences: NDArray[np.int64]) -> float:
    """The two-sided p of a sum of integers whose signs chance may turn, exact: all 2^units patterns are counted.

    It is what `approximate_randomisation` comes to with endless rounds where the score is a sum over units (right
    answers of one system less the other's, by cluster); with units of one answer each it is McNemar's exact test.
    """
    sizes = np.abs(differences[differences != 0])
    total, observed = int(sizes.sum()), int(np.abs(differences.sum()))
    chances = np.zeros(total + 1)  # of each sum of the sizes whose sign is positive
    chances[0] = 1.0
    reached = 0
    for size in sizes.tolist():
        kept = chances[: reached + 1] / 2
        reached += size
        chances[: reached + 1] = 0.0
        chances[: len(kept)] = kept
        chances[size : reached + 1] += kept
    sums = 2 * np.arange(total + 1) - total
    return max(float(min(1.0, chances[np.abs(sums) >= observed].sum())), sys.float_info.min)


def _by_unit(systems: Sequence[Statistics], clusters: Clusters | None) -> Statistics:
    """The statistics of all systems side by side, one row a unit."""
    items = len(systems[0])
    if any(len(one) != items for one in systems):
        raise ValueError(f"systems of unequal length: {', '.join(str(len(one)) for one in systems)} items")
    if not items:
        raise ValueError("nothing to resample: no items")
    together = np.concatenate(systems, axis=1)
    if clusters is None:
        return together
    if len(clusters) != items:
        raise ValueError(f"{items} items but {len(clusters)} clusters: each item needs its own's name")
    return summed(together, *numbered(clusters))


def numbered(clusters: Clusters) -> tuple[NDArray[np.int64], int]:
    """Each item's cluster as a number, in the order of the names, and how many there are.

    Not by `numpy.unique`, which takes names for equal that differ in NULs at their ends.
    """
    names = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.fromiter((numbers[name] for name in names), np.int64, len(names)), len(numbers)


def _differences(metric: Metric, baseline: Statistics, systems: Sequence[Statistics]) -> list[float]:
    first, *others = metric.from_statistics(np.stack([one.sum(axis=0) for one in (baseline, *systems)])).tolist()
    return [other - first for other in others]


def _p_value(drawn: Scores, difference: float) -> float:
    """The share of rounds that are as extreme, the observed one among them (Phipson and Smyth 2010): never 0."""
    # A round that drew nothing to count speaks against no difference, and without one to speak of p is 1.
    extreme = int(np.count_nonzero(~(drawn < abs(difference) - CLOSE)))
    return (extreme + 1) / (len(drawn) + 1)
