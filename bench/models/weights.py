"""What the backends share that hold a model's weights in this process or its workers: the options and the model itself.

What computes is an `Engine`; nothing here imports torch, transformers or vLLM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from bench.backend import Capabilities, EngineFacts, Load, worded
from bench.models import hf_source
from bench.records import Request, Response, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from bench.models.hf_encoding import Encoder


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `-M name=value` that all of them have.

    `dtype` auto is bfloat16 on a GPU and float32 on the CPU. `lora` is the folder or hub repository of an adapter.
    `truncation` says what becomes of a prompt that the model has no room for: its beginning is cut off ("left"), or it
    is not asked ("skip"). `temperature` 0 is greedy. `thinking` goes to the chat template as `enable_thinking`.
    """

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    lora: str | None = None
    truncation: Literal["left", "skip"] = "left"
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 0
    thinking: bool | None = None

    def decoding(self) -> str:
        """Every option that changes answers, but for the adapter, which is in the revision.

        Devices and kernels are left out, and how many GPUs share the work: a run goes on with other ones.
        """
        drawn = self.temperature > 0
        return worded(
            "sampled" if drawn else "greedy",
            temperature=self.temperature if drawn else None,
            top_p=self.top_p if drawn and self.top_p < 1 else None,
            seed=self.seed if drawn else None,
            dtype=None if self.dtype == "auto" else self.dtype,
            **self._own_words(),
            truncation=None if self.truncation == "left" else self.truncation,
            thinking=None if self.thinking is None else str(self.thinking).lower(),
        )

    def _own_words(self) -> dict[str, object]:
        """What else changes answers in one backend."""
        return {}


class Engine(Protocol):
    """What computes: one loaded model with its tokenizer."""

    encoder: Encoder

    @property
    def dtype(self) -> str:
        """The type of the model's numbers."""

    @property
    def device(self) -> str:
        """What the model computes on."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once."""

    def load(self) -> Load:
        """What is computed now, and what was so far."""


Computes = TypeVar("Computes", bound=Engine)


class Weights(Generic[Computes]):
    """One model whose engine is at hand. `revision` is the folder's content hash, or the hub's commit, and an
    adapter's own."""

    price = None

    def __init__(
        self, name: str, revision: str, engine: Computes, facts: EngineFacts, options: Options, reasoning_tokens: int
    ) -> None:
        self.name = name
        self.revision = revision
        self.engine = facts
        self.decoding = options.decoding()
        self.capabilities = Capabilities(
            modes=("loglikelihood", "first_token", "generate"), reasoning_tokens=reasoning_tokens, exact=True
        )
        template = engine.encoder.template
        self.template = "none" if template is None else f"sha256:{hashlib.sha256(template.encode()).hexdigest()[:16]}"
        self._engine: Computes | None = engine

    def check(self, requests: Iterable[Request]) -> None:
        """Every plan can be answered: what is too long for the model is skipped or cut, request by request."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, in the order that suits the engine."""
        return self._open().respond(requests)

    def load(self) -> Load:
        """What the engine computes now, and did so far."""
        return self._engine.load() if self._engine is not None else Load(None, None, None)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without those that begin or end every text."""
        return self._open().encoder.count_tokens(texts)

    def shortened(self, text: str, tokens: int) -> str:
        """The text's beginning that has at most so many tokens."""
        return self._open().encoder.shortened(text, tokens)

    def _open(self) -> Computes:
        if self._engine is None:
            raise ValueError(f"{self.name} is closed")
        return self._engine


def published_name(provider: str, rest: str, folder: Path | None) -> str:
    """A model's name: a folder's place on somebody's machine is no part of it, its content is the revision."""
    return f"{provider}:{folder.resolve().name if folder else rest}"


def identity(name: str, folder: Path | None, commit: str, adapter: hf_source.Adapter | None) -> tuple[str, str]:
    """The name and the revision of a model with its adapter."""
    revision = f"commit:{commit[:16]}" if folder is None else f"sha256:{hf_source.fingerprint(folder)[:16]}"
    return (name, revision) if adapter is None else (f"{name}+{adapter.name}", f"{revision}+{adapter.revision}")


def refuse_idle_thinking(name: str, encoder: Encoder, thinking: bool | None) -> None:
    """Raises `UsageError` where thinking was asked for, either way, and the chat template does not know of it."""
    if thinking is not None and "enable_thinking" not in (encoder.template or ""):
        raise UsageError(f"{name}: thinking: its chat template has no enable_thinking; leave the option out")
