"""SentencePiece models, read by the library of that name.

What the model's own normaliser does is done: many apply NFKC, fold runs of white space into one, drop it at the ends
and put one in front. A run of characters that the model lacks is one unknown token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.premium import tokenizers_files
from bench.premium.counting import Counts, Kinds, mask
from bench.records import UsageError

if TYPE_CHECKING:
    from bench.premium.tokenizers import Options


def open_tokenizer(spec: str, rest: str, _: Options) -> SentencePiece:
    """`sp:FILE.model`. Raises `UsageError`."""
    path = Path(rest).expanduser()
    if not path.is_file():
        raise UsageError(f"tokenizer {spec!r}: there is no such file; give the .model that SentencePiece wrote")
    return of_content(spec, tokenizers_files.read(spec, path))


def of_content(spec: str, content: bytes) -> SentencePiece:
    """The tokenizer of a file's content. Raises `UsageError`."""
    import sentencepiece

    try:
        model = sentencepiece.SentencePieceProcessor(model_proto=content)
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(f"tokenizer {spec!r}: that is no SentencePiece model") from error
    if not model.get_piece_size():  # an empty file is no error to the library
        raise UsageError(f"tokenizer {spec!r}: that is a SentencePiece model without pieces")
    return SentencePiece(spec, tokenizers_files.revision(content), model)


class SentencePiece:
    """`model` is a `sentencepiece.SentencePieceProcessor`."""

    def __init__(self, name: str, revision: str, model: Any) -> None:
        self.name, self.revision, self._model = name, revision, model
        size = int(model.get_piece_size())
        self.vocabulary: int | None = size
        unknown, single = [one for one in range(size) if model.is_unknown(one)], filter(model.is_byte, range(size))
        fallback = mask(single, size)
        self._kinds = Kinds(mask(unknown, size) if unknown else None, fallback if fallback.any() else None)

    def count(self, texts: Sequence[str]) -> Counts:
        """The pieces of each text, on every core."""
        return self._kinds.counts(self._model.encode(list(texts), out_type=int, add_bos=False, add_eos=False))
