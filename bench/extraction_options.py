"""A question's options, in the form in which they are looked for in an answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache

from bench.extraction_cues import cues, lower
from bench.extraction_labels import initials, labels

AMBIGUOUS = -1
_SHORT = 12  # characters of an option that may be a letter in disguise


class _Digits(dict[int, int]):
    def __missing__(self, code: int) -> int:
        value = unicodedata.digit(chr(code), None) if unicodedata.category(chr(code)) == "Nd" else None
        self[code] = code if value is None else 48 + value
        return self[code]


_DIGITS = _Digits()


def ascii_digits(text: str) -> str:
    """The text with the decimal digits of every script as 0 to 9, one for one."""
    return text if text.isascii() else text.translate(_DIGITS)


def fold(option: str) -> str:
    """An option as it is looked for: NFKC, lower case, ASCII digits, single spaces, no full stop."""
    text = option if option.isascii() else unicodedata.normalize("NFKC", option)
    if not text.isprintable():
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    text = " ".join(ascii_digits(lower(text)).split())
    return text.rstrip(".。।۔။") or text


def collapse(text: str) -> str:
    """NFKC with single spaces."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())


class Options:
    """The options of a question, ready to be looked for. A bare letter needs little of it, so all is made when used."""

    def __init__(self, options: Sequence[str]) -> None:
        self.count = len(options)
        self.labels = labels(self.count)
        self.initials = initials(self.count)
        self._given = tuple(options)

    @cached_property
    def verbatim(self) -> list[str]:
        """Each option in NFKC."""
        return list(map(collapse, self._given))

    @cached_property
    def folded(self) -> list[str]:
        """Each option as it is looked for."""
        return list(map(fold, self._given))

    @cached_property
    def by_first(self) -> dict[str, list[tuple[str, int]]]:
        """The folded options and their indexes by their first character, longest first."""
        found: dict[str, list[tuple[str, int]]] = {}
        for index, option in sorted(enumerate(self.folded), key=lambda pair: -len(pair[1])):
            if any(char.isalnum() for char in option):
                place = AMBIGUOUS if self.folded.count(option) > 1 else index
                found.setdefault(option[0], []).append((option, place))
        return found

    @cached_property
    def odd(self) -> bool:
        """Whether an option begins with a sign."""
        return any(not first.isalnum() for first in self.by_first)

    @cached_property
    def taken(self) -> set[str]:
        """The options that are a label themselves: it stands for the text and for the label, so for neither."""
        short = ((index, fold(option)) for index, option in enumerate(self._given) if len(option) <= _SHORT)
        return {
            option
            for index, option in short
            if len(option) <= 2 and {self.labels.get(option, index), self.labels.get(option.upper(), index)} != {index}
        }

    @cached_property
    def respelled(self) -> bool:
        """Whether a text in ASCII may spell an option otherwise than it is."""
        return self.articles or not all(option.isascii() for option in self.folded)

    @cached_property
    def articles(self) -> bool:
        """Whether each option begins with a short word that denies and counts nothing: "el gato", "la vaca"."""
        phrases = cues().phrases
        firsts = [option.split() for option in self.folded]
        return all(
            len(words) > 1
            and len(words[0]) <= 3
            and words[0].isalpha()
            and phrases.get(words[0], {}).keys().isdisjoint({"not", "count"})
            for words in firsts
        )

    @cached_property
    def numbered(self) -> bool:
        """Whether a bare number can only be an option's number: no option is a number, in digits or in words."""
        phrases = cues().phrases
        words = (word for option in self.folded for word in option.split())
        if any(char.isdecimal() or char.isnumeric() for option in self.folded for char in option):
            return False
        return not any("count" in phrases.get(word, {}) for word in words)


@lru_cache(maxsize=4096)
def prepared(options: tuple[str, ...]) -> Options:
    """`Options`, kept for the next answer to the same question."""
    return Options(options)
