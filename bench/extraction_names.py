"""Finds where a text names options: their labels, their texts, and the words that bear on them."""

from __future__ import annotations

import re

from bench.extraction_cues import JOINED, MARKS, Languages, Word, cues, flat, lower
from bench.extraction_options import AMBIGUOUS, Options, ascii_digits

JOINED_LETTER = re.compile(f"[{JOINED}]")
_INITIAL = re.compile(r"\. ?[a-z]\. ?[a-z]")  # "C. S. Lewis"
_ORDINAL = re.compile(r"[1-9]\d?(?!\d)")
_MEASURED = re.compile(r"[.,:/٫٬%°^*+=×-]\d|[%°$€£^=×/]|[^\W_]")
_CAPITAL = re.compile(r"(?<![^\W_])[A-ZΑ-ΩА-Я](?![^\W_])")
_COPULAS = re.compile(r"['’](?:d[iıuü]r|t[iıuü]r|n[iıuü]n)(?=[ \n?]|$)")
DECORATION = " *_`\"'"
VOWELS = frozenset("aeiouyAEIOUY")
ALONE = frozenset("aeiouywzvskаеиоусвкяєαηο")  # letters that are words, or cries, in some language


class Names:
    """A clean text and the options that it may name. Positions count characters of the text."""

    def __init__(self, text: str, options: Options) -> None:
        self.text = text
        self.low = ascii_digits(lower(text))
        self.flat = flat(self.low)
        self.options = options
        self.cues = cues()
        self._marks: list[Word] | None = None
        self.marathi = "आहे" in text or "पर्याय" in text

    def marks(self, kinds: tuple[str, ...], start: int = 0, end: int | None = None) -> list[Word]:
        """The words of these kinds between two places, of those that bear on a whole sentence: all but "fill"."""
        if self._marks is None:
            self._marks = list(self.cues.find(self.flat, MARKS))
        end = len(self.flat) if end is None else end
        return [
            word
            for word in self._marks
            if start <= word.start and word.end <= end and not word.meanings.keys().isdisjoint(kinds)
        ]

    def says(self, kinds: tuple[str, ...], start: int, end: int, languages: Languages | None = None) -> bool:
        """Whether a word of one of these kinds, in one of the languages, stands between two places."""
        return any(word.means(kind, languages) for word in self.marks(kinds, start, end) for kind in kinds)

    def label(self, start: int) -> tuple[int, int] | None:  # noqa: PLR0911 - each return is another thing a letter can be
        """The option labelled there and where the label ends: "B", "ب", "②" (as 2)."""
        char = self.text[start]
        if self.low[start].isdecimal():
            return self._number(start)
        if char not in self.options.initials:
            return None
        if start and self.is_word(start - 1) and not JOINED_LETTER.match(self.flat[start - 1]):
            return None
        end = start + 1
        while end < len(self.flat) and end - start < 4 and self.is_word(end):
            if self.text[start].isascii() and JOINED_LETTER.match(self.flat[end]):
                break
            end += 1
        name = self.text[start:end]
        if JOINED_LETTER.match(char) and name not in self.options.labels:
            name, end = char, start + 1
            if end < len(self.flat) and self.is_word(end) and not self.cues.at(self.flat, end):
                return None
        if name not in self.options.labels:
            copula = _COPULAS.match(self.flat, start + 1)  # Turkish: "B'dir"
            return (
                None if copula is None or char not in self.options.labels else (self.options.labels[char], copula.end())
            )
        taken = self.low[start:end] in self.options.taken or (name == "क" and self.marathi)  # there the third letter
        taken = taken or self.low.startswith(("+", "#"), end)  # "C++"
        index = AMBIGUOUS if taken else self.options.labels[name]
        if name.islower() and (not self.closes(end) or self._cut(start, end)):
            return None
        return None if self._abbreviates(end) else (index, end)

    def _number(self, start: int) -> tuple[int, int] | None:
        match = _ORDINAL.match(self.low, start)
        if match is None or not self.options.numbered or int(match[0]) > self.options.count:
            return None
        before, after = self.low[start - 1 : start], self.low[match.end() : match.end() + 2]
        if before in tuple("-−+.,/$€£") or (_MEASURED.match(after) and not JOINED_LETTER.match(after)):
            return None
        return int(match[0]) - 1, match.end()

    def option(self, start: int) -> tuple[int, int] | None:
        """The option whose text stands there, and where it ends; of several the longest."""
        for option, index in self.options.by_first.get(self.low[start], ()):
            end = start + len(option)
            if self.low.startswith(option, start) and self._bounded(start, end):
                return index, end
        return None

    def _bounded(self, start: int, end: int) -> bool:
        low = self.low
        if low[start].isdecimal() and re.search(r"[-−.٫٬^/]$|\d[,:]$", low[max(start - 2, 0) : start]):
            return False
        if low[end - 1].isdecimal() and re.match(r"[.,:٫٬/^–-]?\d|[%°^/×+=]", low[end : end + 2]):
            return False
        before = start > 0 and self.is_word(start - 1) and not JOINED_LETTER.match(low[start - 1])
        after = end < len(low) and self.is_word(end)
        if after and JOINED_LETTER.match(low[end]):
            after = self.cues.at(self.flat, end) is None
        elif after and low[end] in "'’":
            after = _COPULAS.match(self.flat, end) is None
        return not before and not after and not re.match(r"/|[-'’][^\W\d_]", low[end : end + 2])

    def mentions(self, start: int, end: int) -> set[int]:
        """The options whose text stands anywhere between."""
        found = set()
        for first, options in self.options.by_first.items():
            place = self.low.find(first, start, end)
            while place >= 0:
                for option, index in options:
                    stop = place + len(option)
                    if stop <= end and self.low.startswith(option, place) and not (
                        (place and self._is_bound(place - 1)) or (stop < len(self.low) and self._is_bound(stop))
                    ):  # fmt: skip
                        found.add(index)
                        place = stop - 1
                        break
                place = self.low.find(first, place + 1, end)
        return found

    def named(self, start: int, end: int) -> set[int]:
        """The options whose text, or whose label as a capital letter, stands between two places."""
        return self.mentions(start, end) | self.labelled(start, end)

    def is_word(self, place: int) -> bool:
        """Whether the character there belongs to a word."""
        return self.flat[place] not in " \n?"

    def _is_bound(self, place: int) -> bool:
        return self.is_word(place) and not JOINED_LETTER.match(self.flat[place])

    def _abbreviates(self, end: int) -> bool:
        """Whether a letter that ends there belongs to "A.M." or a path; "B.dog" is a label and its text."""
        if self.low.startswith((":\\", "@"), end) or _INITIAL.match(self.low, end):
            return True
        after = end + 1
        return (
            self.low.startswith(".", end) and after < len(self.flat) and self.is_word(after) and not self.option(after)
        )

    def closes(self, end: int) -> bool:
        """Whether a small letter is set apart: "b)", "b." and "b" at the end of a line."""
        rest = self.low[end : end + 2]
        if not rest.strip() or rest[0] == "\n":
            return True
        if rest[0] in ",;":
            return not rest[1:].strip()
        return not self.is_word(end) and not rest[0].isspace() and rest[0] not in "'’-–/&+#@?"

    def _cut(self, start: int, end: int) -> bool:
        """Whether a small letter may be the word that a text was cut off after: "the answer is a"."""
        if self.low[end : end + 40].strip(DECORATION):
            return False
        return self.low[start] in ALONE and start > 1 and self.is_word(start - 2)

    def labelled(self, start: int, end: int) -> set[int]:
        """The options whose capital letters stand alone between two places."""
        found = set()
        for match in _CAPITAL.finditer(self.text, start, end):
            label = self.label(match.start())
            if label is not None and (self.low[match.start()] not in VOWELS or self.closes(label[1])):
                found.add(label[0])
        return found
