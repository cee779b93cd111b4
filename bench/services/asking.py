"""Requests on their way: sent as the gate allows, sent again when they fail, each answered once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from bench.backend import ModelStopped
from bench.records import Request, Response
from bench.services import attempts, transport
from bench.services.attempts import Failure
from bench.services.calls import Call, Dialect, Limits, Reply, Unusable
from bench.services.gate import Gate
from bench.services.secrets import hidden
from bench.services.transport import Transport

TICK = 0.02
"""Seconds between two looks at what is due: timeouts, new attempts, ends of pauses."""
LEAST_WAITING = 16
"""So many requests may wait for their next attempt before no new one is read, or more if more are asked at a time."""
MOST_BYTES = 64 << 20
"""Bytes of one reply: a service that never stops sending is stopped."""


class Clock:
    """Seconds that go by while the loop runs: what the consumer of the answers takes is not the service's time."""

    def __init__(self) -> None:
        self._stood = 0.0
        self._stopped: float | None = time.monotonic()

    def now(self) -> float:
        """Seconds from some point on."""
        return (time.monotonic() if self._stopped is None else self._stopped) - self._stood

    def start(self) -> None:
        """Time goes on."""
        if self._stopped is not None:
            self._stood += time.monotonic() - self._stopped
            self._stopped = None

    def stop(self) -> None:
        """Time stands still."""
        self._stopped = time.monotonic()


@dataclass(frozen=True, slots=True)
class Service:
    """One service and what is known of it; it outlives the `askings`, those that are under way."""

    base_url: str
    secrets: tuple[str, ...]
    limits: Limits
    loop: asyncio.AbstractEventLoop
    clock: Clock
    gate: Gate
    transport: Transport
    askings: set[Asking]


@dataclass(slots=True, eq=False)
class Asked:
    """A request under way, with what has become of it. Times are the service's clock."""

    request: Request
    call: Call
    began: float
    sent: float = 0.0
    attempts: int = 0
    failures: int = 0  # the attempts that count
    refusals: int = 0  # those that do not
    expired: bool = False
    cause: Failure | None = None
    reply: Reply | None = None
    response: Response | None = None

    def count(self) -> str:
        """How often it was sent."""
        return "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"


class Asking:
    """Asks one stream of requests. Everything happens in the thread that iterates over it."""

    def __init__(self, service: Service, dialect: Dialect, requests: Iterable[Request], most_bytes: int | None) -> None:
        self._service = service
        self._dialect = dialect
        self._requests = iter(requests)
        self._most_bytes = most_bytes
        self._exhausted = False
        self._clock = service.clock
        self._now = service.clock.now
        self._gate = service.gate
        self._timeout = min(service.limits.timeout, service.limits.deadline)
        self._done: list[Asked] = []
        self._waiting: list[tuple[float, int, Asked]] = []  # a heap, by when each is due
        self._number = itertools.count()
        self._flying: dict[Asked, asyncio.Task[None]] = {}  # in the order in which they were sent
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._closing = False

    def run(self) -> Generator[Asked]:
        """Each request when its response is there. Raises `ModelStopped`, and what `requests` or the dialect raise."""
        loop, clock = self._service.loop, self._clock
        self._service.askings.add(self)
        self._gate.begin(self._now())
        self._watching = loop.create_task(self._watch())
        self._keep(self._watching)
        try:
            while True:
                if not self._done and self._error is None and self._tasks:
                    clock.start()
                    try:
                        loop.run_forever()
                    finally:
                        clock.stop()
                done, self._done = self._done, []
                yield from done
                if self._done:
                    continue
                if self._error is not None:
                    raise self._error
                if not self._tasks:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Cancels what is under way. Nothing more comes after that."""
        if self._closing:
            return
        self._closing = True
        self._service.askings.discard(self)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            self._service.loop.run_until_complete(asyncio.wait(tasks))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._closing:
            return
        if error is not None:
            self._error = self._error or error
        if self._exhausted and not self._waiting and self._tasks == {self._watching}:
            self._watching.cancel()
        if error is not None or not self._tasks:
            self._service.loop.stop()

    async def _watch(self) -> None:
        """Looks at the time: what is due, what took too long, and whether there is hope."""
        while True:
            now = self._now()
            self._fill(now)
            if self._exhausted and not self._waiting and len(self._tasks) == 1:
                return
            for asked, task in self._flying.items():
                if asked.sent + self._timeout > now:
                    break
                if not asked.expired:
                    asked.expired = True
                    task.cancel()
            if (given_up := self._gate.given_up(len(self._flying), now)) is not None:
                silence, why = given_up
                since = datetime.fromtimestamp(time.time() - silence, UTC)
                raise self._stopped(f"no answer since {since:%Y-%m-%d %H:%M:%S} UTC ({silence:.0f} s): {why}")
            await asyncio.sleep(TICK)

    def _fill(self, now: float) -> None:
        """Starts workers while the gate has room and something is to be asked."""
        while self._gate.room(len(self._tasks) - 1, now) > 0 and (asked := self._next(now)) is not None:
            self._keep(self._service.loop.create_task(self._work(asked)))

    def _next(self, now: float) -> Asked | None:
        """What is to be sent now: an attempt that is due before a new request; None where there is nothing."""
        limits = self._service.limits
        while self._waiting and self._waiting[0][0] <= now:
            asked = heapq.heappop(self._waiting)[2]
            if now - asked.began < limits.deadline:
                break
            self._give_up(asked, now)
        else:
            if self._exhausted or len(self._waiting) >= max(limits.most, LEAST_WAITING):
                return None
            self._clock.stop()  # making a prompt may take long, and that is not the service's time either
            request = next(self._requests, None)
            self._clock.start()
            if request is None:
                self._exhausted = True
                return None
            asked = Asked(request, self._dialect.call(request), now)
        asked.sent = now
        self._gate.sent(now)
        return asked

    async def _work(self, first: Asked) -> None:
        """One slot: asks one thing after the other while the gate lets it."""
        task = asyncio.current_task()
        assert task is not None
        asked: Asked | None = first
        send, most_bytes = self._service.transport.send, self._most_bytes
        while asked is not None:
            self._flying[asked] = task
            asked.attempts += 1
            asked.reply = None
            try:
                status, headers, body = await send(asked.call, most_bytes)
            except asyncio.CancelledError:
                if not asked.expired or self._closing:
                    raise
                task.uncancel()
                asked.expired = False
                self._failed(asked, attempts.TIMEOUT)
            except transport.ERRORS as error:
                self._failed(asked, transport.failure(error))
            else:
                self._received(asked, Reply(status, headers, body, self._now() - asked.sent, asked.attempts))
            finally:
                del self._flying[asked]
            now = self._now()
            room = self._gate.room(len(self._tasks) - 2, now)  # without the watch, and without this one
            asked = self._next(now) if room > 0 else None
            if room > 1:
                self._fill(now)

    def _received(self, asked: Asked, reply: Reply) -> None:
        asked.reply = reply
        response: Response | None
        if 200 <= reply.status < 300:
            try:
                response = self._dialect.read(asked.request, reply)
            except Unusable as error:
                code, _, detail = str(error).partition(": ")
                self._failed(asked, Failure("unusable", code, detail))
            except msgspec.DecodeError:
                self._failed(asked, Failure("unusable", "bad_reply", "not the JSON that was expected"))
            else:
                self._answer(asked, response)
            return
        failure = attempts.of_status(reply.status, reply.headers, reply.body, time.time())
        if 400 <= reply.status < 500 and failure.kind in {"refused", "hopeless"}:
            response = self._dialect.refused(asked.request, reply)
            if response is not None:
                self._answer(asked, response)
                return
        self._failed(asked, failure)

    def _answer(self, asked: Asked, response: Response) -> None:
        self._gate.answered(self._now())
        self._finish(asked, response)

    def _failed(self, asked: Asked, failure: Failure) -> None:
        """An attempt brought nothing: asks again later, or gives up."""
        limits, now = self._service.limits, self._now()
        if failure.detail:
            failure = replace(failure, detail=attempts.cut(hidden(failure.detail, self._service.secrets)))
        asked.cause = failure
        if failure.kind == "hopeless":
            raise self._stopped(attempts.hopeless(failure, asked.reply.status if asked.reply else None))
        if failure.kind == "refused":
            self._answer(asked, self._error_response(asked, str(failure)))
            return
        self._gate.failed(failure, asked.sent, now, random.random())  # noqa: S311
        if failure.kind in {"failed", "unusable"}:
            asked.failures += 1
            count = asked.failures
        else:
            asked.refusals += 1
            count = asked.refusals
        if asked.failures >= limits.attempts:
            self._finish(asked, self._error_response(asked, failure.after(asked.count())))
            return
        due = now + attempts.backoff(count, random.random())  # noqa: S311
        if due - asked.began >= limits.deadline:
            self._give_up(asked, now)
        else:
            heapq.heappush(self._waiting, (due, next(self._number), asked))

    def _give_up(self, asked: Asked, now: float) -> None:
        what = f"deadline: {asked.cause}, {asked.count()} in {now - asked.began:.0f} s"
        self._finish(asked, self._error_response(asked, what))

    def _error_response(self, asked: Asked, reason: str) -> Response:
        return Response(asked.request.id, "error", reason=reason, attempts=asked.attempts)

    def _finish(self, asked: Asked, response: Response) -> None:
        if response.reason:
            response = replace(response, reason=hidden(response.reason, self._service.secrets))
        asked.response = response
        if not self._done:
            self._service.loop.stop()  # whoever iterates takes what there is by the end of this turn of the loop
        self._done.append(asked)

    def _stopped(self, why: str) -> ModelStopped:
        return ModelStopped(f"{self._service.base_url}: {why}")
