"""The rule suite's own rules (`tasks.rules`): language, CLDR formats, digits, lengths, words and forms."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import regex  # type: ignore[import-untyped]

from bench import instructions_text as measure
from bench.instructions import COMMAS, Check, fits, spoken, unfenced_json

# Marks that steer direction or line breaks and cannot be seen. ZWJ and ZWNJ stay: they change how letters look.
_INVISIBLE = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_STOPS = (".", "\u3002", "\u06d4", "\u0964", "\u1362", "\u104b", "\uff0e")
_NUMBERED = regex.compile(r"(\p{Nd}+)\. *(?=\S)(.+)")
_LETTER = regex.compile(r"\p{L}")
_SPLIT_AT_COMMAS = re.compile(f"[{re.escape(COMMAS)}]")


def same_text(text: str, wanted: str) -> bool:
    """Whether two texts are equal but for what cannot be seen.

    That is: Unicode composition, bidirectional marks, which kind of space stands inside, space at the ends, and one
    full stop at the end.
    """
    said, right = _plain(text), _plain(wanted)
    return said == right or (said.endswith(_STOPS) and said[:-1] == right)


def language_only(text: str, *, language: str) -> bool:
    """`language:only`: nothing says that the answer is in another language or script than a canonical code's.

    Of a JSON object the values count. An answer without a letter is in no language.
    """
    return bool(_LETTER.search(spoken(text))) and language_of_words(text, language=language)


def language_of_words(text: str, *, language: str) -> bool:
    """`language:words`: the same of what words there are; a number alone will do."""
    said = spoken(text)
    return not _LETTER.search(said) or fits(said, language)


def equals(answer: str, /, *, text: str) -> bool:
    """`date:equals`, `number:equals`, `currency:equals` and `list:equals`: the one right text. See `same_text`."""
    return same_text(answer, text)


def digits_native(text: str, *, digits: str) -> bool:
    """`digits:native`: there is a digit, and none that is not among ten given ones.

    A digit is what Unicode calls a number of any kind (² and ④ too), and any of the ten.
    """
    native = set(digits)
    found = [char for char in text if char in native or unicodedata.category(char)[0] == "N"]
    return bool(found) and native.issuperset(found)


def length_words(text: str, *, most: int) -> bool:
    """`length:words`: one word to so many; characters where the script has no spaces (`instructions_text.words`)."""
    return 1 <= len(measure.words(text)) <= most


def length_lines(text: str, *, exactly: int) -> bool:
    """`length:lines`: so many lines and no blank one in between."""
    return len(_lines(text)) == exactly and all(_lines(text))


def length_characters(text: str, *, most: int) -> bool:
    """`length:characters`: one grapheme cluster to so many, without the space at the ends."""
    return 1 <= measure.characters(text) <= most


def word_required(text: str, *, word: str) -> bool:
    """`word:required`: a word stands by itself somewhere (`instructions_text.occurrences`)."""
    return measure.occurrences(word, text) > 0


def word_forbidden(text: str, *, word: str) -> bool:
    """`word:forbidden`: a word stands by itself nowhere."""
    return measure.occurrences(word, text) == 0


def format_json(text: str, *, keys: Sequence[str]) -> bool:
    """`format:json`: one JSON object, bare or in a code fence, with exactly these keys and texts that are not blank."""
    found = unfenced_json(text)
    if found is None or not isinstance(found[0], dict):
        return False
    made = found[0]
    return made.keys() == set(keys) and all(isinstance(value, str) and _plain(value) for value in made.values())


def format_numbered(text: str, *, items: int) -> bool:
    """`format:numbered`: so many lines, numbered 1. 2. 3. in the digits of any script, and nothing else."""
    found = [_NUMBERED.fullmatch(line) for line in _lines(text)]
    numbers = [int(match[1]) if match and len(match[1]) < 9 else 0 for match in found]
    return numbers == list(range(1, items + 1))


def format_bullets(text: str, *, items: int) -> bool:
    """`format:bullets`: so many lines that begin with a hyphen and a space, and nothing else."""
    found = _lines(text)
    return len(found) == items and all(line.startswith("- ") and line[2:].strip() for line in found)


def format_line(text: str) -> bool:
    """`format:line`: one line."""
    return len(_lines(text)) == 1


def format_commas(text: str, *, items: int) -> bool:
    """`format:commas`: so many parts on one line, divided by commas of any script."""
    parts = _SPLIT_AT_COMMAS.split(text.strip())
    return len(_lines(text)) == 1 and len(parts) == items and all(regex.search(r"[\p{L}\p{N}]", one) for one in parts)


def format_brackets(text: str, *, opening: str, closing: str) -> bool:
    """`format:brackets`: the answer begins with one mark, ends with another, and has neither in between."""
    text = text.strip()
    inner = text.removeprefix(opening).removesuffix(closing)
    whole = opening + inner + closing == text
    return whole and bool(inner.strip()) and opening not in inner and closing not in inner


def letters_none(text: str, *, script: str) -> bool:
    """`letters:none`: there are letters, and none of a script, by its Unicode name."""
    return bool(regex.search(r"\p{L}", text)) and not regex.search(rf"(?V1)[\p{{L}}&&\p{{Script={script}}}]", text)


def _seen(check: Check) -> Check:
    """The check of what a reader sees: `_plain`."""

    def checked(answer: str, /, **arguments: Any) -> bool:
        return check(_plain(answer), **arguments)

    return functools.wraps(check)(checked)


_EVERY: Mapping[str, Check] = MappingProxyType(
    {
        "language:only": language_only,
        "language:words": language_of_words,
        "date:equals": equals,
        "number:equals": equals,
        "currency:equals": equals,
        "list:equals": equals,
        "digits:native": digits_native,
        "length:words": length_words,
        "length:lines": length_lines,
        "length:characters": length_characters,
        "word:required": word_required,
        "word:forbidden": word_forbidden,
        "format:json": format_json,
        "format:numbered": format_numbered,
        "format:bullets": format_bullets,
        "format:line": format_line,
        "format:commas": format_commas,
        "format:brackets": format_brackets,
        "letters:none": letters_none,
    }
)
OWN: Mapping[str, Check] = MappingProxyType(
    {
        name: check if name == "format:json" else _seen(check) for name, check in _EVERY.items()
    }  # keys are letter by letter
)
"""The suite's rules by their ids."""


def _plain(text: str) -> str:
    """Composed, without invisible marks, every kind of space a plain one, none at the ends."""
    seen = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in seen).strip()


def _lines(text: str) -> list[str]:
    """The lines of a text, blank ones too, without the space around each and without the blank ones at the ends."""
    return [line.strip() for line in measure.LINE_BREAK.split(text.strip())]
