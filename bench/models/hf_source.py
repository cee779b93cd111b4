"""Where a transformers model lies, what exactly it is, and in one line what is wrong with it.

Shared by the backends that load such models. Nothing here imports torch or transformers by itself.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.records import UsageError

# What decides a model's answers: weights, configuration, tokenizer and chat template.
_SUFFIXES = frozenset({".safetensors", ".bin", ".json", ".jinja", ".model", ".txt", ".tiktoken"})
# What a trainer leaves beside them, which decides nothing.
_LEFTOVERS = frozenset({"training_args.bin", "optimizer.bin", "scheduler.bin", "trainer_state.json"})
ADAPTER = "adapter_config.json"
"""The file that makes a folder an adapter's."""
_REPO = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and contents of the files in `folder` that decide the model's answers."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.suffix in _SUFFIXES and path.name not in _LEFTOVERS and path.is_file():
            with path.open("rb") as file:
                whole.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def find_folder(rest: str, provider: str = "hf") -> Path | None:
    """The local folder that `rest` names, or None where it can only be a hub repository. Raises `UsageError`."""
    path = Path(rest).expanduser()
    if path.is_dir():
        if (path / ADAPTER).is_file() and not (path / "config.json").is_file():
            raise UsageError(
                f"{provider}:{rest}: that is an adapter without its base model; give the base model, and -M lora={rest}"
            )
        if not (path / "config.json").is_file():
            raise UsageError(
                f"{provider}:{rest}: there is no config.json in that folder; "
                "give the folder that save_pretrained wrote (config.json, tokenizer.json, *.safetensors)"
            )
        return path
    if path.exists():
        raise UsageError(
            f"{provider}:{rest}: that is a file; give the folder it lies in, or a hub repository (owner/name)"
        )
    if not _REPO.fullmatch(rest):
        raise UsageError(
            f"{provider}:{rest}: no such folder, and no name of a hub repository either; give a folder with "
            "config.json, or owner/name"
        )
    return None


def refuse_foreign_kernels() -> None:
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


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter: the folder or repository (at a commit) to load, and how a published run calls it."""

    source: str
    commit: str | None
    name: str
    revision: str


def find_adapter(name: str, given: str) -> Adapter:
    """The adapter in a folder or a hub repository. Raises `UsageError`."""
    folder = Path(given).expanduser()
    if folder.is_dir():
        if not (folder / ADAPTER).is_file():
            raise UsageError(f"{name}: lora: there is no {ADAPTER} in {given!r}; give the folder that peft wrote")
        return Adapter(str(folder), None, folder.resolve().name, f"sha256:{fingerprint(folder)[:16]}")
    if folder.exists() or not _REPO.fullmatch(given):
        raise UsageError(f"{name}: lora: {given!r} is no folder with {ADAPTER}, and no name of a hub repository either")
    commit = _downloaded(f"{name}: lora {given}", given, ADAPTER).name
    return Adapter(given, commit, given, f"commit:{commit[:16]}")


def current_commit(name: str, repo: str) -> str:
    """The commit that the repository's main branch stands at, or stood at when it was cached. Raises `UsageError`."""
    return _downloaded(name, repo, "config.json").name


def _downloaded(name: str, repo: str, file: str) -> Path:
    """The snapshot in the cache that has the file, now that it was fetched. The cache names it for its commit."""
    from huggingface_hub import hf_hub_download

    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    hub = "HF_HUB_OFFLINE is set and the cache does not have it" if offline else "the Hugging Face hub does not give it"
    advice = f"give a folder with {file}, or fetch it first (hf download {repo})"
    # OSError: unreachable, not cached, unknown, gated, without the file. ValueError: no valid repository name.
    with explained(f"{name}: no such folder here, and {hub}; {advice}", (OSError, ValueError)):
        return Path(hf_hub_download(repo, file)).parent


def read_config(transformers: Any, name: str, source: str, commit: str) -> Any:
    """The configuration, as transformers reads it. Raises `UsageError`."""
    problem = f"{name}: its config.json is not one that the installed transformers can use"
    with explained(problem, load_errors()):
        # trust_remote_code=False everywhere: otherwise transformers asks at the keyboard whether to run foreign code.
        return transformers.AutoConfig.from_pretrained(source, revision=commit, trust_remote_code=False)


def read_tokenizer(transformers: Any, name: str, source: str, commit: str) -> Any:
    """The tokenizer, as transformers reads it. Raises `UsageError`."""
    problem = f"{name}: it has no tokenizer that loads; put tokenizer.json and tokenizer_config.json beside config.json"
    with explained(problem, load_errors()):
        return transformers.AutoTokenizer.from_pretrained(source, revision=commit, trust_remote_code=False)


@contextmanager
def explained(problem: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turns such errors into a `UsageError` that begins with the problem."""
    try:
        yield
    except errors as error:
        raise UsageError(f"{problem} ({first_line(error)})") from error


def load_errors() -> tuple[type[Exception], ...]:
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


def template_errors() -> tuple[type[Exception], ...]:
    """What rendering a chat template raises."""
    # jinja2 is no dependency of transformers: without it, rendering raises ImportError.
    try:
        from jinja2 import TemplateError
    except ImportError:
        return (ImportError, ValueError, TypeError)
    return (TemplateError, ImportError, ValueError, TypeError)


def first_line(error: Exception) -> str:
    """The first line of a message that may have many."""
    lines = str(error).strip().splitlines()
    text = lines[0].strip() if lines else ""
    if isinstance(error, KeyError) or not text:
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= 160 else f"{text[:159]}…"


def quieten(transformers: Any) -> None:
    """Progress bars and advice would stand in the program's own output; errors still come as exceptions."""
    hub: Any = importlib.import_module("huggingface_hub.utils")
    for package in (transformers.utils.logging, hub.logging):
        package.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    hub.disable_progress_bars()
