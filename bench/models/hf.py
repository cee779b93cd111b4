"""`hf:PATH_OR_REPO`: a transformers model, on the CPU or one GPU.

This half finds the model, names its exact weights and says what is wrong with it; `hf_encoding` makes tokens, and
`hf_engine` computes. Nothing here imports torch or transformers until a model is loaded.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import importlib.metadata
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.models.base import Capabilities, Settings
from bench.records import Request, Response, UsageError

if TYPE_CHECKING:
    from bench.models.hf_engine import Engine

BATCH = 16

# What decides a model's answers: weights, configuration, tokenizer and chat template.
_SUFFIXES = frozenset({".safetensors", ".bin", ".json", ".jinja", ".model", ".txt", ".tiktoken"})
# What a trainer leaves beside them, which decides nothing.
_LEFTOVERS = frozenset({"training_args.bin", "optimizer.bin", "scheduler.bin", "trainer_state.json"})
_REPO = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)


class HuggingFace:
    """One transformers model. `revision` is the folder's content hash, or the hub's commit."""

    decoding = "greedy"
    capabilities = Capabilities(modes=("loglikelihood", "first_token", "generate"))
    price = None

    def __init__(self, name: str, revision: str, engine: Engine) -> None:
        self.name = name
        self.revision = revision
        template = engine.encoder.template
        self.template = "none" if template is None else f"sha256:{hashlib.sha256(template.encode()).hexdigest()[:16]}"
        self._engine: Engine | None = engine

    def check(self, requests: Iterable[Request]) -> None:
        """Every plan can be answered: what is too long for the model is skipped, request by request."""

    def respond(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Answers every request once, a window of them at a time, longest first within the window."""
        if self._engine is None:
            raise ValueError(f"{self.name} is closed")
        return self._engine.respond(requests)

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
    folder = _folder(rest)
    # The name is published: a folder's place on somebody's machine is no part of it, its content is the revision.
    name = f"hf:{folder.resolve().name if folder else rest}"
    _refuse_foreign_kernels()
    try:
        from bench.models import hf_encoding, hf_engine
    except ImportError as error:
        raise UsageError(
            f"{name}: needs torch and transformers, which do not import here ({_line(error)}); "
            "install the extra `hf` (pip install -e '.[hf]')"
        ) from error
    # As Any: the annotations of from_pretrained name other types than it returns.
    transformers: Any = importlib.import_module("transformers")
    _quieten(transformers)
    source = rest if folder is None else str(folder)
    # All reads ask for one commit, so that a push in between mixes nothing; a folder has none and "main" means nothing.
    commit = _commit(name, rest) if folder is None else "main"
    config = _config(transformers, name, source, commit)
    tokenizer = _tokenizer(transformers, name, source, commit)
    with _explained(f"{name}: its chat template does not render one user message", _template_errors()):
        encoder = hf_encoding.Encoder(tokenizer)
        encoder.render("question")
    model = _weights(transformers, name, source, config, commit)
    engine = hf_engine.Engine(model, encoder, settings.batch or BATCH)
    revision = f"commit:{commit[:16]}" if folder is None else f"sha256:{fingerprint(folder)[:16]}"
    return HuggingFace(name, revision, engine)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of the files in `folder` that decide the model's answers."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.suffix in _SUFFIXES and path.name not in _LEFTOVERS and path.is_file():
            with path.open("rb") as file:
                whole.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _folder(rest: str) -> Path | None:
    """The local folder that `rest` names, or None where it can only be a hub repository."""
    path = Path(rest).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UsageError(
                f"hf:{rest}: there is no config.json in that folder; "
                "give the folder that save_pretrained wrote (config.json, tokenizer.json, *.safetensors)"
            )
        return path
    if path.exists():
        raise UsageError(f"hf:{rest}: that is a file; give the folder it lies in, or a hub repository (owner/name)")
    if not _REPO.fullmatch(rest):
        raise UsageError(
            f"hf:{rest}: no such folder, and no name of a hub repository either; give a folder with config.json, "
            "or owner/name"
        )
    return None


def _refuse_foreign_kernels() -> None:
    """Hugging Face's distribution `kernels` makes transformers import names from this project's folder `kernels`.

    transformers reads the version from the distribution's metadata and then imports whatever `kernels` comes first on
    the path; it has no switch that turns the import off (USE_HUB_KERNELS=NO comes after it).
    """
    try:
        version = importlib.metadata.version("kernels")
    except importlib.metadata.PackageNotFoundError:
        return
    raise UsageError(
        f"the PyPI distribution kernels {version} is installed, and transformers takes this project's folder kernels "
        "for it and fails; run: pip uninstall kernels"
    )


def _commit(name: str, repo: str) -> str:
    """The commit that the repository's main branch stands at, or stood at when it was cached."""
    from huggingface_hub import hf_hub_download

    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    hub = "HF_HUB_OFFLINE is set and the cache does not have it" if offline else "the Hugging Face hub does not give it"
    advice = f"give a folder with config.json, or fetch it first (hf download {repo})"
    # OSError: unreachable, not cached, unknown, gated, without config.json. ValueError: no valid repository name.
    with _explained(f"{name}: no such folder here, and {hub}; {advice}", (OSError, ValueError)):
        # The cache keeps each file under snapshots/COMMIT/.
        return Path(hf_hub_download(repo, "config.json")).parent.name


def _config(transformers: Any, name: str, source: str, commit: str) -> Any:
    problem = f"{name}: its config.json is not one that the installed transformers can use"
    with _explained(problem, _load_errors()):
        # trust_remote_code=False everywhere: otherwise transformers asks at the keyboard whether to run foreign code.
        return transformers.AutoConfig.from_pretrained(source, revision=commit, trust_remote_code=False)


def _tokenizer(transformers: Any, name: str, source: str, commit: str) -> Any:
    problem = f"{name}: it has no tokenizer that loads; put tokenizer.json and tokenizer_config.json beside config.json"
    with _explained(problem, _load_errors()):
        return transformers.AutoTokenizer.from_pretrained(source, revision=commit, trust_remote_code=False)


def _weights(transformers: Any, name: str, source: str, config: Any, commit: str) -> Any:
    import torch

    gpu = torch.cuda.is_available()
    problem = f"{name}: its weights do not load as a causal language model; copy or download them again"
    with _explained(problem, (*_load_errors(), RuntimeError)):
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            revision=commit,
            trust_remote_code=False,
            dtype=torch.bfloat16 if gpu else torch.float32,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        # transformers would fill them with random numbers and only warn.
        raise UsageError(
            f"{name}: its weights lack {len(missing)} tensors of the model in config.json ({missing[0]}, say); "
            "copy or download them again"
        )
    if not gpu:
        return model.eval()
    try:
        return model.to("cuda").eval()
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"{name}: its weights do not fit into the GPU's memory; take a smaller model, or hide the GPU "
            "(CUDA_VISIBLE_DEVICES=) to run on the CPU"
        ) from error


@contextmanager
def _explained(problem: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise UsageError(f"{problem} ({_line(error)})") from error


def _load_errors() -> tuple[type[Exception], ...]:
    """What transformers, safetensors and huggingface_hub raise for a model that is not there or not whole.

    OSError: a file or repository is missing, gated or unreachable (the hub's own errors come wrapped in one).
    ValueError: unknown architecture, code of its own, broken JSON. KeyError, TypeError and AttributeError: JSON of
    another shape. ImportError: a format that needs another package (sentencepiece, a quantisation library).
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    return (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
        SafetensorError,
        StrictDataclassError,
    )


def _template_errors() -> tuple[type[Exception], ...]:
    # jinja2 is no dependency of transformers: without it, rendering raises ImportError.
    try:
        from jinja2 import TemplateError
    except ImportError:
        return (ImportError, ValueError, TypeError)
    return (TemplateError, ImportError, ValueError, TypeError)


def _line(error: Exception) -> str:
    """The first line of a message that may have many."""
    lines = str(error).strip().splitlines()
    text = lines[0].strip() if lines else ""
    if isinstance(error, KeyError) or not text:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= 160 else f"{text[:159]}…"


def _quieten(transformers: Any) -> None:
    """Progress bars and advice would stand in the program's own output; errors still come as exceptions."""
    hub: Any = importlib.import_module("huggingface_hub.utils")
    for package in (transformers.utils.logging, hub.logging):
        package.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    hub.disable_progress_bars()


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
