"""Progress with rate and time left, on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from bench.watch import Progress, Standing

LINE_SECONDS = 10
"""Where standard error is no terminal, a line as often as this."""


def say_when_compiling() -> None:
    """In a terminal, one line before the pause that a machine's first score makes."""
    if sys.stderr.isatty():
        logger = logging.getLogger("kernels")
        logger.setLevel(logging.INFO)
        logger.addHandler(logging.StreamHandler())


@contextlib.contextmanager
def watch(title: str, total: int) -> Iterator[Progress]:
    """A bar in a terminal, now and then a line elsewhere. See `bench.watch.Watch`."""
    console = Console(stderr=True)
    started = spoken = time.monotonic()
    before: int | None = None
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    bar = Bar(
        *(TextColumn("{task.description}"), *columns, TextColumn("left"), TimeRemainingColumn()),
        console=console,
    )
    job = bar.add_task(title, total=total, rate="")

    def advance(done: int, standing: Standing | None = None) -> None:
        nonlocal before
        before = done if before is None else before  # what was done earlier is no part of the rate
        now = time.monotonic()
        rate = (done - before) / max(now - started, 1e-9)
        # A reader of the progress that has gone away (`2>&1 | head`) must never end a run.
        with contextlib.suppress(BrokenPipeError, SystemExit):
            show(done, now, rate)

    def show(done: int, now: float, rate: float) -> None:
        nonlocal spoken
        bar.update(job, completed=done, rate=f"{rate:,.0f}/s" if rate else "")
        if not console.is_terminal and now - spoken >= LINE_SECONDS:
            spoken = now
            left = f", {(total - done) / rate:,.0f} s left" if rate else ""
            console.print(f"{title}: {done:,} of {total:,}, {rate:,.1f}/s{left}", highlight=False, soft_wrap=True)

    shown = contextlib.ExitStack()
    with contextlib.suppress(BrokenPipeError, SystemExit):
        if console.is_terminal:  # elsewhere rich would print an empty line at the end, disabled or not
            shown.enter_context(bar)
    try:
        yield advance
    finally:
        with contextlib.suppress(BrokenPipeError, SystemExit):
            shown.close()
