"""What every meter promises, and nothing about any of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.energy.records import MeterFacts, Reading

SAMPLE_SECONDS = 0.1
"""How often a meter is sampled while it measures."""
LONGEST_GAP = 3.0
"""Seconds without a power reading, beyond which an integral is not believed."""


class NoMeter(Exception):
    """A meter that cannot measure here. `code` is one of `reasons.FATAL`; `mend` the one thing that would change it."""

    def __init__(self, code: str, detail: str = "", mend: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, on the clock, with what the meter's counters said then (None: the reading failed). For the meter."""

    at: float
    counters: dict[str, Any] = field(default_factory=dict)


class Meter(Protocol):
    """Counts the energy of one scope of this machine, between two marks.

    Nothing here raises for a reading that failed: the stretch it falls into has no joules, and a reason. `mark` and
    `sample` may be called from different threads.
    """

    facts: MeterFacts

    def sample(self) -> None:
        """Reads power, clocks and counters now. Called every `SAMPLE_SECONDS` while anything is measured."""

    def mark(self) -> Mark:
        """Remembers this moment."""

    def between(self, begin: Mark, end: Mark) -> Reading:
        """The energy from one mark to a later one."""

    def close(self) -> None:
        """Lets go of the device."""
