"""Stops sending to a service that is down, and tries again with one request at a time. Pure."""

from __future__ import annotations

FAILURES = 20
"""So many failures in a row, with no answer between them, and the service counts as down."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class Breaker:
    """Closed while the service answers; open, it lets one probe through after each pause, and pauses grow."""

    def __init__(self) -> None:
        self.open = False
        self.failures = 0
        self.probe_at = 0.0
        self._probing: float | None = None
        self._pause = FIRST_PAUSE

    def lets_through(self, now: float) -> bool:
        """Whether a request may be sent now."""
        return not self.open or (self._probing is None and now >= self.probe_at)

    def sent(self, now: float) -> None:
        """A request is sent."""
        if self.open:
            self._probing = now

    def answered(self) -> bool:
        """The service answered. True where it had been down."""
        was_open = self.open
        self.open, self.failures, self._probing, self._pause = False, 0, None, FIRST_PAUSE
        return was_open

    def failed(self, sent: float, now: float) -> None:
        """A request that was sent at `sent` failed."""
        self.failures += 1
        if not self.open:
            self.open = self.failures >= FAILURES
            self.probe_at = now + self._pause
        elif sent == self._probing:  # what was sent before the probe says nothing new
            self._probing = None
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self.probe_at = now + self._pause

    def abandoned(self) -> None:
        """Nothing is under way any more: the asking was ended from outside."""
        self._probing = None
