"""What the Unicode CLDR itself says of a locale: its own names, formats and rules, and nothing that root lends it.

Babel carries CLDR as one pickled file a locale. Those files are read here directly: `babel.localedata.load` answers a
merged and an unmerged load of one locale from one cache, so the first of the two decides what the second sees.
Inheritance follows UTS #35 part 1, section 4 (https://www.unicode.org/reports/tr35/#Locale_Inheritance), minus two
steps: root, whose month "M01" and weekday "Mon" are placeholders, and parents in another language (`ht` falls back to
French and `hi_Latn` to English so that a screen shows something; that is no Haitian and no Hindi).
"""

from __future__ import annotations

import pickle
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from babel import localedata
from babel.core import get_global
from babel.numbers import NumberPattern
from babel.plural import PluralRule

# The first digit of each numbering system that is some locale's default (CLDR, supplemental/numberingSystems.xml).
# Babel leaves that file out; the other nine follow in Unicode's order.
ZEROS = MappingProxyType(
    {
        "adlm": "\U0001e950",
        "arab": "\u0660",
        "arabext": "\u06f0",
        "beng": "\u09e6",
        "cakm": "\U00011136",
        "deva": "\u0966",
        "hmnp": "\U0001e140",
        "latn": "0",
        "mtei": "\uabf0",
        "mymr": "\u1040",
        "nkoo": "\u07c0",
        "olck": "\u1c50",
        "tibt": "\u0f20",
    }
)
# Bokmål and Nynorsk are written norms of `no`; every other parent with another language code is another language.
_MACROLANGUAGES = frozenset({"no"})
_OWN_SYMBOLS = (
    "arab",
    "arabext",
)  # root gives these symbols of their own and makes every other system an alias of latn
_PLACEHOLDER = re.compile("M(0?[1-9]|1[0-2])")
_NOT_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
_NOT_LANGUAGES = frozenset({"mis", "mul", "root", "und", "zxx"})
_LENGTHS = MappingProxyType({"months": 12, "days": 7})
_KEPT = 512  # more than the registry has locales: each is read once a process, at about 30 kB


@dataclass(frozen=True, slots=True)
class Numbers:
    """How a locale writes numbers: the ten digits, the two signs, and the sizes of the first and the other groups."""

    digits: str
    decimal: str
    group: str
    grouping: tuple[int, int]

    def write(self, number: str) -> str:
        """A plain number ("1234567.8") by the locale's rules. Below 10,000 some locales do not group: do not ask."""
        whole, _, fraction = number.partition(".")
        first, other = self.grouping
        head, groups = whole[:-first], [whole[-first:]]
        while head:
            groups.insert(0, head[-other:])
            head = head[:-other]
        return localise(self.group.join(groups) + (self.decimal + fraction if fraction else ""), self.digits)


@dataclass(frozen=True, slots=True)
class Locale:
    """What the chain of a locale below root says. What it does not say is empty or None.

    Months and weekdays (Monday first) are complete or empty: `months` as they stand alone, `months_in_dates` as a date
    has them, which in many languages is the genitive, `months_abbreviated` so too. `date` is the long pattern, and
    `era` the abbreviated name of ours.
    """

    identifier: str
    territories: Mapping[str, str]
    languages: Mapping[str, str]
    currencies: Mapping[str, str]
    months: tuple[str, ...]
    months_in_dates: tuple[str, ...]
    months_abbreviated: tuple[str, ...]
    weekdays: tuple[str, ...]
    date: str | None
    era: str | None
    digits: str
    numbers: Numbers | None
    plurals: PluralRule | None


def version() -> str:
    """The version of CLDR that the installed Babel carries."""
    return str(get_global("cldr")["version"])


def localise(text: str, digits: str) -> str:
    """`text` with ASCII digits replaced by those of a locale."""
    return text.translate(str.maketrans("0123456789", digits))


def same(one: str, other: str) -> bool:
    """Whether two names are equal but for case and Unicode composition."""
    return fold(one) == fold(other)


def fold(text: str) -> str:
    """NFC, then case folded."""
    return unicodedata.normalize("NFC", text).casefold()


def chain(identifier: str) -> tuple[str, ...]:
    """The locale and the locales below root, in its own language, that it inherits from, nearest first."""
    found = [identifier]
    while (parent := _parent(found[-1])) and _same_language(found[-1], parent):
        found.append(parent)
    return tuple(found)


@lru_cache(maxsize=_KEPT)
def read(identifier: str) -> Locale:
    """All that is needed of a locale. Raises `LookupError` where Babel has no such locale."""
    data = _own(identifier)
    date = data.get("date_formats", {}).get("long")
    rule = data.get("plural_form")
    return Locale(
        identifier=identifier,
        territories=_pick(data, "territories", territory_codes()),
        languages=_pick(data, "languages", language_codes()),
        currencies=_pick(data, "currency_names", currency_codes()),
        months=_names(data, "months", "stand-alone"),
        months_in_dates=_names(data, "months", "format"),
        months_abbreviated=_names(data, "months", "format", "abbreviated"),
        weekdays=_names(data, "days", "stand-alone"),
        date=None if date is None else str(date),
        era=data.get("eras", {}).get("abbreviated", {}).get(1),
        digits=_digits(data),
        numbers=_numbers(data, borrows=_parent(chain(identifier)[-1]) is not None),
        plurals=rule if isinstance(rule, PluralRule) else None,
    )


@cache
def territory_codes() -> tuple[str, ...]:
    """The two-letter codes that CLDR names in English, without unions, pseudo-regions and the unknown."""
    named = _own("en")["territories"]
    return tuple(sorted(code for code in named if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES))


@cache
def language_codes() -> tuple[str, ...]:
    """The languages named in English that have a two-letter code or a CLDR locale of their own.

    The other half of CLDR's language names (Akoose, Zenaga) stands in few locales, often as a copy of the English one.
    """
    named = _own("en")["languages"]
    known = {identifier.split("_")[0] for identifier in localedata.locale_identifiers()}
    chosen = (code for code in named if code.isalpha() and (len(code) == 2 or code in known))
    return tuple(sorted(code for code in chosen if code not in _NOT_LANGUAGES))


@cache
def currency_codes() -> tuple[str, ...]:
    """The currencies that are legal tender somewhere today, by CLDR's own table."""
    tables = get_global("territory_currencies").values()
    current = {code for table in tables for code, _, end, tender in table if tender and end is None}
    return tuple(sorted(current & _own("en")["currency_names"].keys()))


def _parent(identifier: str) -> str | None:
    exception: str | None = get_global("parent_exceptions").get(identifier)
    if exception:
        return None if exception == "root" else exception
    language, _, rest = identifier.partition("_")
    if len(rest) == 4 and rest != _likely_script(language):
        return None  # a language in its less usual script inherits nothing from the usual one (UTS #35, since CLDR 45)
    return identifier.rpartition("_")[0] or None


def _likely_script(language: str) -> str:
    subtags = get_global("likely_subtags").get(language, "").split("_")
    return next((subtag for subtag in subtags if len(subtag) == 4), "")


def _same_language(identifier: str, parent: str) -> bool:
    language = parent.partition("_")[0]
    return language in (identifier.partition("_")[0], *_MACROLANGUAGES)


def _own(identifier: str) -> dict[str, Any]:
    """The chain's data merged. Aliases live in root alone, so none is left to resolve."""
    merged: dict[str, Any] = {}
    for part in reversed(chain(identifier)):
        try:
            with Path(localedata.resolve_locale_filename(part)).open("rb") as file:
                localedata.merge(merged, pickle.load(file))
        except FileNotFoundError as error:
            raise LookupError(f"Babel has no locale {part!r}") from error
    return merged


def _pick(data: Mapping[str, Any], section: str, codes: tuple[str, ...]) -> Mapping[str, str]:
    """Code -> name for those codes that have a name other than the code itself."""
    named = data.get(section, {})
    return {code: named[code] for code in codes if code in named and not same(named[code], code)}


def _names(data: Mapping[str, Any], section: str, context: str, width: str = "wide") -> tuple[str, ...]:
    """The names in order; empty unless all are there, all differ and none is root's placeholder copied.

    In root the names that stand alone, and the abbreviated ones, are aliases of the wide ones in dates, name by name.
    """
    contexts = data.get(section, {})
    named = {**contexts.get("format", {}).get("wide", {}), **contexts.get(context, {}).get(width, {})}
    names = tuple(named[key] for key in sorted(named) if not _PLACEHOLDER.fullmatch(named[key]))
    return names if len({fold(name) for name in names}) == _LENGTHS[section] else ()


def _digits(data: Mapping[str, Any]) -> str:
    zero = ord(ZEROS[data.get("default_numbering_system", "latn")])
    return "".join(chr(zero + digit) for digit in range(10))


def _numbers(data: Mapping[str, Any], *, borrows: bool) -> Numbers | None:
    """How numbers are written, if the chain says anything about it; CLDR leaves out what equals its parent's value.

    That parent is root, whose signs are known here, unless the locale `borrows` from another language (`ht` from
    French): then a sign that it leaves out is the other language's, and nothing is known of its own.
    """
    system = data.get("default_numbering_system")
    symbols = data.get("number_symbols", {})
    sources = (system or "latn",) if system in _OWN_SYMBOLS else (system or "latn", "latn")
    own = {key: text for source in reversed(sources) for key, text in symbols.get(source, {}).items()}
    pattern = data.get("decimal_formats", {}).get(None)
    if system is None and pattern is None and not {"decimal", "group"} & own.keys():
        return None
    if borrows and not {"decimal", "group"} <= own.keys():
        return None
    decimal, group = ("\u066b", "\u066c") if system in _OWN_SYMBOLS else (".", ",")
    return Numbers(
        digits=_digits(data),
        decimal=own.get("decimal", decimal),
        group=own.get("group", group),
        grouping=pattern.grouping if isinstance(pattern, NumberPattern) else (3, 3),
    )
