"""Backends, one file each. `load` finds the one that a model's name asks for and imports only that."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from bench.backend import Capabilities, Model, ModelStopped, Settings, Unavailable
from bench.records import UsageError
from tasks.suggest import did_you_mean

__all__ = [
    "PROVIDERS",
    "Capabilities",
    "Model",
    "ModelStopped",
    "Provider",
    "Settings",
    "Unavailable",
    "load",
    "provider",
]


@dataclass(frozen=True, slots=True)
class Provider:
    """One backend: how its models are named and what it is for.

    A `light` one loads in no time and no memory; a `tunable` one has options; a `paid` one may have a price.
    """

    name: str
    module: str
    usage: str
    summary: str
    light: bool = True
    tunable: bool = False
    paid: bool = False


HEAVY = {"light": False, "tunable": True}
SERVICE = {"tunable": True, "paid": True}
PROVIDERS = {
    made.name: made
    for made in (
        Provider("baseline", "bench.models.baseline", "baseline:random|copy|majority", "floors to read scores against"),
        Provider("hf", "bench.models.hf", "hf:PATH_OR_REPO", "a transformers model, on the CPU or a GPU", **HEAVY),
        Provider("vllm", "bench.models.vllm", "vllm:PATH_OR_REPO", "a model in vLLM's own engine", **HEAVY),
        Provider(
            "openai", "bench.models.openai", "openai:MODEL", "any endpoint of OpenAI's protocol", True, True, True
        ),
        Provider(
            "anthropic", "bench.models.anthropic", "anthropic:MODEL", "Anthropic's messages endpoint", True, True, True
        ),
        Provider("command", "bench.models.command", "command:SHELL COMMAND", "a program: a line in, a line out"),
        Provider("replies", "bench.models.replies", "replies:FILE", "answers made elsewhere, as JSON lines"),
    )
}


def load(name: str, settings: Settings) -> Model:
    """The model called `provider:model`. Raises `UsageError` where the name or what it names is wrong."""
    backend = provider(name)
    if settings.options and not backend.tunable:
        # The value stays unsaid: it may be what was meant to be kept.
        raise UsageError(f"{name}: no option {next(iter(settings.options))!r}; {backend.name}: has none")
    if settings.price is not None and not backend.paid:
        raise UsageError(f"{name}: a [price] is for a service; leave it out of the model file")
    module = importlib.import_module(backend.module)
    model: Model = module.load(name.partition(":")[2], settings)
    return model


def provider(name: str) -> Provider:
    """The backend that a model's name asks for. Raises `UsageError` where the name has no such form."""
    word, colon, rest = name.partition(":")
    if not name.isprintable() and any("\ud800" <= char <= "\udfff" for char in name):
        raise UsageError(f"model name {name!r} is not UTF-8")
    if word in PROVIDERS and colon and not rest.strip():
        raise UsageError(f"nothing after {word!r}: a model is {PROVIDERS[word].usage}")
    if word not in PROVIDERS or not rest.strip():
        known = ", ".join(known.usage for known in PROVIDERS.values())
        raise UsageError(f"unknown model {name!r}{did_you_mean(word, PROVIDERS)}; a model is one of {known}")
    return PROVIDERS[word]
