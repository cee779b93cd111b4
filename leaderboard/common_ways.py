"""In which ways two models were asked alike, and why they were not: what may be compared at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from leaderboard.grid import Sheet, Way


def common(sheets: Iterable[Sheet], numbers: Sequence[int]) -> dict[Way, int]:
    """The ways of asking in which the first model and some other have a number, with how many languages they share.

    Benchmarks first, then those with the most languages.
    """
    found: list[tuple[bool, int, Way]] = []
    for sheet in sheets:
        shared = _shared(sheet, numbers)
        if shared is not None:
            found.append((sheet.floor, -shared, sheet.way))
    return {way: -shared for _floor, shared, way in sorted(found)}


def _shared(sheet: Sheet, numbers: Sequence[int]) -> int | None:
    own = [sheet.models.index(number) for number in numbers if number in sheet.models]
    if numbers[0] not in sheet.models or len(own) < 2:
        return None
    there = sheet.normalised[own] == sheet.normalised[own]
    return int((there[0] & there[1:].any(axis=0)).sum())


def numbered(sheets: Iterable[Sheet]) -> dict[Way, int]:
    """The ways in which each task was asked on the board, from 1, whichever models are compared."""
    found: dict[Way, int] = {}
    of_task: Counter[str] = Counter()
    for way in sorted(sheet.way for sheet in sheets):
        of_task[way.task] += 1
        found[way] = of_task[way.task]
    return found


def apart(sheets: Iterable[Sheet], baseline: int, systems: Collection[int]) -> Iterator[tuple[int, str, str]]:
    """The tasks in which a system and the baseline were not asked alike: the system, the task, the reason code."""
    ways: dict[int, dict[str, list[Way]]] = {}
    for sheet in sheets:
        for number in {baseline, *systems}.intersection(sheet.models):
            ways.setdefault(number, {}).setdefault(sheet.way.task, []).append(sheet.way)
    own = ways.get(baseline, {})
    for number in systems:
        other = ways.get(number, {})
        for task in sorted(own.keys() | other.keys()):
            reason = _apart(own.get(task, []), other.get(task, []))
            if reason:
                yield number, task, reason


def _apart(own: Sequence[Way], other: Sequence[Way]) -> str:
    if not own or not other:
        return "only_in_system" if other else "only_in_baseline"
    if set(own) & set(other):
        return ""
    for field in ("version", "mode", "prompt_language", "shots"):
        if {getattr(way, field) for way in own}.isdisjoint(getattr(way, field) for way in other):
            return f"other_{field}"
    return "other_shots"
