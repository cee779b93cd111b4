"""A local server with the batch APIs of OpenAI and Anthropic: it misbehaves as it is told, and counts what it sold."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import random
import socket
import sys
import threading
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fate = Callable[[str, int], str]
"""(custom_id, how often it was asked before) -> what becomes of the request.

"ok", "missing" (no line), "expired", "garbage" (a reply that is none), or the HTTP status of an error.
"""
KEY = "sk-of-the-tests-0123456789"


def fine(custom_id: str, before: int) -> str:
    """Every request is answered."""
    return "ok"


@dataclass
class Sold:
    """A batch at the provider."""

    id: str
    members: dict[str, dict[str, Any]]
    created: float
    metadata: dict[str, str] = field(default_factory=dict)
    polls: int = 0
    failure: str = ""
    output: bytes = b""
    errors: bytes = b""
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class Provider:
    """What the provider knows; it outlives the server. The fields up to `clock_off` say how it behaves."""

    fate: Fate = fine
    polls: int = 2  # a batch has ended when it was looked at so many times
    cut_off: int = 0  # so many results are sent half
    hidden: int = 0  # so many times results are not there yet
    garbled: int = 0  # so many replies to looks are no JSON
    double: bool = False  # every line of the results comes twice
    strangers: int = 0  # lines for requests that nobody asked
    lost: int = 0  # so many times a batch is made and the reply is lost
    broken: int = 0  # so many times a batch is made and the reply is a 500
    refused: int = 0  # so many times no batch is made and the reply is a 500
    limited: int = 0  # so many times no batch is made and the reply is a 429
    will_not: tuple[int, str] | None = None  # (status, message) of every attempt to make a batch
    fails: list[str] = field(default_factory=list)  # codes with which the next batches fail as a whole
    clock_off: float = 0.0
    watcher: Callable[[str, str], None] | None = None  # hears of (method, path) before it is answered

    batches: dict[str, Sold] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def sell(self, members: dict[str, dict[str, Any]], metadata: dict[str, str], *, anthropic: bool) -> Sold:
        """Makes a batch and decides what its results are."""
        with self.lock:
            made = Sold(f"batch_{len(self.batches) + 1:04}", members, time.time() + self.clock_off, metadata)
            self.batches[made.id] = made
            if self.fails:
                made.failure = self.fails.pop(0)
                return made
            lines: list[bytes] = []
            errors: list[bytes] = []
            for custom_id, body in members.items():
                fate = self.fate(custom_id, self.asked[custom_id])
                self.asked[custom_id] += 1
                self.paid[custom_id] += fate == "ok"
                line = (_anthropic_line if anthropic else _openai_line)(custom_id, body, fate, made.counts)
                if line:
                    (lines if fate in {"ok", "garbage"} or anthropic else errors).append(line)
            random.Random(len(self.batches)).shuffle(lines)
            strange = _anthropic_line if anthropic else _openai_line
            lines += [strange(f"stranger-{n}", {}, "ok", Counter()) for n in range(self.strangers)]
            lines *= 1 + self.double
            made.output, made.errors = b"".join(lines), b"".join(errors)
            return made


def _prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"]) if body else ""


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def answer_to(prompt: str) -> str:
    """What the model says."""
    return f"you said {prompt}"


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer_to(_prompt(body))}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"object": "chat.completion", "model": body.get("model"), "choices": [choice], "usage": usage}


def _openai_line(custom_id: str, body: dict[str, Any], fate: str, counts: Counter[str]) -> bytes:
    if fate == "missing":
        return b""
    counts["completed" if fate in {"ok", "garbage"} else "failed"] += 1
    if fate == "expired":
        error = {"code": "batch_expired", "message": "This request could not be executed in time."}
        return _line({"id": "r", "custom_id": custom_id, "response": None, "error": error})
    status = 200
    content: dict[str, Any] = {"choices": []}
    if fate == "ok":
        content = _completion(body)
    elif fate != "garbage":
        status, content = int(fate), {"error": {"message": f"status {fate}", "type": "x", "code": "x"}}
    response = {"status_code": status, "request_id": "q", "body": content}
    return _line({"id": "r", "custom_id": custom_id, "response": response, "error": None})


_TYPES = {"400": "invalid_request_error", "429": "rate_limit_error", "500": "api_error"}


def _anthropic_line(custom_id: str, body: dict[str, Any], fate: str, counts: Counter[str]) -> bytes:
    if fate == "missing":
        return b""
    if fate == "expired":
        counts["expired"] += 1
        return _line({"custom_id": custom_id, "result": {"type": "expired"}})
    if fate in _TYPES:
        counts["errored"] += 1
        inner = {"type": _TYPES[fate], "message": f"status {fate}"}
        error = {"type": "error", "error": inner, "request_id": "q"}
        return _line({"custom_id": custom_id, "result": {"type": "errored", "error": error}})
    counts["succeeded"] += 1
    message = {**_message(body), **({"content": "nothing"} if fate == "garbage" else {})}
    return _line({"custom_id": custom_id, "result": {"type": "succeeded", "message": message}})


def _message(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [{"type": "text", "text": answer_to(_prompt(body))}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go together: two writes wait for each other's acknowledgement
    provider: Provider

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, body: bytes) -> None:
        address = urlsplit(self.path)
        path = address.path.removeprefix("/v1")
        if f"Bearer {KEY}" != self.headers.get("Authorization") and self.headers.get("x-api-key") != KEY:
            return self._send(401, {"error": {"message": f"wrong key: not {KEY}", "type": "authentication_error"}})
        if self.provider.watcher:
            self.provider.watcher(self.command, path)
        with self.provider.lock:
            parts = path.strip("/").split("/")
            self.provider.calls[f"{self.command} {parts[0]}"] += 1
            if self.command == "POST":
                return self._post(parts, body)
            return self._get(parts, {name: values[0] for name, values in parse_qs(address.query).items()})

    def _post(self, parts: list[str], body: bytes) -> None:
        match parts:
            case ["chat", "completions"]:
                return self._send(200, _completion(json.loads(body)))
            case ["messages"]:
                return self._send(200, _message(json.loads(body)))
            case ["files"]:
                return self._upload(body)
            case ["batches"]:
                return self._create_openai(json.loads(body))
            case ["messages", "batches"]:
                members = {one["custom_id"]: one["params"] for one in json.loads(body)["requests"]}
                return self._create(members, {}, anthropic=True)
        return self._send(404, {"error": {"message": "no such thing"}})

    def _get(self, parts: list[str], query: dict[str, str]) -> None:
        match parts:
            case ["batches"]:
                return self._list(query.get("after", ""), int(query["limit"]), anthropic=False)
            case ["messages", "batches"]:
                return self._list(query.get("after_id", ""), int(query["limit"]), anthropic=True)
            case ["batches", batch]:
                return self._look(batch, anthropic=False)
            case ["messages", "batches", batch]:
                return self._look(batch, anthropic=True)
            case ["files", file, "content"]:
                batch, _, kind = file.removeprefix("file-").partition("-")
                sold = self.provider.batches[batch]
                return self._results(sold.output if kind == "output" else sold.errors)
            case ["messages", "batches", batch, "results"]:
                return self._results(self.provider.batches[batch].output)
        return self._send(404, {"error": {"message": "no such thing"}})

    def _upload(self, body: bytes) -> None:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        purpose, content = (bytes(parts[name].get_payload(decode=True)) for name in ("purpose", "file"))
        assert purpose == b"batch"
        file = f"file-{len(self.provider.files) + 1}"
        self.provider.files[file] = content
        self._send(200, {"id": file, "object": "file", "purpose": "batch"})

    def _create_openai(self, asked: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.provider.files[asked["input_file_id"]].split(b"\n")]
        assert {line["url"] for line in lines} == {asked["endpoint"]} and asked["completion_window"] == "24h"
        assert len({line["custom_id"] for line in lines}) == len(lines)
        members = {line["custom_id"]: line["body"] for line in lines}
        self._create(members, asked.get("metadata") or {}, anthropic=False)

    def _create(self, members: dict[str, dict[str, Any]], metadata: dict[str, str], *, anthropic: bool) -> None:
        provider = self.provider
        if provider.will_not:
            status, message = provider.will_not
            return self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})
        if provider.limited or provider.refused:
            status = 429 if provider.limited else 500
            provider.limited, provider.refused = max(0, provider.limited - 1), provider.refused - (not provider.limited)
            return self._send(status, {"error": {"message": "not now"}})
        made = provider.sell(members, metadata, anthropic=anthropic)
        if provider.lost:
            provider.lost -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        if provider.broken:
            provider.broken -= 1
            return self._send(500, {"error": {"message": "broken"}})
        return self._send(200, self._shown(made, anthropic=anthropic))

    def _look(self, batch: str, *, anthropic: bool) -> None:
        sold = self.provider.batches.get(batch)
        if sold is None:
            return self._send(404, {"error": {"message": "no such batch", "type": "not_found_error"}})
        sold.polls += 1
        if self.provider.garbled:
            self.provider.garbled -= 1
            return self._reply(200, b'{"id": "batch_')
        return self._send(200, self._shown(sold, anthropic=anthropic))

    def _shown(self, sold: Sold, *, anthropic: bool) -> dict[str, Any]:
        ended = sold.polls >= self.provider.polls
        total = len(sold.members)
        if anthropic:
            kinds = ("succeeded", "errored", "canceled", "expired")
            done = {kind: sold.counts[kind] if ended else 0 for kind in kinds}
            return {
                "id": sold.id,
                "type": "message_batch",
                "processing_status": "ended" if ended else "in_progress",
                "request_counts": {**done, "processing": 0 if ended else total},
                "created_at": datetime.fromtimestamp(sold.created, UTC).isoformat(),
                "results_url": f"https://elsewhere.example/{sold.id}/results" if ended else None,
            }
        status = "failed" if sold.failure else "expired" if sold.counts["failed"] else "completed"
        counts = {"total": total, **{kind: sold.counts[kind] if ended else 0 for kind in ("completed", "failed")}}
        made: dict[str, Any] = {"id": sold.id, "object": "batch", "status": status if ended else "in_progress"}
        files = {"output_file_id": f"file-{sold.id}-output", "error_file_id": f"file-{sold.id}-errors"}
        contents = {"output_file_id": sold.output, "error_file_id": sold.errors}
        made |= {name: file if ended and contents[name] else None for name, file in files.items()}
        errors = {"object": "list", "data": [{"code": sold.failure, "message": "no room", "line": None}]}
        extra = {"errors": errors if sold.failure and ended else None, "metadata": sold.metadata}
        return {**made, "request_counts": counts, "created_at": int(sold.created), **extra}

    def _list(self, after: str, limit: int, *, anthropic: bool) -> None:
        newest = sorted(self.provider.batches.values(), key=lambda sold: sold.id, reverse=True)
        rest = [sold for sold in newest if not after or sold.id < after]
        page = [self._shown(sold, anthropic=anthropic) for sold in rest[: min(limit, 3)]]
        self._send(200, {"data": page, "has_more": len(rest) > len(page)})

    def _results(self, content: bytes) -> None:
        if self.provider.hidden:
            self.provider.hidden -= 1
            return self._send(404, {"error": {"message": "no such file"}})
        if self.provider.cut_off:
            self.provider.cut_off -= 1
            content = content[: len(content) // 2]
        return self._reply(200, content)

    def _send(self, status: int, value: dict[str, Any]) -> None:
        self._reply(status, json.dumps(value).encode())

    def _reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """Cuts the connections too, as the end of a process does."""
        super().server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A client that was killed is none of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


@contextmanager
def serving(provider: Provider, port: int = 0) -> Iterator[str]:
    """The base URL of a server for the provider."""
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
