"""Normalisation of answers that never erases a script, and their tokens.

`normalise_answer` follows the evaluation of MLQA (Lewis et al. 2020), which follows SQuAD's (Rajpurkar et al. 2016),
and departs from it in four things. Punctuation becomes a space instead of nothing: it parts words in Ethiopic and
Tibetan. Only what Unicode calls punctuation goes, not `$ + < = > ^ | ~` and the grave accent. Arabic's article goes at
the beginning of words, not everywhere. And a step that would leave nothing of a text is not taken.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from typing import Any

ARTICLES = {
    "deu_Latn": {"ein", "eine", "einen", "einem", "eines", "einer", "der", "die", "das", "den", "dem", "des"},
    "eng_Latn": {"a", "an", "the"},
    "spa_Latn": {"un", "una", "unos", "unas", "el", "la", "los", "las"},
    "vie_Latn": {"của", "là", "cái", "chiếc", "những"},
}
"""MLQA's lists by language. Standard Arabic's article is a prefix; no other language has a list, and loses none."""
PREFIXED = "arb_Arab"

DOTLESS = frozenset({"azj_Latn", "tur_Latn"})
"""The languages whose I is the capital of ı, and İ that of i (status T of Unicode's CaseFolding.txt)."""

UNSPACED = (
    "Balinese", "Bopomofo", "Han", "Hiragana", "Javanese", "Katakana", "Khmer", "Lao", "Myanmar", "New_Tai_Lue",
    "Tai_Le", "Tai_Tham", "Tai_Viet", "Thai", "Tibetan", "Yi",
)  # fmt: skip
"""Scripts that are written without spaces between words, by their names in Unicode."""

_PATTERNS = {
    "Arabic article": r"(?<!\S)(?:ا\p{M}*ل\p{M}*)+(?=\p{L})",
    "cluster": r"\X",
    "joining": r"(?V1)[^\p{GCB=Other}\p{GCB=LV}\p{GCB=LVT}]",  # what any cluster of two code points has one of
    "unspaced": "(?V1)[[" + "".join(r"\p{Script=" + script + "}" for script in UNSPACED) + r"ー〆ｰ]--[\p{Nd}\p{P}]]",
}


def normalise(text: str) -> str:
    """NFC, every run of white space (the no-break ones too) one space, none at the ends. Case and script stay."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def fold(text: str, language: str = "") -> str:
    """Unicode's canonical caseless form (full case folding), composed: what differs in case alone becomes equal.

    `language` is an id such as `tur_Latn`; it matters where I and İ are the capitals of two letters.
    """
    if language in DOTLESS:
        text = unicodedata.normalize("NFC", text).replace("I", "ı").replace("İ", "i")
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def normalise_answer(text: str, language: str = "", *, keep_articles: bool = False) -> str:
    """Folded, each punctuation mark (category P) and zero width space a space, articles gone, white space single.

    `language` is an id such as `eng_Latn`; articles go where `ARTICLES` has the language, and in Standard Arabic.
    Letters, marks (vowel signs, diacritics), joiners, symbols and digits of every script stay. Punctuation or articles
    stay too where a text is nothing else, so that only white space becomes empty. Idempotent.
    """
    folded = " ".join(fold(text, language).split())
    spoken = folded
    for mark in _punctuation().intersection(folded):
        spoken = spoken.replace(mark, " ")
    spoken = " ".join(spoken.split()) or folded
    if keep_articles:
        return spoken
    if language == PREFIXED:
        stripped: str = _pattern("Arabic article").sub("", spoken)
        return stripped
    articles = ARTICLES.get(language, set())
    return " ".join(word for word in spoken.split() if word not in articles) or spoken


def tokens(text: str, language: str = "", *, keep_articles: bool = False) -> list[str]:
    """The words of `normalise_answer`, as white space parts them.

    Of scripts written without spaces (`UNSPACED`) each extended grapheme cluster (UAX #29) is a token instead: a
    Chinese character, a Burmese letter with its signs. No dictionary is asked, so no language has a better one than
    another. Numbers stay whole in every script.
    """
    found: list[str] = []
    for word in normalise_answer(text, language, keep_articles=keep_articles).split():
        if word.isascii() or not _pattern("unspaced").search(word):
            found.append(word)
        else:
            found.extend(_clusters(word))
    return found


def described(language: str, *, keep_articles: bool = False) -> str:
    """What of a signature says how `tokens` are made. Grapheme clusters are those of the installed `regex` package."""
    listed = language if language in ARTICLES or language == PREFIXED else "none"
    return "|".join(
        (
            described_case(language),
            "norm:NFC",
            "punct:space",
            f"articles:{'kept' if keep_articles else f'dropped-{listed}'}",
            f"tok:words+{grapheme_source()}",
        )
    )


def described_case(language: str) -> str:
    """What of a signature says how `fold` treats case."""
    return f"case:folded{'-dotless' if language in DOTLESS else ''}"


@functools.lru_cache(maxsize=1 << 16)
def unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without spaces."""
    return _pattern("unspaced").match(character) is not None


def graphemes(text: str) -> list[str]:
    """The extended grapheme clusters of a text (UAX #29), which joined are the text."""
    if not _pattern("joining").search(text):
        return list(text)
    clusters: list[str] = _pattern("cluster").findall(text)
    return clusters


def grapheme_source() -> str:
    """What of a signature says whose grapheme clusters they are: Unicode changes them from version to version."""
    import regex  # type: ignore[import-untyped]

    return f"graphemes-regex-{regex.__version__}"


def _clusters(word: str) -> list[str]:
    """A word cut around each cluster of an unspaced script; what stands between them stays together."""
    found: list[str] = []
    run = ""
    for cluster in graphemes(word):
        if not unspaced(cluster[0]):
            run += cluster
            continue
        if run:
            found.append(run)
        found.append(cluster)
        run = ""
    return [*found, run] if run else found


@functools.cache
def _pattern(name: str) -> Any:
    """A pattern with what `re` has not: scripts, categories and grapheme clusters."""
    import regex

    return regex.compile(_PATTERNS[name])


@functools.cache
def _punctuation() -> frozenset[str]:
    """Every character of the categories P, and the zero width space, which parts words in Khmer."""
    characters = map(chr, range(sys.maxunicode + 1))
    return frozenset(char for char in characters if unicodedata.category(char).startswith("P")) | {"\u200b"}
