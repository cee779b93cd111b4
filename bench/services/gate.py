"""Whether one more request may be sent now: concurrency, pauses, the breaker, and when to give up. Pure."""

from __future__ import annotations

from bench.services.attempts import Failure, backoff
from bench.services.breaker import Breaker
from bench.services.calls import Limits
from bench.services.concurrency import Concurrency

FIRST_CONTACT = 60.0
"""Seconds until a service that was never once reached is given up: its address is wrong, or it does not run."""


class Gate:
    """What is known of one service. Times are seconds of one clock, which stands still while nobody asks."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.concurrency = Concurrency(limits.most, now)
        self._breaker = Breaker()
        self._patience = limits.patience
        self._resume = now  # end of the pause
        self._heard = now  # the last answer
        self._reached = False
        self._limited = 0  # in a row, with no answer between them
        self._last: Failure | None = None

    def begin(self, now: float) -> None:
        """Asking begins, or begins again."""
        self._heard = now
        self._last, self._limited = None, 0
        self._breaker.abandoned()
        self.concurrency.paused(now)

    def room(self, under_way: int, now: float) -> int:
        """How many more may be sent; 0 or less where none."""
        if self._breaker.open:
            return int(now >= self._resume and self._breaker.lets_through(now))
        return self.concurrency.limit - under_way if now >= self._resume else 0

    def sent(self, now: float) -> None:
        """A request is sent."""
        self._breaker.sent(now)

    def answered(self, now: float) -> None:
        """The service answered, be it that this request will not do."""
        self._heard, self._reached = now, True
        if self._last is not None:
            self._last, self._limited = None, 0
            if self._breaker.answered():
                self.concurrency.reset(now)
        self.concurrency.answered(now)

    def failed(self, failure: Failure, sent: float, now: float, draw: float) -> None:
        """An attempt failed that was sent at `sent`; `draw` is uniform in [0, 1)."""
        self._last = failure
        self._reached = self._reached or failure.kind != "unheard"
        match failure.kind:
            case "limited":
                self._breaker.answered()  # whoever refuses is there
                self._limited += 1
                self.concurrency.limited(sent, now)
                if failure.wait is None and self.concurrency.limit == 1:
                    self._pause(backoff(self._limited, draw), now)
            case "failed" | "unheard":
                self._breaker.failed(sent, now)
                self.concurrency.failed(sent, now)
            case _ if self._breaker.open:
                self._breaker.failed(sent, now)
        if failure.wait is not None:
            self._pause(failure.wait, now)

    def _pause(self, seconds: float, now: float) -> None:
        if now + seconds > self._resume:
            self._resume = now + seconds
            self.concurrency.paused(self._resume)

    def given_up(self, under_way: int, now: float) -> tuple[float, str] | None:
        """(seconds without an answer, why) once going on is useless."""
        last, silence = self._last, now - self._heard
        if last is None:
            return None
        if not under_way and self._resume - self._heard > self._patience:
            return silence, f"{last}; it asks to wait {self._resume - now:.0f} s more"
        unheard = last.kind == "unheard"
        patience = self._patience if self._reached or not unheard else min(self._patience, FIRST_CONTACT)
        troubled = unheard or self._breaker.open or self._limited
        return (silence, str(last)) if troubled and silence >= patience else None

    def status(self, now: float) -> str:
        """In a few words."""
        if self._last is not None and self._breaker.open:
            return f"no answer for {now - self._heard:.0f} s ({self._last.code})"
        if self._last is not None and now < self._resume:
            return f"waiting {self._resume - now:.0f} s ({self._last.code})"
        return f"{self.concurrency.limit} at a time"
