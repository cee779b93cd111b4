"""Every number on the board that is more than one cell is made here, once, when a snapshot is written.

Pure functions of cells. Nothing is averaged over metrics, ways of asking or kinds of task; a missing number is left out
and counted, never taken for zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from bench.aggregate import by_way, macro
from bench.records import Cell
from bench.summary import TOO_FEW_ITEMS
from leaderboard.grid import Number, counts
from leaderboard.records import Coverage, Mean, Model
from tasks import FLAWS

Known = TypeVar("Known", bound=Number)

BASELINE, SELF_TEST, PARTIAL, NO_NUMBERS = "baseline", "self_test", "partial", "no_numbers"


def means(model: Model, cells: Iterable[Cell], declared: Mapping[tuple[str, str], Collection[str]]) -> list[Mean]:
    """The macro means of one model, one for each task, metric and way of asking, the headline metrics alone.

    `declared` maps a task and version to all of its languages, evaluated here or not.
    """
    return [_mean(model, group, declared[way[0], way[1]]) for way, group in sorted(by_way(cells).items())]


def _mean(model: Model, group: Sequence[Cell], declared: Collection[str]) -> Mean:
    first = group[0]
    counted = [cell for cell in group if counts(cell)]
    values = [cell.value for cell in counted if cell.value is not None]
    covered = {cell.language for cell in counted}
    flaws = [cell for cell in group if cell.reasons.get("rank") in FLAWS and cell.language not in covered]
    flawed = {cell.language for cell in flaws}
    valued = {cell.language for cell in group if cell.value is not None}
    return Mean(
        model=model.slug,
        task=first.task,
        version=first.task_version,
        metric=first.metric,
        mode=first.mode,
        prompt_language=first.prompt_language,
        shots=first.shots,
        floor=first.floor,
        normalised=macro(counted, "normalised"),
        value=macro(counted, "value"),
        chance=macro(counted, "chance"),
        lowest=min(values, default=None),
        highest=max(values, default=None),
        languages=len(covered),
        declared=len(declared),
        items=sum(cell.n for cell in counted),
        too_few=len(valued - covered - flawed),
        missing=len({cell.language for cell in group} - valued - flawed),
        why_missing=_commonest(
            cell.reasons.get("value", "no_items")
            for cell in group
            if cell.value is None and cell.language not in valued | flawed
        ),
        flawed=len(flawed),
        why_flawed=_commonest(cell.reasons["rank"] for cell in flaws),
        incomplete=len({cell.language for cell in counted if cell.errors or cell.skipped}),
        reason=_unranked(model, counted, covered, set(declared) - flawed),
    )


def _unranked(model: Model, counted: Sequence[Cell], covered: Collection[str], declared: Collection[str]) -> str:
    """Why a mean is not ranked: what it is comes before what it lacks."""
    if model.baseline:
        return BASELINE
    if not counted:
        return NO_NUMBERS
    if counted[0].floor:
        return SELF_TEST
    marked = [cell.reasons["rank"] for cell in counted if "rank" in cell.reasons]
    if marked:
        return marked[0]
    return "" if set(declared) <= set(covered) else PARTIAL


def _commonest(reasons: Iterable[str]) -> str:
    """The commonest reason, of equally common ones the first by name; empty where there is none."""
    counted = sorted(Counter(reasons).items(), key=lambda pair: (-pair[1], pair[0]))
    return counted[0][0] if counted else ""


def coverage(model: Model, cells: Iterable[Cell]) -> Coverage:
    """In how many languages the model has numbers that count."""
    headline = [cell for cell in cells if cell.headline and counts(cell)]
    real = [cell for cell in headline if not cell.floor]
    floor = [cell for cell in headline if cell.floor]
    return Coverage(
        model=model.slug,
        languages=len({cell.language for cell in real}),
        cells=len(real),
        items=sum(cell.n for cell in real),
        floor_languages=len({cell.language for cell in floor}),
        floor_cells=len(floor),
        floor_items=sum(cell.n for cell in floor),
    )


def _holds(cell: Number) -> bool:
    """Whether a cell may be held against another: enough items, and nothing that keeps it from being ranked."""
    return cell.value is not None and cell.n >= TOO_FEW_ITEMS and "rank" not in cell.reasons


def highest_floor(cells: Iterable[Known]) -> Known | None:
    """Of the baselines' cells in one table the one with the highest value that holds: what a model has to beat."""
    valued = [cell for cell in cells if _holds(cell)]
    return max(valued, key=lambda cell: cell.value or 0.0, default=None)


def against_floor(cell: Number, floor: Number | None) -> str:
    """`above`, `below` or `not_separable`: where the interval lies beside the highest floor.

    Empty without either, and where the two were not scored on equally many items.
    """
    if floor is None or floor.value is None or cell.ci_low is None or cell.ci_high is None:
        return ""
    if not _holds(cell) or not _holds(floor) or cell.n != floor.n:
        return ""
    if cell.ci_low > floor.value:
        return "above"
    return "below" if cell.ci_high < floor.value else "not_separable"
