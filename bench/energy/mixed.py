"""Energy of an ordinary run, in which tasks and languages follow each other: windows that several of them share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.backend import Capabilities, Model
from bench.energy.clock import Clock
from bench.energy.meter import SAMPLE_SECONDS, Mark, Meter
from bench.energy.records import Share, Stretch, Subject, Window, Work
from bench.energy.work import Ledger
from bench.prices import Price
from bench.records import Request, Response

SLICE_SECONDS = 30.0
"""A mixed window takes about as long: short enough that several differ in what ran in them."""


def subject_of(request: Request, version: str) -> Subject:
    """What a request belongs to."""
    return Subject(
        f"{request.task}@{version}",
        request.language,
        request.variety,
        request.mode,
        request.prompt_language,
        request.shots,
    )


@dataclass(frozen=True, slots=True)
class Context:
    """What mixed windows need beside the model: who measures, and where the windows go."""

    meter: Meter
    clock: Clock
    setup: str
    concurrency: int
    subject: Callable[[Request], Subject]
    keep: Callable[[Window], None]


class Metered:
    """A model whose answers are measured as they come, window after window. Everything else is the model's own."""

    def __init__(self, model: Model, context: Context) -> None:
        self.name = model.name
        self.revision = model.revision
        self.template = model.template
        self.decoding = model.decoding
        self.capabilities: Capabilities = model.capabilities
        self.price: Price | None = model.price
        self._model = model
        self._context = context

    def check(self, requests: Iterable[Request]) -> None:
        """As the model."""
        self._model.check(requests)

    def status(self) -> str:
        """As the model."""
        return self._model.status()

    def close(self) -> None:
        """As the model."""
        self._model.close()

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """The model's answers, unchanged."""
        context = self._context
        under_way: dict[str, Request] = {}

        def noted() -> Iterator[Request]:
            for request in requests:
                under_way[request.id] = request
                yield request

        with context.clock.every(SAMPLE_SECONDS, context.meter.sample):
            slices = Slices(context)
            try:
                for response in self._model.respond(noted()):
                    request = under_way.pop(response.request, None)
                    if request is not None:
                        slices.add(request, response)
                    yield response
            finally:
                slices.end()


class Slices:
    """Cuts time into windows, and notes what ended in each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._number = 0
        context.meter.sample()
        self._begin()

    def _begin(self) -> None:
        self._mark: Mark = self._context.meter.mark()
        self._started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._ledgers: dict[Subject, Ledger] = {}

    def add(self, request: Request, response: Response) -> None:
        """Takes in an answer, and begins a new window where this one was long enough."""
        subject = self._context.subject(request)
        self._ledgers.setdefault(subject, Ledger(subject.language)).add(request, response)
        if self._context.clock.now() - self._mark.at >= SLICE_SECONDS:
            self._cut()

    def end(self) -> None:
        """Ends the last window."""
        if self._ledgers:
            self._cut()

    def _cut(self) -> None:
        context = self._context
        context.meter.sample()
        reading = context.meter.between(self._mark, context.meter.mark())
        shares = tuple(Share(subject, ledger.work()) for subject, ledger in self._ledgers.items())
        facts = context.meter.facts
        context.keep(
            Window(
                kind="mixed",
                subject=Subject(),
                repeat=0,
                number=self._number,
                setup=context.setup,
                scope=facts.scope,
                method=facts.method,
                started=self._started,
                concurrency=context.concurrency,
                reached=None,
                steady=None,
                whole=Stretch(reading, total([share.work for share in shares])),
                reasons=reading.reasons,
                notes=(*facts.notes, *reading.notes),
                shares=shares,
            )
        )
        self._number += 1
        self._begin()


def total(works: Iterable[Work]) -> Work:
    """The works of several subjects together; what one does not know is not known of all."""
    found = list(works)

    def summed(name: str) -> int | None:
        known = [value for one in found if (value := getattr(one, name)) is not None]
        return sum(known) if known and len(known) == len(found) else None

    steps = [one.context_steps for one in found if one.context_steps is not None]
    return Work(
        requests=sum(one.requests for one in found),
        prompt_tokens=summed("prompt_tokens"),
        output_tokens=summed("output_tokens"),
        cached_tokens=summed("cached_tokens"),
        words=summed("words"),
        truncated=sum(one.truncated for one in found),
        empty=sum(one.empty for one in found),
        failed=sum(one.failed for one in found),
        context_steps=sum(steps) if steps and len(steps) == len(found) else None,
    )
