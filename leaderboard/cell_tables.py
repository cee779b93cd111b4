"""The results of one language as tables: one task, variety, metric and way of asking each, with ranks as ranges."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.records import Cell
from bench.summary import TOO_FEW_ITEMS
from leaderboard.aggregate import against_floor, highest_floor
from leaderboard.asking import Asked, Part
from leaderboard.board import Board, ModelName
from leaderboard.grid import counts, error_of
from leaderboard.records import Badge, Outline, TaskFacts
from leaderboard.standings import BASELINE, INVALID, NO_INTERVAL, SELF_TEST, rank_ranges
from leaderboard.wording import best_of

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


Row = Outline | int
"""A result, or the number of a model that was not asked."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A table in order and with its ranks before any of its cells is read: its rows are cut first, and read after.

    `first` is some outline, and `places` has the ranks of those that have one, by the result's number; the rest is as
    in `CellTable`.
    """

    task: TaskFacts
    first: Outline
    models: tuple[Row, ...]
    floors: tuple[Row, ...]
    to_beat: Outline | None
    places: Mapping[int, tuple[int, int]]
    measured: int
    total: int
    total_floors: int


@dataclass(frozen=True, slots=True)
class Known:
    """What all tables of a board share: its tasks by name and version, those of them found wrong since, its models."""

    facts: Mapping[tuple[str, str], TaskFacts]
    wrong: Collection[tuple[str, str]]
    names: Mapping[int, ModelName]

    def baseline(self, row: Row) -> bool:
        """Whether a row is that of a floor."""
        return self.names[row if isinstance(row, int) else row.model].baseline

    def unranked(self, one: Outline) -> str:
        """Why a result has no rank; empty where it has one. The same rules as `standings` has."""
        doubts = (
            (self.names[one.model].baseline, BASELINE),
            (one.value is None, one.reasons.get("value", "not_stated")),
            (one.floor, SELF_TEST),
            ((one.task, one.task_version) in self.wrong, INVALID),
            ("rank" in one.reasons, one.reasons.get("rank", "")),
            (one.n < TOO_FEW_ITEMS, "too_few_items"),
            (not counts(one), one.reasons.get("normalised", "not_stated")),
            (math.isnan(error_of(one)), NO_INTERVAL),
        )
        return next((reason for holds, reason in doubts if holds), "")


def known(board: Board) -> Known:
    """What the tables of a board share."""
    facts = board.task_facts()
    return Known(facts, {place for place in facts if board.why_invalid(*place)}, board.model_names())


def drafts(outlines: Iterable[Outline], known: Known) -> tuple[Draft, ...]:
    """Every table, in the order in which the results are met."""
    groups: dict[tuple[str, str, str, str], dict[tuple[str, str, int], list[Outline]]] = {}
    for one in outlines:
        ways = groups.setdefault((one.task, one.task_version, one.variety, one.metric), {})
        ways.setdefault((one.mode, one.prompt_language, one.shots), []).append(one)
    made = []
    for ways in groups.values():
        there = {one.model for own in ways.values() for one in own}
        absent = [number for number in known.names if number not in there]
        # Answering without understanding scores the same however one is asked.
        floor = highest_floor(one for own in ways.values() for one in own if known.baseline(one))
        for own in ways.values():
            made.append(_draft(known, own, absent, floor))
            absent = []  # whoever was not asked at all is said once
    return tuple(made)


def _draft(known: Known, own: Sequence[Outline], absent: Sequence[int], floor: Outline | None) -> Draft:
    rows = ordered([*own, *absent], known)
    models, floors = (tuple(row for row in rows if known.baseline(row) == floor) for floor in (False, True))
    return Draft(
        task=known.facts[own[0].task, own[0].task_version],
        first=own[0],
        models=models,
        floors=floors,
        to_beat=floor,
        places=ranks(own, known),
        measured=sum(map(_has_value, models)),
        total=len(models),
        total_floors=len(floors),
    )


def ranks(own: Sequence[Outline], known: Known) -> dict[int, tuple[int, int]]:
    """The ranks that each result may have among those of one table, by its number; what is not ranked is left out."""
    able = [one for one in own if not known.unranked(one)]
    values = np.array([one.normalised for one in able], dtype=np.float64)
    errors = np.array(list(map(error_of, able)), dtype=np.float64)
    return dict(zip((one.id for one in able), rank_ranges(values, errors), strict=True))


def _has_value(row: Row) -> bool:
    return not isinstance(row, int) and row.value is not None


def ordered(rows: Iterable[Row], known: Known) -> list[Row]:
    """The best value first, what has none last, equal ones by name."""

    def order(row: Row) -> tuple[bool, float, str]:
        if isinstance(row, int):
            return True, 0.0, known.names[row].slug
        if row.value is None:
            return True, 0.0, known.names[row.model].slug
        better = -1.0 if best_of(row.metric) else 1.0  # of an error rate the lowest is the best
        return False, better * row.value, known.names[row.model].slug

    return sorted(rows, key=order)


def top(draft: Draft, rows: int) -> Draft:
    """The first rows of a table, with a third as many of the floors that were run, and at least one.

    Floors also take the places of models without a value, which stand last, so that no such row hides a number.
    """
    floors = [row for row in draft.floors if not isinstance(row, int)]
    some = max(1, rows // 3)
    valued = sum(map(_has_value, draft.models[:rows]))
    kept = min(len(floors), rows - valued + some)
    models = min(rows, rows + some - kept)
    return replace(draft, models=draft.models[:models], floors=tuple(floors[:kept]))


def paged(found: Sequence[Draft], asked: Asked, known: Known) -> tuple[tuple[Draft, ...], Part]:
    """The page of some tables that is asked for: their rows are counted one after another. Raises `Wrong`."""
    rows = [(number, row) for number, draft in enumerate(found) for row in (*draft.models, *draft.floors)]
    shown, part = asked.part(rows, LINES)
    own: dict[int, list[Row]] = {}
    for number, row in shown:
        own.setdefault(number, []).append(row)
    made = tuple(
        replace(
            found[number],
            models=tuple(row for row in kept if not known.baseline(row)),
            floors=tuple(row for row in kept if known.baseline(row)),
        )
        for number, kept in own.items()
    )
    return made, part


def drawn(board: Board, found: Sequence[Draft], known: Known) -> tuple[CellTable, ...]:
    """The tables with the cells of their rows, which are read here, and no others."""
    rows = [row for draft in found for row in (*draft.models, *draft.floors, draft.to_beat)]
    results = board.results({row.id for row in rows if isinstance(row, Outline)})

    def line(row: Row, draft: Draft) -> Line:
        if isinstance(row, int):
            return Line(known.names[row], None, "not_run", unranked="not_run")
        one, place = results[row.id], draft.places.get(row.id)
        return Line(
            model=one.model,
            cell=one.cell,
            reason=row.reasons.get("value", ""),
            first=place[0] if place else None,
            last=place[1] if place else None,
            unranked=known.unranked(row),
            against="" if one.model.baseline else against_floor(row, draft.to_beat),
            run=one.run,
            badge=one.badge,
            invalid=one.invalid,
        )

    return tuple(
        CellTable(
            task=draft.task,
            variety=draft.first.variety,
            metric=draft.first.metric,
            headline=bool(draft.first.headline),
            mode=draft.first.mode,
            prompt_language=draft.first.prompt_language,
            shots=draft.first.shots,
            models=tuple(line(row, draft) for row in draft.models),
            floors=tuple(line(row, draft) for row in draft.floors),
            to_beat=None if draft.to_beat is None else line(draft.to_beat, draft),
            ranked=len(draft.places),
            measured=draft.measured,
            total=draft.total,
            total_floors=draft.total_floors,
        )
        for draft in found
    )
