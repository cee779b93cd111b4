"""Two models of a board on the same items: what one scores more than the other, in each language and over languages.

Pure functions of stored scores. Items that share a passage, and one item in all of its languages, vary together. A
share of right answers in one language gets the exact test of `bench.difference`; every other difference gets the
jackknife over what varies together (Tukey 1958; Efron and Stein 1981, Annals of Statistics 9), which needs no draws.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import kernels
from bench import difference as tests
from bench.comparison import LEVEL, Verdict
from bench.difference import DETECTABLE, Pair, holm, quantile, within
from bench.records import Cell
from bench.statistics import CLUSTERS_NEEDED
from bench.summary import TOO_FEW_ITEMS, UNEVEN, drawn_with, same_options, seed
from kernels.base import Metric
from kernels.resampling import numbered, summed
from leaderboard import arrays, grid
from leaderboard.board import Board
from leaderboard.grid import Way
from leaderboard.records import Block, Scored

CLOSE = 1e-9
"""A smaller spread is what floating point makes of none."""

UNITS_KEPT = 4000
"""Of so many blocks the clusters are kept in memory for the next comparison: some 20 MB."""
_kept: dict[tuple[Path, str, Block], tuple[str, ...]] = {}

Place = tuple[str, str]
"""A language and a variety of it."""
WHOLE: Place = ("", "")


@dataclass(frozen=True, slots=True)
class Side:
    """What one model has in one way of a task: its cells, and its scores where it has any."""

    cells: Mapping[Place, Cell]
    scores: Mapping[Place, Scored]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a system scores more than the baseline, in one language or (macro) over `languages` of them.

    Values are in the metric's own unit, over the `n` items that both scored; `low` to `high` is the 95 % interval of
    the difference. `detectable` is the difference that a test at 5 % finds in 80 % of cases. `p` is two-sided,
    `p_adjusted` Holm's. None is unknown, for `reason`.
    """

    n: int = 0
    languages: int = 1
    clusters: int = 0
    baseline: float | None = None
    system: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    verdict: Verdict = "not_comparable"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Versus:
    """A system against the baseline in one way of a task: the mean over languages, and language by language.

    In `wins`, `ties` and `losses` languages the jackknife's interval of the difference lies above 0, around it or
    below (for an error rate the other way round); the mean is over all of these, in which both models have a number
    that counts. `places` is empty where only the mean was asked for.
    """

    macro: Difference
    places: Mapping[Place, Difference]
    wins: int
    ties: int
    losses: int


def side(board: Board, slug: str, way: Way) -> Side:
    """Reads what a model has in one way of a task."""
    own = (result.cell for result in board.results_of_model(slug, way.task))
    cells = {(cell.language, cell.variety): cell for cell in own if cell.headline and grid.way_of(cell) == way}
    return Side(cells, board.scores(slug, way))


def versus(board: Board, way: Way, baseline: Side, system: Side, *, by_language: bool = True) -> Versus:
    """Compares two sides. p is not adjusted yet: see `adjusted`."""
    if way.metric not in kernels.METRICS:
        return Versus(Difference(reason="other_signature"), {}, 0, 0, 0)
    metric = kernels.metric(way.metric)
    pairs: dict[Place, Pair] = {}
    found: dict[Place, Difference] = {}
    for place in sorted(baseline.cells.keys() | system.cells.keys()):
        why = _unpaired(baseline, system, place)
        if why:
            found[place] = Difference(reason=why)
            continue
        units = _units(board, Block(way.task, way.version, *place))
        pair = _pair(metric, baseline.scores[place], system.scores[place], units)
        if not len(pair.units):
            found[place] = Difference(reason="no_common_items")
            continue
        if by_language:
            found[place] = _in_language(pair, seed(way.task, place[0], way.metric))
        if all(grid.counts(one.cells[place]) for one in (baseline, system)) and len(pair.units) >= TOO_FEW_ITEMS:
            pairs[place] = pair
    macro, directions = _over_languages(metric, pairs)
    sign = 1 if metric.higher_is_better else -1
    return Versus(macro, found if by_language else {}, directions[sign], directions[0], directions[-sign])


def adjusted(found: Sequence[Difference], metrics: Sequence[str]) -> list[Difference]:
    """The differences with Holm's p over all of them that have one, and the verdict that follows at 5 %."""
    holms = iter(holm([one.p for one in found if one.p is not None]))
    made = []
    for one, metric in zip(found, metrics, strict=True):
        if one.p is None:  # as is every one in a metric that this program does not know
            made.append(one)
            continue
        p = next(holms)
        verdict: Verdict = "not_separable"
        if p <= LEVEL and one.difference:
            verdict = "better" if (one.difference > 0) == kernels.metric(metric).higher_is_better else "worse"
        made.append(replace(one, p_adjusted=p, verdict=verdict))
    return made


def _unpaired(baseline: Side, system: Side, place: Place) -> str:
    """Why two models cannot be compared in a language; empty where they can."""
    one, other = baseline.cells.get(place), system.cells.get(place)
    if one is None:
        return "only_in_system"
    if other is None:
        return "only_in_baseline"
    if UNEVEN in (one.reasons.get("rank"), other.reasons.get("rank")):
        return UNEVEN
    for which, cell in ((baseline, one), (system, other)):
        if place not in which.scores:
            return cell.reasons.get("value", "no_items")
    return "" if same_options(one.signature, other.signature) and one.repeats == other.repeats else "other_signature"


def _units(board: Board, block: Block) -> tuple[str, ...]:
    """What each item of a block is drawn with; the same for all models, so it is kept."""
    key = board.folder, board.name, block
    known = _kept.get(key)
    if known is None:
        if len(_kept) >= UNITS_KEPT:
            _kept.clear()
        items = board.items(block)
        known = tuple(drawn_with(item, stamp.cluster) for item, stamp in zip(items.ids, items.stamps, strict=True))
        _kept[key] = known
    return known


def _pair(metric: Metric, one: Scored, other: Scored, units: Sequence[str]) -> Pair:
    """The items that both scored; items of a block stand in the same order in both."""
    shared = arrays.present(one) & arrays.present(other)
    if metric.binary:  # where one repeat failed on one side alone, the item would weigh more on the other
        shared &= one.statistics[:, -1] == other.statistics[:, -1]
    kept = np.flatnonzero(shared)
    first, second = (side.statistics[kept].astype(np.int64) for side in (one, other))
    return Pair(metric, first, second, [units[at] for at in kept.tolist()])


def _in_language(pair: Pair, seeded: int) -> Difference:
    ((first, second),) = _values(pair.metric, [pair])
    clusters = len(set(pair.units))
    known = Difference(len(pair.units), 1, clusters, first, second, second - first)
    if known.n < TOO_FEW_ITEMS:
        return replace(known, verdict="too_few_items", reason="too_few_items")
    if clusters < CLUSTERS_NEEDED:
        return replace(known, verdict="too_few_clusters", reason="too_few_clusters")
    if not pair.metric.binary:
        return _spread(known, pair.metric, _jackknife({WHOLE: pair}, {WHOLE: 1.0})[0])
    found = tests.difference(pair, seeded)
    certain = found.error >= CLOSE
    return replace(
        known,
        low=found.low,
        high=found.high,
        detectable=DETECTABLE * found.error if certain else None,
        p=found.p,
        verdict="not_separable",
        reason="" if certain else "no_spread",
    )


def _over_languages(metric: Metric, pairs: Mapping[Place, Pair]) -> tuple[Difference, Counter[int]]:
    """The mean over languages, and in how many of them the interval lies above 0 (1), around it (0) and below (-1).

    Varieties of a language are one language together.
    """
    varieties = Counter(language for language, _ in pairs)
    if not pairs:
        return Difference(languages=0, reason="no_common_language"), Counter()
    weights = {place: 1 / varieties[place[0]] / len(varieties) for place in pairs}
    values = dict(zip(pairs, _values(metric, pairs.values()), strict=True))
    first, second = (sum(weights[place] * values[place][at] for place in pairs) for at in (0, 1))
    error, errors = _jackknife(pairs, weights)
    directions: Counter[int] = Counter()
    for place, pair in pairs.items():
        gained, clusters = values[place][1] - values[place][0], len(set(pair.units))
        told = clusters >= CLUSTERS_NEEDED and abs(gained) > quantile(clusters) * errors[place] > 0
        directions[(1 if gained > 0 else -1) if told else 0] += 1
    units = {unit for pair in pairs.values() for unit in pair.units}
    items = sum(len(pair.units) for pair in pairs.values())
    known = Difference(items, len(varieties), len(units), first, second, second - first)
    if len(units) < CLUSTERS_NEEDED:
        return replace(known, verdict="too_few_clusters", reason="too_few_clusters"), directions
    return _spread(known, metric, error), directions


def _values(metric: Metric, pairs: Iterable[Pair]) -> list[tuple[float, float]]:
    """What each pair's two sides come to, all in one call: a metric takes longer to begin than to compute."""
    sums = np.stack([side.sum(axis=0) for pair in pairs for side in (pair.baseline, pair.system)])
    return [(first, second) for first, second in metric.from_statistics(sums).reshape(-1, 2).tolist()]


def _jackknife(pairs: Mapping[Place, Pair], weights: Mapping[Place, float]) -> tuple[float, dict[Place, float]]:
    """The standard error of a weighted mean difference, each unit left out in all languages at once; and of each."""
    found = list(pairs.values())
    index, count = numbered([unit for pair in found for unit in pair.units])
    lengths = [len(pair.units) for pair in found]
    starts = np.cumsum([0, *lengths[:-1]])
    # A row for each unit in each language, language by language: all at once, since they are many and small.
    keys, unit = np.unique(np.repeat(np.arange(len(found)), lengths) * count + index, return_inverse=True)
    where, own = np.divmod(keys, count)
    # Nothing is left of a language without its only unit.
    kept = np.bincount(where, minlength=len(found))[where] > 1
    gained = []
    for sides in ([pair.baseline for pair in found], [pair.system for pair in found]):
        side = np.concatenate(sides)
        whole = np.add.reduceat(side, starts, axis=0)
        left = whole[where[kept]] - summed(side, unit, len(keys))[kept]
        gained.append([found[0].metric.from_statistics(sums) for sums in (left, whole)])
    (left_before, before), (left_after, after) = gained
    moved: NDArray[np.float64] = np.zeros(len(keys))
    moved[kept] = left_after - left_before - (after - before)[where[kept]]
    change: NDArray[np.float64] = np.zeros(count)
    np.add.at(change, own, np.array([weights[place] for place in pairs])[where] * moved)
    ends = np.searchsorted(where, np.arange(len(found) + 1)).tolist()
    return _error(change), {
        place: _error(moved[first:last]) for place, first, last in zip(pairs, ends[:-1], ends[1:], strict=True)
    }


def _error(change: NDArray[np.float64]) -> float:
    return math.sqrt((len(change) - 1) / len(change) * float(((change - change.mean()) ** 2).sum()))


def _spread(known: Difference, metric: Metric, error: float) -> Difference:
    """The difference with what follows from its standard error; nothing does where nothing varies."""
    if error < CLOSE or known.difference is None:
        return replace(known, verdict="not_separable", reason="no_spread")
    half = quantile(known.clusters) * error
    low, high = within(metric, known.difference, known.difference - half, known.difference + half)
    p = two_sided(known.difference / error, known.clusters - 1)
    return replace(known, low=low, high=high, detectable=DETECTABLE * error, p=p, verdict="not_separable")


def two_sided(t: float, degrees: int) -> float:
    """The chance of a Student's t so far from 0, for a whole number of degrees; from 29 on the normal one.

    The finite series for its integral (Abramowitz and Stegun 26.7.3 and 26.7.4).
    """
    if degrees >= tests.CLUSTERS_FOR_NORMAL - 1:
        return math.erfc(abs(t) / math.sqrt(2))
    angle = math.atan(abs(t) / math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for step in range(2 if odd else 1, degrees - 2 + odd, 2):
        term *= step / (step + 1) * cosine**2
        total += term
    inside = math.sin(angle) * total
    return max(0.0, 1.0 - (2 / math.pi * (angle + inside) if odd else inside))
