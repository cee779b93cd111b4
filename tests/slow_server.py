"""A service in a process of its own that speaks OpenAI's protocol, answers as many requests as it is allowed to, and
remembers what it was asked.

An answer follows from the prompt alone. What is asked beyond the allowance is held until the next allowance is made.
What a program asks to learn what the service can do is answered at once and not counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.conftest import REPOSITORY

COUNTED = "Text "
"""What is in every prompt that counts."""
LENGTH = 400
"""Characters of an answer: enough to fill a small disk soon."""


def answer(prompt: str) -> str:
    """What the service says to a prompt."""
    digest = hashlib.sha256(prompt.encode()).digest()
    return " ".join(hashlib.sha256(digest + bytes([number])).hexdigest() for number in range(7))[:LENGTH]


@dataclass(slots=True)
class Asked:
    """(model, prompt) in the order in which they came since the last allowance, and how many at most at a time."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    most: int = 0


class Service:
    """The service as its tests see it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def allow(self, requests: int) -> Asked:
        """Lets so many more requests be answered; returns what was asked since the last time."""
        with urllib.request.urlopen(f"{self.url}/allow/{requests}", timeout=60) as reply:
            told = json.load(reply)
        return Asked([(model, prompt) for model, prompt in told["requests"]], told["most"])


@contextlib.contextmanager
def serving(seconds: float) -> Iterator[Service]:
    """The service, which takes `seconds` for each answer."""
    command = [sys.executable, "-m", "tests.slow_server", str(seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout
            yield Service(int(process.stdout.readline()))
        finally:
            process.kill()


class _Server:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = 0
        self._waiting = 0
        self._asked = Asked()
        self._ended = asyncio.Event()

    async def allow(self, request: web.Request) -> web.Response:
        told = {"requests": self._asked.requests, "most": self._asked.most}
        self._ended.set()
        self._ended = asyncio.Event()
        self._left = int(request.match_info["number"])
        self._asked = Asked()
        self._waiting = 0
        return web.json_response(told)

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        if COUNTED not in prompt:
            return web.json_response(_completion(body, prompt))
        asked, ended = self._asked, self._ended
        asked.requests.append((body["model"], prompt))
        self._waiting += 1
        asked.most = max(asked.most, self._waiting)
        await asyncio.sleep(self._seconds)
        if self._left == 0:
            await ended.wait()
        if ended.is_set():
            return web.json_response({"error": {"message": "too late"}}, status=503)
        self._left -= 1
        self._waiting -= 1
        return web.json_response(_completion(body, prompt))


def _completion(body: dict[str, Any], prompt: str) -> dict[str, Any]:
    said = answer(prompt)
    choice = {"index": 0, "finish_reason": "stop"}
    choice |= {"message": {"role": "assistant", "content": said}} if "messages" in body else {"text": said}
    usage = {"prompt_tokens": len(prompt), "completion_tokens": len(said), "total_tokens": len(prompt) + len(said)}
    return {"id": "1", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}


async def _models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "one", "object": "model"}]})


async def _serve(seconds: float) -> None:
    server = _Server(seconds)
    application = web.Application()
    application.router.add_get("/allow/{number}", server.allow)
    application.router.add_get("/v1/models", _models)
    for path in ("/v1/completions", "/v1/chat/completions"):
        application.router.add_post(path, server.complete)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # ends when who started this does, however that ends


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
