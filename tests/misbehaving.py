"""A service that misbehaves on purpose, the same way each time: `python -m tests.misbehaving --port 0` prints its port.

What a request suffers follows from its content alone: which fault, and how many times before it is answered. The answer
follows from the prompt, so that whoever asks can tell a right one. It speaks OpenAI's chat completions and completions;
`GET /faults` tells how often each fault was met.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import hashlib
import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.conftest import REPOSITORY

FAULTS = {
    "retry_after": 1,  # 429 that says how long
    "rate_limited": 2,  # 429 that does not
    "server_error": 20,
    "unavailable": 10,
    "hang": 1,
    "reset": 20,  # before a byte of the reply
    "cut": 20,  # in the middle of the body
    "truncated": 20,  # JSON, its end missing
    "html": 20,  # with status 200
    "empty": 20,  # no choices
    "many": 10,  # choices that nobody asked for
    "usage_negative": 10,
    "usage_absent": 10,
    "usage_null": 10,
    "slow": 4,  # byte by byte
}
"""Every fault, with its weight."""

HARMLESS = frozenset({"usage_negative", "usage_absent", "usage_null", "slow"})
"""Those that come with the right answer."""


def answer(prompt: str) -> str:
    """What the service says to a prompt: a letter of A to D."""
    return "ABCD"[hashlib.sha256(prompt.encode()).digest()[0] % 4]


@dataclass(frozen=True)
class Manners:
    """`rate` of the requests suffer one of `faults`, 1 to `times` times; `delay` seconds pass before any reply."""

    faults: Sequence[str] = tuple(FAULTS)
    rate: float = 0.3
    times: int = 2
    delay: float = 0.0
    retry_after: float = 0.05
    seed: int = 0

    def fault(self, content: bytes) -> tuple[str, int]:
        """(fault, how many times) of a request; the fault is "" where it suffers none."""
        digest = hashlib.sha256(str(self.seed).encode() + content).digest()
        drawn, which, often = struct.unpack_from(">III", digest)
        if not self.faults or drawn >= self.rate * 2**32:
            return "", 0
        bounds = list(itertools.accumulate(FAULTS[fault] for fault in self.faults))
        place = which % bounds[-1]
        fault = next(fault for fault, bound in zip(self.faults, bounds, strict=True) if place < bound)
        return fault, 1 + often % self.times


class Service:
    """What all connections share: how often each request was met."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.met: Counter[bytes] = Counter()
        self.suffered: Counter[str] = Counter()

    def fault(self, content: bytes) -> str:
        """What the request suffers this time."""
        fault, times = self.manners.fault(content)
        if fault:
            key = hashlib.sha256(content).digest()[:16]
            self.met[key] += 1
            fault = fault if self.met[key] <= times else ""
        self.suffered[fault or "none"] += 1
        return fault


def reply(path: str, asked: dict[str, Any], fault: str = "") -> dict[str, Any]:
    """The JSON of a reply, as OpenAI's protocol has it."""
    chat = path.endswith("/chat/completions")
    prompt = "\n".join(message["content"] for message in asked["messages"]) if chat else asked["prompt"]
    said = answer(prompt)
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
    made: dict[str, Any] = {"id": "made", "object": "chat.completion", "created": 0, "model": asked.get("model", "m")}
    made["choices"] = [choice]
    made["usage"] = {"prompt_tokens": len(prompt.split()), "completion_tokens": 1, "total_tokens": 0}
    match fault:
        case "empty":
            made["choices"] = []
        case "many":
            wrong = {"message": {"role": "assistant", "content": "wrong"}} if chat else {"text": "wrong"}
            made["choices"] = [{**choice, **wrong}, {**choice, **wrong, "index": 1}]
        case "usage_negative":
            made["usage"] = {"prompt_tokens": -3, "completion_tokens": -1, "total_tokens": -4}
        case "usage_absent":
            del made["usage"]
        case "usage_null":
            made["usage"] = None
    return made


def _http(status: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _error(status: str, said: str, *headers: str) -> bytes:
    return _http(status, json.dumps({"error": {"message": said, "type": "error"}}).encode(), *headers)


class Connection(asyncio.Protocol):
    """One client's connection: HTTP/1.1, one request after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._read = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        first, *headers = head.decode("latin-1").split("\r\n")
        named = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
        size = int(named.get("content-length", "0"))
        if len(rest) < size:
            return
        self._read = rest[size:]
        self._loop.call_later(self._service.manners.delay, self._answer, first.split(" ")[1], rest[:size])

    def _answer(self, path: str, body: bytes) -> None:
        if self._transport.is_closing():
            return
        if path.endswith("/faults"):
            self._transport.write(_http("200 OK", json.dumps(self._service.suffered).encode()))
        elif path.endswith("/models"):
            self._transport.write(_http("200 OK", json.dumps({"object": "list", "data": [{"id": "m"}]}).encode()))
        elif not path.endswith("/completions"):
            self._transport.write(_error("404 Not Found", f"no such path: {path}"))
        else:
            self._complete(path, body)

    def _complete(self, path: str, body: bytes) -> None:
        write, fault = self._transport.write, self._service.fault(body)
        made = json.dumps(reply(path, json.loads(body), fault)).encode()
        whole = _http("200 OK", made)
        match fault:
            case "retry_after":
                wait = f"Retry-After: {self._service.manners.retry_after:g}"
                write(_error("429 Too Many Requests", "slow down", wait))
            case "rate_limited":
                write(_error("429 Too Many Requests", "slow down"))
            case "server_error":
                write(_error("500 Internal Server Error", "it broke"))
            case "unavailable":
                write(_error("503 Service Unavailable", "overloaded"))
            case "hang":
                pass
            case "reset":
                self._reset()
            case "cut":
                write(whole[:-20])
                self._loop.call_later(0.001, self._reset)
            case "truncated":
                write(_http("200 OK", made[: len(made) // 2]))
            case "html":
                write(_http("200 OK", b"<html><body><h1>Welcome</h1></body></html>", kind="text/html"))
            case "slow":
                write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                self._drip(made)
            case _:
                write(whole)

    def _drip(self, rest: bytes) -> None:
        if self._transport.is_closing():
            return
        if not rest:
            self._transport.write(b"0\r\n\r\n")
            return
        self._transport.write(b"1\r\n" + rest[:1] + b"\r\n")
        self._loop.call_later(0.0005, self._drip, rest[1:])

    def _reset(self) -> None:
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


async def serve(manners: Manners, port: int) -> None:
    """Serves until the process is told to end; prints the port once it listens."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(functools.partial(Connection, Service(manners)), "127.0.0.1", port, backlog=1024)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.close()


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The base URL of such a service in a process of its own, started with the command line's arguments."""
    command = [sys.executable, "-m", "tests.misbehaving", "--port", "0", *arguments]
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=known, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.misbehaving", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--faults", default=",".join(FAULTS), help='names, with commas; "" for none')
    parser.add_argument("--rate", type=float, default=Manners.rate, help="the share of requests that suffer")
    parser.add_argument("--times", type=int, default=Manners.times, help="how often one suffers at most")
    parser.add_argument("--delay", type=float, default=Manners.delay, help="seconds before any reply")
    parser.add_argument("--retry-after", type=float, default=Manners.retry_after, help="seconds that a 429 asks for")
    parser.add_argument("--seed", type=int, default=Manners.seed)
    given = parser.parse_args()
    faults = tuple(name for name in given.faults.split(",") if name)
    if unknown := set(faults) - set(FAULTS):
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    manners = Manners(faults, given.rate, given.times, given.delay, given.retry_after, given.seed)
    asyncio.run(serve(manners, given.port))


if __name__ == "__main__":
    main()
