"""Several meters as one: the sum of what they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.energy.meter import Mark, Meter
from bench.energy.records import MeterFacts, Reading, Scope


@dataclass(slots=True)
class CombinedMeter:
    """Reads its meters one after another. What one of them does not know, nobody knows of the sum."""

    facts: MeterFacts
    meters: tuple[Meter, ...]

    def sample(self) -> None:
        """Samples every meter."""
        for meter in self.meters:
            meter.sample()

    def mark(self) -> Mark:
        """Marks every meter; the moment is that of the first."""
        marks = tuple(meter.mark() for meter in self.meters)
        return Mark(marks[0].at, {"marks": marks})

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The sum of all readings; without joules, and with its reasons, if one of them has none."""
        ends = zip(self.meters, begin.counters["marks"], end.counters["marks"], strict=True)
        return added([meter.between(first, last) for meter, first, last in ends], end.at - begin.at)

    def close(self) -> None:
        """Closes every meter."""
        for meter in self.meters:
            meter.close()


def combined(meters: Sequence[Meter], scope: Scope) -> CombinedMeter:
    """One meter of `scope`, out of at least one whose scopes do not overlap.

    It counts by integral if one of them does; raises ValueError where there is none.
    """
    if not meters:
        raise ValueError("nothing to combine")
    every = [meter.facts for meter in meters]
    periods = [facts.period for facts in every if facts.period is not None]
    facts = MeterFacts(
        scope=scope,
        method="integral" if any(facts.method == "integral" for facts in every) else "counter",
        api=" + ".join(facts.api for facts in every),
        devices=tuple(device for facts in every for device in facts.devices),
        period=max(periods, default=None),
        notes=tuple(dict.fromkeys(note for facts in every for note in facts.notes)),
    )
    return CombinedMeter(facts, tuple(meters))


def added(readings: Sequence[Reading], seconds: float) -> Reading:
    """The sum of readings of the same time. Extremes of power are left out: those of the parts need not coincide."""
    joules = [reading.joules for reading in readings if reading.joules is not None]
    crosses = [reading.cross for reading in readings if reading.cross is not None]
    reasons = tuple(dict.fromkeys(reason for reading in readings for reason in reading.reasons))
    return Reading(
        seconds=seconds,
        joules=sum(joules) if len(joules) == len(readings) else None,
        reasons=reasons,
        notes=tuple(dict.fromkeys(note for reading in readings for note in reading.notes)),
        cross=sum(crosses) if len(crosses) == len(readings) else None,
        celsius=max((reading.celsius for reading in readings if reading.celsius is not None), default=None),
        capped=max((reading.capped for reading in readings if reading.capped is not None), default=None),
    )
