"""A small, well-behaved server of our own: OpenAI's chat and completions with log-probabilities, Anthropic's messages.

Its model is a hash: it answers the same thing the same way every time, and its log-probabilities depend on everything
that came before. What real servers leave out or refuse is said by `Kind`.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

BOS, BOS_TOKEN = 1, "<s>"
CONTEXT = 1000
_PIECES = re.compile(r" ?\w+|\s|[^\w\s]")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Json = dict[str, Any]
Mangle = Callable[[str, Json], object]
"""(path, reply) -> what is sent in its place: JSON, bytes, or a status with either."""


def openai_error(name: str) -> Json:
    """OpenAI's words for a parameter that a model does not take."""
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    if name == "max_tokens":
        message += " Use 'max_completion_tokens' instead."
    return {"message": message, "type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}


@dataclass(frozen=True)
class Kind:
    """How a server differs from one that does everything. `refused` parameters bring a 400, `ignored` ones nothing.

    `engine` is what it says it is on pages of its own, which it has none of where that is "".
    """

    model: str = "tiny"
    refused: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    key: str | None = None
    usage: bool = True
    names: bool = True
    error: Callable[[str], Json] = openai_error
    engine: str = ""


VLLM = Kind()
OPENAI = Kind(refused=frozenset({"prompt_logprobs", "echo"}))
OPENAI_REASONING = Kind(refused=frozenset({"max_tokens", "temperature", "logprobs", "top_logprobs"}))
OLLAMA = Kind(ignored=frozenset({"logprobs", "top_logprobs", "echo", "prompt_logprobs", "return_token_ids"}))
ECHOING = Kind(ignored=frozenset({"prompt_logprobs", "return_token_ids"}))
VLLM_ENGINE = Kind(engine="vllm")
LLAMA_CPP_ENGINE = Kind(engine="llama.cpp", ignored=frozenset({"prompt_logprobs", "return_token_ids", "min_tokens"}))
BARE = Kind(ignored=OLLAMA.ignored, usage=False, names=False)
CLAUDE_NEW = Kind(
    refused=frozenset({"temperature", "enabled"}),
    error=lambda name: {
        "type": "invalid_request_error",
        "message": "`temperature` is deprecated for this model."
        if name == "temperature"
        else '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".',
    },
)


def pieces(text: str) -> list[str]:
    """The tokens of a text: a word with the space before it, or one character."""
    return _PIECES.findall(text)


def number(piece: str) -> int:
    """A token's number."""
    return 2 + zlib.crc32(piece.encode()) % 1_000_000


def log_probability(before: Sequence[int], token: int) -> float:
    """Of a token after others."""
    return -(zlib.crc32(json.dumps([*before, token]).encode()) % 100_000) / 10_000


def letter(prompt: str, count: int = 4) -> str:
    """The letter that the model prefers."""
    return _LETTERS[zlib.crc32(prompt.encode()) % count]


def answer(prompt: str) -> str:
    """What the model says to a prompt."""
    return f"{letter(prompt)}. {zlib.crc32(prompt.encode())} ሰላም 👩‍👧"


class Server:
    """Serves in a thread until it is left. `seen` are the (path, headers, body) of what was asked."""

    def __init__(self, kind: Kind = VLLM, mangle: Mangle | None = None) -> None:
        self.kind = kind
        self.mangle = mangle
        self.seen: list[tuple[str, dict[str, str], Json]] = []
        self.read = self.wrote = 0  # tokens so far
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def bodies(self, path: str = "") -> list[Json]:
        """What was asked, by the end of its path."""
        return [body for asked, _, body in self.seen if asked.endswith(path)]

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> str:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    async def _handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read() or b"{}")
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.path, headers, body))
        if self.kind.engine and (page := self._page(request.method, request.path, headers, body)) is not None:
            return page
        status, reply = self._reply(request.path, headers, body)
        sent: object = reply
        if status == 200 and self.mangle is not None:
            sent = self.mangle(request.path, reply)
            if isinstance(sent, tuple):
                status, sent = sent
        content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return web.Response(status=status, body=content, content_type="application/json")

    def _page(self, method: str, path: str, headers: dict[str, str], body: Json) -> web.Response | None:
        """What is no part of OpenAI's protocol."""
        if self.kind.key is not None and headers.get("authorization") != f"Bearer {self.kind.key}":
            return web.Response(status=401)
        if (method, path) == ("GET", "/metrics"):
            return web.Response(text=metrics(self.kind.engine, self.read, self.wrote))
        if (method, path) == ("GET", "/version") and self.kind.engine == "vllm":
            return web.json_response({"version": "0.32.0"})
        if (method, path) == ("GET", "/props") and self.kind.engine == "llama.cpp":
            return web.json_response({"total_slots": 4, "build_info": "b8681-x"})
        if (method, path) == ("POST", "/tokenize"):
            text, bare = (
                (body["prompt"], body["add_special_tokens"] is False)
                if self.kind.engine == "vllm"
                else (body["content"], body["add_special"] is False)
            )
            tokens = _tokens(text)[bare:]
            more = {"count": len(tokens), "max_model_len": CONTEXT} if self.kind.engine == "vllm" else {}
            return web.json_response({"tokens": tokens, **more})
        if (method, path) == ("POST", "/reset_prefix_cache") and self.kind.engine == "vllm":
            return web.json_response({"success": True})
        return None

    def _reply(self, path: str, headers: dict[str, str], body: Json) -> tuple[int, Json]:
        claude = path.endswith("/messages")
        given = headers.get("x-api-key") if claude else headers.get("authorization", "").removeprefix("Bearer ")
        if self.kind.key is not None and given != self.kind.key:
            return 401, {"error": {"message": f"Incorrect API key provided: {given}.", "code": "invalid_api_key"}}
        if body.get("model") != self.kind.model:
            return 404, {"error": {"message": f"The model `{body.get('model')}` does not exist", "code": "not_found"}}
        thinking = (body.get("thinking") or {}).get("type")
        for name in [*body, thinking]:
            if name in self.kind.refused:
                return 400, {"error": self.kind.error(name)}
        body = {name: value for name, value in body.items() if name not in self.kind.ignored}
        prompts = body.get("prompt") or body["messages"][-1]["content"]
        every: list[Any] = [prompts] if isinstance(prompts, str) else prompts
        longest = max(len(_tokens(one)) for one in every)
        if longest > CONTEXT:
            message = f"This model's maximum context length is {CONTEXT} tokens. However, you requested {longest}."
            return 400, {"error": {"message": message, "code": "context_length_exceeded", "param": "messages"}}
        if path == "/v1/chat/completions":
            return 200, self._chat(body, str(prompts))
        if path == "/v1/completions":
            return 200, self._completions(body, every)
        if path == "/v1/messages":
            return 200, self._messages(body, str(prompts))
        return 404, {"detail": "Not Found"}

    def _made(self, choices: list[Json], prompt_tokens: int, output_tokens: int) -> Json:
        self.read, self.wrote = self.read + prompt_tokens, self.wrote + output_tokens
        reply: Json = {"id": "made-up", "object": "chat.completion", "created": 0, "choices": choices}
        if self.kind.names:
            reply["model"] = self.kind.model
        if self.kind.usage:
            total = prompt_tokens + output_tokens
            reply["usage"] = {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": output_tokens,
                "total_tokens": total,
            }
        return reply

    def _chat(self, body: Json, prompt: str) -> Json:
        said, finish, count = _cut(answer(prompt), body)
        choice: Json = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": finish}
        choice["logprobs"] = None
        if body.get("logprobs"):
            first = letter(prompt)
            named = [first, *(other for other in _LETTERS[:4] if other != first), "The", " B", "I"]
            top = [{"token": token, "logprob": -0.1 - place, "bytes": None} for place, token in enumerate(named)]
            top = top[: body.get("top_logprobs", 0)]
            choice["logprobs"] = {"content": [{"token": first, "logprob": -0.1, "bytes": None, "top_logprobs": top}]}
        return self._made([choice], len(_tokens(prompt)), count)

    def _completions(self, body: Json, prompts: list[Any]) -> Json:
        choices, read, written = [], 0, 0
        for index, prompt in enumerate(prompts):
            tokens = _tokens(prompt)
            said, finish, count = _cut(f" {answer(str(prompt))}\n\nmore", body)
            read, written = read + len(tokens), written + count
            shown = prompt if isinstance(prompt, str) else ""
            choice: Json = {"index": index, "text": (shown if body.get("echo") else "") + said, "finish_reason": finish}
            values = [None, *(log_probability(tokens[:at], tokens[at]) for at in range(1, len(tokens)))]
            if body.get("echo") and body.get("logprobs") is not None:
                names = [BOS_TOKEN, *(pieces(prompt) if isinstance(prompt, str) else map(str, tokens[1:]))]
                made = pieces(said)[:count]
                choice["logprobs"] = {
                    "tokens": names + made,
                    "token_logprobs": values + [-0.5] * len(made),
                    "top_logprobs": [None, *({name: 0.0} for name in (names + made)[1:])],
                    "text_offset": [0] * len(names + made),
                }
            if body.get("prompt_logprobs") is not None:
                entries = [{str(token): {"logprob": value}} for token, value in zip(tokens, values, strict=True)]
                choice["prompt_logprobs"] = [None, *entries[1:]]
            if body.get("return_token_ids"):
                choice["prompt_token_ids"] = tokens
            choices.append(choice)
        return self._made(choices, read, written)

    def _messages(self, body: Json, prompt: str) -> Json:
        said, finish, count = _cut(answer(prompt), body)
        content = [{"type": "text", "text": said}]
        if body.get("thinking"):
            content.insert(0, {"type": "thinking", "thinking": "hm", "signature": "x"})
        return {
            "id": "made-up",
            "type": "message",
            "role": "assistant",
            "model": self.kind.model,
            "content": content,
            "stop_reason": {"length": "max_tokens", "stop": "end_turn"}[finish],
            "usage": {"input_tokens": len(_tokens(prompt)), "output_tokens": count, "cache_read_input_tokens": 2},
        }


def metrics(engine: str, read: int, wrote: int) -> str:
    """A page as such an engine writes it, with what it read and wrote; a tenth of the prompts came from a cache."""
    if engine == "vllm":
        label = 'model_name="a {b} \\"c\\"",engine='
        return (
            "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
            "# TYPE vllm:num_requests_running gauge\n"
            f'vllm:num_requests_running{{{label}"0"}} 2.0\nvllm:num_requests_running{{{label}"1"}} 1.0\n'
            f'vllm:prompt_tokens_total{{{label}"0"}} {read}.0\n'
            f'vllm:prompt_tokens_created{{{label}"0"}} 1.75e+09\n'
            f'vllm:prompt_tokens_cached_total{{{label}"0"}} {read // 10}.0\n'
            f'vllm:generation_tokens_total{{{label}"0"}} {wrote:e}\n'
        )
    return (
        "# TYPE llamacpp:prompt_tokens_total counter\n"
        f"llamacpp:prompt_tokens_total {read}\nllamacpp:tokens_predicted_total {wrote}\n"
        "llamacpp:requests_processing 3\n"
    )


def _tokens(prompt: str | list[int]) -> list[int]:
    return [BOS, *map(number, pieces(prompt))] if isinstance(prompt, str) else prompt


def _cut(said: str, body: Json) -> tuple[str, str, int]:
    """(text, why it ended, its tokens) within the limits of a request."""
    if body.get("ignore_eos"):
        return " la" * body["max_tokens"], "length", body["max_tokens"]
    for stop in body.get("stop") or body.get("stop_sequences") or []:
        said = said.split(stop, maxsplit=1)[0]
    most = next(body[name] for name in ("max_tokens", "max_completion_tokens") if name in body)
    made = pieces(said)
    return "".join(made[:most]), "length" if len(made) > most else "stop", min(len(made), most)
