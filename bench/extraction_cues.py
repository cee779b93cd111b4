"""The words around answers, in about 180 languages (`cues.tsv`), compiled so that a text is searched in one pass.

A word means what it means in some languages only: "ni" is "is" in Swahili and "is not" in Slovene. Whoever finds a word
therefore learns for which languages it says what.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

Languages = frozenset[str]
Meanings = dict[str, Languages]  # kind -> the languages in which a phrase is of that kind

FILE = Path(__file__).with_name("cues.tsv")
JOINED = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
KNOWN = ("answer", "option", "correct", "fill", "not", "or", "and", "because", "revise", "maybe", "so", "final")
MARKS = (
    "answer", "correct", "not", "or", "maybe", "because", "so", "revise", "final", "choose", "but", "only", "check",
    "sure",
)  # fmt: skip
_JOINED = re.compile(f"[{JOINED}]")
_WORD = re.compile(rf"[^ \n?{JOINED}]+")
_APOSTROPHES = re.compile(r"(?<![^\W_])['’ʼ‘]|['’ʼ‘](?![^\W_])")


class _Flat(dict[int, int]):
    """Letters, marks, digits, apostrophes, line breaks and question marks stay; all else becomes a space."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        kept = char in "\n?'’ʼ‘" or unicodedata.category(char)[0] in "LMN"
        self[code] = ord("?") if char in "؟፧՞" else code if kept else 32
        return self[code]


_FLAT = _Flat()


def flat(text: str) -> str:
    """The text with every sign that is no part of a word turned into a space, one for one."""
    text = text.translate(_FLAT)
    return _APOSTROPHES.sub(" ", text) if not text.isalnum() and re.search("['’ʼ‘]", text) else text


def lower(text: str) -> str:
    """Lower case, character for character: "İ" stays one character."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(one if len(one := char.lower()) == 1 else char for char in text)


class Word(NamedTuple):
    """A phrase found in a text: where it starts and ends, and what it means in which languages."""

    start: int
    end: int
    phrase: str
    meanings: Meanings

    def kinds(self, languages: Languages | None) -> frozenset[str]:
        """What it is in any of the languages, or in any at all where none are given."""
        return _kinds(self.phrase, languages)

    def means(self, kind: str, languages: Languages | None) -> bool:
        """Whether it is of this kind in one of the languages, or in any where none are given."""
        return kind in _kinds(self.phrase, languages)


@lru_cache(maxsize=65_536)
def _kinds(phrase: str, languages: Languages | None) -> frozenset[str]:
    meanings = cues().phrases[phrase]
    if languages is None:
        return frozenset(meanings)
    return frozenset(kind for kind, known in meanings.items() if not known.isdisjoint(languages))


class Cues:
    """All phrases, and the patterns that find those of some kinds in a flat text."""

    def __init__(self, phrases: dict[str, Meanings]) -> None:
        self.phrases = phrases
        self._finders: dict[tuple[str, ...], _Finder] = {}

    def at(self, text: str, start: int) -> Word | None:
        """The longest phrase of any kind that starts exactly there and ends where a word ends."""
        match = self._finder(KNOWN).pattern.match(text, start)
        return None if match is None else self._word(match)

    def find(self, text: str, kinds: tuple[str, ...]) -> Iterator[Word]:
        """Every phrase of one of these kinds, from the left."""
        return map(self._word, self._finder(kinds).matches(text))

    def any(self, text: str, kinds: tuple[str, ...], languages: Languages | None = None) -> bool:
        """Whether a phrase of one of these kinds stands anywhere in the text."""
        return any(word.means(kind, languages) for word in self.find(text, kinds) for kind in kinds)

    def _finder(self, kinds: tuple[str, ...]) -> _Finder:
        if kinds not in self._finders:
            self._finders[kinds] = _Finder(self.phrases, kinds)
        return self._finders[kinds]

    def _word(self, match: re.Match[str]) -> Word:
        phrase = match[match.lastindex or 1]
        if phrase not in self.phrases:
            phrase = " ".join(phrase.split())
        return Word(match.start(), match.end(), phrase, self.phrases[phrase])


class _Finder:
    """Finds phrases of some kinds. Words are looked up by their first letters, so that most of a text costs little.

    `pattern` has in group 1 a phrase with spaces around, in 2 one with an ending of up to four letters, in 3 one of a
    script that writes no spaces.
    """

    def __init__(self, phrases: dict[str, Meanings], kinds: tuple[str, ...]) -> None:
        chosen = [phrase for phrase, meanings in phrases.items() if not meanings.keys().isdisjoint(kinds)]
        joined = [phrase for phrase in chosen if _JOINED.match(phrase)]
        spaced = [phrase for phrase in chosen if not _JOINED.match(phrase)]
        stems = {kind for kind in kinds if kind in ("answer", "option", "correct")}
        bent = [one for one in spaced if len(one) > 3 and not phrases[one].keys().isdisjoint(stems)]
        after = rf"(?=[ \n?]|$|[{JOINED}])"
        self.pattern = re.compile(rf"({_trie(spaced)}){after}|({_trie(bent)})[^ \n?]{{1,4}}{after}|({_trie(joined)})")
        self._joined = re.compile(_trie(joined))
        self._firsts = {one.split()[0] for one in spaced}
        self._heads = {one[:4] for one in bent}

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        starts = [
            word.start() for word in _WORD.finditer(text) if word[0] in self._firsts or word[0][:4] in self._heads
        ]
        if not text.isascii() and _JOINED.search(text):
            starts = sorted({*starts, *(match.start() for match in self._joined.finditer(text))})
        return filter(None, (self.pattern.match(text, start) for start in starts))


@cache
def cues() -> Cues:
    """The table of `cues.tsv`."""
    phrases: dict[str, dict[str, set[str]]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "language\t")):
            continue
        language, kind, words = line.split("\t")
        for word in words.split("|"):
            phrase = " ".join(flat(lower(unicodedata.normalize("NFKC", word))).split())
            phrases.setdefault(phrase, {}).setdefault(kind, set()).add(language)
    return Cues(
        {
            phrase: {kind: frozenset(languages) for kind, languages in kinds.items()}
            for phrase, kinds in phrases.items()
            if phrase
        }
    )


def _trie(phrases: list[str]) -> str:
    """A pattern of the phrases, longest first; their spaces may be any number of spaces."""
    if not phrases:
        return r"(?!)"
    root: dict[str, Any] = {}
    for phrase in phrases:
        node = root
        for char in phrase:
            node = node.setdefault(char, {})
        node[""] = {}
    return _branch(root)


def _branch(node: dict[str, Any]) -> str:
    branches = [
        (" +" if char == " " else re.escape(char)) + _branch(rest) for char, rest in sorted(node.items()) if char
    ]
    if not branches:
        return ""
    body = branches[0] if len(branches) == 1 and "" not in node else "(?:" + "|".join(branches) + ")"
    return body + "?" if "" in node else body
