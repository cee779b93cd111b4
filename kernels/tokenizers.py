"""sacreBLEU's tokenizers by name: a class table for the compiled pass, after a library's own pass where there is one.

Nothing is ever downloaded. A SentencePiece model is a file that is there already, and a number carries the name of a
published tokenizer only if it was made with that tokenizer's file.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from kernels import bleu_tokens
from kernels.bleu_tokens import PADDED, STRIPPED, TRIMMED, Classes
from kernels.text import Text, Units, encode

SPM = ("spm", "flores101", "flores200", "spBLEU-1K")
MECAB = {
    "ja-mecab": ("tokenizer_ja_mecab", "TokenizerJaMecab", "ja"),
    "ko-mecab": ("tokenizer_ko_mecab", "TokenizerKoMecab", "ko"),
}
NAMES = ("13a", "intl", "zh", "char", "none", *MECAB, *SPM)

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How text becomes words: first `prepare` rewrites segments, then `classes` and `ends` cut them into spans.

    `signature` is what sacreBLEU's signature says of it. `classes` makes a table of 0x110000 classes, once.
    """

    signature: str
    prepare: Callable[[Text], Text]
    classes: Callable[[], Classes]
    ends: int

    def words(self, segments: Sequence[str | None]) -> list[list[str]]:
        """The words of each segment; none where a segment is None. For looking at: scoring needs no word as text."""
        prepared = self.prepare(Text.of(segments))
        spans = bleu_tokens.spans(prepared.units.wide(), self.classes(), self.ends)
        return [[(text or "")[start:end] for start, end in found] for text, found in zip(prepared, spans, strict=True)]


def tokenizer(name: str, spm_model: Path | None = None, spm_sha256: str | None = None) -> Tokenizer:
    """The tokenizer that sacreBLEU calls so, one of `NAMES`.

    `spm_model` and `spm_sha256` are for those of the SentencePiece family alone. Raises `ValueError` for an unknown
    name, a library or a model that is not there, and a model whose SHA-256 is another than the one asked for.
    """
    if name not in NAMES:
        raise ValueError(f"unknown tokenizer {name!r}; known are {', '.join(NAMES)}")
    if name in SPM:
        return _sentencepiece(name, spm_model, spm_sha256)
    if spm_model is not None or spm_sha256 is not None:
        raise ValueError(f"the tokenizer {name} has no SentencePiece model; {', '.join(SPM)} have one")
    return _mecab(name) if name in MECAB else COMPILED[name]


def _split(signature: str, prepare: Callable[[Text], Text]) -> Tokenizer:
    return Tokenizer(signature, prepare, bleu_tokens.none_classes, PADDED)


def _as_it_is(segments: Text) -> Text:
    return segments


def _unescaped(segments: Text) -> Text:
    """The first step of mteval, for the few segments that hold a line break, an entity or `<skipped>`.

    All others keep their code points: encoding them once more would cost more than this.
    """
    units, offsets = segments.units.units, segments.units.offsets
    start = int(offsets[0])
    held = units[start : int(offsets[-1])]
    found = np.flatnonzero((held == ord("\n")) | (held == ord("&")) | (held == ord("<")))
    if not len(found):
        return segments
    strings, pieces, lengths = list(segments), [], np.diff(offsets)
    for index in np.unique(np.searchsorted(offsets, found + start, side="right") - 1).tolist():
        strings[index] = text = _unescape(strings[index] or "")
        pieces += [units[start : offsets[index]], encode([text]).units]
        start = int(offsets[index + 1])
        lengths[index] = len(text)
    pieces.append(units[start : int(offsets[-1])])
    return Text(strings, Units(np.concatenate(pieces), np.concatenate(([0], np.cumsum(lengths)))))


def _unescape(text: str) -> str:
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    return text.replace("&quot;", '"').replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")


COMPILED = {
    "13a": Tokenizer("13a", _unescaped, bleu_tokens.latin_classes, PADDED),
    "intl": Tokenizer("intl", _as_it_is, bleu_tokens.international_classes, TRIMMED),
    "zh": Tokenizer("zh", _as_it_is, bleu_tokens.chinese_classes, STRIPPED),
    "char": Tokenizer("char", _as_it_is, bleu_tokens.char_classes, PADDED),
    "none": _split("none", _as_it_is),
}


def _mecab(name: str) -> Tokenizer:
    module_name, class_name, extra = MECAB[name]
    module = import_module(f"sacrebleu.tokenizers.{module_name}")
    if module.MeCab is None:
        raise ValueError(f"the tokenizer {name} needs MeCab and its dictionary: pip install 'sacrebleu[{extra}]'")
    tokenize: Any = getattr(module, class_name)()
    alone = threading.Lock()

    def prepare(segments: Text) -> Text:
        with alone:  # a tagger holds one sentence at a time
            return segments.mapped(lambda text: tokenize(_encodable(text.rstrip())))

    return _split(tokenize.signature(), prepare)


def _encodable(text: str) -> str:
    """Text that has a UTF-8: a lone surrogate, at which these libraries fail, becomes the replacement character."""
    return _SURROGATE.sub("\ufffd", text)


def _sentencepiece(name: str, model: Path | None, sha256: str | None) -> Tokenizer:
    """Pieces joined by blanks and split again, as in sacreBLEU: a piece that is white space vanishes."""
    from sacrebleu.tokenizers import tokenizer_spm

    known = tokenizer_spm.SPM_MODELS[name]
    folder: str = vars(tokenizer_spm)["SACREBLEU_DIR"]
    own = Path(folder, "models", known["url"].rpartition("/")[2])
    path = own if model is None else Path(model)
    if not path.is_file():
        if model is not None:
            raise ValueError(f"no SentencePiece model at {path}")
        raise ValueError(
            f"the tokenizer {name} needs a SentencePiece model: put the file of {known['url']} at {own}, "
            "or say where it is (spm_model)"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise ValueError(f"{path} has the SHA-256 {digest}, not {sha256}")
    named = sha256 is not None or path.resolve() == own.resolve()
    return _split(known["signature"] if named else f"spm-{digest[:12]}", _pieces(name, path))


def _pieces(name: str, path: Path) -> Callable[[Text], Text]:
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise ValueError(f"the tokenizer {name} needs SentencePiece: pip install sentencepiece") from None
    try:
        processor = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError):
        raise ValueError(f"{path} is no SentencePiece model") from None

    def prepare(segments: Text) -> Text:
        lines = [_encodable((text or "").rstrip()) for text in segments]
        joined = map(" ".join, processor.encode(lines, out_type=str, num_threads=1))
        return Text([None if text is None else pieces for text, pieces in zip(segments, joined, strict=True)])

    return prepare
