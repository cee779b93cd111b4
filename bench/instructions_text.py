"""Words, sentences, characters and whole words of a text in any script, counted by Unicode's own rules."""

from __future__ import annotations

import re
import unicodedata

import regex  # type: ignore[import-untyped]

# Where no space divides the words, each character (with its marks) counts as one.
_SPACELESS = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}"
    r"\p{Script=Myanmar}\p{Script=Javanese}\p{Script=Yi}"
)
_ALONE = regex.compile(rf"(?V1)[{_SPACELESS}&&\p{{L}}][\p{{M}}\u200c\u200d]*")
_BOUNDARY = regex.compile(r"(?V1w)\b")
_COUNTS = regex.compile(r"[\p{L}\p{N}]")
_INNER = r"\p{L}\p{M}\p{N}"
_SPACELESS_END = regex.compile(rf"(?V1)[{_SPACELESS}][\p{{M}}]*\Z")
_SPACELESS_START = regex.compile(rf"(?V1)[{_SPACELESS}]")
LINE_BREAK = re.compile(r"\r\n|\r|\n")
"""What ends a line."""
_MARKER = regex.compile(r"^[^\S\r\n]*(?:\p{Nd}+[.)]|[-*•・])[^\S\r\n]+", regex.MULTILINE)
# UAX #29: a full stop ends no sentence before a small letter or inside a number; other terminators always end one.
_SENTENCE_END = regex.compile(
    r"(?:\p{Sentence_Break=STerm}++"
    r"|(?<!\p{Sentence_Break=ATerm})\p{Sentence_Break=ATerm}++(?![\p{L}\p{N}]|\p{Sentence_Break=Close}*\s+\p{Ll}))"
    r"\p{Sentence_Break=Close}*|[\r\n\u0085\u2028\u2029]+"
)


def fold(text: str) -> str:
    """Composed (NFC) and case folded, so that two spellings of one word are equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def words(text: str) -> list[str]:
    """The words by the default rule of UAX #29; every character of a script without spaces is a word.

    Those scripts are Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar, Javanese and Yi. What has neither a letter nor
    a digit is no word.
    """
    found: list[str] = []
    start = 0
    for match in _ALONE.finditer(text):
        found += _BOUNDARY.split(text[start : match.start()])
        found.append(match[0])
        start = match.end()
    found += _BOUNDARY.split(text[start:])
    return [word for word in found if _COUNTS.search(word)]


def sentences(text: str) -> list[str]:
    """The sentences: what ends in a mark of Unicode's sentence terminators (? ! । ။ 。 ...), or in a line break.

    Markers of lists do not count, nor does what has neither a letter nor a digit. Abbreviations are not known: "Dr. No"
    is two sentences.
    """
    return [part.strip() for part in _SENTENCE_END.split(_MARKER.sub("", text)) if _COUNTS.search(part)]


def characters(text: str) -> int:
    """The grapheme clusters, what a reader calls characters; surrounding space does not count."""
    return len(regex.findall(r"\X", text.strip()))


def enclosed(text: str, opening: str, closing: str) -> bool:
    """Whether some line has a text between two marks that is more than space and marks."""
    for line in LINE_BREAK.split(text):
        start, end = line.find(opening), line.rfind(closing)
        if start >= 0 and end >= start + len(opening) and line[start:end].strip(opening + closing).strip():
            return True
    return False


def occurrences(word: str, text: str) -> int:
    """How often a word or phrase stands in a text by itself, whatever the case and the Unicode composition.

    By itself means that no letter, mark or digit touches it; in a script without spaces anything may. An empty word
    stands nowhere.
    """
    wanted = fold(word).strip()
    if not wanted:
        return 0
    before = "" if _SPACELESS_START.match(wanted) else rf"(?<![{_INNER}])"
    after = "" if _SPACELESS_END.search(wanted) else rf"(?![{_INNER}])"
    return len(regex.findall(before + regex.escape(wanted) + after, fold(text)))


def pieces(part: str, text: str) -> int:
    """How often a string stands in a text, inside words too, whatever the case and the composition; 0 if empty."""
    wanted = fold(part).strip()
    return fold(text).count(wanted) if wanted else 0
