"""From power readings to energy: the integral over a stretch of time, or the reason why there is none."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from bench.energy.meter import LONGEST_GAP

Item = TypeVar("Item")

MOST_SAMPLES = 100_000
"""How many samples are kept: close to three hours of ten a second."""


@dataclass(frozen=True, slots=True)
class Integral:
    """Joules; None with `reason`, one of `sample_gap` and `not_bracketed`."""

    joules: float | None
    reason: str = ""


def integral(samples: Sequence[tuple[float, float]], begin: float, end: float) -> Integral:
    """The energy in joules between two times, from (seconds, watts) in the order of time, by the trapezoid rule.

    Watts at `begin` and `end` are interpolated, so that there has to be a sample at or before the one and at or after
    the other; samples over `LONGEST_GAP` apart are not bridged (InferenceX's rules for a measured power).
    """
    times = [at for at, _ in samples]
    first, last = bisect_right(times, begin) - 1, bisect_left(times, end)
    if first < 0 or last >= len(times) or end <= begin:
        return Integral(None, "not_bracketed")
    at = np.array(times[first : last + 1])
    watts = np.array([one for _, one in samples[first : last + 1]])
    gap = float(np.diff(at).max())
    if gap > LONGEST_GAP:
        return Integral(None, f"sample_gap: {gap:.1f} s")
    inside = (at > begin) & (at < end)
    edges = np.interp([begin, end], at, watts)
    heights = np.concatenate([edges[:1], watts[inside], edges[1:]])
    return Integral(float(np.trapezoid(heights, np.concatenate([[begin], at[inside], [end]]))))


class Samples(Generic[Item]):
    """The latest samples, `most` of them. Appended to in the order of time, and read, from any thread."""

    def __init__(self, at: Callable[[Item], float], most: int = MOST_SAMPLES) -> None:
        self._at = at
        self._lock = threading.Lock()
        self._items: deque[Item] = deque(maxlen=most)

    def append(self, item: Item) -> None:
        """Adds the latest, and forgets the oldest where there are too many."""
        with self._lock:
            self._items.append(item)

    def within(self, begin: float, end: float) -> list[Item]:
        """Those from one time to another, both included."""
        with self._lock:
            return [item for item in self._items if begin <= self._at(item) <= end]
