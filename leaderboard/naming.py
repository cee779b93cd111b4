"""A language's code -> what a table says of it; and what somebody writes -> the languages that may be meant."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from babel import Locale

import languages
from languages import Language
from languages.tables import read_table
from leaderboard.local_names import language_plain, languages_in
from leaderboard.pages import LanguageName
from leaderboard.prefixes import LOCALES

EXACT, BEGINS, WITHIN = range(3)
"""How well a language fits some words: they are its code or a whole name, begin a word of one, or stand within one."""

LONGEST_NAME, SHORTEST_WORD, NEAR = 80, 3, 5
"""Characters: a longer text is no misspelling of a name, and a shorter name is not looked for among other words, where
it is more likely a word of some language. So many languages are near a text."""

_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ɛ": "e", "ɔ": "o", "ŋ": "n", "ɓ": "b", "ɗ": "d"})
_LETTERS |= str.maketrans({"ɖ": "d", "ƙ": "k", "ə": "e", "ʋ": "v", "ɣ": "g", "ɨ": "i", "ʉ": "u", "ƴ": "y"})
_LETTERS |= str.maketrans({"ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك"})
_NASAL = re.compile("[ङञणनम]\u094d(?=[क-ह])")
"""Half a nasal consonant of Devanagari, which is as often written as a dot: हिन्दी and हिंदी."""

_LEFT_OUT = {"ar": re.compile(r"\bال"), "sw": re.compile("^ki(?=..)")}
"""What names of languages begin with in a language of the interface, and people leave out when they look for one."""


def named(code: str) -> LanguageName:
    """What a table says of the language with that code."""
    try:
        found = languages.get(code)
    except languages.LanguageError:  # the registry has changed since the snapshot was made
        return LanguageName(code, code, None, "und", "ltr", "")
    return LanguageName(found.code, found.name, found.autonym, found.bcp47, found.direction, found.script_name)


def looked_for(language: LanguageName, words: str) -> bool:
    """Whether somebody who looks for these words may mean the language; everything is meant by none."""
    return not words.strip() or fit(language, words) is not None


def fit(language: LanguageName | Language, words: str) -> int | None:
    """How well a language fits some words: `EXACT`, `BEGINS` or `WITHIN`; None where it does not."""
    sought = folded(words)
    if language.code in _meant(words):
        return EXACT
    if not sought:
        return None
    own = [folded(name) for name in (language.name, language.autonym or "")]
    begun = f" {sought}"
    if any(begun in f" {name}" for name in (*own, folded(language_plain(language)))):
        return BEGINS
    if language.code.casefold().startswith(words.strip().casefold()):
        return BEGINS
    others = _names().get(language.code, ())
    return WITHIN if any(sought in name for name in own) or any(begun in f" {name}" for name in others) else None


def by_name(language: LanguageName | Language) -> tuple[str, str]:
    """Where a language stands in a list: by the name that the reader sees, letters with and without marks together.

    The Unicode collation algorithm has the same order but for a few names with an apostrophe or a hamza.
    """
    return folded(language_plain(language)), language.code


def labelled(language: LanguageName | Language) -> str:
    """A language's name and code, where several may be meant."""
    return f"{language_plain(language)} ({language.code})"


def meant(words: str) -> tuple[Language, ...]:
    """The languages whose code or whole name the words are, with or without marks on the letters; often none."""
    return tuple(languages.get(code) for code in _meant(words))


def near(words: str) -> tuple[Language, ...]:
    """The languages whose code or name looks like the words or stands among them, the likest first: five at most."""
    if exact := meant(words):
        return exact
    found: list[str] = []
    try:
        languages.get(words)
    except languages.LanguageError as error:
        found += [one.code for one in error.candidates]
    sought = folded(words)
    if sought and len(sought) <= LONGEST_NAME:
        among = sorted((name for name in _codes() if _stands_in(name, sought)), key=len, reverse=True)
        for name in (*among, *difflib.get_close_matches(sought, _codes(), n=NEAR, cutoff=0.7)):
            found += _codes()[name]
    return tuple(languages.get(code) for code in list(dict.fromkeys(found))[:NEAR])


def _stands_in(name: str, words: str) -> bool:
    """Whether a name is among other words, as in `langue yoruba`; not all scripts have spaces around words."""
    return len(name) >= SHORTEST_WORD and (f" {name} " in f" {words} " if name.isascii() else name in words)


@functools.lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A name as people without the right keyboard write it: no case, no marks, no apostrophes, single spaces."""
    bare = unicodedata.normalize("NFKD", _NASAL.sub("", text.casefold()).translate(_LETTERS))
    kept = (letter for letter in bare if unicodedata.category(letter) not in ("Mn", "Cf", "Lm", "Sk"))
    return " ".join("".join(kept).translate({ord("'"): "", ord("’"): "", ord("‘"): "", ord("_"): "-"}).split())


@functools.lru_cache(maxsize=256)
def _meant(words: str) -> tuple[str, ...]:
    try:
        return (languages.get(words).code,)
    except languages.AmbiguousLanguage as error:
        return tuple(one.code for one in error.candidates)
    except languages.LanguageError:
        found = _codes().get(folded(words), ())
        spoken = {code.partition("_")[0] for code in found}
        # One language in several scripts: the registry knows which is meant, where one is.
        return _meant(spoken.pop()) if len(found) > 1 and len(spoken) == 1 else found


@functools.cache
def _names() -> Mapping[str, tuple[str, ...]]:
    """Code -> every name that a language has in the registry or in a language of the interface, folded."""
    others = {row["code"]: row["other_names"].split(";") for row in read_table("registry.tsv")}
    spoken = {locale: Locale.parse(locale).languages for locale in LOCALES}

    def every(one: Language) -> Iterable[str]:
        yield from (one.name, one.autonym or "", *others[one.code])
        tags = {one.bcp47.split("-")[0], (one.cldr or "").split("_")[0]}
        for locale, names in spoken.items():
            for name in map(folded, (languages_in(locale).get(one.code, ""), *(names.get(tag, "") for tag in tags))):
                yield name
                if locale in _LEFT_OUT:
                    yield _LEFT_OUT[locale].sub("", name)

    return {
        one.code: tuple(dict.fromkeys(name for name in map(folded, every(one)) if name))
        for one in languages.all_languages()
    }


@functools.cache
def _codes() -> Mapping[str, tuple[str, ...]]:
    """A folded name -> the languages that have it."""
    made: dict[str, list[str]] = defaultdict(list)
    for code, names in _names().items():
        for name in names:
            made[name].append(code)
    return {name: tuple(codes) for name, codes in made.items()}
