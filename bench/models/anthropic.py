"""`anthropic:MODEL`: Anthropic's messages endpoint, or another service that speaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec

from bench.backend import Capabilities, Settings, read_options
from bench.models.anthropic_dialect import Manner, Messages
from bench.records import UsageError
from bench.services import wire
from bench.services.access import Access, ServiceOptions, address, drawn, extra_of, key_of
from bench.services.calls import Reply, Unusable
from bench.services.probing import Probe, culprit, public, question, refuse_keys
from bench.services.secrets import plain_url
from bench.services.service import Batching, Described, ServiceModel

BASE_URL = "https://api.anthropic.com/v1"
KEY = "ANTHROPIC_API_KEY"
VERSION = "2023-06-01"
LEAST_BUDGET = 1024
"""Tokens that the service gives to thinking at least."""

_OWN = frozenset({"model", "messages", "max_tokens", "stop_sequences", "stream", "system", "thinking"})
_ADAPTIVE = {"type": "adaptive"}


class Options(ServiceOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of `anthropic:`, beside those of every service.

    `temperature` is 0 where the model takes it; newer models do not, and none does while it thinks. `effort` says how
    much work goes into an answer.
    """

    key_env: str = KEY
    temperature: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


def load(rest: str, settings: Settings) -> ServiceModel:
    """The model of that name, after one or a few tiny requests.

    It thinks where `reasoning_tokens` says how much: with that budget, or as much as it wants where the model takes no
    budget. Raises `UsageError` where the service cannot be reached, wants another key, or does not know the model.
    """
    model = rest.strip()
    name = f"anthropic:{public(model)}"
    refuse_keys(name, settings.options, KEY)
    options = read_options(Options, name, settings.options)
    key = key_of(name, options.key_env, KEY)
    access = Access(
        name,
        _versioned(plain_url(address(name, options, settings.options, "ANTHROPIC_BASE_URL", BASE_URL))),
        options,
        settings,
        key,
        {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {}),
    )
    manner = _manner(name, model, options, settings.reasoning_tokens)
    with access.probing() as probe:
        manner, answering = _probed(probe, manner, settings.reasoning_tokens, options)
    described = Described(
        name,
        access.revision(answering),
        "served",
        drawn(manner.drawing, manner.system, manner.extra),
        Capabilities(reasoning_tokens=settings.reasoning_tokens, remote=True),
        access.price(model),
    )
    served = wire.Served(answering)
    return ServiceModel(described, access.endpoint(), Messages(manner, served), served, batching=_batching(access))


def _batching(access: Access) -> Batching | None:
    if not access.options.batch_api:
        return None
    from bench.services.batch_protocols import AnthropicBatches

    return access.batching(AnthropicBatches())


def _versioned(url: str) -> str:
    """The address with the version: Anthropic's own clients write `ANTHROPIC_BASE_URL` without it."""
    return url if url.rsplit("/", 1)[-1] == "v1" else f"{url}/v1"


def _manner(name: str, model: str, options: Options, reasoning_tokens: int) -> Manner:
    if 0 < reasoning_tokens < LEAST_BUDGET:
        raise UsageError(f"{name}: {reasoning_tokens} tokens are too few to think; the service wants {LEAST_BUDGET}")
    given: dict[str, Any] = {"temperature": options.temperature, "top_p": options.top_p}
    if reasoning_tokens:
        if options.temperature not in {None, 1}:
            raise UsageError(f"{name}: a model that thinks has temperature 1; leave out -M temperature")
        given |= {"temperature": None, "thinking": {"type": "enabled", "budget_tokens": reasoning_tokens}}
    elif options.temperature is None and options.top_p is None:  # many models refuse both together
        given["temperature"] = 0
    if options.effort:
        given["output_config"] = {"effort": options.effort}
    drawing = {word: value for word, value in given.items() if value is not None}
    return Manner(model, drawing, extra_of(name, options, _OWN), options.system)


def _probed(probe: Probe, manner: Manner, reasoning_tokens: int, options: Options) -> tuple[Manner, str]:
    """What the model takes of the parameters, and the name that the service answers under."""
    asked = question("Answer with the letter A.", reasoning_tokens + 16)
    while True:
        dialect = Messages(manner, wire.Served(""))
        reply = probe.ask(dialect.call(asked))
        if reply.status != 200:
            manner = _without(probe, manner, reply, options)
            continue
        try:
            dialect.read(asked, reply)
            answering = wire.text(wire.decoded(reply.body).get("model"))
        except Unusable as unusable:
            raise probe.nonsense(unusable) from unusable
        return manner, answering or manner.model


def _without(probe: Probe, manner: Manner, reply: Reply, options: Options) -> Manner:
    """The manner less what the model refuses. Raises `UsageError` where that is what the user wants."""
    names = {"temperature": ("temperature",), "thinking": ("thinking", "budget_tokens")}
    blamed = culprit(reply, {word: words for word, words in names.items() if word in manner.drawing})
    drawing = dict(manner.drawing)
    if blamed == "temperature" and options.temperature is None:
        del drawing["temperature"]
    elif blamed == "thinking" and drawing["thinking"] != _ADAPTIVE:
        drawing["thinking"] = _ADAPTIVE
    else:
        raise probe.refusal(reply)
    return replace(manner, drawing=drawing)
