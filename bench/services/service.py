"""A model behind a service: what `openai:` and `anthropic:` have in common once they know what the service can do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from bench.backend import Capabilities, ModelStopped
from bench.prices import Price
from bench.records import Request, Response, UsageError
from bench.services import wire
from bench.services.batch_notes import uncollected
from bench.services.calls import Dialect
from bench.services.endpoint import Endpoint
from bench.services.probing import public

if TYPE_CHECKING:
    from bench.services.batch_protocols import BatchProtocol
    from bench.services.batches import Batches

Item = TypeVar("Item")


class Repeating(Protocol):
    """A dialect that may need a second call for one request; it then reads `AGAIN` and holds the request in `again`."""

    again: deque[Request]

    def forget(self, request: str) -> None:
        """Drops what was kept of a request that is answered."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a model says of itself; see `Model`."""

    name: str
    revision: str
    template: str
    decoding: str
    capabilities: Capabilities
    price: Price | None


@dataclass(frozen=True, slots=True)
class Batching:
    """That requests are handed in by batches: how, and the service with one attempt a call."""

    protocol: BatchProtocol
    once: Endpoint


class ServiceModel:
    """One model of one service. Its revision is the name that the service answers under, and the user's own."""

    def __init__(
        self,
        described: Described,
        endpoint: Endpoint,
        dialect: Dialect,
        served: wire.Served,
        *,
        repeating: Repeating | None = None,
        batching: Batching | None = None,
    ) -> None:
        """`repeating` is the dialect where it may need a second call."""
        self.name = described.name
        self.revision = described.revision
        self.template = described.template
        self.decoding = described.decoding
        self.capabilities = described.capabilities
        self.price = described.price
        self._endpoint = endpoint
        self._dialect = dialect
        self._served = served
        self._repeating = repeating
        self._batching = batching
        self._batches: Batches | None = None
        self._notes: MutableMapping[str, str] = {}

    def check(self, requests: Iterable[Request]) -> None:
        """Every plan can be asked; what is too long for the model is skipped, request by request."""

    def remember(self, notes: MutableMapping[str, str]) -> None:
        """Keeps batches in the notes. Raises `UsageError` where answers wait that another way would pay twice."""
        self._notes = notes
        if self._batching is None and (waiting := uncollected(notes)):
            raise UsageError(
                f"{self.name}: {waiting} batches of this run are paid and not fetched yet; go on with -M batch_api=true"
            )

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request. Raises `ModelStopped` where the service is lost, or answers as another model."""
        again: deque[Request] = self._repeating.again if self._repeating else deque()
        aside: deque[Response] = deque()
        source = _sendable(requests, again, aside)
        while True:
            for response in self._asked(source):
                yield from _emptied(aside)
                if self._served.other:
                    now, then = public(self._served.other), public(self._served.name)
                    raise ModelStopped(f"the service now answers as {now}, the run is of {then}")
                if response.reason == wire.AGAIN:
                    continue
                if self._repeating:
                    self._repeating.forget(response.request)
                yield response
            yield from _emptied(aside)
            if not again:
                return
            source = _sendable((), again, aside)

    def _asked(self, source: Iterator[Request]) -> Iterator[Response]:
        if self._batching is None:
            return self._endpoint.respond(self._dialect, source)
        from bench.services.batches import Batches

        protocol, once = self._batching.protocol, self._batching.once
        self._batches = Batches(self._endpoint, once, self._dialect, protocol, self._notes)
        return self._batches.respond(source)

    def status(self) -> str:
        """How many requests or batches are under way, and what is wrong if anything is."""
        return self._batches.status() if self._batches else self._endpoint.status()

    def close(self) -> None:
        """Closes connections."""
        self._endpoint.close()
        if self._batching is not None:
            self._batching.once.close()


def _sendable(requests: Iterable[Request], again: deque[Request], aside: deque[Response]) -> Iterator[Request]:
    """The requests, and between them those that are to be asked again; what cannot be sent is answered `aside`."""
    for request in requests:
        if reason := _unsendable(request):
            aside.append(Response(request.id, "skipped", reason=reason))
        else:
            yield request
        yield from _emptied(again)
    yield from _emptied(again)


def _unsendable(request: Request) -> str:
    if request.continuations and not request.prompt.strip():
        return wire.NO_CONTEXT
    try:
        "".join((request.prompt, *request.continuations, *request.stop)).encode()
    except UnicodeEncodeError:
        return wire.NOT_UNICODE
    return ""


def _emptied(waiting: deque[Item]) -> Iterator[Item]:
    while waiting:
        yield waiting.popleft()
