"""The validation tests over all windows of a run, and its sentinels compared with one another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from bench.energy import checks
from bench.energy.records import Subject, Window
from bench.energy.schedule import joules_per_token

DRIFT = "drift"
"""What `Checked` calls the comparison of sentinels, which is no test of `bench.energy.checks`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One validation test over all windows; `worst` is the largest number found, `limit` and `detail` of that reading.

    `windows` are the numbers of those that failed, `why` says what was not made. `id` is `DRIFT` for the sentinels: not
    made are then windows without one on either side.
    """

    id: str
    passed: int
    failed: int
    not_made: int
    worst: float | None
    limit: str
    detail: str
    windows: tuple[int, ...] = ()
    why: str = ""


def checked(windows: Iterable[Window]) -> Iterable[Checked]:
    """Every test over all the windows that it was made in."""
    every = [(window.number, check) for window in windows for check in window.checks]
    for name in sorted({check.id for _, check in every}, key=lambda name: (len(name), name)):
        mine = [check for _, check in every if check.id == name]
        # All that is said is of one reading: of those that failed, if any did, the one with the largest number.
        told = [one for one in mine if one.passed is False] or [one for one in mine if one.passed] or mine
        worst = max(told, key=lambda one: -1.0 if one.found is None else one.found)
        yield Checked(
            name,
            passed=sum(check.passed is True for check in mine),
            failed=sum(check.passed is False for check in mine),
            not_made=sum(check.passed is None for check in mine),
            worst=worst.found,
            limit=worst.limit,
            detail=worst.detail,
            why=next((check.detail for check in mine if check.passed is None), ""),
            windows=tuple(number for number, check in every if check.id == name and check.passed is False),
        )


def compared(windows: Iterable[Window], against: Mapping[int, str]) -> Iterable[Checked]:
    """Sentinels compared with the next one of the same questions, and the windows that lie between those apart."""
    measured = [window for window in windows if window.kind in ("isolated", "sentinel", "control")]
    if not measured:
        return
    groups: dict[tuple[Subject, str], list[tuple[int, float]]] = {}
    for window in sorted(measured, key=lambda one: one.number):
        if window.kind == "sentinel" and (each := joules_per_token(window)) is not None:
            groups.setdefault((window.subject, window.questions), []).append((window.number, each))
    pairs = [pair for group in groups.values() for pair in pairwise(group)]
    found = [(abs(left - right) / fmean((left, right)), before, after) for (before, left), (after, right) in pairs]
    values = dict(each for group in groups.values() for each in group)
    largest, before, after = max(found, default=(None, 0, 0))
    told = f"{values[before]:.3g} J a token in window {before}, {values[after]:.3g} in {after}" if found else ""
    drifting = tuple(window.number for window in measured if against.get(window.number) == "drift")
    alone = sum(against.get(window.number) == "no_sentinel" for window in measured)
    passed = len(measured) - len(drifting) - alone
    yield Checked(DRIFT, passed, len(drifting), alone, largest, f"up to {checks.DRIFT:.0%}", told, drifting)
