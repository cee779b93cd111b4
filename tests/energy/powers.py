"""Watts as functions of time, with their exact integrals: what a scripted GPU draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

TICK_SECONDS = 1e-3
"""The step in which plain functions of time are added up."""


class Power(Protocol):
    """Watts at a time, and joules from time 0 to a time, exactly."""

    def __call__(self, at: float) -> float: ...

    def until(self, at: float) -> float: ...


@dataclass(frozen=True)
class Steps:
    """Watts from each time on; before the first time, those of the first."""

    steps: Sequence[tuple[float, float]]

    @property
    def peak(self) -> float:
        return max(watts for _, watts in self.steps)

    def __call__(self, at: float) -> float:
        return next((watts for since, watts in reversed(self.steps) if at >= since), self.steps[0][1])

    def until(self, at: float) -> float:
        starts = [0.0, *(since for since, _ in self.steps[1:])]
        ends = [*starts[1:], math.inf]
        return sum(
            watts * (min(at, end) - start)
            for start, end, (_, watts) in zip(starts, ends, self.steps, strict=True)
            if at > start
        )


def constant(watts: float) -> Steps:
    return Steps([(0.0, watts)])


@dataclass(frozen=True)
class Ramp:
    """From `low` to `high` watts between two times, flat before and after."""

    low: float
    high: float
    begin: float
    end: float

    @property
    def peak(self) -> float:
        return max(self.low, self.high)

    def __call__(self, at: float) -> float:
        share = min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))
        return self.low + (self.high - self.low) * share

    def until(self, at: float) -> float:
        rising = min(max(at - self.begin, 0.0), self.end - self.begin)
        slope = (self.high - self.low) / (self.end - self.begin)
        return self.low * at + slope * rising**2 / 2 + (self.high - self.low) * max(0.0, at - self.end)


@dataclass(frozen=True)
class Sine:
    """`mean` watts, `swing` more and less, every `period` seconds."""

    mean: float
    swing: float
    period: float

    @property
    def peak(self) -> float:
        return self.mean + abs(self.swing)

    def __call__(self, at: float) -> float:
        return self.mean + self.swing * math.sin(math.tau * at / self.period)

    def until(self, at: float) -> float:
        turned = 1 - math.cos(math.tau * at / self.period)
        return self.mean * at + self.swing * self.period / math.tau * turned


@dataclass(frozen=True)
class Duty:
    """`high` watts for the first `share` of every `period` seconds, `low` for the rest."""

    low: float
    high: float
    period: float
    share: float

    @property
    def peak(self) -> float:
        return max(self.low, self.high)

    def __call__(self, at: float) -> float:
        return self.high if at % self.period < self.share * self.period else self.low

    def until(self, at: float) -> float:
        whole, rest = divmod(at, self.period)
        high = self.period * self.share * whole + min(rest, self.share * self.period)
        return self.low * at + (self.high - self.low) * high


@dataclass
class Summed:
    """Any function of time, added up in ticks of a millisecond; times are asked for in rising order, mostly."""

    watts: Callable[[float], float]
    _sums: list[float] = field(default_factory=lambda: [0.0])

    def __call__(self, at: float) -> float:
        return self.watts(at)

    def until(self, at: float) -> float:
        ticks, rest = divmod(at, TICK_SECONDS)
        while len(self._sums) <= ticks:
            middle = (len(self._sums) - 0.5) * TICK_SECONDS
            self._sums.append(self._sums[-1] + self.watts(middle) * TICK_SECONDS)
        return self._sums[int(ticks)] + rest * self.watts(at)


def from_json(given: Any) -> Power:
    """A number of watts, or `{"steps": ...}`, `{"ramp": ...}`, `{"sine": ...}`, `{"duty": ...}`."""
    if not isinstance(given, dict):
        return constant(float(given))
    [(kind, values)] = given.items()
    if kind == "steps":
        return Steps([(since, watts) for since, watts in values])
    made: Power = {"ramp": Ramp, "sine": Sine, "duty": Duty}[kind](*values)
    return made
