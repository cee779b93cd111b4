"""The one function that makes a number of several cells, wherever it is shown: the means, their intervals, the ranks.

Pure functions of `grid.Sheet`. Nothing is averaged over metrics, ways of asking or kinds of task; a missing number is
left out and counted, never taken for zero; and a model that lacks a cell of the block is not ranked in it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

import languages as registry
from leaderboard.grid import WIDTH_95, Floats, Sheet

BASELINE, SELF_TEST, PARTIAL, NO_NUMBERS, INVALID = "baseline", "self_test", "partial", "no_numbers", "invalidated"
NO_INTERVAL = "no_interval"
LEVEL = 0.05


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Numbers of one metric, asked in one way, benchmarks or floors: what may be averaged over tasks and languages."""

    floor: bool
    metric: str
    mode: str
    prompt_language: str
    shots: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One model over a choice of tasks and languages.

    `normalised` is the mean over languages of the mean over tasks, 0 at chance and 1 at the best possible, with its
    95 % interval `low` to `high`; it is over the cells that the model has, `covered` of the `cells` of the block.
    `first` to `last` are the ranks that it may have among `peers` ranked ones; None with a `reason` where it has none,
    which also says why a number is None. `worst_decile` is the mean of the lowest tenth of its languages,
    `speaker_weighted` the mean weighted by speakers.
    """

    model: int
    group: Group
    normalised: float | None
    low: float | None
    high: float | None
    first: int | None
    last: int | None
    peers: int
    covered: int
    cells: int
    languages: int
    tasks: int
    items: int
    worst_decile: float | None
    speaker_weighted: float | None
    reason: str

    @property
    def complete(self) -> bool:
        """Whether the model has every cell of the block."""
        return self.covered == self.cells > 0


def group_of(sheet: Sheet) -> Group:
    """What a sheet may be averaged within."""
    way = sheet.way
    return Group(sheet.floor, way.metric, way.mode, way.prompt_language, way.shots)


Part = tuple[Sheet, list[int], list[int], list[int]]
"""A sheet with the rows of its models in the whole, the columns that are chosen, and their places in the whole."""


def standings(
    sheets: Sequence[Sheet],
    baselines: Collection[int],
    languages: Collection[str] | None = None,
    invalid: Collection[tuple[str, str]] = (),
) -> dict[Group, tuple[Standing, ...]]:
    """Every model over these sheets, group by group; ranked ones by value, then the others.

    `languages` narrows the block down; None takes all that the tasks declare. `invalid` are tasks and versions whose
    numbers are known to be wrong: what they enter is shown and not ranked. Languages whose items are the same vary
    together: the variance of a task's mean lies between that of independent languages and that of one, at the task's
    own correlation (compound symmetry); tasks are independent. The intervals are normal ones.
    """
    groups: dict[Group, list[Sheet]] = {}
    for sheet in sheets:
        groups.setdefault(group_of(sheet), []).append(sheet)
    return {group: _group(group, own, baselines, languages, invalid) for group, own in sorted(groups.items())}


def _group(
    group: Group,
    sheets: Sequence[Sheet],
    baselines: Collection[int],
    languages: Collection[str] | None,
    invalid: Collection[tuple[str, str]],
) -> tuple[Standing, ...]:
    numbers = sorted({number for sheet in sheets for number in sheet.models})
    row = {number: place for place, number in enumerate(numbers)}
    parts, names, doubts = _parts(sheets, row, languages, invalid)
    total, tasks_each = np.zeros((len(numbers), len(names))), np.zeros((len(numbers), len(names)))
    items = np.zeros(len(numbers), dtype=np.int64)
    for sheet, rows, columns, places in parts:
        own = sheet.normalised[:, columns]
        there = ~np.isnan(own)
        total[np.ix_(rows, places)] += np.where(there, own, 0.0)
        tasks_each[np.ix_(rows, places)] += there
        items[rows] += (sheet.items[:, columns] * there).sum(axis=1)
    covered = tasks_each.sum(axis=1).astype(int)
    counted = (tasks_each > 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_language = total / tasks_each
        value = np.nansum(by_language, axis=1) / counted
        weight = 1.0 / (tasks_each * counted[:, None])
    cells = sum(len(columns) for _sheet, _rows, columns, _places in parts)
    deviation = _deviation(parts, weight)
    reasons = [
        _reason(group, number in baselines, int(covered[place]), cells, doubts[place], float(deviation[place]))
        for place, number in enumerate(numbers)
    ]
    ranked = [place for place, reason in enumerate(reasons) if not reason]
    ranks = dict(zip(ranked, rank_ranges(value[ranked], deviation[ranked]), strict=True))
    bottom = min((sheet.bottom for sheet, _rows, _columns, _places in parts), default=0.0)
    spread = WIDTH * deviation
    lows, highs = np.maximum(bottom, value - spread), np.minimum(1.0, value + spread)
    for place, low, high in _own_ends(parts, covered):  # the interval of one cell is that cell's, wherever it is shown
        lows[place], highs[place] = low, high
    worst, weighted = _worst_decile(by_language, counted), _speaker_weighted(by_language, _people(names))
    made = [
        Standing(
            model=number,
            group=group,
            normalised=_known(value[place]),
            low=_known(lows[place]),
            high=_known(highs[place]),
            first=ranks[place][0] if place in ranks else None,
            last=ranks[place][1] if place in ranks else None,
            peers=len(ranked),
            covered=int(covered[place]),
            cells=cells,
            languages=int(counted[place]),
            tasks=len(parts),
            items=int(items[place]),
            worst_decile=_known(worst[place]),
            speaker_weighted=_known(weighted[place]),
            reason=reasons[place],
        )
        for place, number in enumerate(numbers)
    ]
    return tuple(sorted(made, key=_order))


@functools.cache
def _speakers(code: str) -> tuple[str, int]:
    """The language without its script, and its speakers: 0 where their number is not known."""
    try:
        found = registry.get(code)
    except registry.LanguageError:  # the registry has changed since the snapshot was made
        return code, 0
    return found.iso639_3, found.speakers or 0


def _people(names: Iterable[str]) -> Floats:
    """How much each language weighs by its speakers. Several scripts of one language share them."""
    known = [_speakers(name) for name in names]
    scripts = Counter(own for own, _count in known)
    return np.array([count / scripts[own] for own, count in known], dtype=np.float64)


def _order(one: Standing) -> tuple[bool, float, int]:
    return one.first is None, -(one.normalised if one.normalised is not None else -np.inf), one.model


def _reason(group: Group, baseline: bool, covered: int, cells: int, doubt: str, deviation: float) -> str:
    """Why a model is not ranked: what it is comes before what it lacks."""
    if baseline:
        return BASELINE
    if not covered:
        return NO_NUMBERS
    if group.floor:
        return SELF_TEST
    if doubt:
        return doubt
    if covered < cells:
        return PARTIAL
    return NO_INTERVAL if np.isnan(deviation) else ""


def _parts(
    sheets: Sequence[Sheet],
    row: Mapping[int, int],
    languages: Collection[str] | None,
    invalid: Collection[tuple[str, str]],
) -> tuple[list[Part], dict[str, int], list[str]]:
    """What of each sheet counts, the languages by their places, and by a model's `row` why it may not be ranked."""
    chosen = None if languages is None else set(languages)
    parts: list[Part] = []
    names: dict[str, int] = {}
    doubts = [""] * len(row)
    for sheet in sheets:
        columns = [
            place
            for place, name in enumerate(sheet.languages)
            if sheet.wanted[place] and (chosen is None or name in chosen)
        ]
        if not columns:
            continue
        rows = [row[number] for number in sheet.models]
        places = [names.setdefault(sheet.languages[place], len(names)) for place in columns]
        parts.append((sheet, rows, columns, places))
        wrong = (sheet.way.task, sheet.way.version) in invalid
        for number, codes in zip(sheet.models, sheet.doubt[:, columns], strict=True):
            found = next((sheet.doubts[code] for code in codes if code), "") if codes.any() else ""
            doubts[row[number]] = doubts[row[number]] or (INVALID if wrong else found)
    return parts, names, doubts


def _deviation(parts: Sequence[Part], weight: Floats) -> Floats:
    """The standard error of each model's mean, over cells that go with one another as `Sheet.shared` says."""
    variance = np.zeros(len(weight))
    for sheet, rows, columns, places in parts:
        own = sheet.normalised[:, columns]
        shares, items = weight[np.ix_(rows, places)], np.maximum(sheet.items[:, columns], 2)
        # Wilson's interval of few items is short, for it moves to the middle of the scale: a mean of several stays.
        longer = np.where(shares == 1, 1.0, np.sqrt((items + WIDTH**2) / (items - 1)))
        # An infinite weight stands only where there is no number; the error there does not count.
        parts_of = np.where(np.isnan(own), 0.0, shares * longer * sheet.error[:, columns])
        apart = (parts_of**2).sum(axis=1)
        together = parts_of.sum(axis=1) ** 2
        variance[rows] += (1.0 - sheet.shared) * apart + sheet.shared * together
    return np.sqrt(variance)


def _own_ends(parts: Sequence[Part], covered: NDArray[np.int64]) -> Iterator[tuple[int, float, float]]:
    """The intervals of the models that have one cell in a block, by the models' places."""
    for sheet, rows, columns, _places in parts:
        for at, place in enumerate(rows):
            if covered[place] == 1:
                there = np.flatnonzero(~np.isnan(sheet.normalised[at, columns]))
                if there.size:
                    high = float(sheet.high[at, columns[there[0]]])
                    yield place, high - WIDTH_95 * float(sheet.error[at, columns[there[0]]]), high


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _worst_decile(by_language: Floats, counted: Floats) -> Floats:
    """Each model's mean over the lowest tenth of its languages, at least one; NaN where it has none."""
    if not by_language.shape[1]:
        return np.full(len(by_language), np.nan)
    lowest = np.maximum(1, counted // 10).astype(int)
    upward = np.sort(by_language, axis=1)  # NaN comes last
    return np.asarray(np.cumsum(upward, axis=1)[np.arange(len(upward)), lowest - 1] / lowest)


def _speaker_weighted(by_language: Floats, people: Floats) -> Floats:
    there = ~np.isnan(by_language)
    # Not a matrix product, in which the last bit of a model hangs on how many others stand beside it.
    with np.errstate(invalid="ignore"):
        return np.asarray((np.where(there, by_language, 0.0) * people).sum(axis=1) / (there * people).sum(axis=1))


WIDTH = NormalDist().inv_cdf(1 - LEVEL / 2)


def rank_ranges(values: Floats, deviations: Floats) -> list[tuple[int, int]]:
    """The ranks that each may have, all true together with 95 % confidence: first and last, from 1.

    Klein, Wright and Wieczorek (2020, Journal of the Royal Statistical Society A 183): intervals that hold jointly,
    here by Bonferroni, so however the models depend on each other; one is surely better where its interval lies above.
    """
    first, last = rank_ends(values, deviations)
    return list(zip(first.tolist(), last.tolist(), strict=True))


def rank_ends(values: Floats, deviations: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last of these ranks as arrays."""
    if not len(values):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    width = NormalDist().inv_cdf(1 - LEVEL / (2 * len(values)))
    low, high = values - width * deviations, values + width * deviations
    # Those whose low end lies above my high end are surely better.
    better = len(values) - np.searchsorted(np.sort(low), high, side="right")
    worse = np.searchsorted(np.sort(high), low, side="left")
    return 1 + better, len(values) - worse


def by_model(found: Mapping[Group, Sequence[Standing]]) -> dict[int, dict[Group, Standing]]:
    """The standings of each model by group."""
    made: dict[int, dict[Group, Standing]] = {}
    for group, own in found.items():
        for one in own:
            made.setdefault(one.model, {})[group] = one
    return made
