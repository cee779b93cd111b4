"""Answers through a provider's batch API, at half the price: requests are handed in by the thousand and fetched later.

What was paid is not paid again. Each batch is in the notes of the run before it is made, and with its id as soon as
that is known; the next invocation fetches what earlier ones handed in before it hands in anything itself.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from bench.backend import ModelStopped
from bench.records import Request, Response
from bench.services.batch_notes import KEPT, Notes, uncollected
from bench.services.batch_protocols import BatchProtocol, Result, State
from bench.services.batch_service import BatchService, Pace, failure_of, good
from bench.services.batch_spool import Asked, Found, Pile
from bench.services.endpoint import Dialect, Endpoint, Unusable

ROUNDS = 3
"""How often a request is handed in, at most, where its batch expires or its result is none."""
LARGE = 1 << 20
"""Bytes of requests in a batch whose memory is worth looking for."""
CROWDED = "token_limit_exceeded"
"""OpenAI's word for a batch that has no room beside those under way."""


@dataclass(frozen=True, slots=True)
class Options:
    """`size` requests make a batch, of at most `most_bytes`; `under_way` batches at a time.

    `poll` seconds lie between two looks at them at first, and more from one to the next (see `Pace`).
    """

    size: int = 10_000
    most_bytes: int = 32 << 20
    under_way: int = 32
    poll: float = 5.0


@dataclass(slots=True)
class _Batch:
    """A batch being filled, or under way. The lines are dropped once they are sent."""

    path: str
    pile: Pile
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    label: str = ""
    state: State | None = None


class Batches:
    """Answers requests through a batch API. Not thread-safe, except for `status`."""

    def __init__(
        self,
        endpoint: Endpoint,
        once: Endpoint,
        dialect: Dialect,
        protocol: BatchProtocol,
        notes: MutableMapping[str, str],
        options: Options | None = None,
    ) -> None:
        """`once` is the same service with one attempt a call: what makes a batch must not be repeated blindly.

        `notes` are on disk at once.
        """
        self._dialect = dialect
        self._protocol = protocol
        self._kept = notes
        self._notes = Notes(notes)
        options = options or Options()
        self._size = min(options.size, protocol.most_requests)
        self._most_bytes = min(options.most_bytes, protocol.most_bytes)
        self._most = self._room = options.under_way
        self._pace = Pace(options.poll)
        self._service = BatchService(endpoint, once, protocol, self._notes, self._pace)
        self._flying: list[_Batch] = []
        self._again: deque[Pile] = deque()
        self._held: Asked | None = None  # what did not fit into the last batch
        self._status = ""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request, as `Model.respond` does; `seconds` is None: the time of a batch is nobody's share.

        Raises `ModelStopped`. Where that or Ctrl-C ends it, batches go on at the provider, and the message says so, or
        a note of the exception; the next invocation fetches them.
        """
        try:
            with contextlib.ExitStack() as self._files:
                for response in self._responses(iter(requests)):
                    yield response
                    self._notes.handed_over()
        except ModelStopped as stopped:
            raise ModelStopped(". ".join(filter(None, [str(stopped), self._left_behind()]))) from stopped
        except KeyboardInterrupt as interrupt:
            if left := self._left_behind():
                interrupt.add_note(left)
            raise
        finally:
            self._status = ""

    def status(self) -> str:
        """What is under way, and how far it is."""
        return self._status

    def _left_behind(self) -> str:
        count = uncollected(self._kept)
        batches = "1 batch goes" if count == 1 else f"{count} batches go"
        return f"{batches} on at the provider; the same command fetches the answers" if count else ""

    def _responses(self, requests: Iterator[Request]) -> Iterator[Response]:
        first = next(requests, None)
        if first is None:
            return
        found = self._files.enter_context(contextlib.closing(Found()))
        self._recover(found)
        fresh = self._known(found, itertools.chain([first], requests))
        while True:
            while len(self._flying) < self._room and (batch := (yield from self._fill(fresh))):
                self._hand_in(batch)
            if not self._flying:
                return
            self._tell()
            yield from self._look()

    def _known(self, found: Found, requests: Iterator[Request]) -> Iterator[Response | Asked]:
        """Each request's answer, where an earlier invocation paid it; else the request itself."""
        for request in requests:
            label, result = found.take(request.id)
            answer = self._answer(request, result, 1) if result else ""
            if isinstance(answer, str) or answer.status == "error":
                yield Asked(1, request)
                continue
            yield answer
            if found.matched(label):
                self._notes.finish(label)
        for label in found.left():  # what else is in these was answered by the invocation that handed them in
            self._notes.read(label)

    def _fill(self, fresh: Iterator[Response | Asked]) -> Generator[Response, None, _Batch | None]:
        """The next batch, None where nothing is left to ask; answers that turn up on the way are handed over."""
        batch: _Batch | None = None
        while (asked := self._next(fresh)) is not None:
            if isinstance(asked, Response):
                yield asked
                continue
            call = self._dialect.call(asked.request)
            line = self._protocol.line(asked.request.id, call)
            if batch and (call.path != batch.path or batch.size + len(line) >= self._most_bytes):
                self._held = asked
                break
            batch = batch or _Batch(call.path, self._pile())
            batch.lines.append(line)
            batch.size += len(line) + 1
            batch.pile.add(asked)
            if batch.pile.count >= self._size:
                break
        return batch

    def _next(self, fresh: Iterator[Response | Asked]) -> Response | Asked | None:
        if held := self._held:
            self._held = None
            return held
        while self._again:
            if asked := self._again[0].take():
                return asked
            self._again.popleft()
        return next(fresh, None)

    def _pile(self) -> Pile:
        return self._files.enter_context(contextlib.closing(Pile()))

    def _hand_in(self, batch: _Batch) -> None:
        batch.label, batch.state = self._service.hand_in(batch.lines, batch.path, batch.pile.digest())
        batch.lines.clear()
        self._flying.append(batch)
        _release(batch)
        self._tell()

    def _recover(self, found: Found) -> None:
        """Waits for the batches of earlier invocations and keeps their results."""
        waiting: dict[str, str] = {}
        for label, note in self._notes.all().items():
            made: list[str] = []
            if time.time() - note.at < KEPT:
                made = [note.id] if note.id else [state.id for state in self._service.lookup(label, note)]
            if not made:
                self._notes.drop(label)
            elif len(made) == 1:
                self._notes.made(label, made[0])
            waiting |= dict.fromkeys(made, label)
        while waiting:
            states = [self._service.state(batch_id) for batch_id in waiting]
            left = [state for state in states if not state.ended]
            self._tell(left, " of an earlier invocation")
            for state in states:
                if state.ended:
                    found.add(waiting.pop(state.id), self._service.results(state).values())
            if len(left) < len(states):
                self._pace.reset()
            if left:
                self._pace.wait()
        for label in found.empty():
            self._notes.drop(label)

    def _look(self) -> Iterator[Response]:
        """Waits, and takes the answers of the batches that have ended since."""
        self._pace.wait()
        for batch in list(self._flying):
            assert batch.state is not None
            batch.state = self._service.state(batch.state.id)
            if batch.state.ended:
                self._flying.remove(batch)
                self._pace.reset()
                if batch.state.failure:
                    self._failed(batch, batch.state)
                else:
                    yield from self._collect(batch, self._service.results(batch.state))
                    _release(batch)
                    self._room = min(self._room + 1, self._most)
            self._tell()

    def _collect(self, batch: _Batch, results: dict[str, Result]) -> Iterator[Response]:
        again = self._pile()
        self._again.append(again)
        while asked := batch.pile.take():
            answer = self._answer(asked.request, results.get(asked.request.id), asked.round)
            if isinstance(answer, Response):
                yield answer
            elif asked.round < ROUNDS:
                again.add(Asked(asked.round + 1, asked.request))
            else:
                reason = f"{answer}, in {asked.round} batches"
                yield Response(asked.request.id, "error", reason=reason, attempts=asked.round)
        self._notes.finish(batch.label)

    def _failed(self, batch: _Batch, state: State) -> None:
        """A batch that the service did not begin, which costs nothing. Its requests wait until there is room."""
        self._notes.drop(batch.label)
        alone = not self._flying
        if state.failure.partition(":")[0] != CROWDED or (alone and batch.pile.count == 1):
            raise ModelStopped(f"the service failed a batch: {state.failure}")
        self._room = max(1, len(self._flying))
        if alone:
            self._size = max(1, batch.pile.count // 2)
        self._again.append(batch.pile)

    def _answer(self, request: Request, result: Result | None, number: int) -> Response | str:
        """What a result means for its request; text is the reason why it is to be asked again."""
        if result is None or result.reply is None:
            return result.failure if result else "no_result"
        reply = replace(result.reply, attempts=number)
        try:
            read = self._dialect.read if good(reply) else self._dialect.refused
            response = read(request, reply) if reply.status < 500 else None
        except Unusable as error:
            return str(error)
        except msgspec.DecodeError:
            return "bad_reply"
        if response is not None:
            return replace(response, seconds=None)
        failure = failure_of(reply)
        final = failure.kind == "refused"
        return Response(request.id, "error", reason=str(failure), attempts=number) if final else failure.code

    def _tell(self, states: Sequence[State] | None = None, whose: str = "") -> None:
        if states is None:
            states = [batch.state for batch in self._flying if batch.state]
        done, total = sum(state.done for state in states), sum(state.total for state in states)
        batches = f"{len(states)} batch{'es' * (len(states) != 1)}{whose}"
        self._status = f"{batches}: {done:,} of {total:,} requests done" if states else ""


def _release(batch: _Batch) -> None:
    """Frees the bodies of a batch's calls, which hang in cycles of the event loop until somebody looks for such."""
    if batch.size > LARGE:
        gc.collect()
