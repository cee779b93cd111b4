"""Progress with rate and time left, on standard error."""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.watch import Progress, Standing

LINE_SECONDS = 10
"""Where standard error is no terminal, a line as often as this."""
RATE_SECONDS = 30
"""Rates are of so many last seconds: what a service did an hour ago says little of what it does now."""
LEFT_SECONDS = 120
"""The time left follows the rate of so many last seconds, so that one pause does not make it jump."""
BAR = 40
"""Columns of the bar where there is room."""


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
    interactive = console.is_interactive and sys.stderr.isatty()  # FORCE_COLOR makes a terminal of a log file
    board = Board(plain(title), total, time.monotonic)
    spoken = time.monotonic()
    live = Live(get_renderable=lambda: board.drawn(console.width), console=console) if interactive else None

    def advance(done: int, standing: Standing | None = None) -> None:
        nonlocal spoken
        board.advance(done, standing)
        if live is None and time.monotonic() - spoken >= LINE_SECONDS:
            spoken = time.monotonic()
            with _harmless():
                console.print(Text(board.line()), soft_wrap=True)

    with _harmless():
        if live is not None:
            live.start(refresh=True)
    try:
        yield advance
    finally:
        with _harmless():
            if live is not None:
                live.stop()


def _harmless() -> contextlib.AbstractContextManager[None]:
    """A reader that has gone away (`2>&1 | head`) or a full disk under a log must never end a run."""
    return contextlib.suppress(OSError, SystemExit)  # rich makes the second of a broken pipe


@dataclass(frozen=True, slots=True)
class Sample:
    """How much was done at a moment. `tokens` is None where they are not counted."""

    seconds: float
    done: int
    tokens: int | None


class Meter:
    """Rates of the last seconds, from what was done when. What was done before the first sample counts for none."""

    def __init__(self) -> None:
        self._samples: tuple[Sample, ...] = ()  # replaced, never changed: another thread draws from it

    def add(self, now: Sample) -> None:
        """The state of things now. Keeps at most a sample a second, and none that has nothing new."""
        kept = self._samples
        if kept and (now.done, now.tokens) == (kept[-1].done, kept[-1].tokens):
            return
        if len(kept) > 1 and now.seconds - kept[-2].seconds < 1:
            kept = kept[:-1]
        horizon = now.seconds - LEFT_SECONDS
        old = itertools.takewhile(lambda one: one.seconds <= horizon and one.done < now.done, kept)
        self._samples = (*kept[max(0, sum(1 for _ in old) - 1) :], now)

    def rates(self, window: float, seconds: float) -> tuple[float, float | None]:
        """Done and tokens a second in the `window` before the moment `seconds`, 0 where nothing was done.

        Where that saw nothing new, the window reaches back to before the latest news: answers that come in batches, or
        a service that pauses, show a rate that sinks while they are waited for. Tokens are None where none are counted.
        """
        if not self._samples:
            return 0.0, None
        last = self._samples[-1]
        first = self._samples[0]
        for one in self._samples:
            if one.done < last.done and one.seconds <= seconds - window:
                first = one
        took = max(seconds - first.seconds, 1e-3)
        tokens = None if last.tokens is None else (last.tokens - (first.tokens or 0)) / took
        return (last.done - first.done) / took, tokens


class Board:
    """What is known of some work, and how it is written in a terminal and in a log. `clock` counts seconds."""

    def __init__(self, title: str, total: int, clock: Callable[[], float]) -> None:
        self._title = title
        self._total = total
        self._clock = clock
        self._began = clock()
        self._done = 0
        self._ended: float | None = None
        self._standing: Standing | None = None
        self._meter = Meter()

    def advance(self, done: int, standing: Standing | None) -> None:
        """Takes note of how far the work is."""
        now = self._clock()
        self._done = done
        self._standing = standing or self._standing
        self._ended = now if done >= self._total else None
        self._meter.add(Sample(now, done, self._standing.output_tokens if self._standing else None))

    def line(self) -> str:
        """Everything in one line, for a log."""
        speed, said = self._speed(), self._standing
        facts = [_place(said), *self._tokens(), _errors(said), _cost(said), plain(said.status)] if said else []
        parts = [f"{self._done:,} of {self._total:,}", speed, *facts, self._time()]
        return f"{self._title}: {', '.join(filter(None, parts))}"

    def drawn(self, width: int) -> RenderableType:
        """One line with a bar, and another below where the work is known more of; neither is broken at `width`."""
        counts = "  ".join(filter(None, (f"{self._done:,}/{self._total:,}", self._speed(), self._time())))
        left = width - len(counts) - 4
        title = _cut(self._title, max(left - 12, left // 2))
        bar = ProgressBar(self._total, self._done, min(BAR, max(left - title.cell_len, 1)))
        first = Table.grid(padding=(0, 2, 0, 0))
        first.add_row(title, bar, Text(counts, no_wrap=True, overflow="ellipsis"))
        return Group(first, self._details(width)) if self._standing else first

    def _details(self, width: int) -> Text:
        """Numbers whole, names cut where there is no room for them."""
        said = self._standing
        assert said
        numbers = [*((part, "") for part in self._tokens()), (_errors(said), "red"), (_cost(said), "")]
        parts = [Text(part, style) for part, style in numbers if part]
        place, status = _place(said), plain(said.status)
        room = width - 1 - sum(part.cell_len + 2 for part in parts)
        if place and status:
            named = _cut_place(said, max(room - Text(status).cell_len - 2, room * 2 // 3))
            parts = [named, *parts, _cut(status, room - named.cell_len - 2)]
        elif place or status:
            parts = [_cut_place(said, room), *parts] if place else [*parts, _cut(status, room)]
        line = Text("  ", no_wrap=True, overflow="ellipsis").join(parts)
        line.truncate(width, overflow="ellipsis")
        return line

    def _speed(self) -> str:
        """Answers a second, or a minute where they are few."""
        if self._ended is not None:
            return ""
        rate, _ = self._meter.rates(RATE_SECONDS, self._clock())
        if not rate:
            return ""
        if rate < 1:
            return f"{60 * rate:,.1f}/min"
        return f"{rate:,.1f}/s" if rate < 100 else f"{rate:,.0f}/s"

    def _tokens(self) -> Iterable[str]:
        if self._ended is None:
            _, rate = self._meter.rates(RATE_SECONDS, self._clock())
            if rate:
                yield f"{rate:,.0f} tok/s"

    def _time(self) -> str:
        """The time left; at the end, the time that it took."""
        if self._ended is not None:
            return f"took {duration(self._ended - self._began)}"
        rate, _ = self._meter.rates(LEFT_SECONDS, self._clock())
        return f"{duration((self._total - self._done) / rate)} left" if rate else ""


def duration(seconds: float) -> str:
    """Hours, minutes and seconds; days where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours}:{minutes:02}:{rest:02}"


def plain(text: str) -> str:
    """Text in one line that does nothing to a terminal: a model's name is the user's, a status may be a server's."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _errors(standing: Standing) -> str:
    return f"{standing.errors:,} {'error' if standing.errors == 1 else 'errors'}" if standing.errors else ""


def _cost(standing: Standing) -> str:
    if standing.cost is None:
        return ""
    return f"{standing.cost:,.{2 if standing.cost >= 1 else 4}f} {plain(standing.currency)}".rstrip()


def _place(standing: Standing) -> str:
    """Task, language, and how much of them is answered."""
    counted = f"{standing.answered:,}/{standing.asked:,}" if standing.asked else ""
    return " ".join(filter(None, (plain(standing.task), plain(standing.language), counted)))


def _cut_place(standing: Standing, width: int) -> Text:
    """The place in `width` columns; it is the task's name that gives way."""
    place = _place(standing)
    rest = place.removeprefix(plain(standing.task))
    return _cut(plain(standing.task), max(width - len(rest), 2)).append(rest) if len(place) > width else Text(place)


def _cut(text: str, width: int) -> Text:
    cut = Text(text, no_wrap=True)
    cut.truncate(max(width, 1), overflow="ellipsis")
    return cut
