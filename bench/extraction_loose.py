"""Finds options that an answer spells otherwise: without accents, in capitals, with a joined article, in other letters.

The words of the text that can only be one option are written as the option has them; a text is then read as any other.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bench.extraction_cues import cues, flat, lower
from bench.extraction_options import AMBIGUOUS, Options

_SAME = str.maketrans(
    {"ı": "i", "ك": "ک", "ي": "ی", "ى": "ی", "ة": "ه", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ؤ": "و", "ئ": "ی",
     "ۀ": "ه", "ھ": "ه", "ہ": "ه", "ё": "е", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ɓ": "b", "ɗ": "d", "ƙ": "k",
     "ƴ": "y", "æ": "ae", "œ": "oe", "ـ": "", "’": "'", "ʼ": "'", "‘": "'", "ʻ": "'"}
)  # fmt: skip
_POINTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
_CLITICS = (
    ("وال", "و "), ("و", "و "), ("ال", ""), ("וה", "ו "), ("ו", "ו "), ("ה", ""),
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:[^\w\s](?=\w)|[\u0300-\u036f\u0591-\u065f\u0670\u200c]|[^\W_])*", re.UNICODE)
_MOST = 400  # words of a text
_SHORTEST = 3  # letters; a shorter option differs from other words by its accents alone ("si", "sí")


@lru_cache(maxsize=8192)
def loosely(word: str) -> str:
    """A word without case, accents, vowel points and the variants of its letters. Letters of other scripts stay."""
    bare = unicodedata.normalize("NFD", word.casefold().translate(_SAME))
    return unicodedata.normalize("NFC", _POINTS.sub("", bare).translate(_SAME))


def spelled(text: str, options: Options) -> str:
    """The text with the options' own spelling; the same text where nothing is to be changed."""
    words = list(_WORD.finditer(text))
    known = _known(options)
    if len(words) > _MOST or not known:
        return text
    longest = 1 + max(option.count(" ") + option.count("\u200c") + option.count("-") for option in options.verbatim)
    parts, rest, place = [], 0, 0
    while place < len(words):
        for count in range(min(longest, len(words) - place), 0, -1):
            found = _spelling(text, words[place : place + count], known, options)
            if found is not None:
                parts += [text[rest : words[place].start()], found]
                rest = words[place + count - 1].end()
                place += count - 1
                break
        place += 1
    return "".join([*parts, text[rest:]])


def _spelling(text: str, words: list[re.Match[str]], known: dict[str, int], options: Options) -> str | None:
    """The option that these words spell, with what was joined to it before; None for none, or where nothing changes."""
    raw = text[words[0].start() : words[-1].end()]
    if lower(raw) in options.folded or (len(words) == 1 and flat(lower(raw)).strip() in cues().phrases):
        return None
    if any(sign in raw for sign in ".,;:!?\n،。，、؛؟"):
        return None
    key = "".join(loosely(word[0]) for word in words)
    index = known.get(key, AMBIGUOUS) if len(key) >= _SHORTEST else AMBIGUOUS
    if index != AMBIGUOUS:
        return options.folded[index]
    for clitic, apart in _CLITICS:
        rest = key.removeprefix(clitic)
        least = _SHORTEST - clitic.endswith("ال")
        if rest != key and len(rest) >= least and (index := known.get(rest, AMBIGUOUS)) != AMBIGUOUS:
            return apart + options.folded[index]
    return None


def _known(options: Options) -> dict[str, int]:
    """The letters of each option, loosely, and of its name without its article; what two options share is neither's."""
    found: dict[str, int] = {}
    parts = [[loosely(word[0]) for word in _WORD.finditer(option)] for option in options.folded]
    for index, words in enumerate(parts):
        for key in {"".join(words), "".join(words[1:] if options.articles else words)}:
            if len(key) >= _SHORTEST - 1:
                found[key] = index if found.get(key, index) == index else AMBIGUOUS
    return found
