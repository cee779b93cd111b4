"""What an OpenAI-compatible server can do: found out with as few tiny requests as it takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from bench.models.openai_completions import WAYS, Completions, Way, scored, scoring
from bench.models.openai_dialect import Chat, Manner, alternatives, choices, log_probability
from bench.services import wire
from bench.services.calls import Reply, Unusable
from bench.services.probing import Probe, culprit, question

_QUESTION = "Answer with the letter A."
_LETTERS = (" A", " B")
_CONTEXT, _WHOLE = "One two", "One two three"
_ADVICE = "-M logprobs=false asks for no log-probabilities"
_ROOM = (16, 1024)
"""Tokens that the probe's answer may have; the second where the model thinks longer than the first."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a server was found to do. `model` is the name that it answers under; `way` and `letters`: log-probabilities.

    `manner` has only the parameters that it accepts.
    """

    manner: Manner
    model: str
    way: Way = ""
    letters: bool = False


def chat(probe: Probe, manner: Manner, optional: Collection[str], logprobs: bool | None) -> Found:
    """Probes `/chat/completions`. Of `drawing` only what is `optional` may be left out; `logprobs` None: if there are.

    Raises `UsageError` where the server does not do what it must.
    """
    wanted, room, limits = logprobs is not False, _ROOM[0], {manner.limit}
    while True:
        # With letters to score, a call asks for log-probabilities; the answer's text is in the reply all the same.
        asked = question(_QUESTION, room, _LETTERS if wanted else ())
        dialect = Chat(manner, wire.Served(""))
        body = dialect.body(asked) | {manner.limit: room}
        reply = probe.ask(wire.call("/chat/completions", body), _ADVICE if wanted else "")
        if reply.status == 200:
            return _chatting(probe, manner, reply, wanted, logprobs)
        if wire.complaint(reply.body).means() == "length" and room == _ROOM[0]:
            room = _ROOM[1]
            continue
        changed = _without(probe, manner, reply, optional, wanted and logprobs is None)
        if changed is None:
            wanted = False
        elif changed.limit != manner.limit and changed.limit in limits:
            raise probe.refusal(reply)
        else:
            manner = changed
            limits.add(manner.limit)


def _without(probe: Probe, manner: Manner, reply: Reply, optional: Collection[str], scores: bool) -> Manner | None:
    """The manner less what the server objects to; None for log-probabilities. Raises `UsageError`."""
    names: dict[str, tuple[str, ...]] = {name: (name,) for name in manner.drawing}
    names |= {"limit": ("max_tokens", "max_completion_tokens")}
    if scores:
        names |= {"logprobs": ("logprobs", "top_logprobs", "top_n_tokens", "response_logprobs")}
    blamed = culprit(reply, names)
    if blamed == "logprobs":
        return None
    if blamed == "limit":
        return replace(manner, limit="max_tokens" if manner.limit != "max_tokens" else "max_completion_tokens")
    if blamed in optional:
        return replace(manner, drawing={name: value for name, value in manner.drawing.items() if name != blamed})
    raise probe.refusal(reply)


def _chatting(probe: Probe, manner: Manner, reply: Reply, wanted: bool, logprobs: bool | None) -> Found:
    try:
        # Read as an answer, not as letters: those the probe asked for may not be among the first tokens.
        Chat(manner, wire.Served("")).read(question(_QUESTION, _ROOM[0]), reply)
        whole = wire.decoded(reply.body)
    except Unusable as unusable:
        raise probe.nonsense(unusable) from unusable
    model = wire.text(whole.get("model")) or manner.model
    try:
        letters = wanted and bool(alternatives(choices(whole, 1)[0]))
    except Unusable:
        letters = False
    if logprobs and not letters:
        raise probe.error("the service gives no log-probabilities of first tokens; leave out -M logprobs=true")
    return Found(manner, model, letters=letters)


def completions(probe: Probe, manner: Manner, optional: Collection[str], logprobs: bool | None) -> Found:
    """Probes `/completions`, as `chat` does."""
    found = _plain(probe, manner, optional)
    if logprobs is False:
        return found
    for way in WAYS:
        reply = probe.ask(wire.call("/completions", scoring(found.manner, way, [_CONTEXT, _WHOLE])), _ADVICE)
        if reply.status == 200 and _scores(reply, way):
            return replace(found, way=way)
    if logprobs:
        raise probe.error("the service gives no log-probabilities of a prompt's tokens; leave out -M logprobs=true")
    return found


def _plain(probe: Probe, manner: Manner, optional: Collection[str]) -> Found:
    while True:
        asked = question(_CONTEXT, 1)
        dialect = Completions(manner, wire.Served(""))
        reply = probe.ask(dialect.call(asked))
        if reply.status != 200:
            changed = _without(probe, manner, reply, optional, False)
            if changed is None or changed.limit != manner.limit:
                raise probe.refusal(reply)
            manner = changed
            continue
        try:
            dialect.read(asked, reply)
            model = wire.text(wire.decoded(reply.body).get("model"))
        except Unusable as unusable:
            raise probe.nonsense(unusable) from unusable
        return Found(manner, model or manner.model)


def _scores(reply: Reply, way: Way) -> bool:
    """Whether a reply has what the way promises: the tokens of just the prompts, the shorter a part of the longer."""
    try:
        short, long = scored(wire.decoded(reply.body), way, 2)
        for value in [*short.values[1:], *long.values[1:]]:
            log_probability(value)
    except Unusable:
        return False
    if way != "prompt" and not "".join(map(str, long.tokens)).endswith(_WHOLE):
        return False
    return 0 < len(short.tokens) < len(long.tokens) and long.tokens[: len(short.tokens)] == short.tokens
