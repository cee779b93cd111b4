"""Ranks as ranges: between which places a model stands, as far as the items that were asked can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import joint
from bench.aggregate import Aggregate, Aggregates, aggregates, by_way
from bench.arrays import Evidence
from bench.difference import stretched

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a model stands among those that are ranked.

    `best` and `worst` are the ends of its rank range; the ranges of all models hold together with 95 % confidence.
    `group` numbers the tie groups from the top: the models that cannot be told from the group's first. `first` is the
    share of resampling rounds in which it is first, `median`, `low` and `high` its middle rank in them and the ranks
    that bound the middle 95 %; these describe the rounds and promise no coverage, as models that tie are shuffled.
    """

    model: str
    best: int
    worst: int
    group: int
    first: float
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's aggregate over the block that it shares with the others, and its rank, or why it has none."""

    aggregate: Aggregate
    rank: Rank | None
    reason: str


def standings(evidence: Evidence) -> list[list[Standing]]:
    """Every model of the evidence, best first, for each task and way of asking; models without a rank come last."""
    found = []
    for cells in by_way(evidence.cells).values():
        made = standing(aggregates(cells, evidence.arrays))
        found.append(
            sorted(made, key=lambda one: (one.rank is None, -(one.aggregate.macro or 0.0), one.aggregate.model))
        )
    return found


def standing(compared: Aggregates) -> list[Standing]:
    """Each aggregate with its rank, in their order."""
    reasons = [why_unranked(one) for one in compared.models]
    numbers = [number for number, reason in enumerate(reasons) if not reason]
    ranked: dict[int, Rank] = {}
    if len(numbers) > 1:
        some = [compared.models[number] for number in numbers]
        # The macro mean is there, else `why_unranked` had said why not.
        values = np.array([one.macro for one in some], dtype=np.float64)
        _, wider, _ = stretched(0.0, -1.0, 1.0, 0.0, min(one.units for one in some))
        found = ranks([one.model for one in some], values, compared.draws[numbers], wider)
        ranked = dict(zip(numbers, found, strict=True))
    return [
        Standing(one, ranked.get(number), "" if number in ranked else reason or "alone")
        for number, (one, reason) in enumerate(zip(compared.models, reasons, strict=True))
    ]


def why_unranked(aggregate: Aggregate) -> str:
    """The reason code of why a model has no rank; empty where it may have one."""
    if aggregate.baseline:
        return "baseline"
    if aggregate.floor:
        return "self_test"
    if aggregate.macro is None:
        return aggregate.reasons["macro"]
    # A macro mean without spread has no interval, but its difference from another's may have one.
    reason = aggregate.reasons.get("macro_low", "")
    return "" if reason == "no_spread" else reason


def ranks(
    names: Sequence[str], values: NDArray[np.float64], draws: NDArray[np.float64], wider: float = 1.0
) -> list[Rank]:
    """The rank of each model from its score (shape models) and its score in every round (models x rounds).

    The rounds are paired: round by round all models saw the same draw. `wider` stretches what a difference must exceed,
    where few units were drawn from.
    """
    better = separable(values, draws, wider)
    groups = _groups(names, values, better)
    places = _places(draws)
    tied = (places == 1).sum(axis=0)
    firsts = ((places == 1) / tied).mean(axis=1)
    low, median, high = np.percentile(places, [2.5, 50, 97.5], axis=1)
    return [
        Rank(
            model=name,
            best=1 + int(better[:, number].sum()),
            worst=len(names) - int(better[number].sum()),
            group=groups[number],
            first=float(firsts[number]),
            median=float(median[number]),
            low=float(low[number]),
            high=float(high[number]),
        )
        for number, name in enumerate(names)
    ]


def separable(values: NDArray[np.float64], draws: NDArray[np.float64], wider: float = 1.0) -> NDArray[np.bool_]:
    """Which model is better than which: true at (a, b) where a is, all of them together with 95 % confidence.

    Every ordered pair is tested by its difference over the difference's standard error, against the 95 % point of the
    largest such statistic in the rounds, centred on the observed differences (Mogstad, Romano, Shaikh and Wilhelm 2024,
    "Inference for Ranks"); pairs that are told apart leave, and the rest is tested anew (Romano and Wolf 2005).
    """
    errors = np.array([(one - draws).std(axis=1, ddof=1) for one in draws])
    differences = values[:, None] - values[None, :]
    spread = errors > joint.CLOSE
    statistics = np.divide(differences, errors * wider, out=np.zeros_like(differences), where=spread)
    # A difference that is the same in every round: all items say so.
    statistics[~spread & (differences > joint.CLOSE)] = np.inf
    noise = draws - values[:, None]
    found = np.isinf(statistics)
    while True:
        largest = np.zeros(draws.shape[1])
        for number in range(len(values)):
            rest = spread[number] & ~found[number]
            if rest.any():
                apart = (noise[number] - noise[rest]) / errors[number, rest, None]
                np.maximum(largest, apart.max(axis=0), out=largest)
        fresh = (statistics > np.quantile(largest, CONFIDENCE, method="higher")) & ~found & (statistics > 0)
        if not fresh.any():
            return found
        found |= fresh


def _groups(names: Sequence[str], values: NDArray[np.float64], better: NDArray[np.bool_]) -> list[int]:
    """Tie groups from the top: of those left the best, and all that cannot be told from it."""
    left = sorted(range(len(names)), key=lambda number: (-values[number], names[number]))
    groups = [0] * len(names)
    group = 0
    while left:
        group += 1
        leader = left[0]
        for number in left:
            if not better[leader, number]:
                groups[number] = group
        left = [number for number in left if better[leader, number]]
    return groups


def _places(draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rank of each model in every round, 1 + how many are above it; equal ones share the better rank."""
    return np.stack([1 + (draws > one + joint.CLOSE).sum(axis=0) for one in draws])
