"""Which option a generated answer names. What cannot be told is unparsed, never guessed.

An answer counts where it stands by itself: at the start of the text or of a line's end after "Answer:". Two places that
disagree cancel each other, and an option mentioned in passing ("It is not travel") says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from bench.text import LETTERS

_REASONING = re.compile(r".*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_UNFINISHED = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CUE = re.compile(r"\b(?:answer|topic|option|choice)\b(?:\s+is\b)?[\s:*_]*(?=\S)", re.IGNORECASE)
_SAID = re.compile(r"\b(?:is|be|about)\s+(?:about\s+)?(?:the\s+|an?\s+)?$", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|no|never|neither|nor|cannot)\b|n['’]t\b", re.IGNORECASE)
_WRONG = re.compile(r"\W*\?|\W*(?:is|are|was)\s+(?:not|wrong|incorrect|false)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:an?|the)\s+", re.IGNORECASE)


def choice(text: str, options: Sequence[str]) -> int | None:
    """The index of the option that the text names by its letter or its text; None where it names none, or several."""
    text = unicodedata.normalize("NFKC", _REASONING.sub("", text)).strip()
    if _UNFINISHED.search(text):
        return None  # cut off while still thinking
    verbatim = [index for index, option in enumerate(options) if unicodedata.normalize("NFKC", option).strip() == text]
    if len(verbatim) == 1:  # unless it reads as another option's letter too
        return verbatim[0] if _by_letter(_undecorated(text), options) in (None, verbatim[0]) else None
    found = {_named(text, options), _concluded(text, options)}
    found.update(_named(text[cue.end() :], options) for cue in _CUE.finditer(text))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def _named(text: str, options: Sequence[str]) -> int | None:
    """The option that the text starts with, by its text or by its letter; None where the two disagree."""
    bare = _undecorated(text)
    by_text, by_letter = _by_text(bare, options), _by_letter(bare, options)
    if by_text is None:
        by_text = _by_text(_ARTICLE.sub("", bare, count=1), options)
    if by_text is not None and by_letter is not None and by_text != by_letter:
        return None
    return by_letter if by_text is None else by_text


def _by_letter(text: str, options: Sequence[str]) -> int | None:
    letters = LETTERS[: len(options)]
    letter, rest = text[:1], text[1:]
    if not letter or letter.upper() not in letters or not _is_label(letter, rest):
        return None
    index = LETTERS.index(letter.upper())
    if not rest:
        return index  # the commonest answer by far
    explained = _by_text(_undecorated(rest), options)
    others = re.search(rf"[,/&]\s*[{letters}](?!\w)|(?<!\w)[{letters}](?=[.):,/]|\s+(?:and|or)\b|\W*$)", rest)
    if others or _WRONG.match(rest) or explained not in (None, index):
        return None
    line = unicodedata.normalize("NFKC", rest).casefold().split("\n", 1)[0]
    named = [place for place, option in enumerate(options) if option.strip() and _mentions(line, _fold(option))]
    return index if not named or index in named else None


def _is_label(letter: str, rest: str) -> bool:
    """Whether what follows sets a letter apart: "B.", "B)", "**B**", "B - ", "B" and a line break; "b)" at the least.

    "A dog" starts with an article, "A.M." with an abbreviation, "D'accord" with an elision.
    """
    after = rest.lstrip(" ")
    if all(map(_is_decoration, rest)):
        return True
    if after[0] == "\n" or (rest[0] == " " and after[0] in "-–—:"):
        return True
    if rest[0] == "." and rest[1:2].isalnum():
        return False
    return rest[0] in ").:" if letter.islower() else _ends_word(rest)


def _by_text(text: str, options: Sequence[str]) -> int | None:
    """The option whose words the text's first line starts with, ended by punctuation; of several the longest."""
    line = text.split("\n", 1)[0].casefold()
    folded = list(map(_fold, options))
    starts = [index for index, option in enumerate(folded) if option and _ends_option(line, option)]
    if not starts:
        return None
    longest = max(starts, key=lambda index: len(folded[index]))
    rest = line[len(folded[longest]) :]
    rivals = [option for index, option in enumerate(folded) if index != longest and option and _mentions(rest, option)]
    return None if rivals or folded.count(folded[longest]) > 1 else longest


def _ends_option(line: str, option: str) -> bool:
    rest = line[len(option) :]
    if not line.startswith(option) or re.match(r"[.,:٫٬]\d|\W*\?", rest):
        return False  # "3.5" is not 3, and "cat?" is no answer
    return not rest.strip() or _ends_word(rest.lstrip())


def _concluded(text: str, options: Sequence[str]) -> int | None:
    """The one option that an English sentence ends on: "The text is about sports." Nothing if anything is denied."""
    line = text.casefold().rstrip("".join(filter(_is_decoration, set(text))))
    folded = list(map(_fold, options))
    mentioned = [index for index, option in enumerate(folded) if option and _mentions(line, option)]
    if len(mentioned) != 1 or _DENIED.search(line) or re.search(r"[?？؟;፧]\W*$", text):
        return None
    option = folded[mentioned[0]]
    return mentioned[0] if line.endswith(option) and _SAID.search(line.removesuffix(option)) else None


def _mentions(text: str, option: str) -> bool:
    return option in text and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", text) is not None


def _undecorated(text: str) -> str:
    bare = text.lstrip("".join(filter(_is_decoration, set(text))))
    sign = text[: len(text) - len(bare)][-1:]
    return sign + bare if sign in ("-", ".") and bare[:1].isdigit() else bare


def _fold(option: str) -> str:
    return unicodedata.normalize("NFKC", option).casefold().strip()


def _ends_word(text: str) -> bool:
    """Whether the text starts with punctuation that ends a word, as an apostrophe, a hyphen or a slash does not."""
    return not text[0].isspace() and _is_decoration(text[0]) and text[0] not in "'’-/"


def _is_decoration(char: str) -> bool:
    """White space, punctuation, the marks of bold and code, and the invisible marks of direction."""
    category = unicodedata.category(char)
    return char.isspace() or char in "`*_" or category.startswith("P") or category == "Cf"
