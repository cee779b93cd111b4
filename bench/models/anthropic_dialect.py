"""How Anthropic's messages endpoint asks and answers. Pure: no request is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.records import Request, Response
from bench.services import wire
from bench.services.calls import Call, Reply, Unusable

PATH = "/messages"


@dataclass(frozen=True, slots=True)
class Manner:
    """What of a request is the same for all: the model, and the parameters that change answers."""

    model: str
    drawing: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""


class Messages:
    """`/messages`: a prompt is one user message."""

    def __init__(self, manner: Manner, served: wire.Served) -> None:
        self._manner = manner
        self._served = served

    def call(self, request: Request) -> Call:
        """The request as HTTP."""
        manner = self._manner
        body: dict[str, Any] = {
            "model": manner.model,
            "messages": [{"role": "user", "content": request.prompt}],
            "max_tokens": request.max_tokens,
            **manner.drawing,
        }
        if manner.system:
            body["system"] = manner.system
        # The service refuses stop sequences of nothing but white space; the answer is cut at them when it is read.
        if stops := [stop for stop in request.stop if stop.strip()]:
            body["stop_sequences"] = stops
        return wire.call(PATH, body | dict(manner.extra))

    def read(self, request: Request, reply: Reply) -> Response:
        """The answer in a reply with status 200. Raises `Unusable`."""
        whole = wire.decoded(reply.body)
        if special := wire.misread(request, reply, whole, self._served):
            return special
        said, thought = _blocks(whole.get("content"))
        ended = wire.finish(whole.get("stop_reason"))
        if not (said or thought or ended):
            raise Unusable("empty_content")
        return wire.answered(request, said, ended, thought, _measured(reply, whole))

    def refused(self, request: Request, reply: Reply) -> Response | None:
        """What a 4xx reply means for this request; None where it is not about the prompt."""
        return wire.meant(request, reply)


def _blocks(content: object) -> tuple[str, str]:
    """(text, thinking) of an answer's blocks. Raises `Unusable`."""
    if not isinstance(content, list):
        raise Unusable("no_content")
    said: list[str] = []
    thought: list[str] = []
    for block in content:
        kind = wire.text(wire.table(block).get("type"))
        if kind in {"text", "thinking"} and isinstance(block.get(kind), str):
            (said if kind == "text" else thought).append(wire.text(block[kind]))
        elif kind not in {"redacted_thinking", "tool_use"}:
            raise Unusable("unknown_block")
    return "".join(said), "".join(thought)


def _measured(reply: Reply, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Counts and times of a reply by the names of `Response`.

    The service's `input_tokens` leave out those that it read from its cache or wrote to it; our prompt tokens do not.
    """
    told = wire.table(whole.get("usage"))
    fresh, output = wire.count(told.get("input_tokens")), wire.count(told.get("output_tokens"))
    thought = wire.count(wire.table(told.get("output_tokens_details")).get("thinking_tokens"))
    names = ("cache_read_input_tokens", "cache_creation_input_tokens")
    # Servers that have no cache leave these out, and the service says null where it was not used.
    read, written = (0 if told.get(name) is None else wire.count(told[name]) for name in names)
    prompt = None if fresh is None or read is None or written is None else fresh + read + written
    return {
        "seconds": reply.seconds,
        "attempts": reply.attempts,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "reasoning_tokens": thought if thought is not None and output is not None and thought <= output else None,
        "cached_tokens": None if prompt is None or told.get(names[0]) is None else read,
    }
