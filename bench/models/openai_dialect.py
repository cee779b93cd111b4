"""How OpenAI's protocol asks and answers. Pure: no request is sent here.

Servers differ in what they leave out: usage, the model's name, a reason for the end, even the text where the model only
thought. What is left out stays unknown; what is there and makes no sense is no answer, and is asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.records import Finish, Request, Response
from bench.services import wire
from bench.services.calls import Call, Reply, Unusable

MOST_STOPS = 4
"""Stop strings that OpenAI's service takes; what comes after any other is cut off here."""
MOST_ALTERNATIVES = 20
"""First tokens that a chat endpoint gives log-probabilities of, at most."""
NOT_AMONG = "not_in_top_logprobs"
"""Why a request is skipped one of whose letters is not among the first tokens that the service names."""
EXACT_UNSUPPORTED = "exact_unsupported"
"""Why an answer of an exact length is an error: the service refuses `ignore_eos`, or answered at another length."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What of a request is the same for all: the model, what the limit of tokens is called, and the user's parameters.

    `drawing` is how answers are drawn (temperature and the like); `extra` goes into every body, log-likelihoods too.
    `fresh` makes what keeps a server from answering out of its cache of prompts, anew for each body.
    """

    model: str
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    drawing: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    fresh: Callable[[], Mapping[str, Any]] = dict


class Chat:
    """`/chat/completions`: a prompt is one user message.

    In the mode `first_token` a letter's log-probability is that of all first tokens that are this letter, with or
    without a space. A letter that is not among those which the service names has none, and the request is skipped.
    """

    def __init__(self, manner: Manner, served: wire.Served) -> None:
        self._manner = manner
        self._served = served

    def call(self, request: Request) -> Call:
        """The request as HTTP."""
        return wire.call("/chat/completions", self.body(request))

    def body(self, request: Request) -> dict[str, Any]:
        """What is sent for a request."""
        manner = self._manner
        said = [{"role": "system", "content": manner.system}] if manner.system else []
        body: dict[str, Any] = {
            "model": manner.model,
            "messages": [*said, {"role": "user", "content": request.prompt}],
            manner.limit: 1 if request.continuations else request.max_tokens,
            **manner.drawing,
        }
        if request.continuations:
            body |= {"logprobs": True, "top_logprobs": MOST_ALTERNATIVES}
        else:
            body |= ending(request)
        return body | dict(manner.extra) | dict(manner.fresh())

    def read(self, request: Request, reply: Reply) -> Response:
        """The answer in a reply with status 200. Raises `Unusable`."""
        whole = wire.decoded(reply.body)
        if special := wire.misread(request, reply, whole, self._served):
            return special
        [choice] = choices(whole, 1)
        if request.continuations:
            return _lettered(request, reply, whole, choice)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise Unusable("no_message")
        said, thought = _content(message.get("content"))
        thought = thought or _first_text(message, "reasoning_content", "reasoning")
        refusal = wire.text(message.get("refusal"))
        ended = wire.finish(choice.get("finish_reason"))
        if refusal and not said:
            said, ended = refusal, "filter"
        if not (said or thought or ended):
            raise Unusable("empty_choice")
        return answered(request, said, ended, thought, measured(reply, whole))

    def refused(self, request: Request, reply: Reply) -> Response | None:
        """What a 4xx reply means for this request; None where it is not about the prompt."""
        return refused(request, reply)


def ending(request: Request) -> dict[str, Any]:
    """What ends an answer; of one of an exact length nothing but that, by the words of vLLM, SGLang and llama.cpp."""
    if request.exact:
        return {"ignore_eos": True, "min_tokens": request.max_tokens}
    return {"stop": list(request.stop[:MOST_STOPS])} if request.stop else {}


def answered(request: Request, said: str, ended: Finish, thought: str, found: Mapping[str, Any]) -> Response:
    """A generated answer; an error where it has not the exact length that it should have."""
    if not request.exact:
        return wire.answered(request, said, ended, thought, found)
    if ended != "length" or found["output_tokens"] != request.max_tokens:
        return Response(request.id, "error", reason=EXACT_UNSUPPORTED, **found)
    return wire.answered(replace(request, stop=()), said, ended, thought, found)


def refused(request: Request, reply: Reply) -> Response | None:
    """What a 4xx reply means for this request; None where it is about nothing in it."""
    meant = wire.meant(request, reply)
    if meant is None and request.exact and reply.status in {400, 422}:
        return Response(request.id, "error", reason=EXACT_UNSUPPORTED, seconds=reply.seconds, attempts=reply.attempts)
    return meant


def choices(whole: Mapping[str, Any], wanted: int) -> list[dict[str, Any]]:
    """The choices of a reply in the order of the prompts. Raises `Unusable` where there are not as many as wanted."""
    found = whole.get("choices")
    if not isinstance(found, list) or not found:
        raise Unusable("empty_choices")
    if len(found) != wanted:
        raise Unusable("wrong_counts")
    if not all(isinstance(choice, dict) for choice in found):
        raise Unusable("no_choice")
    if any(choice.get("error") or choice.get("finish_reason") == "error" for choice in found):
        raise Unusable("error_in_choice")
    if wanted == 1:
        return found
    if not all(type(choice.get("index")) is int for choice in found):
        raise Unusable("no_index")
    ordered = sorted(found, key=lambda choice: choice["index"])
    if [choice["index"] for choice in ordered] != list(range(wanted)):
        raise Unusable("wrong_index")
    return ordered


def measured(reply: Reply, whole: Mapping[str, Any]) -> dict[str, Any]:
    """Counts and times of a reply by the names of `Response`; a count that the service does not say is None."""
    told = wire.table(whole.get("usage"))
    prompt, output = wire.count(told.get("prompt_tokens")), wire.count(told.get("completion_tokens"))
    thought = wire.count(wire.table(told.get("completion_tokens_details")).get("reasoning_tokens"))
    cached = wire.count(wire.table(told.get("prompt_tokens_details")).get("cached_tokens"))
    if cached is None:
        cached = wire.count(told.get("prompt_cache_hit_tokens"))  # DeepSeek's name
    if prompt is not None and output is not None and thought and told.get("total_tokens") == prompt + output + thought:
        output += thought  # xAI counts thinking beside the answer, not in it
    return {
        "seconds": reply.seconds,
        "attempts": reply.attempts,
        "prompt_tokens": prompt,
        "output_tokens": output,
        "reasoning_tokens": thought if thought is not None and output is not None and thought <= output else None,
        "cached_tokens": cached if cached is not None and prompt is not None and cached <= prompt else None,
    }


def log_probability(value: object) -> float:
    """A natural-log probability. Raises `Unusable` for what is none; rounding may put one just above zero."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e9 < value <= 1e-3:
        raise Unusable("no_logprob")
    return float(value)


def alternatives(choice: Mapping[str, Any]) -> Sequence[tuple[str, float]]:
    """(token, log-probability) of what could have come first. Raises `Unusable`."""
    content = wire.table(choice.get("logprobs")).get("content")
    first = wire.table(content[0]).get("top_logprobs") if isinstance(content, list) and content else None
    if not isinstance(first, list) or not first:
        raise Unusable("no_logprobs")
    named = [wire.table(one) for one in first]
    if not all(isinstance(one.get("token"), str) for one in named):
        raise Unusable("no_token")
    return [(one["token"], log_probability(one.get("logprob"))) for one in named]


def _lettered(request: Request, reply: Reply, whole: Mapping[str, Any], choice: Mapping[str, Any]) -> Response:
    found: dict[str, float] = {}
    for token, value in alternatives(choice):
        letter = token.strip()
        found[letter] = _either(found[letter], value) if letter in found else value
    values = [found.get(letter.strip()) for letter in request.continuations]
    known = tuple(value for value in values if value is not None)
    answer = Response(request.id, "ok", loglikelihoods=known, finish="stop", **measured(reply, whole))
    if len(known) < len(values):
        return replace(answer, status="skipped", loglikelihoods=(), finish="", reason=NOT_AMONG)
    return answer


def _either(one: float, other: float) -> float:
    """The log-probability of one or the other."""
    high, low = max(one, other), min(one, other)
    return high + math.log1p(math.exp(low - high))


def _content(content: object) -> tuple[str, str]:
    """(text, thinking) of a message's content, which is text, nothing, or a list of parts."""
    if content is None or isinstance(content, str):
        return wire.text(content), ""
    if not isinstance(content, list):
        raise Unusable("no_content")
    said: list[str] = []
    thought: list[str] = []
    for part in content:
        kind = wire.text(wire.table(part).get("type"))
        if kind == "text" and isinstance(part.get("text"), str):
            said.append(wire.text(part["text"]))
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            said.append(wire.text(part["refusal"]))
        elif kind in {"thinking", "reasoning"}:
            inner = part.get(kind)
            inside = inner if isinstance(inner, list) else [{"text": inner}]
            thought.extend(wire.text(wire.table(one).get("text")) for one in inside)
        else:
            raise Unusable("unknown_part")
    return "".join(said), "".join(thought)


def _first_text(message: Mapping[str, Any], *names: str) -> str:
    return next((text for text in (wire.text(message.get(name)) for name in names) if text), "")
