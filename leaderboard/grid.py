"""Every number of a snapshot that counts, as arrays: what the means, the ranks and every filter are computed from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.records import Cell
from bench.summary import TOO_FEW_ITEMS, UNREVIEWED
from tasks import FLAWS

NOT_COUNTED = FLAWS.keys() | {"too_few_items", "identifier_recall", UNREVIEWED}
"""Reasons not to rank. A flaw lies in a dataset's text in one language: no run can mend it, so no mean waits for it."""

WIDTH_95 = 2 * 1.959963984540054
"""A 95 % interval is so many standard errors wide."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """What is never averaged over: one task, asked in one way, by its headline metric."""

    task: str
    version: str
    metric: str
    mode: str
    prompt_language: str
    shots: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One way of one task: rows are models, columns are languages.

    `normalised` (models x languages) is 0 at chance and 1 at the best possible, NaN where there is no number that
    counts; `error` its standard error, NaN where it has none; `items` how many were scored. `wanted` (languages) says
    which a complete block needs: those that the task declares and whose text is sound. `doubts` has for each model why
    its cells may not be ranked, or "". `shared` is the correlation, over models, of what languages have in common by
    asking the same items, from 0 to 1.
    """

    way: Way
    floor: bool
    models: tuple[int, ...]
    languages: tuple[str, ...]
    normalised: Floats
    error: Floats
    items: NDArray[np.int64]
    wanted: NDArray[np.bool_]
    doubts: tuple[str, ...]
    shared: float


def way_of(cell: Cell) -> Way:
    """What a cell may be averaged within."""
    return Way(cell.task, cell.task_version, cell.metric, cell.mode, cell.prompt_language, cell.shots)


def counts(cell: Cell) -> bool:
    """Whether a cell enters a mean: it has a number, from enough items whose text is sound."""
    return (
        cell.value is not None
        and cell.normalised is not None
        and cell.n >= TOO_FEW_ITEMS
        and cell.reasons.get("rank") not in NOT_COUNTED
    )


def error_of(cell: Cell) -> float:
    """The standard error of a cell's normalised value, from the width of its interval; NaN where it has none."""
    if cell.ci_low is None or cell.ci_high is None or cell.value is None or cell.normalised is None:
        return float("nan")
    # The scale of the normalised value: a point on it for a point of the value.
    span = cell.value - (cell.chance or 0.0)
    scale = cell.normalised / span if abs(span) > 1e-12 else _scale_at_chance(cell)
    return abs((cell.ci_high - cell.ci_low) * scale) / WIDTH_95


def _scale_at_chance(cell: Cell) -> float:
    best = 1.0 if (cell.ci_high or 0.0) <= 1.0 else 100.0
    return 1.0 / (best - (cell.chance or 0.0))


def sheet(
    way: Way,
    cells: Mapping[int, Sequence[Cell]],
    declared: Collection[str],
    shared: float,
) -> Sheet:
    """The sheet of one way from each model's cells. Varieties of a language count as one language together."""
    numbers = tuple(sorted(cells))
    names = tuple(sorted({cell.language for own in cells.values() for cell in own} | set(declared)))
    column = {name: place for place, name in enumerate(names)}
    shape = len(numbers), len(names)
    normalised, error = np.full(shape, np.nan), np.full(shape, np.nan)
    items = np.zeros(shape, dtype=np.int64)
    wanted = np.array([name in declared for name in names], dtype=np.bool_)
    doubts = []
    sound: set[str] = set()
    flawed: set[str] = set()
    floor = False
    for row, number in enumerate(numbers):
        by_language: dict[str, list[Cell]] = {}
        for cell in cells[number]:
            floor = cell.floor
            if counts(cell):
                by_language.setdefault(cell.language, []).append(cell)
            elif cell.reasons.get("rank") in FLAWS:
                flawed.add(cell.language)
        for name, own in by_language.items():
            place = row, column[name]
            normalised[place] = np.mean([cell.normalised or 0.0 for cell in own])
            error[place] = np.mean([error_of(cell) for cell in own])  # varieties ask the same: they vary together
            items[place] = sum(cell.n for cell in own)
        sound |= by_language.keys()
        marked = (cell.reasons["rank"] for own in by_language.values() for cell in own if "rank" in cell.reasons)
        doubts.append(next(marked, ""))
    for name in flawed - sound:
        wanted[column[name]] = False
    return Sheet(way, floor, numbers, names, normalised, error, items, wanted, tuple(doubts), shared)


def sheets(
    cells: Iterable[tuple[int, Cell]],
    declared: Mapping[tuple[str, str], Collection[str]],
    shared: Mapping[Way, float],
) -> tuple[Sheet, ...]:
    """Every sheet of a board from its headline cells, each with its model's number.

    `declared` maps a task and version to all of its languages; a way that `shared` lacks is taken to ask the same in
    all languages, which gives the widest intervals.
    """
    groups: dict[Way, dict[int, list[Cell]]] = {}
    for number, cell in cells:
        if cell.headline:
            groups.setdefault(way_of(cell), {}).setdefault(number, []).append(cell)
    return tuple(
        sheet(way, own, declared[way.task, way.version], shared.get(way, 1.0)) for way, own in sorted(groups.items())
    )
