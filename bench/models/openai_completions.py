"""OpenAI's older protocol, `/completions`: a text goes on, and its tokens have log-probabilities. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.models.openai_dialect import Manner, answered, choices, ending, log_probability, measured, refused
from bench.records import Request, Response
from bench.services import wire
from bench.services.calls import Call, Reply, Unusable

Way = Literal["", "prompt", "echo", "echo_one"]
"""How a server gives log-probabilities of a prompt's tokens.

`prompt`: by vLLM's `prompt_logprobs`, which tells the tokens' numbers too, in a third of the bytes. `echo`: it repeats
the prompt with `logprobs`. `echo_one`: the same, but it insists on making one token, the last. "": not at all.
"""
WAYS: tuple[Way, ...] = ("prompt", "echo", "echo_one")

Token = int | str


@dataclass(frozen=True, slots=True)
class Scored:
    """A prompt's tokens with what the server says is each one's log-probability; of the first there is none.

    `numbers` are the tokens' numbers where the server tells all of them.
    """

    tokens: list[Token]
    values: list[object]
    numbers: list[int] | None = None


class Completions:
    """`/completions`. Log-likelihoods are split as the `hf:` backend does it: by the number of the context's tokens.

    The context alone is one more prompt of each request, because character offsets lie where a character has several
    tokens. Spaces that end the context move to the continuation. Where a token spans both, the whole is no
    extension of the context; a server that tells token numbers is then asked again, with the context's own tokens and
    what the whole has past their number. `again` holds such requests until they are asked.
    """

    def __init__(self, manner: Manner, served: wire.Served, way: Way = "") -> None:
        self.again: deque[Request] = deque()
        self._tokens: dict[str, list[list[int]]] = {}
        self._lengths: dict[str, int] = {}
        self._manner = manner
        self._served = served
        self._way = way

    def call(self, request: Request) -> Call:
        """The request as HTTP."""
        if request.continuations:
            prompts = self._tokens.get(request.id) or texts(request)
            return wire.call("/completions", scoring(self._manner, self._way, prompts))
        body = {
            "model": self._manner.model,
            "prompt": request.prompt,
            "max_tokens": request.max_tokens,
            **self._manner.drawing,
            **ending(request),
        }
        return wire.call("/completions", body | dict(self._manner.extra) | dict(self._manner.fresh()))

    def read(self, request: Request, reply: Reply) -> Response:
        """The answer in a reply with status 200. Raises `Unusable`."""
        whole = wire.decoded(reply.body)
        if special := wire.misread(request, reply, whole, self._served):
            return special
        if request.continuations:
            return self._read_scores(request, reply, whole)
        [choice] = choices(whole, 1)
        said, ended = choice.get("text"), wire.finish(choice.get("finish_reason"))
        if not isinstance(said, str):
            raise Unusable("no_text")
        if not said and not ended:
            raise Unusable("empty_choice")
        return answered(request, wire.text(said), ended, "", measured(reply, whole))

    def refused(self, request: Request, reply: Reply) -> Response | None:
        """What a 4xx reply means for this request; None where it is not about the prompt."""
        return refused(request, reply)

    def forget(self, request: str) -> None:
        """Drops what was kept for asking a request again."""
        self._tokens.pop(request, None)
        self._lengths.pop(request, None)

    def _read_scores(self, request: Request, reply: Reply, whole: Mapping[str, Any]) -> Response:
        sent = self._tokens.get(request.id)
        if sent is None:
            context, *wholes = scored(whole, self._way, 1 + len(request.continuations))
            length = len(context.tokens)
            spanning = any(one.tokens[:length] != context.tokens for one in wholes)
            if spanning and context.numbers is not None and all(one.numbers is not None for one in wholes):
                front = context.numbers
                self._tokens[request.id] = [front + (one.numbers or [])[length:] for one in wholes]
                self._lengths[request.id] = length
                self.again.append(request)
                return Response(request.id, "error", reason=wire.AGAIN)
        else:
            wholes, length = scored(whole, self._way, len(sent)), self._lengths[request.id]
            if [one.numbers for one in wholes] != sent:
                raise Unusable("other_tokens")
        found = measured(reply, whole)
        if not length:
            return Response(request.id, "skipped", reason=wire.NO_CONTEXT, **found)
        if any(len(one.tokens) <= length for one in wholes):
            return Response(request.id, "skipped", reason="empty_continuation", **found)
        sums = tuple(sum(map(log_probability, one.values[length:])) for one in wholes)
        return Response(request.id, "ok", loglikelihoods=sums, finish="stop", **found)


def texts(request: Request) -> list[str]:
    """The context, and the context with each continuation."""
    context = request.prompt.rstrip()
    space = request.prompt[len(context) :]
    return [context, *(context + space + text for text in request.continuations)]


def scoring(manner: Manner, way: Way, prompts: Sequence[str] | Sequence[Sequence[int]]) -> dict[str, Any]:
    """The body that asks for the log-probabilities of the prompts' tokens."""
    body: dict[str, Any] = {"model": manner.model, "prompt": list(prompts)}
    if way == "prompt":
        body |= {"max_tokens": 1, "prompt_logprobs": 0, "return_token_ids": True}
    else:
        body |= {"max_tokens": 1 if way == "echo_one" else 0, "echo": True, "logprobs": 1}
    return body | dict(manner.extra) | dict(manner.fresh())


def scored(whole: Mapping[str, Any], way: Way, wanted: int) -> list[Scored]:
    """The tokens of each prompt with their log-probabilities. Raises `Unusable`."""
    read = _numbered if way == "prompt" else _echoed
    made = [read(choice) for choice in choices(whole, wanted)]
    if way == "echo_one":
        made = [Scored(one.tokens[:-1], one.values[:-1]) for one in made]
    return made


def _echoed(choice: Mapping[str, Any]) -> Scored:
    echoed = wire.table(choice.get("logprobs"))
    tokens, values = echoed.get("tokens"), echoed.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or not all(isinstance(one, str) for one in tokens):
        raise Unusable("no_logprobs")
    if len(tokens) != len(values):
        raise Unusable("wrong_counts")
    return Scored(tokens, values)


def _numbered(choice: Mapping[str, Any]) -> Scored:
    """The only entry of each place is the prompt's own token, keyed by its number; the first place has none."""
    places, numbers = choice.get("prompt_logprobs"), choice.get("prompt_token_ids")
    if not isinstance(places, list) or not places or places[0] is not None:
        raise Unusable("no_logprobs")
    if not all(isinstance(place, dict) and len(place) == 1 for place in places[1:]):
        raise Unusable("no_logprobs")
    entries = [next(iter(place.items())) for place in places[1:]]
    tokens: list[Token] = ["", *(token for token, _ in entries)]
    values = [None, *(wire.table(entry).get("logprob") for _, entry in entries)]
    if numbers is None:
        return Scored(tokens, values)
    if not isinstance(numbers, list) or not all(type(one) is int for one in numbers):
        raise Unusable("no_token_ids")
    if list(map(str, numbers[1:])) != tokens[1:]:
        raise Unusable("other_tokens")
    return Scored(numbers, values, numbers)
