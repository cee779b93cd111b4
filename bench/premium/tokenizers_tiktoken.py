"""Byte-pair vocabularies of tiktoken: its own by name, and files of the same form with the pattern that goes with them.

A file holds no pattern, and without the right one the counts would be wrong: so it has to be named.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.premium import tokenizers_files
from bench.premium.counting import Counts, Kinds, is_part, mask
from bench.records import UsageError
from tasks.suggest import did_you_mean

if TYPE_CHECKING:
    from bench.premium.tokenizers import Options

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACE = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_MARKS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_WORDS = rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+"

PATTERNS: Mapping[str, str] = {
    "r50k_base": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k_base": rf"{_WORDS}|\p{{N}}{{1,3}}|{_MARKS}|\s+$|{_SPACE}",
    "o200k_base": (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}?"
        rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACE}"
    ),
    "llama3": rf"{_WORDS}|\p{{N}}{{1,3}}|{_MARKS}|{_SPACE}",
    "qwen": rf"{_WORDS}|\p{{N}}|{_MARKS}|{_SPACE}",
}
"""How a text is cut before bytes are joined. GPT-2 and 3, GPT-4, GPT-4o; Llama 3 and Qwen are near GPT-4."""


def open_tokenizer(spec: str, rest: str, options: Options) -> Tiktoken:
    """`tiktoken:NAME` or `tiktoken:FILE[,PATTERN]`. Raises `UsageError`."""
    named, comma, pattern = rest.rpartition(",")
    if comma and not Path(rest).expanduser().exists():
        return _of_file(spec, Path(named).expanduser(), options.pattern or pattern)
    path = Path(rest).expanduser()
    return _of_file(spec, path, pattern_of(path, options.pattern)) if path.exists() else _of_name(spec, rest)


def pattern_of(path: Path, named: str | None) -> str:
    """The pattern that was named, else the one that a file is called after, else none."""
    return named or (path.stem if path.stem in PATTERNS else "")


def _of_file(spec: str, path: Path, pattern: str) -> Tiktoken:
    if not path.is_file():
        raise UsageError(f"tokenizer {spec!r}: there is no file {path}")
    return of_content(spec, tokenizers_files.read(spec, path), pattern)


def of_content(spec: str, content: bytes, pattern: str) -> Tiktoken:
    """The tokenizer of a file's content, cut by the pattern of that name. Raises `UsageError`."""
    known = ", ".join(PATTERNS)
    if not pattern:
        raise UsageError(
            f"tokenizer {spec!r}: a tiktoken file needs the pattern that its tokenizer splits texts by "
            f"(tiktoken:FILE,PATTERN or -M pattern=PATTERN): {known}"
        )
    if pattern not in PATTERNS:
        raise UsageError(f"tokenizer {spec!r}: no pattern {pattern!r}; one is {known}{did_you_mean(pattern, PATTERNS)}")
    ranks = _ranks(spec, content)
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise UsageError(f"tokenizer {spec!r}: the file lacks some of the 256 bytes, so not every text has tokens")
    library = _library(spec)
    made = library.Encoding(pattern, pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens={})
    return Tiktoken(spec, tokenizers_files.revision(content, PATTERNS[pattern]), made)


def _ranks(spec: str, content: bytes) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise UsageError(
                f"tokenizer {spec!r}: line {number} should be a token in base64, a space and its rank"
            ) from error
    if len(set(ranks.values())) < len(ranks) or min(ranks.values(), default=0) < 0:
        raise UsageError(f"tokenizer {spec!r}: two tokens have one rank, or a rank is below 0")
    return ranks


def _of_name(spec: str, name: str) -> Tiktoken:
    library = _library(spec)
    known = library.list_encoding_names()
    if name not in known:
        raise UsageError(
            f"tokenizer {spec!r}: no such file, and no name; names are {', '.join(known)}{did_you_mean(name, known)}"
        )
    try:
        made = library.get_encoding(name)
    except (OSError, ValueError) as error:  # the errors of requests are OSErrors
        raise UsageError(
            f"tokenizer {spec!r}: tiktoken could not fetch it, and its cache (TIKTOKEN_CACHE_DIR) does not have it; "
            f"give the file: tiktoken:FILE,{name}"
        ) from error
    table = b"\n".join(made.token_byte_values())
    return Tiktoken(spec, tokenizers_files.revision(table, made._pat_str), made)


def _library(spec: str) -> Any:
    try:
        import tiktoken
    except ImportError as error:
        raise UsageError(f"tokenizer {spec!r} needs tiktoken; run: pip install tiktoken") from error
    return tiktoken


class Tiktoken:
    """`encoding` is a `tiktoken.Encoding`. It has a token for each byte, so nothing is unknown to it."""

    def __init__(self, name: str, revision: str, encoding: Any) -> None:
        self.name, self.revision, self._encoding = name, revision, encoding
        self.vocabulary: int | None = encoding.n_vocab
        parts = (encoding.encode_single_token(one) for one in encoding.token_byte_values() if is_part(one))
        self._kinds = Kinds(None, mask(parts, encoding.n_vocab))

    def count(self, texts: Sequence[str]) -> Counts:
        """The tokens of each text, on every core.

        A thread takes a stretch of the texts: the library's own batches hand over text by text, which takes up to twice
        as long.
        """
        cores = os.cpu_count() or 1
        step = max(1, -(-len(texts) // cores))
        parts = [texts[start : start + step] for start in range(0, len(texts), step)]
        with ThreadPoolExecutor(cores) as pool:
            return self._kinds.counts(chain.from_iterable(pool.map(self._encode, parts)))

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._encoding.encode_ordinary(text) for text in texts]
