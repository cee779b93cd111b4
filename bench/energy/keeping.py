"""Windows to and from the run file, as JSON."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bench.energy.records import Window
from bench.runfile import RunFile


def keep(run: RunFile, window: Window) -> None:
    """Adds a window to the run file. Raises `RunFileError`."""
    run.add_window(msgspec.json.encode(window).decode())


def windows(run: RunFile) -> list[Window]:
    """Every window of a run in the order of measuring. Raises `ValueError` for one that is no window."""
    return decoded(run.windows())


def decoded(texts: Iterable[str]) -> list[Window]:
    """Windows from their JSON. Raises `ValueError` for one that is no window; infinities and NaN have no JSON."""
    return [msgspec.json.decode(text, type=Window) for text in texts]
