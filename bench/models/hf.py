"""`hf:PATH_OR_REPO`: a transformers model, on the CPU or on GPUs.

This half reads the options and names the exact weights; `hf_source` finds the model, `hf_weights` loads it,
`hf_encoding` makes tokens, and `hf_engine` computes. Nothing here imports torch or transformers until a model is
loaded.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bench.backend import Capabilities, EngineFacts, Load, Settings, read_options, worded
from bench.models import hf_source
from bench.models.hf_batching import ROWS
from bench.models.hf_source import fingerprint
from bench.records import Request, Response, UsageError

if TYPE_CHECKING:
    from bench.models.hf_encoding import Encoder
    from bench.models.hf_engine import Engine


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`-M name=value`.

    `dtype` auto is bfloat16 on a GPU and float32 on the CPU. `device_map` is a device (cpu, cuda:1), or how layers are
    spread over several (auto). `lora` is the folder or hub repository of an adapter. `truncation` says what becomes of
    a prompt that the model has no room for: its beginning is cut off ("left"), or it is not asked ("skip").
    `temperature` 0 is greedy. `thinking` goes to the chat template as `enable_thinking`.
    """

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device_map: str | None = None
    attn_implementation: str | None = None
    lora: str | None = None
    truncation: Literal["left", "skip"] = "left"
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 0
    thinking: bool | None = None

    def decoding(self) -> str:
        """Every option that changes answers, but for the adapter, which is in the revision.

        Devices and attention kernels are left out: a run goes on with other ones.
        """
        drawn = self.temperature > 0
        return worded(
            "sampled" if drawn else "greedy",
            temperature=self.temperature if drawn else None,
            top_p=self.top_p if drawn and self.top_p < 1 else None,
            seed=self.seed if drawn else None,
            dtype=None if self.dtype == "auto" else self.dtype,
            truncation=None if self.truncation == "left" else self.truncation,
            thinking=None if self.thinking is None else str(self.thinking).lower(),
        )


class HuggingFace:
    """One transformers model. `revision` is the folder's content hash, or the hub's commit, and an adapter's own."""

    price = None

    def __init__(
        self, name: str, revision: str, engine: Engine, options: Options, reasoning_tokens: int, version: str
    ) -> None:
        self.name = name
        self.revision = revision
        self.engine = EngineFacts("transformers", version, engine.dtype, engine.device)
        self.decoding = options.decoding()
        self.capabilities = Capabilities(
            modes=("loglikelihood", "first_token", "generate"), reasoning_tokens=reasoning_tokens, exact=True
        )
        template = engine.encoder.template
        self.template = "none" if template is None else f"sha256:{hashlib.sha256(template.encode()).hexdigest()[:16]}"
        self._engine: Engine | None = engine

    def check(self, requests: Iterable[Request]) -> None:
        """Every plan can be answered: what is too long for the model is skipped or cut, request by request."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, a window of them at a time, longest first within the window."""
        return self._open().respond(requests)

    def load(self) -> Load:
        """Rows of the batch that is computed now, and tokens so far; a prompt's count as its batch begins."""
        return self._engine.load() if self._engine is not None else Load(None, None, None)

    def forget(self) -> None:
        """Nothing is kept from one batch to the next."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without those that begin or end every text."""
        return self._open().encoder.count_tokens(texts)

    def shortened(self, text: str, tokens: int) -> str:
        """The text's beginning that has at most so many tokens."""
        return self._open().encoder.shortened(text, tokens)

    def _open(self) -> Engine:
        if self._engine is None:
            raise ValueError(f"{self.name} is closed")
        return self._engine

    def status(self) -> str:
        """Nothing to tell."""
        return ""

    def close(self) -> None:
        """Frees the weights."""
        if self._engine is not None:
            self._engine = None
            gc.collect()
            _empty_cache()


def load(rest: str, settings: Settings) -> HuggingFace:
    """The model in a folder or a hub repository. Raises `UsageError` where it cannot be had, and says why."""
    rest = rest.strip()
    options = read_options(Options, f"hf:{rest}", settings.options)
    folder = hf_source.find_folder(rest)
    # The name is published: a folder's place on somebody's machine is no part of it, its content is the revision.
    name = f"hf:{folder.resolve().name if folder else rest}"
    hf_source.refuse_foreign_kernels()
    try:
        from bench.models import hf_encoding, hf_engine, hf_generation, hf_weights
    except ImportError as error:
        raise UsageError(
            f"{name}: needs torch and transformers, which do not import here ({hf_source.first_line(error)}); "
            "install the extra `hf` (pip install -e '.[hf]')"
        ) from error
    # As Any: the annotations of from_pretrained name other types than it returns.
    transformers: Any = importlib.import_module("transformers")
    hf_source.quieten(transformers)
    adapter = None if options.lora is None else hf_source.find_adapter(name, options.lora)
    source = rest if folder is None else str(folder)
    # All reads ask for one commit, so that a push in between mixes nothing; a folder has none and "main" means nothing.
    commit = hf_source.current_commit(name, rest) if folder is None else "main"
    config = hf_source.read_config(transformers, name, source, commit)
    tokenizer = hf_source.read_tokenizer(transformers, name, source, commit)
    problem = f"{name}: its chat template does not render one user message"
    with hf_source.explained(problem, hf_source.template_errors()):
        encoder = hf_encoding.Encoder(tokenizer, options.thinking)
        encoder.render("question")
    _refuse_idle_thinking(name, encoder, options)
    model = hf_weights.read_weights(
        transformers,
        name,
        source,
        config,
        commit,
        dtype=options.dtype,
        device_map=options.device_map,
        attention=options.attn_implementation,
        adapter=adapter,
    )
    drawing = hf_generation.Drawing(options.temperature, options.top_p, options.seed)
    engine = hf_engine.Engine(
        model,
        encoder,
        settings.batch or ROWS,
        drawing,
        skip=options.truncation == "skip",
        measured=settings.measured,
    )
    revision = f"commit:{commit[:16]}" if folder is None else f"sha256:{fingerprint(folder)[:16]}"
    if adapter is not None:
        name, revision = f"{name}+{adapter.name}", f"{revision}+{adapter.revision}"
    version = f"{transformers.__version__} torch {importlib.import_module('torch').__version__}"
    return HuggingFace(name, revision, engine, options, settings.reasoning_tokens, version)


def _refuse_idle_thinking(name: str, encoder: Encoder, options: Options) -> None:
    if options.thinking is not None and "enable_thinking" not in (encoder.template or ""):
        raise UsageError(f"{name}: thinking: its chat template has no enable_thinking; leave the option out")


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
