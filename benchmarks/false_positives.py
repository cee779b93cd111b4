"""How often a comparison calls one of two equal models better, and how often it finds a difference that is there.

    python benchmarks/false_positives.py [SIMULATIONS]

Both models answer the same simulated items, whose difficulty they share; in clusters each has its good and bad ones
besides. Prints for each design the share of simulations that ended in `better` and in `worse` (equal models: at most
2.5 % each is what a two-sided 5 % allows), how often the 95 % interval held the truth, and how often a difference of
the given size was found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import kernels
from bench.difference import TRIALS, Pair, difference, holm
from kernels import Metric

Statistics = NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """Items in clusters, how two models answer them, and a difference worth finding (in logits, or in noise)."""

    name: str
    metric: Metric
    clusters: int
    each: int
    effect: float

    def draw(self, generator: np.random.Generator, effect: float) -> Pair:
        """Both models' statistics on newly drawn items."""
        make = _shares if self.metric.binary else _texts
        baseline, system = make(self, generator, effect)
        return Pair(self.metric, baseline, system, [f"{number // self.each:06d}" for number in range(len(baseline))])


def _shares(design: Design, generator: np.random.Generator, effect: float) -> tuple[Statistics, Statistics]:
    shape = (design.clusters, design.each)
    difficulty = generator.normal(0, 1, shape) + generator.normal(0, 1, (design.clusters, 1))
    sides = []
    for shift in (0.0, effect):
        # A model's own strength in a cluster: without it clusters would not matter to a paired difference.
        strength = generator.normal(0, 0.8 if design.each > 1 else 0.0, (design.clusters, 1)) + shift
        right = generator.random(shape) < 1 / (1 + np.exp(difficulty - strength))
        sides.append(np.stack([right.ravel(), np.ones(right.size)], axis=1).astype(np.int64))
    return sides[0], sides[1]


def _texts(design: Design, generator: np.random.Generator, effect: float) -> tuple[Statistics, Statistics]:
    """Sums such as chrF's: n-grams of hypothesis and reference, and how many of them match, of six orders."""
    shape = (design.clusters, design.each)
    length = generator.integers(30, 220, shape)
    ease = generator.normal(0, 0.5, shape) + generator.normal(0, 0.3, (design.clusters, 1))
    sides = []
    for shift in (0.0, effect):
        skill = ease + generator.normal(shift, 0.25, (design.clusters, 1)) + generator.normal(0, 0.3, shape)
        written = np.maximum(8, (length * generator.normal(1, 0.08, shape)).astype(np.int64))
        columns = []
        for order in range(6):
            share = 1 / (1 + np.exp(0.5 * order - 1 - skill))
            both = generator.binomial(np.minimum(written, length) - order, share)
            columns += [written - order, length - order, both]
        sides.append(np.stack([column.ravel() for column in columns], axis=1).astype(np.int64))
    return sides[0], sides[1]


ACCURACY, CHRF = kernels.metric("accuracy"), kernels.metric("chrf")
DESIGNS = (
    Design("accuracy, 50 items", ACCURACY, 50, 1, 1.5),
    Design("accuracy, 200 items", ACCURACY, 200, 1, 0.8),
    Design("accuracy, 1,000 items", ACCURACY, 1000, 1, 0.4),
    Design("accuracy, 10 clusters of 20", ACCURACY, 10, 20, 2.0),
    Design("accuracy, 20 clusters of 10", ACCURACY, 20, 10, 1.2),
    Design("accuracy, 40 clusters of 10", ACCURACY, 40, 10, 0.8),
    Design("chrF, 10 documents of 10", CHRF, 10, 10, 0.6),
    Design("chrF, 20 documents of 10", CHRF, 20, 10, 0.4),
    Design("chrF, 40 documents of 5", CHRF, 40, 5, 0.25),
    Design("chrF, 100 sentences", CHRF, 100, 1, 0.2),
)


@dataclass
class Tally:
    """Counts over simulations."""

    better: int = 0
    worse: int = 0
    covered: int = 0


def simulate(design: Design, simulations: int, effect: float = 0.0, trials: int = TRIALS) -> Tally:
    """Compares two models so many times, each time on new items; whether the interval holds 0 is in `covered`."""
    generator = np.random.default_rng(20_411)
    tally = Tally()
    for number in range(simulations):
        pair = design.draw(generator, effect)
        first, second = pair.metric.from_statistics(np.stack([pair.baseline.sum(axis=0), pair.system.sum(axis=0)]))
        found = difference(pair, number, trials)
        tally.better += found.p <= 0.05 and second > first
        tally.worse += found.p <= 0.05 and second < first
        tally.covered += found.low <= 0 <= found.high
    return tally


def family(designs: Sequence[Design], simulations: int, draw: Callable[[], float] = lambda: 0.0) -> float:
    """How often any of the designs, compared in one call with Holm's p, is called better or worse."""
    generator = np.random.default_rng(20_412)
    wrong = 0
    for number in range(simulations):
        p = [difference(design.draw(generator, draw()), number, 1000).p for design in designs]
        wrong += min(holm(p)) <= 0.05
    return wrong / simulations


def main(simulations: int) -> None:
    """Prints a row a design."""
    print(f"{simulations:,} simulations of each; equal models, then one that is really better")
    print(f"{'design':30} {'better':>8} {'worse':>8} {'covered':>8} {'found':>8} {'seconds':>8}")
    for design in DESIGNS:
        started = time.perf_counter()
        equal = simulate(design, simulations)
        unequal = simulate(design, max(100, simulations // 10), design.effect)
        rates = [equal.better, equal.worse, equal.covered, unequal.better / max(100, simulations // 10) * simulations]
        told = " ".join(f"{rate / simulations:8.1%}" for rate in rates)
        print(f"{design.name:30} {told} {time.perf_counter() - started:8.1f}", flush=True)
    any_of = family(DESIGNS[:6] * 3, simulations)
    print(f"any verdict among 18 comparisons of equal models, Holm's p: {any_of:.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
