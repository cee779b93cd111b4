"""Names of languages and scripts in the language of the interface: CLDR's, and English ones where it has none.

Data are the same in every language of the interface: beside a page of any, they have the registry's English names and
the order that these have. CLDR writes names as they stand within a sentence (`yoruba`); in headings, tables and choices
they begin with a capital (`Yoruba`).
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from babel import Locale
from flask import has_request_context, request
from markupsafe import Markup, escape

import languages
from languages import Language
from languages.tables import read_table
from leaderboard import prefixes, twins
from leaderboard.pages import LanguageName
from leaderboard.prefixes import DEFAULT, LOCALES

TAGS: Mapping[str, tuple[str, ...]] = {"arb": ("ar_001",), "prs": ("prs", "fa_AF"), "swc": ("swc", "sw_CD")}
"""Languages that CLDR names under a region of a wider one."""

HAN, KINDS_OF_HAN = "Hani", ("Hans", "Hant")
"""CLDR calls the two kinds of Han just simplified and traditional."""


@dataclass(frozen=True, slots=True)
class Said:
    """A name within a sentence, and the language that it is in."""

    text: str
    lang: str


def language_within(one: Language | LanguageName) -> Markup:
    """A language's name within a sentence, marked where it is in another language than the page."""
    return _marked(_language(one))


def language_name(one: Language | LanguageName) -> Markup:
    """A language's name in a heading or a table, marked where it is in another language than the page."""
    return _marked(_begun(_language(one)))


def language_plain(one: Language | LanguageName) -> str:
    """A language's name where nothing can be marked: in a title, a choice, an attribute, a picture."""
    return _begun(_language(one)).text


def script_name(one: Language | LanguageName) -> Markup:
    """The name of a language's script in a table, marked where it is in another language than the page."""
    return _marked(_begun(_script(*_script_of(one))))


def script_plain(one: Language | LanguageName | str) -> str:
    """The name of a script, or of a language's, where nothing can be marked."""
    code, english = (one, _english_scripts().get(one, one)) if isinstance(one, str) else _script_of(one)
    return _begun(_script(code, english)).text


def language_of(code: str) -> str:
    """The name of the language with a code, where nothing can be marked; the code itself where none has it."""
    found = _registry().get(code)
    return language_plain(found) if found else code


def countries(codes: Sequence[str]) -> str:
    """The names of countries by their ISO 3166-1 codes, in the language of the page; a code where it has none."""
    locale = Locale.parse(_locale())
    comma = "، " if locale.language == "ar" else ", "
    return comma.join(str(locale.territories.get(code, code)) for code in codes)


def load() -> None:
    """Reads the names in every language of the interface."""
    for locale in LOCALES:
        languages_in(locale)
        scripts_in(locale)


@functools.cache
def languages_in(locale: str) -> Mapping[str, str]:
    """Code -> name in a locale, of the languages that have one there which no other language of the registry has.

    CLDR files many a language under the code of its macrolanguage (`quy` under `qu`). That name is taken where it can
    mean no other language of the registry: where none has it within its own English name.
    """
    if locale == DEFAULT:
        return {}
    known = Locale.parse(locale).languages
    made = {}
    for one in languages.all_languages():
        name = next((known[tag] for tag in _tags()[one.code] if tag in known), "")
        if name:
            made[one.code] = name
    shown = defaultdict(set)
    for one in languages.all_languages():
        shown[made.get(one.code, one.name).casefold()].add(one.name)
    return {code: name for code, name in made.items() if len(shown[name.casefold()]) == 1}


@functools.cache
def scripts_in(locale: str) -> Mapping[str, str]:
    """ISO 15924 code -> name in a locale, of the scripts that have one there."""
    if locale == DEFAULT:
        return {}
    known = Locale.parse(locale).scripts
    made = {code: str(known[code]) for code in _english_scripts() if code in known}
    kinds = {code: f"{known[HAN]} – {made[code]}" for code in KINDS_OF_HAN if code in made and HAN in known}
    return made | kinds


@functools.cache
def _tags() -> Mapping[str, tuple[str, ...]]:
    """Code -> the tags under which CLDR may name that very language, the likeliest first."""
    english = Locale.parse(DEFAULT).languages
    wider = {row["alias"] for row in read_table("aliases.tsv") if row["note"].startswith("macrolanguage")}
    codes = {row["code"]: row["other_names"].split(";") for row in read_table("registry.tsv")}

    def tags(one: Language) -> Iterator[str]:
        if one.iso639_3 in TAGS:
            yield from TAGS[one.iso639_3]
            return
        base = one.bcp47.split("-")[0]
        own = [tag for tag in (base, one.iso639_3, *codes[one.code]) if tag in english]
        yield from (tag for tag in own if english[tag] == one.name)
        if base in english and (base not in wider or not _shared(english[base], one.iso639_3)):
            yield base

    return {one.code: tuple(dict.fromkeys(tags(one))) for one in languages.all_languages()}


def _shared(name: str, own: str) -> bool:
    """Whether another language than that with the ISO 639-3 code `own` has the name within its English one."""
    within = re.compile(rf"\b{re.escape(name)}\b")
    return any(one.iso639_3 != own and within.search(one.name) for one in languages.all_languages())


@functools.cache
def _registry() -> Mapping[str, Language]:
    return {one.code: one for one in languages.all_languages()}


@functools.cache
def _english_scripts() -> Mapping[str, str]:
    return {one.script: one.script_name for one in languages.all_languages()}


def _script_of(one: Language | LanguageName) -> tuple[str, str]:
    """The code and the English name of a language's script."""
    if isinstance(one, LanguageName):
        return one.code.rpartition("_")[2], one.script
    return one.script, one.script_name


def _language(one: Language | LanguageName) -> Said:
    locale = _locale()
    name = languages_in(locale).get(one.code)
    return Said(name, locale) if name else Said(one.name, DEFAULT)


def _script(code: str, english: str) -> Said:
    locale = _locale()
    name = scripts_in(locale).get(code)
    return Said(name, locale) if name else Said(english, DEFAULT)


def _begun(said: Said) -> Said:
    """With a capital, as a heading or a list begins in every language that has capitals."""
    return Said(said.text[:1].upper() + said.text[1:], said.lang)


def _marked(said: Said) -> Markup:
    if said.lang == _locale():
        return escape(said.text)
    return Markup('<span lang="{}" dir="ltr">{}</span>').format(said.lang, said.text)


def _locale() -> str:
    return prefixes.current().locale if has_request_context() and not _of_data() else DEFAULT


def _of_data() -> bool:
    """Whether the data beside a page are asked for, and not the page."""
    return (request.endpoint or "").rpartition(".")[2] in twins.FORMATS
