"""One window: a block's questions again and again in a closed loop, for so many seconds with a full batch."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from bench.backend import Load, Measurable, Model, ModelStopped
from bench.energy.clock import Clock
from bench.energy.meter import SAMPLE_SECONDS, Mark, Meter
from bench.energy.options import Options
from bench.energy.records import Kind, Reading, Stretch, Subject, Work
from bench.energy.work import Ledger, Moment, between
from bench.records import BenchError, Request

FULL = 0.85
"""The steady stretch begins when this share of the concurrency is under way (ML.ENERGY's gate on the mean)."""
SEEN = 0.75
"""An engine has to say in this share of the looks how many requests it computes (ML.ENERGY asks as much)."""
PATIENCE_SECONDS = 60.0
"""A model that has not filled its batch after as long, and twice the steady stretch, never will."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is asked in a window, over and over."""

    subject: Subject
    requests: Sequence[Request]

    @property
    def questions(self) -> str:
        """The hash of the items, in their order: equal where two languages are asked the same."""
        items = [one.sample.split("/", 3)[-1] if not one.exact else one.id for one in self.requests]
        return hashlib.sha256("\n".join(items).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Measured:
    """One window as it came out. `reached` is how many requests were computed at a time on average, None unknown.

    `questions`, `passes` and `answer_tokens` are those of `Window`. `restarted`: the engine's counts fell.
    """

    kind: Kind
    subject: Subject
    started: str
    reached: float | None
    steady: Stretch | None
    whole: Stretch
    stopped: str = ""
    restarted: bool = False
    questions: str = ""
    passes: float | None = None
    answer_tokens: float | None = None


class Loop(Iterator[Request]):
    """A source's requests without end, until `end` is called. Each has an id of its own."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.pulled = 0
        self._under_way: dict[str, Request] = {}
        self._requests = itertools.cycle(requests)
        self._ended = False

    def __next__(self) -> Request:
        if self._ended:
            raise StopIteration
        request = next(self._requests)
        request = replace(request, id=f"{request.id}/{self.pulled}")
        self.pulled += 1
        self._under_way[request.id] = request
        return request

    def settle(self, request: str) -> Request | None:
        """The request with that id, which is under way no more; None where nobody asked it."""
        return self._under_way.pop(request, None)

    def end(self) -> None:
        """No more from now on; what is under way is still answered. From any thread."""
        self._ended = True


class Watcher:
    """Looks at an engine ten times a second: when its batch is full, and when the steady stretch was long enough."""

    def __init__(self, model: Model, meter: Meter, clock: Clock, options: Options, loop: Loop, ledger: Ledger) -> None:
        self._engine = model if isinstance(model, Measurable) else None
        self._meter, self._clock, self._options = meter, clock, options
        self._loop, self._ledger = loop, ledger
        self._running: list[int | None] = []
        self._latest: Load | None = None
        self.restarted = False
        self._began = clock.now()
        self._first = self._moment()
        self.opened: tuple[Mark, Moment] | None = None
        self.closed: tuple[Mark, Moment] | None = None

    def beat(self) -> None:
        """Samples the meter, and opens or closes the steady stretch. Where that fails, the loop ends."""
        with contextlib.ExitStack() as failed:
            failed.callback(self._loop.end)
            self._look()
            failed.pop_all()

    def _look(self) -> None:
        self._meter.sample()
        now, moment = self._clock.now(), self._moment()
        if self.closed:
            return
        if self.opened:
            self._running.append(None if moment.load is None else moment.load.running)
            if now - self.opened[0].at >= self._options.seconds:
                self.closed = (self._meter.mark(), self._moment())
                self._loop.end()
        elif self._full(moment):
            self.opened = (self._meter.mark(), self._moment())
        elif now - self._began >= max(PATIENCE_SECONDS, 2 * self._options.seconds):
            self._loop.end()

    @property
    def reached(self) -> float | None:
        """Requests computed at a time in the steady stretch, on average; None where the engine seldom said."""
        known = [running for running in self._running if running is not None]
        return sum(known) / len(known) if known and len(known) >= SEEN * len(self._running) else None

    def _full(self, moment: Moment) -> bool:
        """Whether the batch is full and past its first prompts: before that, it computes nothing but prompts."""
        if moment.load is None or moment.load.running is None:
            return self._loop.pulled >= self._options.concurrency and moment.work.requests > 0
        assert self._first.load is not None
        written = (moment.load.output_tokens or 0) > (self._first.load.output_tokens or 0)
        return moment.load.running >= FULL * self._options.concurrency and (written or moment.work.requests > 0)

    def _moment(self) -> Moment:
        load: Load | None = None if self._engine is None else self._engine.load()
        self.restarted = self.restarted or _fell(self._latest, load)
        self._latest = load or self._latest
        return Moment(self._ledger.work(), load)


def measure(model: Model, source: Source, kind: Kind, meter: Meter, clock: Clock, options: Options) -> Measured:
    """Asks the source's requests until the steady stretch is over, and waits for those under way.

    Raises `BenchError` where the model breaks its contract; a model that stops ends the window, which says so.
    """
    if isinstance(model, Measurable):
        model.forget()
    loop, ledger, stopped = Loop(source.requests), Ledger(source.subject.language), ""
    tokens: dict[str, list[int | None]] = {}
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    meter.sample()
    begin, first = meter.mark(), Moment(ledger.work(), None)
    watcher = Watcher(model, meter, clock, options, loop, ledger)
    with clock.every(SAMPLE_SECONDS, watcher.beat):
        try:
            for response in model.respond(loop):
                request = loop.settle(response.request)
                if request is None:
                    raise BenchError(f"{model.name} answered a request that it was not asked: {response.request}")
                ledger.add(request, response)
                tokens.setdefault(request.sample if not request.exact else request.input, []).append(
                    response.output_tokens if response.status == "ok" else None
                )
        except ModelStopped as reason:
            stopped = str(reason)
        # The last sample has to be after the end.
        end = meter.mark()
        clock.wait(2 * SAMPLE_SECONDS)
    meter.sample()
    steady = None
    if watcher.opened and watcher.closed:
        reading = meter.between(watcher.opened[0], watcher.closed[0])
        steady = Stretch(reading, between(watcher.opened[1], watcher.closed[1]))
    whole = Stretch(meter.between(begin, end), between(first, Moment(ledger.work(), None)))
    return Measured(
        kind=kind,
        subject=source.subject,
        started=started,
        reached=watcher.reached,
        steady=steady,
        whole=whole,
        stopped=stopped,
        restarted=watcher.restarted,
        questions=source.questions,
        passes=min(map(len, tokens.values())) if len(tokens) == len(source.requests) else 0,
        answer_tokens=_answer_tokens(tokens.values()),
    )


def _answer_tokens(answers: Iterable[Sequence[int | None]]) -> float | None:
    """Output tokens of an answer, every question alike: quick ones were asked more often. None if one is unknown."""
    means = []
    for counts in answers:
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        means.append(fmean(known))
    return fmean(means) if means else None


def _fell(before: Load | None, now: Load | None) -> bool:
    """Whether an engine counts fewer tokens than before."""
    if before is None or now is None:
        return False
    pairs = ((before.prompt_tokens, now.prompt_tokens), (before.output_tokens, now.output_tokens))
    return any(early is not None and late is not None and late < early for early, late in pairs)


def rest(meter: Meter, clock: Clock, seconds: float) -> Reading:
    """The energy of doing nothing for so long, with the model loaded."""
    meter.sample()
    begin = meter.mark()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        clock.wait(seconds)
        end = meter.mark()
        clock.wait(2 * SAMPLE_SECONDS)
    meter.sample()
    return meter.between(begin, end)


NOTHING = Work(requests=0, prompt_tokens=None, output_tokens=None)
"""The work of an idle window."""
