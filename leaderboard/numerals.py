"""Numbers as the reader's language writes them: 1,234.5 in English is 1.234,5 in Spanish."""

from __future__ import annotations

import functools
import re

from babel import Locale
from flask import has_request_context

from leaderboard import prefixes

ISOLATE, END = "\u2066", "\u2069"
"""Around what is read from left to right in any text."""

# A per cent behind a number, or behind what a number will take the place of; in a message with values it is doubled.
_PERCENT = re.compile(r"(?:(?<=[0-9])|(?<=\)s))[ \u00a0\u202f\u200e]?(%%|%(?![(A-Za-z0-9]))\u200e?")


@functools.cache
def _marks(locale: str) -> dict[int, str]:
    """What stands for the comma and the point of an English number, by CLDR."""
    symbols = Locale.parse(locale).number_symbols["latn"]
    return {ord(","): str(symbols["group"]), ord("."): str(symbols["decimal"])}


@functools.cache
def _percent(locale: str) -> str:
    """The per cent behind a number, by CLDR: with no space before it or one at which no line ends.

    Right to left it has marks around it that keep it on the right side of its number.
    """
    known = Locale.parse(locale)
    behind = str(known.percent_formats[None].pattern).rpartition("0")[2]
    return behind.replace("%", str(known.number_symbols["latn"]["percentSign"]))


def percents(text: str, locale: str) -> str:
    """A text with every per cent as its language writes it.

    Texts and their translations are written "95 %" or "95%": a line could end in the one, and right to left the sign
    of either may change its side.
    """
    if "%" not in text:
        return text
    return _PERCENT.sub(lambda found: _percent(locale).replace("%", found[1]), text)


def local(number: str) -> str:
    """A number that is written as in English, in the language of the request; as it is outside of one."""
    if not has_request_context():
        return number
    locale = prefixes.current().locale
    if locale == prefixes.DEFAULT:
        return percents(number, locale)
    shown = percents(number.translate(_marks(locale)), locale)
    # Right to left, a sign or a per cent would change its side, and a range its ends.
    apart = Locale.parse(locale).text_direction == "rtl" and not shown.isdigit()
    return f"{ISOLATE}{shown}{END}" if apart else shown


def count(number: int) -> str:
    """A whole number, its thousands apart."""
    return local(f"{number:,}")
