"""Asking a service over HTTP: what every dialect needs, and nothing of any of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Iterable, Mapping

from bench.backend import ModelStopped
from bench.records import Request, Response
from bench.services.calls import Call, Dialect, Limits, Reply, Unusable
from bench.services.gate import Gate
from bench.services.secrets import held, plain_url

__all__ = ["Call", "Dialect", "Endpoint", "Limits", "Reply", "Unusable"]


class Endpoint:
    """One service. Not thread-safe; nothing happens but while somebody iterates or waits."""

    def __init__(self, base_url: str, headers: Mapping[str, str], limits: Limits) -> None:
        """`headers` hold the key; they are in no message. Raises `UsageError` for an URL that is none."""
        from bench.services.asking import Clock, Service  # aiohttp takes long to load
        from bench.services.transport import Transport

        url = plain_url(base_url)
        clock = Clock()
        self._service = Service(
            base_url=url,
            secrets=held(headers.items()),
            limits=limits,
            loop=asyncio.new_event_loop(),
            clock=clock,
            gate=Gate(limits, clock.now()),
            transport=Transport(url, headers),
            askings=set(),
        )

    def respond(self, dialect: Dialect, requests: Iterable[Request]) -> Generator[Response]:
        """Answers every request, as `Model.respond` does.

        Reads `requests` as slots become free. Raises `ModelStopped` where the service refuses everybody, or gave no
        answer for `Limits.patience` seconds; what was under way then stays unanswered. Closing the iterator early
        cancels what is under way.
        """
        from bench.services.asking import MOST_BYTES, Asking

        with contextlib.closing(Asking(self._service, dialect, requests, MOST_BYTES).run()) as answered:
            for asked in answered:
                assert asked.response is not None
                yield asked.response

    def fetch(self, call: Call) -> Reply:
        """One call, waited for, with the same patience; any final status comes back. Raises `ModelStopped`."""
        from bench.services.asking import Asking

        with contextlib.closing(Asking(self._service, _AsItIs(call), [_NOTHING], None).run()) as answered:
            asked = next(answered)
        if asked.reply is not None:
            return asked.reply
        assert asked.response is not None
        raise ModelStopped(f"{self._service.base_url}: {asked.response.reason}")

    def status(self) -> str:
        """How many requests at a time, and what is wrong if anything is."""
        return self._service.gate.status(self._service.clock.now())

    def close(self) -> None:
        """Closes connections. What is still asked ends without an answer."""
        loop = self._service.loop
        if not loop.is_closed():
            for asking in list(self._service.askings):
                asking.close()
            loop.run_until_complete(self._service.transport.close())
            loop.run_until_complete(loop.shutdown_default_executor())  # it looked up the service's name
            loop.close()


_NOTHING = Request("", "", "", "", "", "generate", "", (), 0, (), "", ())


class _AsItIs:
    """The dialect of a single call: whatever comes back is its answer."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def call(self, request: Request) -> Call:
        return self._call

    def read(self, request: Request, reply: Reply) -> Response:
        return Response(request.id, "ok")

    def refused(self, request: Request, reply: Reply) -> Response:
        return Response(request.id, "error")
