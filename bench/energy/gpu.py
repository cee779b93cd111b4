"""What the readings of GPUs amount to: the energy of a stretch of time, or every reason why it is not to be believed.

Nothing here touches a GPU. The bounds are those of ML.ENERGY's validator and InferenceX's aggregator, where they have
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.energy.meter import LONGEST_GAP
from bench.energy.power import integral
from bench.energy.records import Method, Reading

COUNTER_PERIOD = 0.1
"""Seconds between two updates of NVML's energy counter: what a difference of two readings may be off by."""
STUCK_SECONDS = 1.0
"""A counter that says the same for longer has stopped; at rest, where it is not held against power, a figure may so be
short by as long."""
DISAGREE_SHARE, DISAGREE_SECONDS, DISAGREE_WATTS = 0.05, 5.0, 70.0
"""How far counter and integral may be apart (T2), in stretches as long and under as much power. At rest counters are
known to be off by 40 % (zeus#181), which is not what a counter is used for."""
AVERAGED_SECONDS = 1.0
"""`nvmlDeviceGetPowerUsage` is the mean of the last second since Ampere."""
MEAN_OVER_LIMIT, INSTANT_OVER_LIMIT = 1.1, 1.7
"""The most of its power limit that a GPU takes on average and for a moment (T8)."""
POWER_CAPPED, THROTTLED = 0x4, 0x8 | 0x20 | 0x40 | 0x80
"""Clock event reasons: SwPowerCap; HwSlowdown, SwThermalSlowdown, HwThermalSlowdown, HwPowerBrakeSlowdown."""

Tenants = Literal["", "own", "foreign", "unseen"]
"""Whose processes are on a GPU: only this program's, another's too, not to be seen; "" was not looked at."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a GPU can say. `limit` in watts, None where it is not known or is of something else than its power."""

    counted: bool
    powered: bool = True
    averaged: bool = False
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """What one GPU said at one time; None is what it did not say. `failure` is a code of `reasons.FATAL`."""

    at: float
    watts: float | None = None
    millijoules: int | None = None
    bits: int | None = None
    celsius: float | None = None
    tenants: Tenants = ""
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """What a GPU's counter said at a mark, None with the reason."""

    at: float
    millijoules: int | None
    failure: str = ""


def judged(points: Sequence[Point], begin: Count, end: Count, able: Abilities, method: Method) -> Reading:
    """The energy of one GPU between two marks. `points` are in the order of time and reach beyond both marks."""
    inside = [point for point in points if begin.at <= point.at <= end.at]
    seconds = end.at - begin.at
    reasons = _failures(inside, begin, end)
    counted, why = _counted(inside, begin, end) if able.counted else (None, "")
    reasons += [why] if why else []
    summed = None
    if able.powered:
        known = [(point.at, point.watts) for point in points if point.watts is not None]
        total = integral(known, begin.at, end.at)
        summed = total.joules
        reasons += [total.reason] if total.reason else []
        if counted is not None and summed is not None:
            reasons += _disagreement(counted, summed, seconds, inside, able)
    joules, cross = (counted, summed) if method == "counter" else (summed, counted)
    reasons += _implausible(joules, seconds, inside, able)
    bits = [point.bits for point in inside if point.bits is not None]
    if any(some & THROTTLED for some in bits):
        reasons.append("throttled")
    tenants = {point.tenants for point in inside} - {""}
    if "foreign" in tenants:
        reasons.append("shared_gpu")
    capped = sum(bool(some & POWER_CAPPED) for some in bits) / len(bits) if bits else None
    notes = [
        *(["power_capped"] if capped else []),
        *(["processes_unseen"] if "unseen" in tenants or not tenants else []),
        *([] if bits else ["throttling_unseen"]),
    ]
    return Reading(
        seconds=seconds,
        joules=None if reasons else joules,
        reasons=once(reasons),
        notes=tuple(notes),
        cross=cross,
        celsius=max((point.celsius for point in inside if point.celsius is not None), default=None),
        capped=capped,
    )


def together(readings: Sequence[Reading], beats: Iterable[Sequence[Point]], notes: Iterable[str]) -> Reading:
    """The energy of several GPUs, which is not known where that of one is not.

    `beats` are the points of one moment each, one point a GPU; `notes` those that hold for any reading.
    """
    joules = [one.joules for one in readings]
    crosses = [one.cross for one in readings]
    totals = [total for beat in beats if (total := _sum([point.watts for point in beat])) is not None]
    return Reading(
        seconds=max(one.seconds for one in readings),
        joules=_sum(joules),
        reasons=once(reason for one in readings for reason in one.reasons),
        notes=once([*notes, *(note for one in readings for note in one.notes)]),
        cross=_sum(crosses),
        lowest_watts=min(totals, default=None),
        highest_watts=max(totals, default=None),
        celsius=max((one.celsius for one in readings if one.celsius is not None), default=None),
        capped=max((one.capped for one in readings if one.capped is not None), default=None),
    )


def once(codes: Iterable[str]) -> tuple[str, ...]:
    """Each code once, with the detail that it came with first."""
    said: dict[str, str] = {}
    for code in codes:
        said.setdefault(code.partition(":")[0], code)
    return tuple(said.values())


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) and known else None


def _failures(inside: Sequence[Point], begin: Count, end: Count) -> list[str]:
    """What does not pass by itself; any other failed sample is one sample less."""
    failures = {begin.failure, end.failure, *(point.failure for point in inside)}
    return [code for code in ("gpu_lost", "no_permission") if code in failures]


def _counted(inside: Sequence[Point], begin: Count, end: Count) -> tuple[float | None, str]:
    """Joules by the counter, or why there are none."""
    if begin.millijoules is None or end.millijoules is None:
        return None, begin.failure or end.failure or "nvml_failed"
    said = [(point.at, point.millijoules) for point in inside if point.millijoules is not None]
    # Readings of the marks' own moments may have been taken a little to either side of them.
    course = [(begin.at, begin.millijoules), *sorted(said), (end.at, end.millijoules)]
    if any(later < earlier for (_, earlier), (_, later) in pairwise(course)):
        return None, "counter_reset"
    # Within one update of the counter nothing is counted, which is not to say that nothing was used.
    if end.millijoules == begin.millijoules or _longest_standstill(course) > STUCK_SECONDS:
        return None, "counter_stuck"
    return (end.millijoules - begin.millijoules) / 1000, ""


def _longest_standstill(course: Sequence[tuple[float, int]]) -> float:
    """The longest time for which the counter said the same, in seconds."""
    longest, (since, value) = 0.0, course[0]
    for at, millijoules in course:
        if millijoules != value:
            since, value = at, millijoules
        longest = max(longest, at - since)
    return longest


def _disagreement(counted: float, summed: float, seconds: float, inside: Sequence[Point], able: Abilities) -> list[str]:
    """T2, under load."""
    if seconds < DISAGREE_SECONDS or max(counted, summed) < DISAGREE_WATTS * seconds:
        return []
    watts = [point.watts for point in inside if point.watts is not None]
    # A mean of the last second is late at both ends by what the power rose or fell by.
    slack = AVERAGED_SECONDS * (max(watts) - min(watts)) if able.averaged and watts else 0.0
    apart = abs(counted - summed)
    if apart <= DISAGREE_SHARE * summed + slack:
        return []
    return [f"counter_disagrees: {counted:.0f} J counted, {summed:.0f} J added up"]


def _implausible(joules: float | None, seconds: float, inside: Sequence[Point], able: Abilities) -> list[str]:
    """T8. A GPU that takes nothing at all is not one that was measured."""
    if joules is not None and joules <= 0:
        return ["power_implausible: 0 W"]
    highest = max((point.watts for point in inside if point.watts is not None), default=None)
    if able.limit is None:
        return []
    if joules is not None and joules > able.limit * (MEAN_OVER_LIMIT * seconds + COUNTER_PERIOD):
        return [f"power_implausible: {joules / seconds:.0f} W of {able.limit:.0f} W"]
    if highest is not None and highest > able.limit * INSTANT_OVER_LIMIT:
        return [f"power_implausible: {highest:.0f} W of {able.limit:.0f} W for a moment"]
    return []


def reach(begin: float, end: float) -> tuple[float, float]:
    """The times from and until which samples matter to a stretch of time."""
    return begin - LONGEST_GAP, end + LONGEST_GAP
