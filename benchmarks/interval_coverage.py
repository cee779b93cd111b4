"""How often the 95 % intervals of `bench/statistics.py` hold the truth, and how wide they are.

    python benchmarks/interval_coverage.py [--rounds N]

Three tables. The first is exact: Wilson's interval is enumerated over all possible numbers of right answers. In the
other two every setting is drawn anew in each round, and coverage is the share of rounds whose interval held the truth,
so it is itself uncertain by sqrt(0.05 * 0.95 / rounds): 0.5 points with 2,000 rounds, and the lowest of thousands of
settings may lie three times that below its own truth. Shares have `rounds` rounds a setting; corpus scores, whose
bootstrap is slow, a fifth of them.

95 % is what is promised, on average; 92 % is the least that is accepted in any one setting. `width` is the mean width
on the metric's scale. A setting named `hard` is there to show where the intervals fail: an outlier that no sample of
ten or twenty documents holds cannot be told from that sample, by any method.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

import kernels
from bench.statistics import bootstrap, clustered_shares, wilson
from kernels.base import UNIT, Metric
from kernels.proportion import Proportion

Vector = NDArray[np.float64]
Statistics = NDArray[np.int64]
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
CLUSTERS = (10, 15, 20, 29, 30, 40, 100, 200)
SIZES: dict[str, tuple[int, ...]] = {
    "2": (2,),
    "3": (3,),
    "5": (5,),
    "10": (10,),
    "1-12": (1, 1, 2, 2, 3, 4, 5, 8, 12, 1),
}
"""Items of the clusters, in turn."""
DEPENDENCE = (
    ("beta", 0.0),
    ("beta", 0.1),
    ("beta", 0.3),
    ("beta", 0.6),
    ("probit", 0.2),
    ("probit", 0.5),
    ("probit", 0.8),
)
"""How items of a cluster are alike: by a share of its own (a beta distribution with that correlation of two answers),
or by a normal part that they have in common (with that correlation on the latent scale)."""
DOCUMENTS = (10, 20, 29, 40, 100)


@dataclass(frozen=True, slots=True)
class Found:
    """What one setting gave."""

    coverage: float
    width: float
    setting: str


def main() -> None:
    """Prints the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2000, help="simulations of each setting (2000)")
    rounds = parser.parse_args().rounds
    started = time.perf_counter()
    print("Wilson, exact, p = 0.02 to 0.98 in steps of 0.001")
    for items in (30, 100, 1000):
        lowest, mean, at = enumerated(items, 0.001)
        print(f"  {items:5} items            min {lowest:.4f} at p = {at:.3f}  mean {mean:.4f}")
    print("\nShares in clusters, over p = 0.02 to 0.98 and seven kinds of dependence")
    shares: list[Found] = []
    for clusters in CLUSTERS:
        for name in SIZES:
            shares += _line(f"{clusters} clusters of {name}", list(clustered_settings(clusters, name, rounds)), started)
    summary(shares)
    print("\nCorpus scores, over numbers of documents")
    corpora = [_line(name, list(corpus_settings(name, rounds // 5)), started) for name in CORPORA]
    usual = [found for name, each in zip(CORPORA, corpora, strict=True) for found in each if "hard" not in name]
    summary(usual, "without the hard ones")


def _line(name: str, found: list[Found], started: float) -> list[Found]:
    print(f"{time.perf_counter() - started:4.0f} s  {name}", file=sys.stderr)
    lowest = min(found, key=lambda one: one.coverage)
    mean, width = (np.mean([getattr(one, field) for one in found]) for field in ("coverage", "width"))
    print(f"  {name:28} min {lowest.coverage:.4f} at {lowest.setting:32} mean {mean:.4f}  width {width:.3f}")
    return found


def summary(found: list[Found], which: str = "") -> None:
    """The line under a table."""
    coverage = np.array([one.coverage for one in found])
    below = int((coverage < 0.92).sum())
    print(
        f"  {len(found)} settings {which:22} min {coverage.min():.4f}  mean {coverage.mean():.4f}  under 0.92: {below}"
    )


def enumerated(items: int, step: float) -> tuple[float, float, float]:
    """Wilson's exact coverage over p = 0.02 to 0.98: the lowest, the mean, and where the lowest is."""
    ends = [wilson(right, items) for right in range(items + 1)]
    low, high = (np.array([getattr(one, end) for one in ends]) for end in ("low", "high"))
    number = np.arange(items + 1)
    factorials = np.array([math.lgamma(n + 1) for n in range(items + 1)])
    ways = factorials[-1] - factorials - factorials[::-1]
    chances = np.round(np.arange(0.02, 0.98 + step / 2, step), 9)
    log = ways + number * np.log(chances)[:, None] + (items - number) * np.log1p(-chances)[:, None]
    held = (low <= chances[:, None]) & (chances[:, None] <= high)
    coverage = (np.exp(log) * held).sum(axis=1)
    return float(coverage.min()), float(coverage.mean()), float(chances[coverage.argmin()])


def clustered_settings(clusters: int, size: str, rounds: int) -> Iterator[Found]:
    """Every share and dependence for one number and size of clusters."""
    counted = np.resize(np.array(SIZES[size], dtype=np.float64), clusters)
    for family, alike in DEPENDENCE:
        for share in SHARES:
            # The same seed wherever the setting stands in the table.
            parts = (clusters, counted.sum(), alike * 10, share * 100)
            generator = np.random.default_rng([round(part) for part in parts])
            right = answers(generator, family, alike, share, counted, rounds)
            low, high = clustered_shares(right, counted)
            held = (low <= share) & (share <= high)
            yield Found(float(held.mean()), float((high - low).mean()), f"p = {share}, {family} {alike}")


def answers(
    generator: np.random.Generator, family: str, alike: float, share: float, counted: Vector, rounds: int
) -> Vector:
    """Right answers by cluster, shape (rounds, clusters), where a share of all is right."""
    shape = (rounds, len(counted))
    if family == "probit":
        items = int(counted.max())
        common = generator.standard_normal((*shape, 1), dtype=np.float32)
        own = generator.standard_normal((*shape, items), dtype=np.float32)
        there = np.arange(items) < counted[:, None]
        met = math.sqrt(alike) * common + math.sqrt(1 - alike) * own < NormalDist().inv_cdf(share)
        right: Vector = (met & there).sum(axis=-1).astype(np.float64)
        return right
    chances = np.full(shape, share)
    if alike:
        scale = 1 / alike - 1
        chances = generator.beta(share * scale, (1 - share) * scale, shape)
    return generator.binomial(counted.astype(np.int64), chances).astype(np.float64)


class ErrorRate(Proportion):
    """Errors over length: 0 is best and nothing is worst."""

    best = 0.0
    higher_is_better = False
    binary = False


def documents(
    generator: np.random.Generator, count: int, good: float, same: float, uneven: float, lost: float = 0.0
) -> Statistics:
    """Statistics of chrF: how good on average, how much the same, how uneven in length, what share of them is lost.

    The share of n-grams that match is beta distributed for `same` pseudo-observations and falls with n; lengths are
    log-normal about 600 characters, with `uneven` their standard deviation in natural logarithms.
    """
    length = np.ceil(600 * np.exp(generator.normal(0, uneven, count))) + 6
    written = np.ceil(length * np.exp(generator.normal(0, 0.1, count))) + 6
    quality = generator.beta(good * same, (1 - good) * same, count)
    quality[generator.random(count) < lost] = 0.02
    columns = []
    for order in range(1, 7):
        hypothesis, reference = written - order + 1, length - order + 1
        match = np.floor(np.minimum(hypothesis, reference) * quality ** ((order + 1) / 2))
        columns += [hypothesis, reference, match]
    return np.stack(columns, axis=1).astype(np.int64)


def fractions(generator: np.random.Generator, count: int, each: int, top: float, alike: float) -> Statistics:
    """Sums of token F1 over passages of `each` questions: a share `top` has exactly 1, the others less."""
    perfect = answers(generator, "beta", alike, top, np.full(count, float(each)), 1)[0].astype(np.int64)
    partial = np.arange(each) < each - perfect[:, None]
    scores = perfect + (generator.beta(1, 1.5, (count, each)) * partial).sum(axis=1)
    return np.stack([np.rint(scores * UNIT), np.full(count, each * UNIT)], axis=1).astype(np.int64)


def reversed_fractions(generator: np.random.Generator, count: int, each: int, top: float, alike: float) -> Statistics:
    """The same with 0 in the place of 1."""
    score, counted = fractions(generator, count, each, top, alike).T
    return np.stack([counted - score, counted], axis=1)


def errors(generator: np.random.Generator, count: int, uneven: float, runaway: float = 0.0) -> Statistics:
    """Word errors of documents; a share `runaway` has twice as many errors as words, or any number."""
    words = np.ceil(100 * np.exp(generator.normal(0, uneven, count)))
    rate = generator.beta(2, 6, count)
    wild = generator.random(count) < runaway
    rate[wild] = np.exp(generator.normal(0.7, 0.8, int(wild.sum())))
    return np.stack([np.rint(words * rate), words], axis=1).astype(np.int64)


CHRF, F1, RATE = kernels.metric("chrf"), kernels.metric("accuracy"), ErrorRate("errors", "version:1")
CORPORA: dict[str, tuple[Metric, Callable[..., Statistics], tuple[float, ...]]] = {
    "chrF 48": (CHRF, documents, (0.65, 30, 0.5)),
    "chrF 48, uneven quality": (CHRF, documents, (0.65, 10, 0.5)),
    "chrF 48, uneven length": (CHRF, documents, (0.65, 20, 0.9)),
    "chrF 16": (CHRF, documents, (0.3, 10, 0.5)),
    "chrF 87": (CHRF, documents, (0.93, 40, 0.5)),
    "F1, half at 1": (F1, fractions, (1, 0.5, 0)),
    "F1, nine in ten at 1": (F1, fractions, (1, 0.9, 0)),
    "F1, the same by fives": (F1, fractions, (5, 0.9, 0.3)),
    "F1, 97 % at 1, by threes": (F1, fractions, (3, 0.97, 0.3)),
    "F1, nine in ten at 0": (F1, reversed_fractions, (2, 0.9, 0.2)),
    "errors": (RATE, errors, (0.5,)),
    "hard: chrF 3, most near 0": (CHRF, documents, (0.07, 6, 0.8)),
    "hard: chrF, 5 % lost": (CHRF, documents, (0.93, 40, 0.5, 0.05)),
    "hard: errors, 5 % run away": (RATE, errors, (0.7, 0.05)),
}


def corpus_settings(name: str, rounds: int) -> Iterator[Found]:
    """Every number of documents for one kind of corpus score."""
    metric, draw, options = CORPORA[name]
    many = draw(np.random.default_rng(0), 200_000, *options)
    truth = float(metric.from_statistics(many.sum(axis=0, keepdims=True))[0])
    for count in DOCUMENTS:
        generator = np.random.default_rng([count, len(name)])
        names = [f"{number:03d}" for number in range(count)]
        held, width = 0, 0.0
        for number in range(rounds):
            found = bootstrap(metric, draw(generator, count, *options), names, number)
            if found.low is not None and found.high is not None:
                held += found.low <= truth <= found.high
                width += found.high - found.low
        yield Found(held / rounds, width / rounds, f"{count} documents, truth {truth:.3f}")


if __name__ == "__main__":
    main()
