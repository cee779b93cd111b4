"""`vllm:PATH_OR_REPO`: a model in vLLM's engine, in this process and its workers.

This half finds the model, reads the options and says what is wrong; `vllm_start` keeps vLLM quiet, and `vllm_engine`
computes. Nothing here imports torch, transformers or vLLM until a model is loaded.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from bench.backend import EngineFacts, Settings, read_options
from bench.models import hf_source, vllm_start, weights
from bench.models.weights import Weights
from bench.records import UsageError

if TYPE_CHECKING:
    from bench.models.vllm_engine import Stream  # noqa: F401 - which the class names in a string
    from bench.models.vllm_start import Log

INSTALL = (
    "run, in an environment of its own: pip install --constraint constraints-vllm.txt -e '.[vllm]' "
    "(without a GPU: make .venv-vllm/.ready, and then .venv-vllm/bin/python -m bench)"
)
GIB = 1 << 30
CPU_CACHE_GIB = 2
"""The keys and values of all sequences together, on the CPU, where nothing else is asked for."""

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # the ones that vLLM has kernels for
_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

Count = Annotated[int, Meta(ge=1)]


class Options(weights.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`-M name=value`; what is not said here is vLLM's own choice.

    `dtype` auto is a quantised model's own. A prompt has to have room in `max_model_len` (tokens, answer included).
    """

    tensor_parallel_size: Count = 1
    pipeline_parallel_size: Count = 1
    data_parallel_size: Count = 1
    quantization: str | None = None
    max_model_len: Count | None = None
    gpu_memory_utilization: Annotated[float, Meta(gt=0, le=1)] | None = None
    kv_cache_dtype: str | None = None
    enable_prefix_caching: bool = True
    enforce_eager: bool = False

    def _own_words(self) -> dict[str, object]:
        names = ("quantization", "kv_cache_dtype", "max_model_len")
        return {name: getattr(self, name) for name in names}


class VLLM(Weights["Stream"]):
    """One model in vLLM, which answers requests as they finish. Its `respond` raises `ModelStopped` where the engine
    died."""

    def forget(self) -> None:
        """Empties the cache of prompts."""
        self._open().forget()

    def status(self) -> str:
        """How many sequences the engine has at the moment."""
        return f"{self._engine.in_flight()} sequences in the engine" if self._engine is not None else ""

    def close(self) -> None:
        """Ends the engine and its processes."""
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None
            gc.collect()


def load(rest: str, settings: Settings) -> VLLM:
    """The model in a folder or a hub repository. Raises `UsageError` where it cannot be had, and says why."""
    rest = rest.strip()
    options = read_options(Options, f"vllm:{rest}", settings.options)
    folder = hf_source.find_folder(rest, "vllm")
    name = weights.published_name("vllm", rest, folder)
    if options.data_parallel_size > 1:
        raise UsageError(
            f"{name}: in one process vLLM has no data parallelism; run `vllm serve {rest} --data-parallel-size "
            f"{options.data_parallel_size}`, and `-m openai:{rest} -M base_url=http://localhost:8000/v1 "
            "-M api=completions`"
        )
    hf_source.refuse_foreign_kernels()
    log = vllm_start.Log()
    try:
        with vllm_start.environment(**_ENVIRONMENT):
            return _loaded(rest, settings, options, folder, name, log)
    except UsageError:
        log.close()
        raise


def _loaded(rest: str, settings: Settings, options: Options, folder: Path | None, name: str, log: Log) -> VLLM:
    try:
        with vllm_start.silenced(log):
            from bench.models import hf_encoding, vllm_asking, vllm_engine
    except ImportError as error:
        raise UsageError(
            f"{name}: needs vllm, which does not import here ({hf_source.first_line(error)}); {INSTALL}"
        ) from error
    transformers: Any = importlib.import_module("transformers")
    hf_source.quieten(transformers)
    adapter = None if options.lora is None else hf_source.find_adapter(name, options.lora)
    adapter_folder = None if adapter is None else _local(name, adapter)
    source = rest if folder is None else str(folder)
    # All reads ask for one commit, so that a push in between mixes nothing; a folder has none.
    commit = hf_source.current_commit(name, rest) if folder is None else "main"
    config = hf_source.read_config(transformers, name, source, commit)
    tokenizer = hf_source.read_tokenizer(transformers, name, source, commit)
    problem = f"{name}: its chat template does not render one user message"
    with hf_source.explained(problem, hf_source.template_errors()):
        encoder = hf_encoding.Encoder(tokenizer, options.thinking)
        encoder.render("question")
    weights.refuse_idle_thinking(name, encoder, options.thinking)
    arguments = {"model": source, **_arguments(options, settings, config)}
    if folder is None:
        arguments |= {"revision": commit, "tokenizer_revision": commit}
    if adapter_folder is not None:
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _rank(name, adapter_folder)}
    stream = vllm_engine.start(
        name,
        arguments,
        encoder,
        ends=_ends(transformers, source, commit, config, encoder),
        sampling=vllm_asking.Sampling(options.temperature, options.top_p, options.seed),
        skip_too_long=options.truncation == "skip",
        adapter=adapter_folder,
        log=log,
        measured=settings.measured,
    )
    name, revision = weights.identity(name, folder, commit, adapter)
    version: str = importlib.import_module("vllm").__version__
    facts = EngineFacts("vllm", version, stream.dtype, stream.device)
    return VLLM(name, revision, stream, facts, options, settings.reasoning_tokens)


def _arguments(options: Options, settings: Settings, config: Any) -> dict[str, Any]:
    """What goes to vLLM's engine of the options; what nobody asked for is left to it."""
    from vllm.platforms import current_platform

    cpu = current_platform.is_cpu()
    plain = options.dtype == "auto" and not (options.quantization or getattr(config, "quantization_config", None))
    arguments: dict[str, Any] = {
        "tensor_parallel_size": options.tensor_parallel_size,
        "pipeline_parallel_size": options.pipeline_parallel_size,
        "dtype": "float32" if plain and cpu else "bfloat16" if plain else options.dtype,
        "quantization": options.quantization,
        "max_model_len": options.max_model_len,
        "gpu_memory_utilization": options.gpu_memory_utilization,
        "kv_cache_dtype": options.kv_cache_dtype,
        "enable_prefix_caching": options.enable_prefix_caching,
        "enforce_eager": options.enforce_eager,
        "max_num_seqs": settings.batch,
        "seed": options.seed,
    }
    # Otherwise vLLM takes nearly the whole machine.
    if cpu and options.gpu_memory_utilization is None and not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        arguments["kv_cache_memory_bytes"] = CPU_CACHE_GIB * GIB
    return {name: value for name, value in arguments.items() if value is not None}


def _local(name: str, adapter: hf_source.Adapter) -> Path:
    """The adapter's folder; vLLM would fetch a repository's newest commit."""
    from huggingface_hub import snapshot_download

    if adapter.commit is None:
        return Path(adapter.source)
    with hf_source.explained(f"{name}: lora: {adapter.source} cannot be fetched", (OSError, ValueError)):
        return Path(snapshot_download(adapter.source, revision=adapter.commit))


def _rank(name: str, adapter: Path) -> int:
    """The least rank vLLM can be set to that holds the adapter's; the greatest where it has none such."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        ranks = [config["r"], *(config.get("rank_pattern") or {}).values()]
        return next((rank for rank in _RANKS if rank >= max(ranks)), _RANKS[-1])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"adapter_config.json in {adapter.name!r} is not one that peft wrote"
        raise UsageError(f"{name}: lora: {problem} ({hf_source.first_line(error)})") from error


def _ends(transformers: Any, source: str, commit: str, config: Any, encoder: Any) -> frozenset[int]:
    """The tokens that end an answer: chat models have several, some named only in the generation configuration."""
    try:
        generation = transformers.GenerationConfig.from_pretrained(source, revision=commit).eos_token_id
    except (OSError, ValueError):  # there is none, or none that can be read
        generation = None
    ends: set[int] = set()
    for named in (generation, config.get_text_config().eos_token_id, encoder.end):
        ends.update([named] if isinstance(named, int) else named or ())
    return frozenset(ends)
