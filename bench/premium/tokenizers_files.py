"""The tokenizer of a model folder, of a hub repository or of one file, whichever library wrote it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bench.premium.counting import Tokenizer
from bench.records import UsageError

if TYPE_CHECKING:
    from bench.premium.tokenizers import Options

NAMES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "*.tiktoken", "tiktoken.model")
"""Where a model keeps its tokenizer, the first that is there: transformers reads tokenizer.json before the others."""
_ENDINGS = frozenset({".json", ".model", ".tiktoken"})
"""What is called so is meant to be a file, and no repository."""
_REPOSITORY = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", re.ASCII)
_RANK = re.compile(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n")


def open_tokenizer(spec: str, rest: str, options: Options) -> Tokenizer:
    """`hf:` and `vllm:`. Raises `UsageError`."""
    return open_file(spec, _find(spec, rest, options.revision), options)


def open_file(spec: str, path: Path, options: Options) -> Tokenizer:
    """A file by what is in it. Raises `UsageError`."""
    # Each library is imported only where one of its files is read.
    content = read(spec, path)
    if _RANK.match(content):
        from bench.premium import tokenizers_tiktoken

        return tokenizers_tiktoken.of_content(spec, content, tokenizers_tiktoken.pattern_of(path, options.pattern))
    if options.pattern is not None:
        raise UsageError(f"tokenizer {spec!r}: pattern is for tiktoken files, and {path.name} is none; leave it out")
    if content.lstrip()[:1] == b"{":
        from bench.premium import tokenizers_hf

        return tokenizers_hf.of_content(spec, content)
    from bench.premium import tokenizers_sentencepiece

    return tokenizers_sentencepiece.of_content(spec, content)


def read(spec: str, path: Path) -> bytes:
    """The whole of a file. Raises `UsageError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"tokenizer {spec!r}: {path} cannot be read: {error.strerror}") from error


def revision(content: bytes, *more: str) -> str:
    """The hash of a tokenizer's file, and of what else decides its tokens."""
    whole = b"\0".join([content, *(one.encode() for one in more)])
    return f"sha256:{hashlib.sha256(whole).hexdigest()[:16]}"


def _find(spec: str, rest: str, revision: str | None) -> Path:
    path = Path(rest).expanduser()
    if revision is not None and path.exists():
        raise UsageError(f"tokenizer {spec!r}: revision is for repositories of the hub, and this is here; leave it out")
    if path.is_file():
        return path
    if not path.is_dir():
        if path.suffix in _ENDINGS or (path.parent.name and path.parent.is_dir()):
            raise UsageError(
                f"tokenizer {spec!r}: there is no such file; give a tokenizer's file or folder that is there"
            )
        if path.exists() or not _REPOSITORY.fullmatch(rest):
            raise UsageError(
                f"tokenizer {spec!r}: no such file or folder, and no name of a hub repository (owner/name) either"
            )
        path = _download(spec, rest, revision)
    for name in NAMES:
        found = sorted(path.glob(name))
        if found:
            return found[0]
    raise UsageError(f"tokenizer {spec!r}: no tokenizer there; it would be {', '.join(NAMES[:-1])} or {NAMES[-1]}")


def _download(spec: str, repository: str, revision: str | None) -> Path:
    """The repository's tokenizer files, and nothing else of it."""
    from huggingface_hub import errors, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(NAMES)))
    except errors.GatedRepoError as error:
        raise UsageError(
            f"tokenizer {spec!r}: the repository is gated: accept its licence on the hub, then put a token into the "
            "environment variable HF_TOKEN"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise UsageError(f"tokenizer {spec!r}: no such folder here, and the hub has no such repository") from error
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        why = "HF_HUB_OFFLINE is set and the cache does not have it" if offline else "the hub does not give it"
        raise UsageError(
            f"tokenizer {spec!r}: no such folder here, and {why}; give a folder with tokenizer.json, or fetch it first "
            f"(hf download {repository} tokenizer.json)"
        ) from error
