"""sacreBLEU's confidence intervals and paired tests: its random stream, its arithmetic, its numbers to the last bit.

sacreBLEU 2.6 gathers the statistics of every round, segments times rounds rows of them. Here a round is how often each
segment was drawn, and all rounds of all systems and metrics are one product of matrices, in blocks of bounded memory.
sacreBLEU adds up in float32, which is exact while no sum reaches 2**24. Beyond it, or where TER's mean reference
lengths are no whole numbers, its sums depend on the order of addition; those are added up one by one in that order.
Of all numbers only TER's by three, five and more references, whose mean lengths no float64 holds, can differ from
sacreBLEU's: the score of the whole corpus and of a shuffle, in the last bit, and with it a p where differences tie.

For what the project itself claims of two systems see `kernels.resampling`, whose p is two-sided. Here p is sacreBLEU's,
which centres the absolute differences (Koehn 2004; Riezler and Maxwell 2005 for approximate randomisation).
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kernels.base import Metric, Statistics
from kernels.compiled import compiled
from kernels.sacrebleu_scores import resampled_scores, shuffled_scores, single

Test = Literal["bs", "ar"]
ROUNDS: dict[Test, int] = {"bs": 1000, "ar": 10_000}
"""sacreBLEU's defaults for the paired bootstrap and for approximate randomisation."""
BLOCK = 1 << 21
"""How many draws are held at a time; they and their counts stay in a core's cache."""
WHOLE_SINGLE, WHOLE_DOUBLE = 2**24, 2**53
"""Below these every integer is a float32 or a float64, and so is every sum of them."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """A bootstrap's mean, half the width of its 95 % interval, and the score of each round in sacreBLEU's precision."""

    mean: float
    ci: float
    scores: NDArray[Any]


@dataclass(frozen=True, slots=True)
class PairedResult:
    """A system's score and the p of its difference from the baseline; the baseline itself has none.

    `mean` and `ci` are the bootstrap's; None where there was none.
    """

    score: float
    p: float | None = None
    mean: float | None = None
    ci: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric and its statistics of every system, the baseline's first; each has shape (segments, columns)."""

    metric: Metric
    systems: Sequence[Statistics]


def environment_seed() -> int | None:
    """The seed that SACREBLEU_SEED names: 12345 unless set, None for `none`. Raises `ValueError` for anything else."""
    told = os.environ.get("SACREBLEU_SEED", "12345")
    if told.lower() == "none":
        return None
    if not told.isdecimal():
        raise ValueError(f"SACREBLEU_SEED is {told!r}; it must be a whole number of 0 or more, or none")
    return int(told)


def confidences(
    systems: Sequence[tuple[Metric, Statistics]], rounds: int = ROUNDS["bs"], seed: int | None = 12345
) -> list[Confidence]:
    """The bootstrap of one corpus by several metrics, all from the same draws, as `sacrebleu --confidence` has it.

    Raises `ValueError` for no segments, no rounds or a negative seed.
    """
    _check([rows for _, rows in systems], rounds)
    drawn = _bootstrap(systems, rounds, np.random.default_rng(seed))
    return [_confidence(scores) for scores in drawn]


def confidence(metric: Metric, rows: Statistics, rounds: int = ROUNDS["bs"], seed: int | None = 12345) -> Confidence:
    """`confidences` of one metric; `rows` has shape (segments, columns)."""
    (found,) = confidences([(metric, rows)], rounds, seed)
    return found


def _confidence(scores: NDArray[Any]) -> Confidence:
    """The mean is that of `statistics.mean`, exact and rounded once to the scores' own precision; NumPy's is not."""
    mean = statistics.mean(list(scores) if scores.dtype == np.float32 else scores.tolist())
    return Confidence(float(mean), _estimate(scores)[1], scores)


def _estimate(scores: NDArray[Any]) -> tuple[float, float]:
    """The mean of the sorted scores (their order tells in float32) and half the width of the 95 % interval."""
    ordered = np.sort(scores)
    below = len(ordered) // 40
    return float(ordered.mean()), float(0.5 * (ordered[len(ordered) - below - 1] - ordered[below]))


def paired(
    comparisons: Sequence[Comparison],
    test: Test = "bs",
    rounds: int = 0,
    seed: int | None = 12345,
    confidence_rounds: int = 0,
) -> list[list[PairedResult]]:
    """Each system against the first by each metric, all from the same draws, as sacreBLEU's `PairedTest`.

    `test` is `bs`, the paired bootstrap, or `ar`, approximate randomisation, which has a mean and an interval only
    with `confidence_rounds` above 0. No `rounds` are `ROUNDS`. One list a comparison, one result a system. Raises
    `ValueError` for systems of unequal length, no segments or a negative seed.
    """
    rounds = rounds or ROUNDS[test]
    _check([system for comparison in comparisons for system in comparison.systems], rounds)
    generator = np.random.default_rng(seed)
    if test == "bs":
        drawn = _bootstrap_all(comparisons, rounds, generator)
        return [_centred(comparison, scores) for comparison, scores in zip(comparisons, drawn, strict=True)]
    values = _randomised(comparisons, rounds, generator)
    found = [
        [PairedResult(score, p) for score, p in zip(_scores(comparison), [None, *ps], strict=True)]
        for comparison, ps in zip(comparisons, values, strict=True)
    ]
    if confidence_rounds <= 0:
        return found
    # The systems are resampled from where the shuffles left the stream; the baseline from its start.
    firsts = [Comparison(one.metric, one.systems[:1]) for one in comparisons]
    others = [Comparison(one.metric, one.systems[1:]) for one in comparisons]
    start = _bootstrap_all(firsts, confidence_rounds, np.random.default_rng(seed))
    after = _bootstrap_all(others, confidence_rounds, generator)
    return [
        [
            PairedResult(result.score, result.p, *_estimate(scores))
            for result, scores in zip(results, [*first, *rest], strict=True)
        ]
        for results, first, rest in zip(found, start, after, strict=True)
    ]


def _check(systems: Sequence[Statistics], rounds: int) -> None:
    lengths = {len(system) for system in systems}
    if len(lengths) > 1:
        raise ValueError(f"systems of unequal length: {', '.join(str(len(system)) for system in systems)} segments")
    if not lengths or not max(lengths):
        raise ValueError("nothing to resample: no segments")
    if rounds < 1:
        raise ValueError(f"resampling needs at least 1 round, not {rounds}")


def _scores(comparison: Comparison) -> list[float]:
    sums = np.stack([system.sum(axis=0) for system in comparison.systems])
    return [float(score) for score in comparison.metric.from_statistics(sums)]


def _centred(comparison: Comparison, drawn: Sequence[NDArray[Any]]) -> list[PairedResult]:
    first, *others = _scores(comparison)
    results = [PairedResult(first, None, *_estimate(drawn[0]))]
    for score, scores in zip(others, drawn[1:], strict=True):
        differences = np.abs(scores - drawn[0])
        p = _p_value(differences - differences.mean(), abs(first - score))
        results.append(PairedResult(score, p, *_estimate(scores)))
    return results


def _p_value(drawn: NDArray[Any], difference: float) -> float:
    """Larger ones only: a system against itself has a difference of 0, and p 1 / (rounds + 1)."""
    return (int(np.count_nonzero(drawn > difference)) + 1) / (len(drawn) + 1)


def _bootstrap_all(
    comparisons: Sequence[Comparison], rounds: int, generator: np.random.Generator
) -> list[list[NDArray[Any]]]:
    """The scores of every system in every round, comparison by comparison."""
    systems = [(comparison.metric, system) for comparison in comparisons for system in comparison.systems]
    drawn = iter(_bootstrap(systems, rounds, generator))
    return [[next(drawn) for _ in comparison.systems] for comparison in comparisons]


def _bootstrap(
    systems: Sequence[tuple[Metric, Statistics]], rounds: int, generator: np.random.Generator
) -> list[NDArray[Any]]:
    tables = [single(metric, rows) for metric, rows in systems]
    theirs = [table for table in tables if table is not None]
    ours = [rows for (_, rows), table in zip(systems, tables, strict=True) if table is None]
    sums = _sums(theirs, ours, rounds, generator)
    singles, doubles = iter(sums[: len(theirs)]), iter(sums[len(theirs) :])
    return [
        resampled_scores(metric, next(doubles if table is None else singles))
        for (metric, _), table in zip(systems, tables, strict=True)
    ]


def _sums(
    theirs: Sequence[NDArray[np.float32]], ours: Sequence[Statistics], rounds: int, generator: np.random.Generator
) -> list[NDArray[Any]]:
    """The sums of each table in each round, shape (rounds, columns): sacreBLEU's tables first, then the others."""
    made = [np.empty((rounds, table.shape[1]), dtype=np.float32) for table in theirs]
    other = [np.empty((rounds, table.shape[1])) for table in ours]
    joined = np.concatenate(theirs, axis=1) if theirs else None
    doubles = np.concatenate(ours, axis=1).astype(np.float64) if ours else None
    whole = [bool((table == np.trunc(table)).all()) for table in theirs]
    for block, drawn, counts in _draws(len(theirs[0] if theirs else ours[0]), rounds, generator):
        if joined is not None:
            _take(counts @ joined, made, block)
        if doubles is not None:
            _take(counts.astype(np.float64) @ doubles, other, block)
        for table, sums, integers in zip(theirs, made, whole, strict=True):
            if not integers or sums[block].max() >= WHOLE_SINGLE:
                _add_in_order(drawn, table, sums[block])
    return [*made, *other]


def _take(product: NDArray[Any], made: Sequence[NDArray[Any]], block: slice) -> None:
    """Cuts the product's columns back into its tables'."""
    start = 0
    for sums in made:
        sums[block] = product[:, start : start + sums.shape[1]]
        start += sums.shape[1]


def _draws(
    segments: int, rounds: int, generator: np.random.Generator
) -> Iterator[tuple[slice, NDArray[np.uint32], NDArray[np.float32]]]:
    """Blocks of rounds: the segments drawn in each, and how often each segment was."""
    size = max(1, BLOCK // segments)
    for start in range(0, rounds, size):
        block = slice(start, min(start + size, rounds))
        # The stream of `generator.choice`, which makes the same 32-bit draws and then widens them.
        drawn = generator.integers(segments, size=(block.stop - start, segments), dtype=np.uint32)
        counts = np.zeros(drawn.shape, dtype=np.float32)
        _count(drawn, counts)
        yield block, drawn, counts


@compiled
def _count(drawn: Any, counts: Any) -> None:
    for i in range(drawn.shape[0]):
        for j in range(drawn.shape[1]):
            counts[i, drawn[i, j]] += np.float32(1)


@compiled
def _add_in_order(drawn: Any, table: Any, sums: Any) -> None:
    for i in range(drawn.shape[0]):
        for column in range(table.shape[1]):
            sums[i, column] = np.float32(0)
        for j in range(drawn.shape[1]):
            for column in range(table.shape[1]):
                sums[i, column] += table[drawn[i, j], column]


def _randomised(comparisons: Sequence[Comparison], rounds: int, generator: np.random.Generator) -> list[list[float]]:
    """The p of every system but the first, comparison by comparison.

    A shuffle gives the first pseudo-system the baseline's answer where the mask says so, and the second the other one:
    the first's sums are the system's and the differences under the mask, the second's what is left.
    """
    pairs = [(one, other) for one in comparisons for other in one.systems[1:]]
    if not pairs:
        return [[] for _ in comparisons]
    swapped = np.concatenate([one.systems[0] - other for one, other in pairs], axis=1)
    largest = int(np.abs(swapped).sum(axis=0).max())
    kind = np.float32 if largest < WHOLE_SINGLE else np.float64 if largest < WHOLE_DOUBLE else np.int64
    swapped = swapped.astype(kind)
    found = np.empty((len(pairs), rounds))
    for block, mask in _masks(len(swapped), rounds, generator):
        moved = (mask.astype(kind) @ swapped).astype(np.int64)
        start = 0
        for number, (one, other) in enumerate(pairs):
            change = moved[:, start : start + one.metric.columns]
            start += one.metric.columns
            first = shuffled_scores(one.metric, other.sum(axis=0) + change)
            second = shuffled_scores(one.metric, one.systems[0].sum(axis=0) - change)
            found[number, block] = np.abs(first - second)
    rows = iter(found)
    return [
        [_p_value(next(rows), abs(scores[0] - score)) for score in scores[1:]] for scores in map(_scores, comparisons)
    ]


def _masks(segments: int, rounds: int, generator: np.random.Generator) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    # Sizes that 32 divides: NumPy makes 32 random bits at a time and drops those left over at the end of a call.
    size = max(32, 8 * BLOCK // segments // 32 * 32)
    for start in range(0, rounds, size):
        block = slice(start, min(start + size, rounds))
        yield block, generator.integers(2, size=(block.stop - start, segments), dtype=np.bool_)
