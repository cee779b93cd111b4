"""How many requests at a time: more while that brings more answers, half when the service says that it is too much.

Pure: time is handed in, so that any service can be simulated.
"""

from __future__ import annotations

from typing import Literal

START = 32
RAPID = 4
"""By how much the first rounds grow, each over the one before."""
RAPID_GAIN = 1.3
"""What such a round must bring in answers per second, or it is undone and growth becomes careful."""
TRIAL = 0.25
"""The share that a careful trial adds."""
TRIAL_GAIN = 1.05
LONGEST_HOLD = 64
"""Rounds between trials where none brought anything."""
STEPS = 8
"""After a fall, so many rounds would lead from nothing to where it was: from half of it, half as many."""
LIMITED = 0.5
FAILED = 0.75
SHORTEST_ROUND = 8
"""Answers: fewer say little of how fast a service is, and one that takes few at a time is not to be tried too often."""
TOLERATED = 0.3
"""The share of failures in a round that is no sign of too many requests: some services just fail now and then."""

Phase = Literal["rapid", "regain", "hold", "settle", "trial"]


class Concurrency:
    """A controller of the kind that TCP has: additive increase, multiplicative decrease, and a fast start.

    A round is as many answers as there are requests at a time, which is about one round trip. `most` is never exceeded,
    and `limit` never under 1.
    """

    def __init__(self, most: int, now: float, start: int = START) -> None:
        self.limit = min(start, most)
        self._most = most
        self._start = self.limit
        self._fell = float("-inf")
        self._restart(now)

    def _restart(self, now: float) -> None:
        self._phase: Phase = "rapid"
        self._target = self._step = self._most
        self._before = self.limit  # what is gone back to
        self._rate = 0.0
        self._hold = self._left = 1
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._base = self.limit
        self._count = 0
        self._failures = 0
        self._since = now

    def answered(self, now: float) -> None:
        """An answer came, of whatever kind: the service has room for that many."""
        self._count += 1
        if self._phase == "rapid" and self.limit < self._most:
            self.limit = min(self.limit + RAPID - 1, RAPID * self._base, self._most)
        if self._count + self._failures >= max(self._base, SHORTEST_ROUND):
            self._end_round(now)

    def _end_round(self, now: float) -> None:
        if self._failures > 1 and self._failures > TOLERATED * (self._failures + self._count):
            self._fall(FAILED, now)
        else:
            if now > self._since:  # answers that come during a pause say nothing of the time after it
                self._round(self._count / (now - self._since))
            self._begin(now)

    def _round(self, rate: float) -> None:
        match self._phase:
            case "rapid":
                if rate < RAPID_GAIN * self._rate:
                    # The last step to the bound is a small one: it stays where it brought anything.
                    kept = self._base == self._most and rate >= TRIAL_GAIN * self._rate
                    self.limit = self._base if kept else self._before
                    self._wait(max(rate, self._rate))
                else:
                    self._before, self._rate = self._base, rate
            case "regain":
                self.limit = min(self.limit + self._step, self._target)
                if self.limit == self._target:
                    self._wait(rate)
            case "hold":
                self._rate = max(rate, (self._rate + rate) / 2)
                self._left -= 1
                if self._left <= 0 and self.limit < self._most:
                    self._before = self.limit
                    self.limit = min(self.limit + max(1, int(self.limit * TRIAL)), self._most)
                    self._phase = "settle"
            case "settle":  # these answers were asked for before the step
                self._phase = "trial"
            case "trial":
                if rate >= TRIAL_GAIN * self._rate:
                    self._hold = 1
                    self._wait(rate)
                else:
                    self.limit = self._before
                    self._hold = min(2 * self._hold, LONGEST_HOLD)
                    self._wait(self._rate)

    def _wait(self, rate: float) -> None:
        self._phase, self._rate, self._left = "hold", rate, self._hold

    def limited(self, sent: float, now: float) -> None:
        """The service refused a request that was sent at `sent`, because there are too many."""
        if sent > self._fell:  # else it was sent before the last fall, which was for its sake too
            self._fall(LIMITED, now)

    def failed(self, sent: float, now: float) -> None:
        """A request that was sent at `sent` timed out, or the service broke over it, which may be of too many too."""
        if sent > self._fell:
            self._failures += 1
            if self._count + self._failures >= max(self._base, SHORTEST_ROUND):
                self._end_round(now)

    def _fall(self, share: float, now: float) -> None:
        self._fell = now
        self._step = max(1, self.limit // STEPS)
        if self._phase in {"settle", "trial"}:  # it was well before the trial, and trials become rarer
            self._target = self._before
            self._hold = min(2 * self._hold, LONGEST_HOLD)
        elif self._phase != "regain":
            self._target = self.limit
        self.limit = min(max(1, int(self.limit * share)), self._target)
        self._left = self._hold
        self._phase = "regain" if self.limit < self._target else "hold"
        self._begin(now)

    def paused(self, now: float) -> None:
        """Nothing was sent for a while: the round that was under way says nothing of how fast the service is."""
        self._begin(now)

    def reset(self, now: float) -> None:
        """The service was away and is back: it is found out anew how much it takes."""
        self.limit = self._start
        self._restart(now)
