"""The results of one language as tables: one task, variety, metric and way of asking each, with ranks as ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.records import Cell
from bench.summary import TOO_FEW_ITEMS
from leaderboard.aggregate import against_floor, highest_floor
from leaderboard.asking import Asked, Part
from leaderboard.board import ModelName, Result
from leaderboard.grid import counts, error_of
from leaderboard.records import Badge, TaskFacts
from leaderboard.standings import BASELINE, INVALID, NO_INTERVAL, SELF_TEST, rank_ranges
from leaderboard.wording import metric_of

LINES = 50
"""Rows of a page of a task's whole tables."""


@dataclass(frozen=True, slots=True)
class Line:
    """One cell in a table, or why there is none.

    `first` to `last` are the ranks that it may have among the table's `ranked`, or `unranked` is the reason code of why
    it has none. `against` is where it lies beside the highest floor, `run` the id of its run, `badge` how far that was
    checked, and `invalid` what was found wrong with the task since.
    """

    model: ModelName
    cell: Cell | None
    reason: str
    first: int | None = None
    last: int | None = None
    unranked: str = ""
    against: str = ""
    run: str = ""
    badge: Badge | None = None
    invalid: str = ""


@dataclass(frozen=True, slots=True)
class CellTable:
    """The cells of one task, language, variety, metric and way of asking, floors apart.

    `to_beat` is the highest of the floors, `ranked` how many models have a rank; `total` and `total_floors` are the
    rows that there are, of which the table may show the first alone, and `measured` the models that have a value.
    """

    task: TaskFacts
    variety: str
    metric: str
    headline: bool
    mode: str
    prompt_language: str
    shots: int
    models: tuple[Line, ...]
    floors: tuple[Line, ...]
    to_beat: Line | None
    ranked: int
    measured: int
    total: int
    total_floors: int


def tables(
    results: Iterable[Result], facts: Mapping[tuple[str, str], TaskFacts], names: Iterable[ModelName]
) -> tuple[CellTable, ...]:
    """Every table, in the order in which the results are met. `names` are the models of the board."""
    groups: dict[tuple[str, str, str, str], dict[tuple[str, str, int], list[Result]]] = {}
    for one in results:
        cell = one.cell
        ways = groups.setdefault((cell.task, cell.task_version, cell.variety, cell.metric), {})
        ways.setdefault((cell.mode, cell.prompt_language, cell.shots), []).append(one)
    known = tuple(names)
    made = []
    for (task, version, _variety, _metric), ways in groups.items():
        there = {one.model.slug for own in ways.values() for one in own}
        absent = [Line(model, None, "not_run", unranked="not_run") for model in known if model.slug not in there]
        # Answering without understanding scores the same however one is asked.
        floors = [one for own in ways.values() for one in own if one.model.baseline]
        highest = highest_floor(one.cell for one in floors)
        floor = next((one for one in floors if one.cell is highest), None)
        for own in ways.values():
            made.append(_table(facts[task, version], own, absent, floor))
            absent = []  # whoever was not asked at all is said once
    return tuple(made)


def _table(task: TaskFacts, results: Sequence[Result], absent: Sequence[Line], floor: Result | None) -> CellTable:
    first = results[0].cell
    places = ranks(results)
    to_beat = floor.cell if floor is not None else None
    lines = [_line(one, to_beat, places.get(number)) for number, one in enumerate(results)]
    models = ordered(line for line in (*lines, *absent) if not line.model.baseline)
    floors = ordered(line for line in (*lines, *absent) if line.model.baseline)
    return CellTable(
        task=task,
        variety=first.variety,
        metric=first.metric,
        headline=first.headline,
        mode=first.mode,
        prompt_language=first.prompt_language,
        shots=first.shots,
        models=models,
        floors=floors,
        to_beat=_line(floor, None, None) if floor is not None else None,
        ranked=len(places),
        measured=sum(map(_has_value, models)),
        total=len(models),
        total_floors=len(floors),
    )


def _line(one: Result, floor: Cell | None, place: tuple[int, int] | None) -> Line:
    return Line(
        model=one.model,
        cell=one.cell,
        reason=one.cell.reasons.get("value", ""),
        first=place[0] if place else None,
        last=place[1] if place else None,
        unranked=unranked(one),
        against="" if one.model.baseline else against_floor(one.cell, floor),
        run=one.run,
        badge=one.badge,
        invalid=one.invalid,
    )


def ranks(results: Sequence[Result]) -> dict[int, tuple[int, int]]:
    """The ranks that each result may have among those of one table, by its place; what is not ranked is left out."""
    places = [number for number, one in enumerate(results) if not unranked(one)]
    values = np.array([results[number].cell.normalised for number in places], dtype=np.float64)
    errors = np.array([error_of(results[number].cell) for number in places], dtype=np.float64)
    return dict(zip(places, rank_ranges(values, errors), strict=True))


def unranked(one: Result) -> str:
    """Why a result has no rank; empty where it has one. The same rules as `standings` has."""
    cell = one.cell
    doubts = (
        (one.model.baseline, BASELINE),
        (cell.value is None, cell.reasons.get("value", "not_stated")),
        (cell.floor, SELF_TEST),
        (bool(one.invalid), INVALID),
        ("rank" in cell.reasons, cell.reasons.get("rank", "")),
        (cell.n < TOO_FEW_ITEMS, "too_few_items"),
        (not counts(cell), cell.reasons.get("normalised", "not_stated")),
        (math.isnan(error_of(cell)), NO_INTERVAL),
    )
    return next((reason for holds, reason in doubts if holds), "")


def _has_value(line: Line) -> bool:
    return line.cell is not None and line.cell.value is not None


def ordered(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The best value first, what has none last, equal ones by name."""

    def order(line: Line) -> tuple[bool, float, str]:
        if line.cell is None or line.cell.value is None:
            return True, 0.0, line.model.slug
        better = -1.0 if metric_of(line.cell.metric).best else 1.0  # of an error rate the lowest is the best
        return False, better * line.cell.value, line.model.slug

    return tuple(sorted(lines, key=order))


def top(table: CellTable, rows: int) -> CellTable:
    """The first rows of a table, with a third as many of the floors that were run, and at least one.

    Floors also take the places of models without a value, which stand last, so that no such row hides a number.
    """
    floors = [line for line in table.floors if line.cell is not None]
    some = max(1, rows // 3)
    valued = sum(map(_has_value, table.models[:rows]))
    kept = min(len(floors), rows - valued + some)
    models = min(rows, rows + some - kept)
    return replace(table, models=table.models[:models], floors=tuple(floors[:kept]))


def paged(found: Sequence[CellTable], asked: Asked) -> tuple[tuple[CellTable, ...], Part]:
    """The page of some tables that is asked for: their rows are counted one after another. Raises `Wrong`."""
    lines = [(number, line) for number, table in enumerate(found) for line in (*table.models, *table.floors)]
    shown, part = asked.part(lines, LINES)
    own: dict[int, list[Line]] = {}
    for number, line in shown:
        own.setdefault(number, []).append(line)
    made = tuple(
        replace(
            found[number],
            models=tuple(line for line in kept if not line.model.baseline),
            floors=tuple(line for line in kept if line.model.baseline),
        )
        for number, kept in own.items()
    )
    return made, part
