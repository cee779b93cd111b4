"""Processes that a test starts and that end with it, whatever becomes of it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

LONGEST = 300.0
"""Seconds after which one is killed: a test that waits for a word of it fails then, and does not wait for ever."""


@contextlib.contextmanager
def started(command: Sequence[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process, with the arguments of `subprocess.Popen`; killed at the end, if it still runs."""
    with subprocess.Popen(list(command), **{"text": True, **more}) as process:
        watchdog = threading.Timer(LONGEST, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield process
        finally:  # else leaving the block would wait for it
            watchdog.cancel()
            process.kill()
