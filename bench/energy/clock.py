"""Time for whatever measures: a clock that never goes backwards, and something called every so often."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol


class Clock(Protocol):
    """What measuring needs of time; tests have one that they move by hand."""

    def now(self) -> float:
        """Seconds since some moment; never goes backwards."""

    def wait(self, seconds: float) -> None:
        """Returns so much later."""

    def every(self, seconds: float, call: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `call` every so many seconds while the context is open, from another thread perhaps."""


class RealClock:
    """The machine's own monotonic clock; `every` calls from a thread, and drops beats rather than catch up."""

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleeps."""
        time.sleep(max(0.0, seconds))

    @contextlib.contextmanager
    def every(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        """Whatever `call` raises ends the calls, and is raised where the context ends."""
        done = threading.Event()

        def beat() -> None:
            due = time.monotonic()
            while not done.is_set():
                call()
                due = max(due + seconds, time.monotonic())
                done.wait(due - time.monotonic())

        with ThreadPoolExecutor(1, "meter") as pool:
            beating = pool.submit(beat)
            try:
                yield
            finally:
                done.set()
            beating.result()
