"""A meter outside of this machine: a power supply with a meter (PDU), a board controller (IPMI), a plug at the wall.

It has its own readings with their own times (Unix time); what is measured here are only the moments between which
they are added up. Readings come late, rarely, or not at all, and none of that may look like little energy: they must
lie around the whole stretch, without gaps.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal, Protocol

from bench.energy.clock import Clock
from bench.energy.meter import LONGEST_GAP, Mark, NoMeter
from bench.energy.records import Device, MeterFacts, Reading

MOST_WATTS = 1e6
"""A reading above is not in watts."""
LATE_SECONDS = 1.0
"""How long after its own time a reading may take to arrive, beyond the period of the meter."""
STALE_SECONDS = 60.0
"""A meter whose last reading is older, and older than `PERIODS` of its periods, is not running."""
PERIODS = 3
"""Periods of a slow meter that may pass without a reading."""
POLL_SECONDS = 0.25
STEPPED_SECONDS, STEPPED_SHARE = 0.5, 0.01
"""By how much Unix time and the clock that never steps may differ over a stretch (InferenceX)."""

OutsideScope = Literal["node", "wall"]


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one device: Unix times that never fall, and watts, or joules since some moment."""

    times: Sequence[float]
    values: Sequence[float]

    @property
    def period(self) -> float | None:
        """The usual time between two readings, in seconds; None for fewer than two."""
        apart = [later - earlier for earlier, later in pairwise(self.times) if later > earlier]
        return median(apart) if apart else None


class Source(Protocol):
    """Where the readings of an outside meter are. `counter`: they are joules that add up, not watts."""

    api: str
    counter: bool

    def read(self, begin: float, end: float) -> Sequence[Series]:
        """One series for each device, from before one Unix time to after a later one, as far as there are readings.

        Raises `NoMeter` with `external_absent` or `external_unreadable`.
        """


@dataclass(slots=True)
class ExternalMeter:
    """Adds up an outside meter's readings between marks."""

    facts: MeterFacts
    clock: Clock
    source: Source
    unix: Callable[[], float]

    def sample(self) -> None:
        """The outside meter samples by itself."""

    def mark(self) -> Mark:
        """Remembers this moment in both times."""
        return Mark(self.clock.now(), {"unix": self.unix()})

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The energy from mark to mark. Waits up to one period for the reading after the end."""
        seconds = end.at - begin.at
        first, last = begin.counters["unix"], end.counters["unix"]
        if abs(last - first - seconds) > max(STEPPED_SECONDS, STEPPED_SHARE * seconds):
            return Reading(seconds, None, (f"clock_stepped: by {last - first - seconds:+.1f} s",))
        until = self.clock.now() + (self.facts.period or LONGEST_GAP) + LATE_SECONDS
        while True:
            reading, complete = self._read(first, last, seconds)
            if complete or self.clock.now() >= until:
                return reading
            self.clock.wait(POLL_SECONDS)

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self, begin: float, end: float, seconds: float) -> tuple[Reading, bool]:
        """What there is now, and whether waiting cannot change it any more."""
        try:
            every = self.source.read(begin, end)
        except NoMeter as reason:
            return Reading(seconds, None, (str(reason),)), False
        if len(every) != len(self.facts.devices):
            why = f"{len(every)} series, where there were {len(self.facts.devices)}"
            return Reading(seconds, None, (f"external_unreadable: {why}",)), True
        joules, reasons = 0.0, []
        for series in every:
            found, code = energy(series, begin, end, counter=self.source.counter, period=self.facts.period)
            joules += found
            reasons += [code] if code else []
        if not reasons and joules <= 0:
            reasons.append("power_implausible: 0 W")
        arrived = all(series.times and series.times[-1] >= end for series in every)
        slow = () if (self.facts.period or 0) <= LONGEST_GAP else (f"slow_meter: every {self.facts.period:.0f} s",)
        return Reading(seconds, None if reasons else joules, tuple(dict.fromkeys(reasons)), slow), arrived


def open_external(
    clock: Clock, source: Source, scope: OutsideScope, unix: Callable[[], float] = time.time
) -> ExternalMeter:
    """The meter of a source whose readings cover `scope`.

    Raises `NoMeter`: `external_absent` where there are no readings or only old ones, `external_unreadable` where they
    cannot be understood, or come from a clock that is ahead.
    """
    now = unix()
    every = source.read(now - STALE_SECONDS, now)
    if not every or not all(series.times for series in every):
        raise NoMeter("external_absent", "there are no readings yet", "start the outside meter first")
    periods = [series.period for series in every if series.period is not None]
    period = max(periods, default=None)
    age = now - min(series.times[-1] for series in every)
    if age > max(STALE_SECONDS, PERIODS * (period or 0)):
        mend = "start the outside meter, or set its clock"
        raise NoMeter("external_absent", f"the last reading is {age:,.0f} s old", mend)
    if age < -STALE_SECONDS:
        raise NoMeter("external_unreadable", f"the last reading is {-age:,.0f} s ahead", "set the meter's clock")
    facts = MeterFacts(
        scope=scope,
        method="counter" if source.counter else "integral",
        api=source.api,
        devices=(Device(f"{scope} meter"),) * len(every),
        period=period,
    )
    return ExternalMeter(facts, clock, source, unix)


def longest_gap(period: float | None) -> float:
    """Seconds that may pass without a reading: 3, or 3 periods of a meter that has longer ones."""
    return PERIODS * period if period is not None and period > LONGEST_GAP else LONGEST_GAP


def energy(
    series: Series, begin: float, end: float, *, counter: bool, period: float | None = None
) -> tuple[float, str]:
    """(joules from `begin` to `end`, ""), or (NaN, reason code).

    Between two readings, power, or what a counter says, is taken to change evenly.
    """
    times = series.times
    if not times or times[0] > begin or times[-1] < end:
        return math.nan, "not_bracketed"
    inside = slice(bisect_right(times, begin) - 1, bisect_left(times, end) + 1)
    steps = list(pairwise(zip(times[inside], series.values[inside], strict=True)))
    if any(later - earlier > longest_gap(period) for (earlier, _), (later, _) in steps):
        return math.nan, "sample_gap"
    joules = 0.0
    for (earlier, low), (later, high) in steps:
        if counter and high < low:
            return math.nan, "counter_reset"
        if later == earlier:
            continue
        since, until = max(earlier, begin), min(later, end)
        slope = (high - low) / (later - earlier)
        middle = low + slope * ((since + until) / 2 - earlier)
        joules += (until - since) * (slope if counter else middle)
    return joules, ""


def checked(value: float, *, counter: bool) -> float:
    """A reading that a meter can have given. Raises ValueError with what is wrong."""
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    if value < 0:
        raise ValueError("below 0")
    if not counter and value > MOST_WATTS:
        raise ValueError(f"{value:g} is not a number of watts")
    return value
