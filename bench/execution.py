"""Drives a model over a plan and writes the run file as the answers come; a run that was stopped goes on from there."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from bench.backend import Model, ModelStopped, Remembering
from bench.prices import Price
from bench.records import BenchError, Request, Response
from bench.runfile import RunFile
from bench.watch import Progress, Standing

GROUP_ROWS = 256
GROUP_SECONDS = 0.05
WAITING = 16 * GROUP_ROWS
"""So many answers may wait for the disk before a model has to."""
HEARTBEAT_SECONDS = 2.0
"""How far a run is is said as often as this at least, so that who watches learns why nothing comes."""
ERRORS_FORGIVEN = 20
"""Fewer errors than this never end a run, whatever their share."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a run ends before its time.

    `max_cost` is what all answers of the run file may cost, in the price's currency. `max_errors` is the share of this
    invocation's answers that may be errors. None is no bound.
    """

    max_cost: float | None = None
    max_errors: float | None = None


NO_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Totals:
    """How long a plan is, and how many of its requests earlier invocations got an answer to."""

    planned: int
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How driving a model over a plan ended.

    `asked` counts the requests that had no answer yet; `stopped` is why asking ended early, if it did; `left_out` maps
    tasks that the model cannot be asked to the reason. `cost` is what this invocation's answers cost, None where that
    is not known.
    """

    planned: int
    asked: int
    answered: int
    errors: int
    first_error: str
    stopped: str
    cost: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


def execute(
    model: Model,
    plan: Iterable[Sequence[Request]],
    run: RunFile,
    progress: Progress,
    totals: Totals,
    bounds: Bounds = NO_BOUNDS,
) -> Outcome:
    """Asks what the run file has no answer to; `progress` hears of answers when they are on disk.

    `plan` has the requests of one task and language after the other, and is read as they are needed. Raises
    `BenchError` where answers cannot be kept.
    """
    if isinstance(model, Remembering):
        model.remember(run.notes)
    feed = Feed(plan, run, Purse(model.price, bounds.max_cost, run.spent(model.price)))
    answered, errors, first_error, stopped = 0, 0, "", ""
    tally = Tally(model, totals.earlier, progress)
    progress(totals.earlier, tally.standing())
    with Recorder(run, tally) as recorder:
        try:
            while not stopped:
                for response in model.respond(feed):
                    recorder.put(feed.settle(model.name, response))
                    if response.status == "error":
                        errors += 1
                        first_error = first_error or response.reason
                        if stopped := _over_budget(errors, answered, bounds.max_errors, response.reason):
                            break
                    else:
                        answered += 1
                if not stopped and feed.flying:
                    raise BenchError(f"{model.name} left {feed.flying:,} requests without an answer")
                if not feed.held_back():
                    break
                stopped = stopped or feed.purse.why_empty(feed.next_request())
        except ModelStopped as reason:
            stopped = str(reason)
    return Outcome(
        planned=totals.planned,
        asked=totals.planned - totals.earlier,
        answered=totals.earlier + answered,
        errors=errors,
        first_error=first_error,
        stopped=stopped,
        cost=tally.cost,
    )


def _over_budget(errors: int, answered: int, share: float | None, last: str) -> str:
    """Why a run with so many errors ends, "" where it goes on."""
    if share is None or errors <= max(ERRORS_FORGIVEN, share * (errors + answered)):
        return ""
    return f"{errors:,} of {errors + answered:,} answers were errors, more than --max-errors {share:g} allows; {last}"


@dataclass(slots=True)
class Spot:
    """One task and language under way: how many of its requests have an answer."""

    task: str
    language: str
    asked: int
    answered: int


class Feed(Iterator[Request]):
    """The requests that have no answer yet, one after the other, and those that are under way.

    It ends early, and can be taken up again, where the answers under way might cost all that may be spent.
    """

    def __init__(self, plan: Iterable[Sequence[Request]], run: RunFile, purse: Purse) -> None:
        self.purse = purse
        self._pending = self._unanswered(plan, run)
        self._next: tuple[Request, Spot] | None = None
        self._flying: dict[str, Spot] = {}

    @staticmethod
    def _unanswered(plan: Iterable[Sequence[Request]], run: RunFile) -> Iterator[tuple[Request, Spot]]:
        for group in plan:
            done = run.answered([request.id for request in group])
            if group and len(done) < len(group):
                spot = Spot(group[0].task, group[0].language, len(group), len(done))
                yield from ((request, spot) for request in group if request.id not in done)

    def __next__(self) -> Request:
        if self._next is None:
            self._next = next(self._pending)
        request, spot = self._next
        if not self.purse.reserve(request):
            raise StopIteration
        self._next = None
        self._flying[request.id] = spot
        return request

    @property
    def flying(self) -> int:
        """How many requests are under way."""
        return len(self._flying)

    def held_back(self) -> bool:
        """Whether there is more to ask, and money kept it back."""
        return self._next is not None

    def next_request(self) -> Request:
        """What is asked next. Only where something is held back."""
        assert self._next is not None
        return self._next[0]

    def settle(self, name: str, response: Response) -> Kept:
        """Takes an answer in: where it belongs, and what it cost. Raises `BenchError` for one that nobody waits for."""
        spot = self._flying.pop(response.request, None)
        if spot is None:
            raise BenchError(f"{name} answered a request twice, or one it was not asked: {response.request}")
        cost, counted = self.purse.settle(response)
        return Kept(response, spot, cost, counted)


class Purse:
    """What may be spent. Nothing is sent that could, with all that is under way, cost more than is left."""

    def __init__(self, price: Price | None, limit: float | None, spent: float) -> None:
        self._price = price
        self._limit = limit
        self._spent = spent
        self._reserved: dict[str, float] = {}
        self._reserve = 0.0

    def reserve(self, request: Request) -> bool:
        """Sets aside the most that a request can cost; False where that is not there."""
        if self._price is None or self._limit is None:
            return True
        most = self._price.at_most(request)
        if self._spent + self._reserve + most > self._limit:
            return False
        self._reserved[request.id] = most
        self._reserve += most
        return True

    def settle(self, response: Response) -> tuple[float | None, float | None]:
        """What an answer cost, None where that is not known, and what counts as spent: then the most it can be."""
        if self._price is None:
            return None, None
        cost = self._price.of(response) if response.status == "ok" else None
        most = self._reserved.pop(response.request, 0.0)
        self._reserve = self._reserve - most if self._reserved else 0.0
        counted = cost
        if cost is None:
            counted = 0.0 if response.status == "skipped" or _unpaid(response.reason) else most
        self._spent += counted or 0.0
        return cost, counted

    def why_empty(self, request: Request) -> str:
        """Why nothing more is asked, "" where what came back leaves enough for the next request."""
        assert self._price is not None
        most = self._price.at_most(request)
        if self._spent + most <= (self._limit or 0.0):
            return ""
        next_one = f"the next answer may cost {most:.4f}"
        if not math.isfinite(most):
            next_one = "the next prompt is too long for the known price"
        limit = f"--max-cost {self._limit:g} {self._price.currency}"
        spent = f"{self._spent:.4f} spent so far, answers of unknown cost counted at the most that they can be"
        return f"{limit} leaves no room for more ({spent}; {next_one})"


def _unpaid(reason: str) -> bool:
    """Whether a request failed before anybody worked on it."""
    return reason.removeprefix("deadline: ").startswith(("unreachable", "rate_limited", "overloaded", "bad_request"))


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer on its way to the disk, with its cost and with what counts as spent."""

    response: Response
    spot: Spot
    cost: float | None
    counted: float | None


class Tally:
    """Adds up what is on disk, and says it. Used by the recorder's thread alone once answers come."""

    def __init__(self, model: Model, earlier: int, progress: Progress) -> None:
        self.cost: float | None = None
        self._model = model
        self._done = earlier
        self._progress = progress
        self._errors = 0
        self._tokens: int | None = None
        self._spot: Spot | None = None

    def add(self, group: Iterable[Kept]) -> None:
        """Counts a group of answers that were written."""
        for kept in group:
            self._done += 1
            self._errors += kept.response.status == "error"
            kept.spot.answered += kept.response.status != "error"
            self._spot = kept.spot
            if kept.response.output_tokens is not None:
                self._tokens = (self._tokens or 0) + kept.response.output_tokens
            if kept.cost is not None:
                self.cost = (self.cost or 0.0) + kept.cost
        self.say()

    def say(self) -> None:
        """Tells whoever watches."""
        self._progress(self._done, self.standing())

    def standing(self) -> Standing:
        """The sums so far."""
        spot = self._spot or Spot("", "", 0, 0)
        currency = self._model.price.currency if self._model.price else ""
        return Standing(
            *(self._errors, self._tokens, self.cost, currency),
            *(spot.task, spot.language, spot.answered, spot.asked),
            self._model.status(),
        )


class Recorder:
    """Commits answers from a thread of its own, so that none waits longer than `GROUP_SECONDS` for the next one.

    The thread ends at the first failure, which the next `put` raises, or leaving does.
    """

    def __init__(self, run: RunFile, tally: Tally) -> None:
        self._run = run
        self._tally = tally
        # No queue.Queue: its locks cost more for each answer than everything else here.
        self._waiting: deque[Kept] = deque()
        self._some = threading.Event()
        self._last = threading.Event()
        self._pool = ThreadPoolExecutor(1, "recorder")

    def put(self, kept: Kept) -> None:
        """Hands over an answer. Raises what kept an earlier one from being written."""
        self._waiting.append(kept)
        self._some.set()
        while self._work.done() or len(self._waiting) > WAITING:
            if self._work.done():
                self._work.result()
                raise AssertionError("the recorder ended before its last answer")
            time.sleep(0.001)

    def _record(self) -> None:
        while True:
            if not self._some.wait(HEARTBEAT_SECONDS):
                self._tally.say()
                continue
            self._last.wait(GROUP_SECONDS)
            last = self._last.is_set()  # looked at before the queue: what is put later is not lost
            self._some.clear()
            while group := [self._waiting.popleft() for _ in range(min(GROUP_ROWS, len(self._waiting)))]:
                self._run.record([one.response for one in group], [(one.cost, one.counted) for one in group])
                self._tally.add(group)
            if last:
                return

    def __enter__(self) -> Self:
        self._work = self._pool.submit(self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with contextlib.suppress(*() if kind is None else (BenchError,)):
                self._end()
                self._work.result()  # where something else ended the run, that is what the user should hear of
        finally:  # a second Ctrl-C in the lines above too
            self._end()
            self._pool.shutdown()

    def _end(self) -> None:
        self._last.set()
        self._some.set()
