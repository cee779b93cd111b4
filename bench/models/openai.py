"""`openai:MODEL`: any endpoint that speaks OpenAI's protocol, a closed model's or that of a server of one's own.

This half finds out what the service can do and names what is run; `openai_dialect` and `openai_completions` write
requests and read replies.
"""

from __future__ import annotations

import ipaddress
import itertools
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from bench.backend import Capabilities, Settings, read_options
from bench.models import openai_probe
from bench.models.openai_completions import Completions
from bench.models.openai_dialect import Chat, Manner
from bench.models.openai_engine import LIMITS, Server, root
from bench.models.openai_model import MeasuredOpenAI, OpenAI
from bench.records import Mode, UsageError
from bench.services import wire
from bench.services.access import Access, ServiceOptions, address, drawn, extra_of, key_of
from bench.services.endpoint import Endpoint
from bench.services.probing import public, refuse_keys
from bench.services.secrets import plain_url
from bench.services.service import Batching, Described

BASE_URL = "https://api.openai.com/v1"
KEY = "OPENAI_API_KEY"

_OWN = frozenset({"model", "messages", "prompt", "max_tokens", "max_completion_tokens", "stop", "stream", "n", "echo"})


class Options(ServiceOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The options of `openai:`, beside those of every service.

    `temperature` is 0 where the service takes it, and the service's own where it does not. `logprobs` is true (needed),
    false (not asked for) or "auto". `exact`: the server takes `ignore_eos` and `min_tokens`. `own_server`: the server
    is on the machine whose energy is measured, which goes without saying for an address on this machine.
    """

    api: Literal["chat", "completions"] = "chat"
    key_env: str = KEY
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    logprobs: bool | Literal["auto"] = "auto"
    exact: bool = False
    own_server: bool = False


def load(rest: str, settings: Settings) -> OpenAI:
    """The model of that name at the service of the options or the environment, after a few tiny requests.

    Raises `UsageError` where the service cannot be reached, wants another key, or does not know the model.
    """
    model = rest.strip()
    name = f"openai:{public(model)}"
    refuse_keys(name, settings.options, KEY)
    options = read_options(Options, name, settings.options)
    _check(name, options)
    key = key_of(name, options.key_env, KEY)
    access = Access(
        name,
        plain_url(address(name, options, settings.options, "OPENAI_BASE_URL", BASE_URL)),
        options,
        settings,
        key,
        {"Authorization": f"Bearer {key}"} if key else {},
    )
    server = _server(access, options) if settings.measured else None
    manner = _manner(name, model, options, access.base_url, _fresh(server))
    optional = ("temperature",) if options.temperature is None else ()
    logprobs = None if options.logprobs == "auto" else options.logprobs
    chat = options.api == "chat"
    with access.probing() as probe:
        ask = openai_probe.chat if chat else openai_probe.completions
        found = ask(probe, manner, optional, logprobs)
    described = Described(
        name,
        access.revision(found.model),
        "served" if chat else "none",
        drawn(found.manner.drawing, found.manner.system, found.manner.extra),
        Capabilities(
            modes=_modes(found, chat=chat),
            reasoning_tokens=settings.reasoning_tokens,
            remote=True,
            exact=options.exact,
        ),
        access.price(model),
    )
    served = wire.Served(found.model)
    more: dict[str, Any] = {"address": root(access.base_url), "model": model}
    dialect: Chat | Completions
    if chat:
        dialect = Chat(found.manner, served)
        more["batching"] = _batching(access)
    else:
        dialect = Completions(found.manner, served, found.way)
        more["repeating"] = dialect
    if server is None:
        return OpenAI(described, access.endpoint(), dialect, served, **more)
    return MeasuredOpenAI(described, access.endpoint(), dialect, served, server=server, **more)


def _server(access: Access, options: Options) -> Server | None:
    """The server, where it may be one whose energy is measured; None for somebody else's."""
    if options.batch_api or not (options.own_server or _is_here(access.base_url)):
        return None
    return Server(root(access.base_url), lambda: Endpoint(access.base_url, access.headers, LIMITS))


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _fresh(server: Server | None) -> Callable[[], Mapping[str, Any]]:
    """What makes a server read a prompt that it has read before, for a window asks the same again and again."""
    match server and server.name:
        case "vllm":
            start, numbers = secrets.token_hex(8), itertools.count()
            return lambda: {"cache_salt": f"{start}.{next(numbers)}"}
        case "llama.cpp":
            return lambda: {"cache_prompt": False}
    return dict


def _batching(access: Access) -> Batching | None:
    if not access.options.batch_api:
        return None
    from bench.services.batch_protocols import OpenAIBatches

    return access.batching(OpenAIBatches())


def _check(name: str, options: Options) -> None:
    if options.api == "chat":
        return
    if options.system:
        raise UsageError(f"{name}: option system needs -M api=chat; a completions endpoint has no system prompt")
    if options.batch_api:
        raise UsageError(f"{name}: option batch_api needs -M api=chat")


def _manner(name: str, model: str, options: Options, base_url: str, fresh: Callable[[], Mapping[str, Any]]) -> Manner:
    given = {
        "temperature": options.temperature or 0,
        "top_p": options.top_p,
        "seed": options.seed,
        "reasoning_effort": options.reasoning_effort,
    }
    # OpenAI's own newer models take only the newer word, and many servers only the older one.
    newer = options.api == "chat" and urlsplit(base_url).hostname == "api.openai.com"
    return Manner(
        model,
        "max_completion_tokens" if newer else "max_tokens",
        {word: value for word, value in given.items() if value is not None},
        extra_of(name, options, _OWN),
        options.system,
        fresh,
    )


def _modes(found: openai_probe.Found, *, chat: bool) -> tuple[Mode, ...]:
    if chat:
        return ("generate", "first_token") if found.letters else ("generate",)
    return ("loglikelihood", "first_token", "generate") if found.way else ("generate",)
