"""Small real tokenizers of each kind, trained on a few lines in several scripts."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LINES = [
    "The well is deep and the river is wide.",
    "Rijiyar tana da zurfi, kogin kuma yana da fadi.",
    "Kànga náà jìn, odò náà sì fẹ̀.",
    "Колодец глубокий, а река широкая.",
    "البئر عميقة والنهر واسع.",
    "कुआँ गहरा है और नदी चौड़ी है।",
    "บ่อน้ำลึกและแม่น้ำกว้าง",
    "井は深く、川は広い。",
] * 4


def byte_level(folder: Path, *, size: int = 400, **more: Any) -> Path:
    """Byte-level BPE with a special token that begins every text, and with truncation and padding switched on."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE(**more))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>"],
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(LINES, trainer)
    made.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made.enable_truncation(5)
    made.enable_padding(length=5)
    return saved(made, folder)


def hand_made(folder: Path, model: Any, **parts: Any) -> Path:
    """A tokenizer of this model and these parts."""
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(model)
    for name, part in parts.items():
        setattr(made, name, part)
    return saved(made, folder)


def saved(made: Any, folder: Path) -> Path:
    """A folder with `tokenizer.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return folder


def sentencepiece_model(path: Path, kind: str = "unigram", **more: Any) -> Path:
    """A model of SentencePiece, by default with what it does to white space by default."""
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_writer=written,
        model_type=kind,
        vocab_size=more.pop("vocab_size", 400 if more.get("byte_fallback") else 150),
        minloglevel=2,
        num_threads=1,
        **{"hard_vocab_limit": False, "character_coverage": 0.98} | more,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written.getvalue())
    return path


def ranks(path: Path, *merged: bytes) -> Path:
    """A tiktoken file: the 256 bytes, then these tokens."""
    tokens = [*(bytes([byte]) for byte in range(256)), *merged]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(base64.b64encode(token) + f" {rank}\n".encode() for rank, token in enumerate(tokens)))
    return path


def without_network(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """No hub and no download, as far as the libraries can be told so."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("no_proxy", "")


Made = Callable[[Path], str]
KINDS: dict[str, Made] = {
    "byte_level": lambda folder: f"hf:{byte_level(folder)}",
    "unigram": lambda folder: f"sp:{sentencepiece_model(folder / 'unigram.model')}",
    "byte_fallback": lambda folder: f"sp:{sentencepiece_model(folder / 'b.model', 'bpe', byte_fallback=True)}",
    "tiktoken": lambda folder: f"tiktoken:{ranks(folder / 'r.tiktoken', b'th', b'the', b' th')},cl100k_base",
}
