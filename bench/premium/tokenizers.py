"""Tokenizers by name: files of three libraries, the two controls, and the tokenizer of a model that is loaded.

What each does to a text before it counts is its own affair and part of what a text costs: some SentencePiece models
fold white space, apply NFKC or put a space in front; some WordPiece vocabularies lower-case. Nothing is added here and
nothing taken away, except the tokens that begin or end every text, which no kind counts. What looks like a special
token in a text ("<s>") is text.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from bench.backend import Model, Tokenizing, read_options
from bench.premium.counting import UNSEEN, Counts, Tokenizer
from bench.records import UsageError
from tasks.suggest import did_you_mean

CONTROLS = ("bytes", "codepoints")
_MODULES = {
    "hf": "bench.premium.tokenizers_files",
    "vllm": "bench.premium.tokenizers_files",
    "sp": "bench.premium.tokenizers_sentencepiece",
    "tiktoken": "bench.premium.tokenizers_tiktoken",
}
PROVIDERS = (*CONTROLS, *_MODULES)
USAGE = "bytes, codepoints, hf:PATH_OR_REPO, vllm:PATH_OR_REPO, sp:FILE.model or tiktoken:NAME_OR_FILE[,PATTERN]"


class NoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The controls and SentencePiece models have none."""


class PatternOptions(NoOptions, frozen=True, kw_only=True):
    """`pattern` splits texts for tiktoken files."""

    pattern: str | None = None


class Options(PatternOptions, frozen=True, kw_only=True):
    """`revision` is a hub repository's branch, tag or commit."""

    revision: str | None = None


_KINDS = {"hf": Options, "vllm": Options, "tiktoken": PatternOptions}


def is_file_tokenizer(spec: str) -> bool:
    """Whether `open_tokenizer` is meant, and no model that has to be asked."""
    return spec.partition(":")[0] in PROVIDERS


def open_tokenizer(spec: str, options: Mapping[str, object] = MappingProxyType({})) -> Tokenizer:
    """The tokenizer that a specification names (`USAGE`). Raises `UsageError`."""
    provider, colon, rest = spec.partition(":")
    if provider not in PROVIDERS:
        raise UsageError(f"no tokenizer {spec!r}; one is {USAGE}{did_you_mean(provider, PROVIDERS)}")
    read_options(_KINDS.get(provider, NoOptions), spec, options)  # says which this tokenizer has
    chosen = read_options(Options, spec, options)
    if provider in CONTROLS:
        if colon:
            raise UsageError(f"tokenizer {spec!r}: {provider} takes nothing after it")
        return Control(provider)
    if not rest.strip():
        raise UsageError(f"tokenizer {spec!r}: nothing after {provider!r}; one is {USAGE}")
    made: Tokenizer = importlib.import_module(_MODULES[provider]).open_tokenizer(spec, rest, chosen)
    return made


class Control:
    """UTF-8 bytes, or Unicode code points: what text costs without a vocabulary."""

    revision = "none"

    def __init__(self, name: str) -> None:
        self.name = name
        self.vocabulary: int | None = 256 if name == "bytes" else 0x110000 - 0x800

    def count(self, texts: Sequence[str]) -> Counts:
        """The bytes or the code points of each text."""
        lengths = map(len, texts) if self.name == "codepoints" else (len(text.encode()) for text in texts)
        return Counts(np.fromiter(lengths, np.int64, len(texts)))


def of_model(model: Model) -> Tokenizer:
    """The tokenizer of a loaded model, which tells how many tokens a text has and not which. Raises `UsageError`."""
    if not isinstance(model, Tokenizing):
        raise UsageError(f"{model.name} does not show its tokenizer; give the tokenizer's files: one is {USAGE}")
    return _OfModel(model.name, model.revision, model)


class _OfModel:
    vocabulary: int | None = None

    def __init__(self, name: str, revision: str, model: Tokenizing) -> None:
        self.name, self.revision, self._model = name, revision, model

    def count(self, texts: Sequence[str]) -> Counts:
        return Counts(np.array(self._model.count_tokens(texts), np.int64).reshape(len(texts)), reason=UNSEEN)
