"""Tokenizers of every kind against the library's own plain encoding, on text of every kind; what counts as a part."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.backend import ModelStopped
from bench.premium.counting import Tokenizer, is_part
from bench.premium.tokenizers import PROVIDERS, is_file_tokenizer, of_model, open_tokenizer
from bench.premium.tokenizers_tiktoken import PATTERNS
from bench.records import UsageError
from tests.premium.vocabularies import (
    KINDS,
    LINES,
    byte_level,
    hand_made,
    ranks,
    sentencepiece_model,
    without_network,
)

HOSTILE = (
    "",
    " ",
    "\n\n\t  ",
    "<s> </s> <|endoftext|> <unk> <0xE1>",
    "👩‍👩‍👧‍👦 \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\U00010330\U0002070e\U0010ffff",
    "\u202eשלום\u202c مرحبا",
    "e\u0301\u0301\u0301 \ufeff\u0000\u0085\u2028",
    "ก" * 3000,
)
texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(HOSTILE), max_size=6)
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    pytest.importorskip("tiktoken")
    folder = tmp_path_factory.mktemp("tokenizers")
    return {kind: open_tokenizer(make(folder / kind)) for kind, make in KINDS.items()}


def plain(tokenizer: Any, text: str) -> list[int]:
    """One text by the library itself, without what begins and ends every text."""
    if hasattr(tokenizer, "_tokenizer"):
        encoded: list[int] = tokenizer._tokenizer.encode(text, add_special_tokens=False).ids
    elif hasattr(tokenizer, "_encoding"):
        encoded = tokenizer._encoding.encode_ordinary(text)
    else:
        encoded = tokenizer._model.encode(text)
    return encoded


@pytest.mark.parametrize("kind", KINDS)
@many
@given(given_texts=texts)
@example(given_texts=list(HOSTILE))
@example(given_texts=[])
def test_counts_are_those_of_the_library_one_text_at_a_time(
    kind: str, opened: dict[str, Tokenizer], given_texts: list[str]
) -> None:
    found = opened[kind].count(given_texts)
    assert found.tokens.tolist() == [len(plain(opened[kind], text)) for text in given_texts]
    assert found.tokens.dtype == np.int64
    for share in (found.unknown, found.fallback):
        assert share is None or 0 <= share <= found.tokens.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_of_100_kilobytes(kind: str, opened: dict[str, Tokenizer]) -> None:
    long = [("उदाहरण " * 5000)[:34_000], "word " * 20_000]
    assert min(len(text.encode()) for text in long) > 90_000
    assert opened[kind].count(long).tokens.tolist() == [len(plain(opened[kind], text)) for text in long]


@many
@given(given_texts=texts)
def test_the_controls_count_bytes_and_code_points(given_texts: list[str]) -> None:
    written, points = open_tokenizer("bytes").count(given_texts), open_tokenizer("codepoints").count(given_texts)
    assert written.tokens.tolist() == [len(text.encode("utf-8")) for text in given_texts]
    assert points.tokens.tolist() == [sum(1 for _ in text) for text in given_texts]
    assert (written.unknown, written.fallback, points.unknown, points.fallback) == (None,) * 4


def test_special_tokens_truncation_and_padding_count_nothing(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    folder = byte_level(tmp_path)
    with_all = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert {len(with_all.encode(text).ids) for text in ("", LINES[0])} == {5}
    assert open_tokenizer(f"hf:{folder}").count(["", "é"]).tokens.tolist()[0] == 0
    assert open_tokenizer(f"hf:{folder}").count([LINES[0]]).tokens.tolist()[0] > 5
    # A text that has the special token's letters has letters, not the token.
    assert open_tokenizer(f"hf:{folder}").count(["<s>"]).tokens.tolist() == [3]


@pytest.mark.parametrize("text", [" a  b ", "a b", "A  B\u00a0"])
def test_white_space_is_folded_only_by_a_model_that_folds_it(tmp_path: Path, text: str) -> None:
    folds = open_tokenizer(f"sp:{sentencepiece_model(tmp_path / 'folds.model')}")
    keeps = sentencepiece_model(
        tmp_path / "k.model", remove_extra_whitespaces=False, normalization_rule_name="identity"
    )
    folded = " ".join(text.split())
    assert folds.count([text]).tokens.tolist() == folds.count([folded]).tokens.tolist()
    more = open_tokenizer(f"sp:{keeps}").count([text, folded]).tokens.tolist()
    assert (more[0] > more[1]) == (text != folded)


@pytest.mark.parametrize(
    ("piece", "part"),
    [
        *((b"a", False), (b"\xe1", True), (b" \xe1", True), (b"\x80", True), ("é".encode(), False), (b"", False)),
        *(("aé".encode()[:2], True), ("ก".encode()[:2], True), ("กข".encode(), False), ("กข".encode()[1:], True)),
    ],
)
def test_a_part_of_a_character(piece: bytes, part: bool) -> None:
    assert is_part(piece) is part


def test_byte_level_tokens_that_are_no_whole_characters_are_fallbacks(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(alphabet)}
    # é is C3 A9: "Ã" and "©" in GPT-2's letters; ก is E0 B8 81: "à¸ģ".
    for token in ("Ã©", "à¸"):
        vocabulary[token] = len(vocabulary)
    model = tokenizers.models.BPE(vocab=vocabulary, merges=[("Ã", "©"), ("à", "¸")])
    made = hand_made(tmp_path, model, pre_tokenizer=tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False))
    counts = open_tokenizer(f"hf:{made}").count(["aé", "ก", "ñ"])
    assert counts.tokens.tolist() == [2, 2, 2]  # a é | E0B8 81 | C3 B1
    assert (counts.fallback, counts.unknown) == (4, None)
    assert counts.reason == "no_such_token"


def test_bytes_of_a_byte_fallback_are_fallbacks_even_of_a_whole_character(tmp_path: Path) -> None:
    model = sentencepiece_model(tmp_path / "b.model", "bpe", byte_fallback=True)
    counts = open_tokenizer(f"sp:{model}").count(["ღ", "Ω"])
    assert counts.fallback == 5  # 3 and 2 bytes of letters that no line has
    assert counts.unknown == 0
    tokenizers = pytest.importorskip("tokenizers")
    pieces = {"a": 0, **{f"<0x{byte:02X}>": 1 + byte for byte in range(256)}}
    bpe = tokenizers.models.BPE(vocab=pieces, merges=[], byte_fallback=True)
    counts = open_tokenizer(f"hf:{hand_made(tmp_path / 'hf', bpe)}").count(["ab", "é", "aa"])
    assert (counts.tokens.tolist(), counts.fallback, counts.unknown) == ([2, 2, 2], 3, None)


def test_unknown_tokens(tmp_path: Path) -> None:
    unigram = open_tokenizer(f"sp:{sentencepiece_model(tmp_path / 'u.model')}").count(["ღღ the Ω"])
    assert (unigram.unknown, unigram.fallback) == (2, None)
    tokenizers = pytest.importorskip("tokenizers")
    pieces = tokenizers.models.WordPiece({"[UNK]": 0, "well": 1, "##s": 2}, unk_token="[UNK]")
    folder = hand_made(tmp_path / "wp", pieces, pre_tokenizer=tokenizers.pre_tokenizers.Whitespace())
    counts = open_tokenizer(f"hf:{folder}").count(["wells", "well deep river"])
    assert (counts.tokens.tolist(), counts.unknown, counts.fallback) == ([2, 3], 2, None)
    pieces = tokenizers.models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0, byte_fallback=False)
    counts = open_tokenizer(f"hf:{hand_made(tmp_path / 'uni', pieces)}").count(["aab", "b"])
    assert (counts.tokens.tolist(), counts.unknown) == ([3, 1], 2)


def test_tiktoken_tokens(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    path = ranks(tmp_path / "r.tiktoken", b"th", "é".encode(), b"\xe0\xb8")
    made = open_tokenizer(f"tiktoken:{path},r50k_base")
    counts = made.count(["the", "é", "ก"])
    assert (counts.tokens.tolist(), counts.fallback, counts.unknown) == ([2, 1, 2], 2, None)
    assert made.vocabulary == 259
    other = open_tokenizer(f"tiktoken:{path},cl100k_base")
    assert made.revision != other.revision


def test_patterns_cut_as_those_of_tiktoken_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tiktoken")
    public: Any = importlib.import_module("tiktoken_ext.openai_public")

    for loader in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
        monkeypatch.setattr(public, loader, lambda *_, **__: {})
    regex = pytest.importorskip("regex")
    lines = [*LINES, *HOSTILE, "I'm WE'LL can't 12345 1 22   x\r\n\r\n y\t\t z  ", "a/b// \n/ ünïÇÖDÉ ǅ  "]
    for name in ("r50k_base", "cl100k_base", "o200k_base"):
        theirs = public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
        for line in lines:
            assert regex.findall(PATTERNS[name], line) == regex.findall(theirs, line), (name, line)
    assert regex.findall(PATTERNS["qwen"], "1234") == ["1", "2", "3", "4"]
    assert regex.findall(PATTERNS["llama3"], "1234") == ["123", "4"]


def test_a_folder_gives_whichever_file_it_has(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    pytest.importorskip("tokenizers")
    piece = sentencepiece_model(tmp_path / "sp" / "tokenizer.model")
    assert type(open_tokenizer(f"hf:{piece.parent}")).__name__ == "SentencePiece"
    rank = ranks(tmp_path / "tik" / "tokenizer.model")
    assert type(open_tokenizer(f"vllm:{rank.parent}", {"pattern": "llama3"})).__name__ == "Tiktoken"
    named = ranks(tmp_path / "named" / "qwen.tiktoken")
    assert type(open_tokenizer(f"hf:{named.parent}")).__name__ == "Tiktoken"
    byte_level(piece.parent)  # tokenizer.json goes first
    made = open_tokenizer(f"hf:{piece.parent}")
    assert type(made).__name__ == "HuggingFace"
    assert made.name == f"hf:{piece.parent}"
    assert made.revision == open_tokenizer(f"vllm:{piece.parent / 'tokenizer.json'}").revision
    assert re.fullmatch("sha256:[0-9a-f]{16}", made.revision)


def test_a_vocabulary_that_drops_what_it_lacks_is_refused(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    letters = tokenizers.models.BPE(vocab={"a": 0, "b": 1}, merges=[])
    with pytest.raises(UsageError, match="drops what it lacks"):
        open_tokenizer(f"hf:{hand_made(tmp_path / 'letters', letters)}")
    some = {letter: number for number, letter in enumerate(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))}
    del some["Ã"]
    model = tokenizers.models.BPE(vocab=some, merges=[])
    parts = {"pre_tokenizer": tokenizers.pre_tokenizers.ByteLevel()}
    with pytest.raises(UsageError, match="drops what it lacks"):
        open_tokenizer(f"hf:{hand_made(tmp_path / 'bytes', model, **parts)}")
    known = tokenizers.models.BPE(vocab={**some, "<unk>": 300}, merges=[], unk_token="<unk>")
    counts = open_tokenizer(f"hf:{hand_made(tmp_path / 'unk', known, **parts)}").count(["é"])
    assert counts.unknown == 1


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("byte", {}, r"no tokenizer 'byte'; one is bytes, codepoints, hf:.*; did you mean 'bytes'\?$"),
        ("bytes:x", {}, "bytes takes nothing"),
        ("hf:", {}, "nothing after 'hf'"),
        ("hf:no such/fold er", {}, "no such file or folder"),
        ("hf:{tmp}/void", {}, "no tokenizer there; it would be tokenizer.json"),
        ("hf:{tmp}/x.json", {}, "that is no tokenizer.json which"),
        ("hf:{tmp}/y.json", {}, "that is no tokenizer.json which"),
        ("hf:{tmp}/z.json", {}, r"that is no tokenizer.json which .* \("),
        ("hf:{tmp}/x.model", {}, "that is no SentencePiece model"),
        ("sp:{tmp}/x.model", {}, "that is no SentencePiece model"),
        ("sp:{tmp}/empty.model", {}, "SentencePiece model without pieces"),
        ("sp:{tmp}/none.model", {}, "there is no such file"),
        ("tiktoken:{tmp}/none.tiktoken,cl100k_base", {}, "there is no file"),
        (
            "tiktoken:{tmp}/r.tiktoken",
            {},
            "a tiktoken file needs the pattern .* \\(tiktoken:FILE,PATTERN or -M pattern=PATTERN\\): r50k_base",
        ),
        ("tiktoken:{tmp}/r.tiktoken,cl100k", {}, r"no pattern 'cl100k'; one is .*; did you mean 'cl100k_base'"),
        ("tiktoken:{tmp}/short.tiktoken,qwen", {}, "lacks some of the 256 bytes"),
        ("tiktoken:{tmp}/x.model,qwen", {}, "line 1 should be a token in base64"),
        ("tiktoken:cl100k_bas", {}, r"did you mean 'cl100k_base'"),
        ("tiktoken:cl100k_base", {}, "could not fetch it.*; give the file: tiktoken:FILE,cl100k_base"),
        ("hf:owner/repository", {}, "no such folder here, and HF_HUB_OFFLINE is set"),
        ("hf:{tmp}/x.json", {"pattren": "x"}, r"no option 'pattren'; did you mean 'pattern'\?"),
        ("bytes", {"pattern": "qwen"}, "no option 'pattern'; it has none"),
        ("sp:{tmp}/x.model", {"revision": "main"}, "no option 'revision'; it has none"),
        ("tiktoken:{tmp}/r.tiktoken", {"revision": "main"}, "no option 'revision'; it has pattern"),
        ("hf:{tmp}/x.json", {"revision": "main"}, "revision is for repositories of the hub"),
        ("hf:{tmp}/void", {"revision": "main"}, "revision is for repositories of the hub"),
        ("hf:{tmp}/x.json", {"pattern": "qwen"}, "pattern is for tiktoken files, and x.json is none"),
        ("hf:owner/tokenizer.json", {}, "there is no such file; give"),
        ("hf:{tmp}/missing", {}, "there is no such file; give"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, options: dict[str, object], said: str
) -> None:
    for library in ("tokenizers", "tiktoken", "huggingface_hub"):
        pytest.importorskip(library)
    without_network(monkeypatch, tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "void").mkdir()
    (tmp_path / "x.json").write_text("{}", "utf-8")
    (tmp_path / "y.json").write_text('{"model": ', "utf-8")
    (tmp_path / "z.json").write_text('{"model": {"type": "BPE"}}', "utf-8")
    (tmp_path / "x.model").write_bytes(b"\x00\xff not a model")
    (tmp_path / "empty.model").write_bytes(b"")
    (tmp_path / "short.tiktoken").write_text("YQ== 0\n", "utf-8")
    ranks(tmp_path / "r.tiktoken")
    with pytest.raises(UsageError, match=said) as raised:
        open_tokenizer(spec.replace("{tmp}", str(tmp_path)), options)
    assert "\n" not in str(raised.value)


class Counting:
    """A model that counts words."""

    name, revision = "openai:small", "none"

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if "stop" in texts:
            raise ModelStopped("gone")
        return [len(text.split()) for text in texts]

    def shortened(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])


def test_a_model_that_shows_its_tokenizer_is_one() -> None:
    model: Any = Counting()
    tokenizer = of_model(model)
    counts = tokenizer.count(["one two", "", "one"])
    assert (tokenizer.name, tokenizer.revision, tokenizer.vocabulary) == ("openai:small", "none", None)
    assert counts.tokens.tolist() == [2, 0, 1]
    assert (counts.unknown, counts.fallback, counts.reason) == (None, None, "tokens_unseen")
    assert tokenizer.count([]).tokens.tolist() == []
    with pytest.raises(ModelStopped):
        tokenizer.count(["stop"])
    silent: Any = type("Silent", (), {"name": "command:cat"})()
    with pytest.raises(UsageError, match="command:cat does not show its tokenizer"):
        of_model(silent)


def test_what_a_file_tokenizer_is() -> None:
    assert all(is_file_tokenizer(f"{provider}:x") for provider in PROVIDERS)
    assert not is_file_tokenizer("openai:gpt")
