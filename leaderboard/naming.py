"""A language's code -> what a table says of it."""

from __future__ import annotations

import languages
from leaderboard.pages import LanguageName


def named(code: str) -> LanguageName:
    """What a table says of the language with that code."""
    try:
        found = languages.get(code)
    except languages.LanguageError:  # the registry has changed since the snapshot was made
        return LanguageName(code, code, None, "und", "ltr", "")
    return LanguageName(found.code, found.name, found.autonym, found.bcp47, found.direction, found.script_name)


def looked_for(language: LanguageName, words: str) -> bool:
    """Whether somebody who looks for these words may mean the language; everything is meant by none."""
    sought = words.strip().casefold()
    named_so = any(sought in name.casefold() for name in (language.name, language.autonym or ""))
    return named_so or language.code.casefold().startswith(sought) or language.bcp47.casefold() == sought
