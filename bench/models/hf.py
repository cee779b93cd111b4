"""`hf:PATH_OR_REPO`: a transformers model, on the CPU or on GPUs.

This half reads the options; `weights` holds what `vllm:` has too, `hf_source` finds the model, `hf_weights` loads it,
`hf_encoding` makes tokens, and `hf_engine` computes. Nothing here imports torch or transformers until a model is
loaded.
"""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Any

from bench.backend import EngineFacts, Settings, read_options
from bench.models import hf_source, weights
from bench.models.hf_batching import ROWS
from bench.models.weights import Weights
from bench.records import UsageError

if TYPE_CHECKING:
    from bench.models.hf_engine import Engine  # noqa: F401 - which the class names in a string


class Options(weights.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`-M name=value`.

    `device_map` is a device (cpu, cuda:1), or how layers are spread over several (auto).
    """

    device_map: str | None = None
    attn_implementation: str | None = None


class HuggingFace(Weights["Engine"]):
    """One transformers model, which answers a window of requests at a time, longest first within the window."""

    def forget(self) -> None:
        """Nothing is kept from one batch to the next."""

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
    name = weights.published_name("hf", rest, folder)
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
    weights.refuse_idle_thinking(name, encoder, options.thinking)
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
    name, revision = weights.identity(name, folder, commit, adapter)
    version = f"{transformers.__version__} torch {importlib.import_module('torch').__version__}"
    facts = EngineFacts("transformers", version, engine.dtype, engine.device)
    return HuggingFace(name, revision, engine, facts, options, settings.reasoning_tokens)


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
