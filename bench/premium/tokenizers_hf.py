"""`tokenizer.json`, read by Hugging Face's library `tokenizers`.

Truncation, padding and what a post-processor puts around every text are left out. Some vocabularies drop without a
trace what they lack: their counts would flatter them, so they are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import msgspec

from bench.premium import tokenizers_files
from bench.premium.counting import Counts, Kinds, is_part, mask
from bench.records import UsageError

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_IN_UTF8 = frozenset(range(256)) - {0xC0, 0xC1, *range(0xF5, 0x100)}
"""The bytes that UTF-8 text can have."""


class _Model(msgspec.Struct):
    type: str = "BPE"  # the library takes a model without a type for one of its oldest files
    unk_token: str | None = None
    unk_id: int | None = None
    byte_fallback: bool = False


class _File(msgspec.Struct):
    model: _Model
    pre_tokenizer: Any = None
    normalizer: Any = None


def of_content(spec: str, content: bytes) -> HuggingFace:
    """The tokenizer of a file's content. Raises `UsageError`."""
    try:
        import tokenizers
    except ImportError as error:
        raise UsageError(f"tokenizer {spec!r} needs tokenizers; run: pip install tokenizers") from error
    problem = f"tokenizer {spec!r}: that is no tokenizer.json which the installed library tokenizers reads"
    try:
        declared = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(problem) from error
    with _Explained(problem):
        made = tokenizers.Tokenizer.from_buffer(content)
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = True
    return HuggingFace(spec, tokenizers_files.revision(content), made, _kinds(spec, made, declared))


class HuggingFace:
    """`tokenizer` is a `tokenizers.Tokenizer`, `kinds` tells its tokens apart."""

    def __init__(self, name: str, revision: str, tokenizer: Any, kinds: Kinds) -> None:
        self.name, self.revision, self._tokenizer, self._kinds = name, revision, tokenizer, kinds
        self.vocabulary: int | None = tokenizer.get_vocab_size(with_added_tokens=True)

    def count(self, texts: Sequence[str]) -> Counts:
        """The tokens of each text, on every core."""
        with _Explained(f"{self.name}: the library tokenizers failed on a text"):
            encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return self._kinds.counts(one.ids for one in encoded)


class _Explained:
    """The library raises bare `Exception`s, and some `ValueError`s: just those become a `UsageError`."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind in (Exception, ValueError):
            raise UsageError(f"{self._problem} ({' '.join(str(error).split())[:160]})") from error


def _kinds(spec: str, tokenizer: Any, declared: _File) -> Kinds:
    """Which tokens are unknown or fallbacks. Raises `UsageError` for a vocabulary that drops what it lacks."""
    vocabulary: Mapping[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    size = max(vocabulary.values(), default=-1) + 1
    model = declared.model
    unknown = [vocabulary[token] for token in (model.unk_token,) if token is not None and token in vocabulary]
    if model.type == "Unigram" and model.unk_id is not None:
        unknown = [model.unk_id]
    fallback = None
    if _is_of_bytes(declared):
        known = letters()
        lacking = {known[one] for one in known.keys() - vocabulary.keys()} & _IN_UTF8
        pieces = ((number, _bytes_of(token, known)) for token, number in vocabulary.items())
        fallback = mask((number for number, piece in pieces if is_part(piece)), size)
    else:
        single = {int(found[1], 16): vocabulary[found[0]] for found in filter(None, map(_BYTE.fullmatch, vocabulary))}
        lacking = set(_IN_UTF8 - single.keys() if model.byte_fallback else _IN_UTF8)
        if model.byte_fallback and single:
            fallback = mask(single.values(), size)
    if lacking and not unknown:
        raise UsageError(
            f"tokenizer {spec!r}: its vocabulary has no unknown token and not every byte: it drops what it lacks, and "
            "its counts cannot be compared"
        )
    return Kinds(mask(unknown, size) if unknown else None, fallback)


def _is_of_bytes(declared: _File) -> bool:
    """Whether texts become bytes, written as GPT-2 writes them, before the vocabulary sees them."""
    return any(part.get("type") == "ByteLevel" for part in _parts([declared.pre_tokenizer, declared.normalizer]))


def _parts(given: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(given, Mapping):
        yield given
        given = list(given.values())
    if isinstance(given, list):
        for one in given:
            yield from _parts(one)


def letters() -> dict[str, int]:
    """GPT-2's letter of each byte: printable ones of Latin-1 stand for themselves, the rest follow from U+0100 on."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    themselves = {letter: ord(letter) for letter in alphabet if ord(letter) < 256}
    others = sorted(set(range(256)) - set(themselves.values()))
    return {**themselves, **dict(zip(alphabet[len(themselves) :], others, strict=True))}


def _bytes_of(token: str, known: Mapping[str, int]) -> bytes:
    """A token's bytes; one that was added as text stands for itself."""
    return bytes(known[letter] for letter in token) if set(token) <= known.keys() else token.encode()
