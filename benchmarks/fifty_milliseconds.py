"""A server that answers every chat completion after 50 ms, at so little cost that it is the clients that are timed.

    python benchmarks/fifty_milliseconds.py [--port 8000] [--delay 0.05]

Prints its address, then serves until it is interrupted, or with `--attached` until its standard input ends. Only what
the benchmark's clients send is understood: HTTP/1.1 with a Content-Length, connections kept alive, requests one after
another on each. `GET /span` tells of what was asked since the last time, by this process' clock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

VARIANTS = 64
"""Different answers, in turn, so that nothing that remembers an answer is quicker for it."""
WORDS = ("the", "river", "rises", "when", "snow", "melts", "and", "people", "of", "both", "banks", "wait", "for", "it")


@dataclass
class Span:
    """What was asked since the last look: chat completions, the seconds from the first one's arrival to the last
    answer, how many waited at a time at most and on average, and this server's seconds of processor time.

    Requests that came one by one before there were two at a time are `alone`, and not in the others: probes.
    """

    requests: int = 0
    seconds: float = 0.0
    most: int = 0
    mean: float = 0.0
    alone: int = 0
    processor: float = 0.0


class Clock:
    """Counts requests for the next `Span`."""

    def __init__(self) -> None:
        self._waiting = 0
        self._start()

    def _start(self) -> None:
        self._first = self._last = time.perf_counter()
        self._answered = self._most = self._alone = 0
        self._waited = 0.0  # seconds, of all requests together
        self._processor = time.process_time()

    def asked(self) -> None:
        """A request came."""
        now = time.perf_counter()
        if not self._waiting and self._most < 2:
            self._alone += self._answered
            self._answered = 0
            self._waited = 0.0
            self._first = now
        self._waited += self._waiting * (now - self._last)
        self._last = now
        self._waiting += 1
        self._most = max(self._most, self._waiting)

    def answered(self) -> None:
        """Its answer went."""
        now = time.perf_counter()
        self._waited += self._waiting * (now - self._last)
        self._last = now
        self._waiting -= 1
        self._answered += 1

    def read(self) -> Span:
        """What was counted; the next span begins."""
        seconds = self._last - self._first
        mean = self._waited / seconds if seconds else 0.0
        processor = time.process_time() - self._processor
        found = Span(self._answered, seconds, self._most, mean, self._alone, processor)
        self._start()
        return found


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, clock: Clock, answers: Iterator[bytes], delay: float) -> None:
        self._clock = clock
        self._answers = answers
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; answers on their way to it are dropped."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Takes whole requests off what was received."""
        self._received += data
        while (head_ends := self._received.find(b"\r\n\r\n") + 4) >= 4:
            head = self._received[:head_ends].lower()
            ends = head_ends + _length(head)
            if len(self._received) < ends:
                return
            self._received = self._received[ends:]
            self._take(head)

    def _take(self, head: bytes) -> None:
        if head.startswith(b"post") and b"/chat/completions " in head[: head.find(b"\r\n")]:
            self._clock.asked()
            self._loop.call_later(self._delay, self._answer)
        elif head.startswith(b"get /span "):
            self._write(_response(200, asdict(self._clock.read())))
        elif head.startswith(b"get /v1/models "):
            self._write(_response(200, {"object": "list", "data": [{"id": "fifty", "object": "model"}]}))
        else:
            self._write(_response(404, {"error": {"message": "only /v1/chat/completions is served", "code": 404}}))

    def _answer(self) -> None:
        self._clock.answered()
        self._write(next(self._answers))

    def _write(self, response: bytes) -> None:
        if self._transport is not None:
            self._transport.write(response)


def _length(head: bytes) -> int:
    """The Content-Length of a request whose head is in small letters."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest[: rest.find(b"\r\n")]) if found else 0


def _response(status: int, content: object) -> bytes:
    body = json.dumps(content).encode()
    reason = "OK" if status == 200 else "Not Found"
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def completion(number: int) -> bytes:
    """An answer as OpenAI's protocol has it, twelve words long."""
    text = " ".join(WORDS[(number * (place + 1) + place) % len(WORDS)] for place in range(11)) + f" {number}"
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 64, "completion_tokens": 14, "total_tokens": 78}
    whole = {"id": f"chatcmpl-{number:06}", "object": "chat.completion", "created": 1_700_000_000, "model": "fifty"}
    return _response(200, {**whole, "choices": [choice], "usage": usage, "system_fingerprint": "fp_fifty"})


async def serve(port: int, delay: float, *, attached: bool) -> None:
    """Serves until it is told to stop."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    clock, answers = Clock(), itertools.cycle([completion(number) for number in range(VARIANTS)])
    server = await loop.create_server(lambda: Connection(clock, answers, delay), "127.0.0.1", port, backlog=1024)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if attached:
        loop.add_reader(sys.stdin, stop.set)  # nothing is ever written there: it is readable when the other end is gone
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="any free one unless told")
    parser.add_argument("--delay", type=float, default=0.05, metavar="S", help="seconds until an answer")
    parser.add_argument("--attached", action="store_true", help="end with whoever holds standard input")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.delay, attached=arguments.attached))


if __name__ == "__main__":
    main()
